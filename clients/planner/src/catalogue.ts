import { PlannerError } from './errors';
import type { JsonObject } from './json';
import type { ReachedCapability } from './runtime';

/** What the model is told of: everything, without the schemas of outputs if it is too much with them. @throws PlannerError NO_CAPABILITIES, CATALOGUE_TOO_LARGE */
export function catalogueOf(reached: readonly ReachedCapability[], include: readonly string[], bytesMax: number): string {
  const wanted = include.map(pattern);
  const chosen = reached.filter(({ name }) => wanted.some(one => one.test(name)));
  if (reached.length === 0) throw new PlannerError('NO_CAPABILITIES', 'policy lets this agent reach no capability: give it a role (PUT /v1/roles/:name)');
  if (chosen.length === 0) throw new PlannerError('NO_CAPABILITIES', `none of the capabilities that this agent may reach is named by ${include.map(one => `\`${one}\``).join(', ')}: there are ${reached.map(({ name }) => name).join(', ').slice(0, 1_000)}`);
  for (const withOutputs of [true, false]) {
    const text = chosen.map(one => JSON.stringify(line(one, withOutputs))).join('\n');
    if (Buffer.byteLength(text) <= bytesMax) return text;
  }
  throw new PlannerError('CATALOGUE_TOO_LARGE', `the schemas of ${chosen.length} capabilities take more than ${bytesMax} bytes: say which of them are needed (include, such as \`fs.*\`), or allow for more (catalogueBytesMax)`);
}

const line = ({ name, description, inputSchema, outputSchema }: ReachedCapability, withOutputs: boolean): JsonObject =>
  ({ capability: name, description, input: inputSchema, ...(withOutputs ? { output: outputSchema } : {}) });

/** `fs.*`: `*` stands for anything. */
const pattern = (text: string): RegExp => new RegExp(`^${text.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);

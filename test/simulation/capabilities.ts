import { prepareCapability } from '@aifirst/admission';
import { BuiltinAdapter } from '@aifirst/adapter-builtin';
import type { CapabilityDescriptor, Reversibility } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';

const text: JsonObject = { type: 'string' };
const path: JsonObject = { type: 'string', 'x-path': true };
const schema = (properties: JsonObject, required: readonly string[] = Object.keys(properties)): JsonObject => ({ type: 'object', additionalProperties: false, properties, required });
const WRITES = { uri: 'file://{connection}/{path}', access: 'write' } as const;

function describeAll(sensitive: boolean): readonly CapabilityDescriptor[] {
  const content: JsonObject = sensitive ? { type: 'string', 'x-sensitive': 'content' } : text;
  const one = (name: string, reversibility: Reversibility, input: JsonObject, resources: CapabilityDescriptor['resources'], output: JsonObject = {}): CapabilityDescriptor => ({
    name, version: '1', adapter: 'os', reversibility, outcome: 'marker', undo: reversibility === 'reversible' ? 'exact' : 'none', description: name,
    inputSchema: schema({ connection: text, path, fail: { enum: ['clean'] as Json }, ...input }, ['connection', 'path', ...Object.keys(input)]),
    outputSchema: schema({ path: text, next: text, ...output }), resources,
  });
  return [
    one('sim.put', 'reversible', { content }, [WRITES]),
    one('sim.remove', 'reversible', {}, [WRITES]),
    // Takes everything beneath a path away.
    one('sim.sweep', 'reversible', {}, [WRITES]),
    one('sim.move', 'reversible', { to: path }, [WRITES, { uri: 'file://{connection}/{to}', access: 'write' }]),
    one('sim.read', 'readOnly', {}, [{ uri: 'file://{connection}/{path}', access: 'read' }], { content }),
    // Changes what nobody can change back.
    one('sim.send', 'irreversible', { content }, [WRITES]),
    ...new BuiltinAdapter({ after: () => () => undefined }).capabilities(),
  ];
}

const both = [describeAll(false), describeAll(true)] as const;
for (const descriptor of both.flat()) prepareCapability(descriptor);

/** The same objects every time: what is compiled for a schema is kept by it. */
export const capabilitiesOf = (sensitive: boolean): readonly CapabilityDescriptor[] => both[sensitive ? 1 : 0];

/** Two names for one thing: what locks go by is the target's own identity. */
export const CONNECTIONS = ['docs', 'files'] as const;
export const LOCK_BASE = 'file:///srv/files';

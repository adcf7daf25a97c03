import type { Client } from './client';
import { Invalid, Unavailable } from './errors';
import type { Given } from './encoding';
import { isObject, type JsonObject } from './json';
import type { ListedTool } from './listed-tools';
import { Intent } from './intent';
import { outputOf } from './types';

/** As OpenAI-compatible endpoints take it in `tools`. */
export interface FunctionTool { readonly type: 'function'; readonly function: { readonly name: string; readonly description: string; readonly parameters: JsonObject } }

export interface ToolsOptions {
  /** Names of capabilities, with `*`: `['fs.*', 'sql.query']`; all unless given. */
  readonly include?: readonly string[];
  /** How long a call waits for its end (300,000). */
  readonly timeoutMs?: number;
  /** Of the workflows that calls become, beside `via: typescript`. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const CALL_MS = 300_000;
const STEP = 'call';
const INPUT = '/steps/0/input';

/**
 * What the client's agent may do, as tools for a model, without any framework: what policy does not rule out at this moment. That is a
 * convenience, and policy decides at every call.
 */
export async function tools(client: Client, { include = ['*'], timeoutMs = CALL_MS, labels = {}, signal }: ToolsOptions = {}): Promise<Tool[]> {
  const patterns = include.map(patternOf);
  const listed = await client.reachable({ signal });
  return listed.filter(({ title }) => patterns.some(one => one.test(title))).map(one => new Tool(client, one, timeoutMs, { via: 'typescript', ...labels }));
}

/** A capability as a tool: each call is a workflow of one step, decided, recorded and taken back like any other. */
export class Tool {
  /** Fits what models call tools. */
  readonly name: string;
  /** The name that policies use. */
  readonly capability: string;
  readonly description: string;
  /** JSON Schema; lists the connections that the agent may use. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  /** It changes nothing. */
  readonly readOnly: boolean;
  /** It can't be undone exactly. */
  readonly destructive: boolean;

  /** Made by `tools`. */
  constructor(private readonly client: Client, { name, title, description = '', inputSchema, outputSchema = {}, annotations = {} }: ListedTool, private readonly timeoutMs: number, private readonly labels: Readonly<Record<string, string>>) {
    this.name = name;
    this.capability = title;
    this.description = description;
    this.inputSchema = inputSchema;
    this.outputSchema = outputSchema;
    this.readOnly = annotations.readOnlyHint === true;
    this.destructive = annotations.destructiveHint !== false;
  }

  get definition(): FunctionTool { return { type: 'function', function: { name: this.name, description: this.description, parameters: this.inputSchema } }; }

  /**
   * @param given as a model gives them: an object, or its JSON. They are data: what looks like a reference is none
   * @param options with a key a repeat is the same call
   * @returns what the capability answered
   * @throws AiFirstError whose message a model can act on
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: its shape is the capability's, which nothing here knows.
  async call(given: object | string, { idempotencyKey, signal }: { readonly idempotencyKey?: string; readonly signal?: AbortSignal } = {}): Promise<any> {
    const input = this.argumentsOf(given);
    const intent = new Intent(`tool call of ${this.capability}`, { labels: this.labels });
    intent.step(this.capability, input, { id: STEP });
    try {
      return outputOf(await this.client.run(intent, { idempotencyKey, signal, timeoutMs: this.timeoutMs }), STEP);
    } catch (error) {
      throw this.forModel(error);
    }
  }

  private argumentsOf(given: object | string): Record<string, Given> {
    let found: unknown = given;
    if (typeof given === 'string') { try { found = JSON.parse(given === '' ? '{}' : given); } catch { found = undefined; } }
    if (!isObject(found)) throw new Invalid('INVALID_INPUT', 'the arguments are not a JSON object', { advice: `Nothing was done. ${this.takes}` });
    const { required = [], properties = {} } = this.inputSchema as { readonly required?: readonly string[]; readonly properties?: JsonObject };
    // Why: models send nulls for what they leave out, also where null is no value.
    const kept = Object.entries(found).filter(([name, value]) => value !== null || required.includes(name) || !Object.hasOwn(properties, name) || takesNull(properties[name]));
    return Object.fromEntries(kept) as Record<string, Given>;
  }

  private get takes(): string {
    const { required = [], properties = {} } = this.inputSchema as { readonly required?: readonly string[]; readonly properties?: JsonObject };
    const names = Object.keys(properties).map(name => `\`${name}\`${required.includes(name) ? ' (required)' : ''}`);
    return names.length === 0 ? `\`${this.name}\` takes nothing.` : `\`${this.name}\` takes ${names.join(', ')}.`;
  }

  private forModel(error: unknown): unknown {
    if (error instanceof Invalid) {
      const errors = error.errors.map(({ pointer, ...rest }) => ({ ...rest, ...(pointer === undefined ? {} : { pointer: pointer.replace(INPUT, '').replaceAll('/$literal', '') || '/' }) }));
      return new Invalid(error.code, error.detail, { pointer: errors[0]?.pointer, status: error.status, errors, document: error.document, advice: `Nothing was done. ${this.takes}`, cause: error });
    }
    // Why: whoever calls a tool has no key to call it again with, and would act twice.
    if (error instanceof Unavailable && error.workflowId === undefined && !error.perhapsDone) return error.again({ advice: 'Nothing was done: call it again later.' });
    if (error instanceof Unavailable) return error.again({ advice: `${error.workflowId === undefined ? 'It is not known whether it was done' : `Workflow ${error.workflowId} was taken and goes on`}: look before it is called again.` });
    return error;
  }
}

const patternOf = (text: string): RegExp => new RegExp(`^${text.split('*').map(part => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);

function takesNull(schema: unknown): boolean {
  if (!isObject(schema)) return true;
  const { type, anyOf, oneOf, enum: values } = schema;
  if (type !== undefined) return type === 'null' || (Array.isArray(type) && type.includes('null'));
  if (Array.isArray(anyOf ?? oneOf)) return ((anyOf ?? oneOf) as readonly unknown[]).some(takesNull);
  if (Array.isArray(values)) return values.includes(null);
  return !('const' in schema) || schema['const'] === null;
}

import { isObject, type Json, type JsonObject } from '@aifirst/kernel';

export const STEP = 'call';
const STEP_PLACE = '/steps/0';
const LITERAL = '$literal';
const MEANINGFUL = ['$ref', LITERAL];
const CLIENT_CHARS_MAX = 64;

export interface CallOptions {
  /** The program that calls, as it says. */
  readonly client: string | null;
  readonly timeoutMs?: Json | undefined;
  /** The token of a task that it is done for. */
  readonly parent?: string | undefined;
}

/** A call as an intent of one step. */
export function oneStepIntent(capability: string, input: JsonObject, { client, timeoutMs, parent }: CallOptions): JsonObject {
  return {
    goal: `tool call of ${capability}`, labels: labelsOf(client), ...(parent === undefined ? {} : { parent }),
    steps: [stepOf(STEP, capability, input, timeoutMs)],
  };
}

/** A call as a step, as one is handed in. */
export const stepOf = (id: string, capability: string, input: JsonObject, timeoutMs: Json | undefined): JsonObject =>
  ({ id, capability, input: Object.fromEntries(Object.entries(input).map(([name, value]) => [name, asData(value ?? null)])), ...(timeoutMs === undefined ? {} : { timeoutMs }) });

/** By what, and through what, something came. */
export function labelsOf(client: string | null): Readonly<Record<string, string>> {
  const label = client?.replaceAll(/[^\x20-\x7e]/g, '').trim().slice(0, CLIENT_CHARS_MAX) ?? '';
  return { via: 'mcp', ...(label === '' ? {} : { client: label }) };
}

/** Arguments are data: whoever calls tools one by one has seen what they answered. */
function asData(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(asData);
  if (!isObject(value)) return value;
  if (MEANINGFUL.some(key => Object.hasOwn(value, key))) return { [LITERAL]: value };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asData(inner ?? null)]));
}

/** A pointer into the intent, or the step, as one into the arguments, or the name of what stands beside them. */
export function argumentOf(pointer: string): string {
  const place = pointer.startsWith(`${STEP_PLACE}/`) ? pointer.slice(STEP_PLACE.length) : pointer;
  if (place === '/input') return 'the arguments';
  if (place.startsWith('/input/')) return `argument \`${place.slice('/input'.length).replaceAll(`/${LITERAL}`, '')}\``;
  if (place === '/timeoutMs') return '`_meta["io.aifirst/timeoutMs"]`';
  if (pointer === '/id') return '`_meta["io.aifirst/idempotencyKey"]`';
  if (pointer === '/parent') return 'the token of the task';
  return `\`${pointer}\``;
}

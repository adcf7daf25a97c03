import { isObject, type Json, type JsonObject } from '@aifirst/kernel';

export const STEP = 'call';
const INPUT = `/steps/0/input`;
const LITERAL = '$literal';
const MEANINGFUL = ['$ref', LITERAL];
const CLIENT_CHARS_MAX = 64;

/** A call as an intent of one step. @param client the program that calls, as it says */
export function oneStepIntent(capability: string, input: JsonObject, { client, timeoutMs }: { readonly client: string | null; readonly timeoutMs?: Json | undefined }): JsonObject {
  const label = client?.replaceAll(/[^\x20-\x7e]/g, '').trim().slice(0, CLIENT_CHARS_MAX) ?? '';
  return {
    goal: `tool call of ${capability}`, labels: { via: 'mcp', ...(label === '' ? {} : { client: label }) },
    steps: [{ id: STEP, capability, input: Object.fromEntries(Object.entries(input).map(([name, value]) => [name, asData(value ?? null)])), ...(timeoutMs === undefined ? {} : { timeoutMs }) }],
  };
}

/** Arguments are data: there is no other step for a reference to lead to. */
function asData(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(asData);
  if (!isObject(value)) return value;
  if (MEANINGFUL.some(key => Object.hasOwn(value, key))) return { [LITERAL]: value };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asData(inner ?? null)]));
}

/** A pointer into the intent as one into the arguments, or the name of what stands beside them. */
export function argumentOf(pointer: string): string {
  if (pointer === INPUT) return 'the arguments';
  if (pointer.startsWith(`${INPUT}/`)) return `argument \`${pointer.slice(INPUT.length).replaceAll(`/${LITERAL}`, '')}\``;
  if (pointer === '/steps/0/timeoutMs') return '`_meta["io.aifirst/timeoutMs"]`';
  return `\`${pointer}\``;
}

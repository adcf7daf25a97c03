import { isObject, listOf, textOf, type JsonObject } from '../json';
import type { ModelAnswer } from './model';

const SCANNED_STARTS_MAX = 64;

/** What a chat endpoint answered with 200; null: that is none. A refusal of the model is its text. */
export function answerIn(body: string): ModelAnswer | null {
  const answer = parsed(body);
  const choice = isObject(answer) ? listOf(answer['choices'])[0] : undefined;
  const message = isObject(choice) ? choice['message'] : undefined;
  if (!isObject(answer) || !isObject(choice) || !isObject(message)) return null;
  const usage = answer['usage'];
  const tokens = isObject(usage) ? usage['total_tokens'] : undefined;
  return { text: textIn(message), isCut: choice['finish_reason'] === 'length', tokens: typeof tokens === 'number' && Number.isFinite(tokens) && tokens >= 0 ? tokens : null };
}

/** The arguments of the first tool that it calls, else what it says. */
function textIn(message: JsonObject): string {
  const call = listOf(message['tool_calls'])[0];
  const called = isObject(call) ? call['function'] : message['function_call'];
  if (isObject(called) && called['arguments'] !== undefined) return textOf(called['arguments']);
  const { content, refusal } = message;
  const said = Array.isArray(content) ? listOf(content).map(part => (isObject(part) ? textOf(part['text']) : textOf(part))).join('') : textOf(content);
  return said === '' ? textOf(refusal) : said;
}

/** Of an answer with another status: what it says of the reason. */
export function messageOfRefusal(body: string): string {
  const answer = parsed(body);
  if (!isObject(answer)) return body;
  const { error, message, detail } = answer;
  return textOf(isObject(error) ? error['message'] ?? error : error ?? message ?? detail ?? body);
}

/**
 * The object that a model means by its text. Not every endpoint holds a model to JSON: there may be words around it, a
 * fence, thoughts, the call of a tool as text, or JSON in a string. Of several objects the last that looks like an answer.
 */
export function objectIn(text: string): JsonObject | null {
  const plain = text.replace(/^\uFEFF/, '').replace(/<(think|thinking|reasoning)>[\s\S]*?<\/\1>/gi, '').trim();
  const whole = meant(parsed(plain));
  if (whole !== null) return whole;
  const fenced = [...plain.matchAll(/```[\w-]*[ \t]*\r?\n([\s\S]*?)```/g)].map(([, inside]) => meant(parsed(inside!.trim())));
  return fenced.findLast(isAnswer) ?? [...balanced(plain)].map(part => meant(parsed(part))).findLast(isAnswer) ?? null;
}

const isAnswer = (value: JsonObject | null): value is JsonObject => value !== null && ('steps' in value || 'cannot' in value);

/** @returns null if it is none of an answer, a call that holds one, or a string that holds one */
function meant(value: unknown, depth = 0): JsonObject | null {
  if (typeof value === 'string' && depth < 3) return meant(parsed(value), depth + 1);
  if (!isObject(value)) return null;
  if (isAnswer(value) || depth >= 3) return value;
  for (const name of ['arguments', 'parameters', 'intent', 'plan', 'function']) {
    const inside = value[name] === undefined ? null : meant(value[name], depth + 1);
    if (isAnswer(inside)) return inside;
  }
  return value;
}

/** Texts from a `{` to the `}` that closes it, outermost ones. */
function* balanced(text: string): Iterable<string> {
  let starts = 0;
  for (let start = text.indexOf('{'); start >= 0 && starts < SCANNED_STARTS_MAX; starts++) {
    const end = closingOf(text, start);
    if (end >= 0) yield text.slice(start, end + 1);
    start = text.indexOf('{', end >= 0 ? end + 1 : start + 1);
  }
}

function closingOf(text: string, start: number): number {
  let depth = 0;
  let isQuoted = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isQuoted) {
      if (character === '\\') at++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at;
  }
  return -1;
}

function parsed(text: string): unknown {
  try { return JSON.parse(text) as unknown; } catch { return undefined; }
}

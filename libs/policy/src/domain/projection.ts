import canonicalize from 'canonicalize';
import type { Json, JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';
import { isSealed } from '@aifirst/contracts';
import type { CedarRecord, CedarValue } from './cedar-engine';

/** Beyond this many bytes of UTF-8 (as JSON) the largest parts of an input are shown to policies as digests. */
export const INPUT_BYTES_MAX = 32 * 1024;
/** Nested deeper than this a part is shown as its digest. Why: the engine reads its requests to a depth of 128. */
export const INPUT_DEPTH_MAX = 48;

/** The input can't be shown to policies. Expected: it becomes a deny with `POLICY_ERROR`. */
export class Unprojectable extends Error {
  constructor(message: string) { super(message); this.name = 'Unprojectable'; }
}

export type Digest = (value: Json) => string;

// Why: with the flag `u` a pair is one character, so that this finds only halves that stand alone.
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The only way of an agent's values into Cedar.
 *
 * | JSON | Cedar |
 * |---|---|
 * | string, boolean | itself |
 * | safe integer | Long |
 * | other number | String, canonical (RFC 8785): `1.5`, `1e+30` |
 * | null | absent |
 * | array | `{ count: Long, items: Set<String> }`; a string stands for itself, anything else as its canonical JSON |
 * | object | Record |
 * | sealed value | `{ sealed: true, class: String }` |
 *
 * What is too large or too deep becomes a digest *of another type*: a string the record `{ digest, bytes }`, an object or
 * array the string `sha256:…`. So a policy that looks into it fails, and failing is a deny; one that does not is not
 * disturbed. (Of the same type, padding an input would be a way round `forbid … when { context.input has x }`.)
 *
 * @throws Unprojectable a key starts with `__` (Cedar's escapes for entities and extension values), or a lone surrogate
 */
export function projectInput(input: JsonObject, digest: Digest): CedarValue {
  refuseReservedKeys(input);
  if (roughBytes(input) <= INPUT_BYTES_MAX) return projectObject(input, 1, digest);
  const parts = Object.entries(input).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null);
  const sized = parts.map(([key, value]) => ({ key, value, bytes: utf8Bytes(key) + (isSealed(value) ? 64 : jsonBytes(value)) + 4 }));
  let total = sized.reduce((sum, part) => sum + part.bytes, 2);
  const digested = new Set<string>();
  for (const part of [...sized].sort((a, b) => b.bytes - a.bytes || (a.key < b.key ? -1 : 1))) {
    if (total <= INPUT_BYTES_MAX) break;
    digested.add(part.key);
    total -= part.bytes - Math.min(part.bytes, utf8Bytes(part.key) + 120);
  }
  if (total > INPUT_BYTES_MAX) return digestInPlaceOf(input, digest);
  const record: Record<string, CedarValue> = {};
  for (const { key, value } of sized) {
    const projected = digested.has(key) ? digestInPlaceOf(value, digest) : project(value, 2, digest);
    if (projected !== undefined) record[wellFormed(key)] = projected;
  }
  return record;
}

/** @throws Unprojectable where any key, at any depth, starts with `__` */
export function refuseReservedKeys(value: unknown): void {
  if (typeof value !== 'object' || value === null || isSealed(value)) return;
  if (Array.isArray(value)) { for (const item of value) refuseReservedKeys(item); return; }
  for (const key of Object.keys(value)) {
    if (key.startsWith('__')) throw new Unprojectable('the input has a key that starts with `__`, which is reserved');
    refuseReservedKeys((value as Record<string, unknown>)[key]);
  }
}

function project(value: Json | undefined, depth: number, digest: Digest): CedarValue | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return wellFormed(value);
  if (typeof value === 'number') return projectNumber(value);
  if (depth > INPUT_DEPTH_MAX) return digestInPlaceOf(value, digest);
  if (isObject(value)) return projectObject(value, depth, digest);
  return { count: (value as readonly Json[]).length, items: [...new Set((value as readonly Json[]).map(canonicalItem))] };
}

function projectObject(value: JsonObject, depth: number, digest: Digest): CedarRecord {
  if (isSealed(value)) return sealedRecord(value);
  const record: Record<string, CedarValue> = {};
  for (const key of Object.keys(value)) {
    const projected = project(value[key], depth + 1, digest);
    if (projected !== undefined) record[wellFormed(key)] = projected;
  }
  return record;
}

const sealedRecord = (value: { readonly class?: unknown }): CedarRecord =>
  ({ sealed: true, class: typeof value.class === 'string' ? wellFormed(value.class) : 'unknown' });

export function projectNumber(value: number): number | string {
  if (!Number.isFinite(value)) throw new Unprojectable('the input holds a number that JSON has not');
  return Number.isSafeInteger(value) ? value + 0 : canonicalize(value) as string;
}

const canonicalItem = (item: Json): string => wellFormed(typeof item === 'string' ? item : canonicalize(withoutSealed(item)) as string);

/** Why: what is sealed says nothing about its content, not even whether two are equal. */
function withoutSealed(value: Json): Json {
  if (isSealed(value)) return sealedRecord(value) as JsonObject;
  if (Array.isArray(value)) return value.map(withoutSealed);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutSealed(member as Json)]));
}

function digestInPlaceOf(value: Json, digest: Digest): CedarValue {
  if (isSealed(value)) return sealedRecord(value);
  if (typeof value === 'object' && value !== null) return digest(value);
  return { digest: digest(value), bytes: utf8Bytes(String(value)) };
}

function wellFormed(text: string): string {
  if (LONE_SURROGATE.test(text)) throw new Unprojectable('the input holds half of a surrogate pair');
  return text;
}

const jsonBytes = (value: Json): number => utf8Bytes(JSON.stringify(value));
/** Exact only near the limit: a UTF-16 unit is at most three bytes. */
function roughBytes(value: JsonObject): number {
  const text = JSON.stringify(value);
  return text.length * 3 <= INPUT_BYTES_MAX ? text.length : utf8Bytes(text);
}
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Why: a half of a pair counts two, so that the pair makes its four.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

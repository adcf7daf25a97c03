import { isSealed, type CloudEvent } from '@aifirst/contracts';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { canonicalJson, quoted, sortedKeys } from './canonical-json';
import { holdsSecret, withoutSecrets } from './secret-patterns';

/** What a leaf holds at most: 4 KiB less than what an entry bundle can number. */
export const LEAF_BYTES_MAX = 60 * 1024;
/** Attributes beyond this are no names of ours; a digest stands for them where the leaf would be too long. */
const ATTRIBUTE_CHARS_MAX = 1_024;
/** A field is taken apart rather than left out whole where so much room is left for it. */
const WORTH_KEEPING_BYTES = 2_048;

/** What leaf-making needs and rules must not reach for: lengths in UTF-8 and `sha256:<hex>` of a text. */
export interface TextMeans { byteLength(text: string): number; digest(text: string): string }

/** An event in the log: `priorsequence` where its producer's numbers before it went to other tenants' logs, the last of this log's. */
export type LeafEvent = CloudEvent & { readonly priorsequence?: number };

/**
 * The bytes of an event's leaf, as text: JCS of the event without what must not be in a log for ever. Sealed values are
 * `{ class, sealed: true }`, and so is what stands under the name of a secret; leases, MACs and tokens are not there at all;
 * what makes it longer than 60 KiB is replaced by `{ bytes, digest }` of its sanitised JCS form, the largest first.
 */
export function leafText(event: LeafEvent, means: TextMeans): string {
  const attributes = event as unknown as JsonObject;
  let text = '';
  for (const name of sortedKeys(attributes)) {
    const value = attributes[name];
    if (value === undefined) continue;
    text += `${text === '' ? '{' : ','}${knownKey(name).text}${name === 'data' ? sanitised(value, false) : canonicalJson(value)}`;
  }
  text += '}';
  // Why not always asked exactly: three bytes is the most that a UTF-16 unit takes.
  if (text.length * 3 <= LEAF_BYTES_MAX || means.byteLength(text) <= LEAF_BYTES_MAX) return text;
  return canonicalJson(fitted(JSON.parse(text) as JsonObject, means));
}

/** What can always be made of an event, whatever is wrong with its data. */
export function bareLeafText(event: LeafEvent, means: TextMeans): string {
  const { data: _, ...attributes } = event;
  return canonicalJson(fitted({ ...attributes, data: { unreadable: true } } as unknown as JsonObject, means));
}

type KeyKind = 'plain' | 'secret' | 'never';
interface KnownKey { readonly kind: KeyKind; readonly text: string }
const NEVER: readonly string[] = ['lease', 'undolease', 'mac', 'token'];
const SECRET = new Set(['password', 'passwd', 'passphrase', 'pwd', 'secret', 'clientsecret', 'secretkey', 'secretaccesskey', 'apikey', 'privatekey', 'masterkey', 'servicekey',
  'authorization', 'proxyauthorization', 'cookie', 'setcookie', 'credential', 'credentials', 'accesstoken', 'refreshtoken', 'idtoken', 'sessiontoken', 'authtoken', 'bearertoken', 'secretvalue']);
const SECRET_TEXT = '{"class":"secret","sealed":true}';
const REFERENCE = /^(?:env:|file:\/|vault:)/;

/** Keys seen so far. Agents choose keys too, so the number is bounded. */
const known = new Map<string, KnownKey>();
const KNOWN_MAX = 10_000;
function knownKey(key: string): KnownKey {
  let found = known.get(key);
  if (found === undefined) {
    const name = key.toLowerCase().replace(/[-_. ]/g, '');
    found = { kind: NEVER.includes(name) ? 'never' : SECRET.has(name) ? 'secret' : 'plain', text: `${cleaned(key)}:` };
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, found);
  }
  return found;
}

/** Shorter than any secret that can be told by its form. */
const SECRET_CHARS_MIN = 20;
const HYPHEN = 0x2d;
/** Most long strings begin with a workflow's id; these need no second look. */
const isId = (text: string): boolean => text.length <= 44 && text.charCodeAt(8) === HYPHEN && text.charCodeAt(13) === HYPHEN && text.charCodeAt(18) === HYPHEN && text.charCodeAt(23) === HYPHEN;
const cleaned = (text: string): string => quoted(text.length < SECRET_CHARS_MIN || isId(text) || !holdsSecret(text) ? text : withoutSecrets(text));

function sanitised(value: Json, areReferences: boolean): string {
  switch (typeof value) {
    case 'string': return cleaned(value);
    case 'number': return Number.isFinite(value) ? `${value}` : 'null';
    case 'boolean': return value ? 'true' : 'false';
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    let items = '';
    for (const item of value as readonly Json[]) items += items === '' ? sanitised(item, false) : `,${sanitised(item, false)}`;
    return `[${items}]`;
  }
  if (isSealed(value)) return `{"class":${quoted(typeof value.class === 'string' ? value.class : 'sensitive')},"sealed":true}`;
  const object = value as JsonObject;
  let text = '';
  for (const key of sortedKeys(object)) {
    const field = object[key];
    if (field === undefined) continue;
    const { kind, text: name } = knownKey(key);
    if (kind === 'never') continue;
    const isSecret = kind === 'secret' && field !== null && typeof field !== 'boolean' && !(areReferences && typeof field === 'string' && REFERENCE.test(field));
    text += `${text === '' ? '{' : ','}${name}${isSecret ? SECRET_TEXT : sanitised(field, key === 'secretRefs')}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

function fitted(event: JsonObject, means: TextMeans): JsonObject {
  const attributes = Object.fromEntries(Object.entries(event).map(([name, value]) =>
    [name, name !== 'data' && typeof value === 'string' && value.length > ATTRIBUTE_CHARS_MAX ? means.digest(value) : value]));
  const { data, ...others } = attributes;
  const room = LEAF_BYTES_MAX - means.byteLength(canonicalJson({ ...others, data: null } as JsonObject));
  return { ...attributes, data: shrunk(data ?? null, room, means) };
}

/** The value in at most `room` bytes: the largest fields of objects go first, arrays go whole. */
function shrunk(value: Json, room: number, means: TextMeans): Json {
  const text = canonicalJson(value);
  const bytes = means.byteLength(text);
  if (bytes <= room) return value;
  if (!isObject(value) || room < WORTH_KEEPING_BYTES) return { bytes, digest: means.digest(text) };
  const sizes = Object.entries(value).map(([key, field]) => ({ key, bytes: means.byteLength(canonicalJson(field ?? null)) }));
  const kept = new Map(Object.entries(value) as [string, Json][]);
  let total = bytes;
  for (const { key, bytes: before } of sizes.sort((a, b) => b.bytes - a.bytes)) {
    if (total <= room) break;
    const after = shrunk(kept.get(key)!, Math.max(0, room - (total - before)), means);
    kept.set(key, after);
    total += means.byteLength(canonicalJson(after)) - before;
  }
  // Why: so many fields that even their names are too long.
  return total <= room ? Object.fromEntries(kept) : { bytes, digest: means.digest(text) };
}

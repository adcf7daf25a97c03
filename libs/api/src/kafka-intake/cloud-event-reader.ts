import { parseStrictJson } from '@aifirst/admission';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import type { RawHeader, RawRecord } from './raw-topic';

export interface ReceivedEvent {
  readonly mode: 'binary' | 'structured';
  /** Those that could be read, as texts, by their name in CloudEvents; `source` among them. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The intent's bytes; null where the event has a defect. */
  readonly data: Buffer | null;
  /** What is wrong with it although it says whose it is. Names attributes, never what stands in them. */
  readonly defect: { readonly code: string; readonly detail: string } | null;
}
/** `unreadable`: nobody can be told, as it does not say whose it is. */
export type ReadRecord = { readonly kind: 'event'; readonly event: ReceivedEvent } | Unreadable;
export interface Unreadable { readonly kind: 'unreadable'; readonly code: string; readonly reason: string }

const STRUCTURED = 'application/cloudevents';
const PREFIX = 'ce_';
const NAME = /^[a-z0-9]{1,64}$/;
/** CloudEvents' strings hold no control characters, and no half of a surrogate pair. */
const NO_TEXT = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef]|\p{Surrogate}/u;
const ATTRIBUTE_CHARS_MAX = 2_000;
const ATTRIBUTES_MAX = 64;
const REQUIRED = ['specversion', 'id', 'type', 'time'] as const;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A CloudEvents 1.0 event in either content mode of the Kafka binding, whose header values are plain UTF-8: nothing is
 * percent-decoded. In structured mode what stands in `ce_` headers does not count, as the signature does not cover it.
 */
export function readCloudEvent(record: RawRecord): ReadRecord {
  const type = headerText(record, 'content-type');
  if (type.kind === 'wrong') return unreadable('REPEATED_OR_BROKEN_HEADER', '`content-type` stands more than once or is not UTF-8');
  return type.kind === 'text' && type.text.trim().toLowerCase().startsWith(STRUCTURED) ? structured(record, type.text) : binary(record, type.kind === 'text' ? type.text : undefined);
}

/** A header's only value. `wrong`: it stands more than once, or is not UTF-8. */
export function headerText({ headers }: Pick<RawRecord, 'headers'>, name: string): { readonly kind: 'text'; readonly text: string } | { readonly kind: 'absent' } | { readonly kind: 'wrong' } {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) return { kind: 'absent' };
  if (value === null || Array.isArray(value)) return { kind: 'wrong' };
  const text = decoded(value as RawHeader);
  return text === null ? { kind: 'wrong' } : { kind: 'text', text };
}

function decoded(value: RawHeader): string | null {
  if (value === null || typeof value === 'string') return value;
  try { return utf8.decode(value); } catch { return null; }
}

const unreadable = (code: string, reason: string): Unreadable => ({ kind: 'unreadable', code, reason });

/** Attributes as they are found; the first thing that is wrong stays. */
class Reading {
  readonly attributes: Record<string, string> = Object.create(null) as Record<string, string>;
  defect: { code: string; detail: string } | null = null;
  private count = 0;

  wrong(detail: string, code = 'INVALID_EVENT'): void { this.defect ??= { code, detail }; }

  add(name: string, value: string): void {
    if (!NAME.test(name)) return this.wrong('an attribute has a name that is not of lower-case letters and digits');
    if (++this.count > ATTRIBUTES_MAX) return this.wrong(`it has more than ${ATTRIBUTES_MAX} attributes`);
    if (value === '' || value.length > ATTRIBUTE_CHARS_MAX || NO_TEXT.test(value)) return this.wrong(`attribute \`${name}\` is empty, longer than ${ATTRIBUTE_CHARS_MAX} characters or holds what a text may not`);
    this.attributes[name] = value;
  }

  result(mode: ReceivedEvent['mode'], data: () => Buffer | null): ReadRecord {
    if (this.attributes['source'] === undefined) return unreadable('NO_SOURCE', 'it is no CloudEvent, or has no `source`');
    for (const name of REQUIRED) if (this.attributes[name] === undefined) this.wrong(`attribute \`${name}\` is missing`);
    if (this.attributes['specversion'] !== undefined && this.attributes['specversion'] !== '1.0') this.wrong('`specversion` is not `1.0`');
    const bytes = this.defect === null ? data() : null;
    return { kind: 'event', event: { mode, attributes: this.attributes, data: this.defect === null ? bytes : null, defect: this.defect } };
  }
}

function binary(record: RawRecord, contentType: string | undefined): ReadRecord {
  const reading = new Reading();
  for (const header of Object.keys(record.headers)) {
    if (!header.startsWith(PREFIX)) continue;
    const name = header.slice(PREFIX.length);
    const value = headerText(record, header);
    if (value.kind !== 'text') reading.wrong(`header \`${NAME.test(name) ? header : `${PREFIX}…`}\` stands more than once or is not UTF-8`);
    else if (name === 'data' || name === 'data_base64') reading.wrong('in binary mode `data` is the value of the record');
    else reading.add(name, value.text);
  }
  const declared = reading.attributes['datacontenttype'];
  if (contentType !== undefined && declared !== undefined && contentType !== declared) reading.wrong('`content-type` and `ce_datacontenttype` differ');
  return reading.result('binary', () => {
    const { value } = record;
    checkContentType(reading, contentType ?? declared);
    if (value === null) reading.wrong('it has no data');
    return value;
  });
}

function structured(record: RawRecord, contentType: string): ReadRecord {
  if (!/^application\/cloudevents\+json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType.trim())) return unreadable('UNKNOWN_FORMAT', 'of the event formats only `application/cloudevents+json` in UTF-8 is known, one event to a record');
  if (record.value === null) return unreadable('NO_VALUE', 'it has no value');
  const parsed = parseStrictJson(record.value);
  if (!parsed.ok) return unreadable(parsed.problem.code, parsed.problem.detail);
  if (!isObject(parsed.value)) return unreadable('NO_SOURCE', 'the value is no JSON object');
  const { data, data_base64: encoded, ...members } = parsed.value;
  const reading = new Reading();
  for (const [name, value] of Object.entries(members)) {
    // Why: of those that decide, only a text is what the signer meant.
    const text = isDeciding(name) && typeof value !== 'string' && value !== null ? undefined : textOf(value);
    if (text === undefined) reading.wrong(NAME.test(name) ? `attribute \`${name}\` is of a type that it can't have` : 'an attribute is of a type that it can\'t have');
    else if (text !== null) reading.add(name, text);
  }
  return reading.result('structured', () => {
    checkContentType(reading, reading.attributes['datacontenttype']);
    return structuredData(reading, data, encoded);
  });
}

const isDeciding = (name: string): boolean => name === 'source' || name === 'datacontenttype' || (REQUIRED as readonly string[]).includes(name);

/** The canonical text of an attribute; null: not set; undefined: no attribute has this type. */
function textOf(value: Json | undefined): string | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 0x7fff_ffff ? String(value) : undefined;
}

function structuredData(reading: Reading, data: JsonObject[string], encoded: JsonObject[string]): Buffer | null {
  if (data !== undefined && encoded !== undefined) reading.wrong('it has both `data` and `data_base64`');
  else if (encoded !== undefined && (typeof encoded !== 'string' || !BASE64.test(encoded))) reading.wrong('`data_base64` is not base64');
  else if (typeof encoded === 'string') return Buffer.from(encoded, 'base64');
  else if (data === undefined) reading.wrong('it has no `data`');
  else return Buffer.from(JSON.stringify(data));
  return null;
}

/** An intent is JSON; where nothing is said it is taken for that. */
function checkContentType(reading: Reading, type: string | undefined): void {
  if (type !== undefined && !/^application\/(?:[A-Za-z0-9.+-]+\+)?json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type.trim())) reading.wrong('the data is not `application/json` in UTF-8', 'UNSUPPORTED_MEDIA_TYPE');
}

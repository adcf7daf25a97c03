import type { Json, Problem } from '@aifirst/kernel';
import { pointerToken } from '@aifirst/contracts';
import { BODY_BYTES_MAX, DEPTH_MAX, KEYS_MAX } from './limits';

export type Parsed = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly problem: Problem };

/**
 * JSON as RFC 8259 and I-JSON (RFC 7493) have it, in one pass. What one parser would read otherwise than another is refused,
 * so that what was checked is what is run:
 * `TOO_LARGE` (over 1 MiB, or over 32,768 keys), `INVALID_UNICODE` (not UTF-8, or a lone surrogate, escaped too),
 * `TOO_DEEP` (over 64), `DUPLICATE_KEY` and `FORBIDDEN_KEY` (`__proto__`, however spelled) with the pointer of the key,
 * `MALFORMED_JSON` for all else: the detail says where, counted in UTF-16 units from 0, never what stands there.
 * Numbers that a double can't hold (1e400, whole ones beyond 2^53 that would lose digits) are malformed: send them as strings.
 */
export function parseStrictJson(bytes: Uint8Array): Parsed {
  if (bytes.byteLength > BODY_BYTES_MAX) return refused('TOO_LARGE', `more than ${BODY_BYTES_MAX} bytes`);
  let text: string;
  try { text = utf8.decode(bytes); } catch { return refused('INVALID_UNICODE', 'not valid UTF-8'); }
  return new Parser(text).parse();
}

// Why: with the mark kept, a text that begins with one is malformed, as RFC 8259 says of what is sent.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const refused = (code: string, detail: string): Parsed => ({ ok: false, problem: { code, detail } });

/** Stands for "no value: see `problem`"; while the calls return, each level adds its part of the pointer. */
const FAILED = Symbol('failed');
type Value = Json | typeof FAILED;

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, COLON = 0x3a, MINUS = 0x2d, DOT = 0x2e, ZERO = 0x30, NINE = 0x39;
const OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d, OPEN_ARRAY = 0x5b, CLOSE_ARRAY = 0x5d;
const LONE_SURROGATE = /\p{Surrogate}/u;
const KEYWORDS: Readonly<Record<number, readonly [string, Json]>> = { 0x74: ['true', true], 0x66: ['false', false], 0x6e: ['null', null] };

class Parser {
  private at = 0;
  private keys = 0;
  private problem: { code: string; detail: string; pointed: boolean } | undefined;
  private readonly way: string[] = [];
  constructor(private readonly text: string) {}

  parse(): Parsed {
    let value = this.value(0);
    if (value !== FAILED) {
      this.space();
      if (this.at < this.text.length) value = this.unexpected();
    }
    if (value !== FAILED) return { ok: true, value };
    const { code, detail, pointed } = this.problem!;
    return { ok: false, problem: pointed ? { code, detail, pointer: this.way.reverse().map(token => `/${pointerToken(token)}`).join('') } : { code, detail } };
  }

  private fail(code: string, detail: string, pointed = false): typeof FAILED {
    this.problem = { code, detail, pointed };
    return FAILED;
  }
  private malformed(what: string, at: number): typeof FAILED { return this.fail('MALFORMED_JSON', `${what} at position ${at}`); }
  private unexpected(): typeof FAILED {
    return this.at >= this.text.length ? this.malformed('it ends too early,', this.at) : this.malformed('unexpected character', this.at);
  }

  /** The next character that is no white space; NaN at the end. */
  private space(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.at++;
    }
  }

  private value(depth: number): Value {
    const code = this.space();
    if (code === QUOTE) return this.string();
    if (code === OPEN_OBJECT) return depth === DEPTH_MAX ? this.tooDeep() : this.object(depth + 1);
    if (code === OPEN_ARRAY) return depth === DEPTH_MAX ? this.tooDeep() : this.array(depth + 1);
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.number();
    const keyword = KEYWORDS[code];
    if (keyword === undefined || !this.text.startsWith(keyword[0], this.at)) return this.unexpected();
    this.at += keyword[0].length;
    return keyword[1];
  }
  private tooDeep(): typeof FAILED { return this.fail('TOO_DEEP', `deeper than ${DEPTH_MAX} levels at position ${this.at}`); }

  private object(depth: number): Value {
    const fields: Record<string, Json> = {};
    this.at++;
    if (this.space() === CLOSE_OBJECT) { this.at++; return fields; }
    for (;;) {
      if (this.space() !== QUOTE) return this.unexpected();
      const key = this.string();
      if (key === FAILED) return FAILED;
      if (key === '__proto__') { this.way.push(key); return this.fail('FORBIDDEN_KEY', 'a key `__proto__` is not accepted', true); }
      if (Object.hasOwn(fields, key)) { this.way.push(key); return this.fail('DUPLICATE_KEY', 'the same key stands twice in one object', true); }
      if (++this.keys > KEYS_MAX) return this.fail('TOO_LARGE', `more than ${KEYS_MAX} keys`);
      if (this.space() !== COLON) return this.unexpected();
      this.at++;
      const value = this.value(depth);
      if (value === FAILED) { this.way.push(key); return FAILED; }
      fields[key] = value;
      const code = this.space();
      this.at++;
      if (code === CLOSE_OBJECT) return fields;
      if (code !== COMMA) { this.at--; return this.unexpected(); }
    }
  }

  private array(depth: number): Value {
    const items: Json[] = [];
    this.at++;
    if (this.space() === CLOSE_ARRAY) { this.at++; return items; }
    for (;;) {
      const value = this.value(depth);
      if (value === FAILED) { this.way.push(String(items.length)); return FAILED; }
      items.push(value);
      const code = this.space();
      this.at++;
      if (code === CLOSE_ARRAY) return items;
      if (code !== COMMA) { this.at--; return this.unexpected(); }
    }
  }

  private string(): string | typeof FAILED {
    const { text } = this;
    const start = ++this.at;
    for (let at = start; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) { this.at = at + 1; return text.slice(start, at); }
      if (code === BACKSLASH) return this.escaped(start, at);
      if (code < 0x20) return this.malformed('a control character that is not escaped', at);
    }
    return this.malformed('a string that does not end, begun', start - 1);
  }

  private escaped(start: number, from: number): string | typeof FAILED {
    const { text } = this;
    let at = from;
    for (; text.charCodeAt(at) !== QUOTE; at++) {
      if (at >= text.length) return this.malformed('a string that does not end, begun', start - 1);
      if (text.charCodeAt(at) === BACKSLASH) at++;
    }
    let value: string;
    try { value = JSON.parse(text.slice(start - 1, at + 1)) as string; }
    catch { return this.malformed('an escape that is none or an unescaped control character in the string', start - 1); }
    // Why: bytes that are UTF-8 hold no surrogates, so that only escapes can bring one in.
    if (LONE_SURROGATE.test(value)) return this.fail('INVALID_UNICODE', `a lone surrogate in the string at position ${start - 1}`);
    this.at = at + 1;
    return value;
  }

  private digits(): boolean {
    const from = this.at;
    for (let code = this.text.charCodeAt(from); code >= ZERO && code <= NINE; code = this.text.charCodeAt(++this.at));
    return this.at > from;
  }

  private number(): Value {
    const { text } = this;
    const start = this.at;
    if (text.charCodeAt(start) === MINUS) this.at++;
    if (text.charCodeAt(this.at) === ZERO) this.at++;
    else if (!this.digits()) return this.unexpected();
    let whole = true;
    if (text.charCodeAt(this.at) === DOT) { whole = false; this.at++; if (!this.digits()) return this.unexpected(); }
    if ((text.charCodeAt(this.at) | 0x20) === 0x65) {
      whole = false;
      const sign = text.charCodeAt(++this.at);
      if (sign === MINUS || sign === 0x2b) this.at++;
      if (!this.digits()) return this.unexpected();
    }
    const written = text.slice(start, this.at);
    const value = Number(written);
    if (!Number.isFinite(value)) return this.malformed('a number beyond what a double can hold', start);
    if (whole && !Number.isSafeInteger(value) && written !== shownWhole(value)) return this.malformed('a whole number that would lose digits (send it as a string)', start);
    return value;
  }
}

const shownWhole = (value: number): string => (Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString());

/** What is read is not the JCS form of anything (RFC 8785). */
export class NotCanonical extends Error {
  constructor(readonly offset: number, what: string) { super(`${what} at character ${offset}`); }
}

/** Deeper than anything we write; a deeper document would only be there to break whoever reads it. */
const DEPTH_MAX = 256;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-][0-9]+)?/y;
const ESCAPE = /\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f])|ud[89a-f][0-9a-f]{2})/y;
const HIGH = /^\\ud[89ab]/;
const LOW = /^\\ud[c-f]/;

/** @returns null where the bytes are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try { return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes); } catch { return null; } // Why: there is only one thing that can be wrong with them.
}

/** Is it the JCS form of one value, and nothing else? */
export function isCanonical(text: string): boolean {
  try {
    const read = new CanonicalText(text);
    read.value();
    read.end();
    return true;
  } catch (error) {
    if (error instanceof NotCanonical) return false;
    throw error;
  }
}

/**
 * Reads a text once, from left to right, and accepts nothing but the JCS form: so what it has read needs not be written
 * again to be compared, and no two readers can take it for different things (repeated keys, for one).
 */
export class CanonicalText {
  #at = 0;
  /** @param text as decoded from UTF-8: without halves of surrogate pairs */
  constructor(private readonly text: string) {}

  get offset(): number { return this.#at; }

  /** Reads a value. @returns its text */
  value(depth = 0): string {
    const begin = this.#at;
    if (depth > DEPTH_MAX) throw new NotCanonical(begin, 'deeper than anything of ours');
    const first = this.text[begin];
    if (first === '"') this.string();
    else if (first === '{') this.members(() => { this.value(depth + 1); });
    else if (first === '[') this.items(() => { this.value(depth + 1); });
    else if (!['true', 'false', 'null'].some(word => this.#skip(word))) this.#number();
    return this.text.slice(begin, this.#at);
  }

  /** Reads an object; `visit` reads each value. */
  members(visit: (key: string) => void): void {
    this.#take('{');
    if (this.#skip('}')) return;
    let before: string | undefined;
    do {
      const begin = this.#at;
      const key = this.string();
      if (before !== undefined && !(before < key)) throw new NotCanonical(begin, 'a key out of order');
      before = key;
      this.#take(':');
      visit(key);
    } while (this.#skip(','));
    this.#take('}');
  }

  /** Reads an array; `visit` reads each item. */
  items(visit: (place: number) => void): void {
    this.#take('[');
    if (this.#skip(']')) return;
    let place = 0;
    do visit(place++); while (this.#skip(','));
    this.#take(']');
  }

  string(): string {
    const begin = this.#at;
    this.#take('"');
    let escaped = false;
    let afterHigh = false;
    for (;;) {
      PLAIN.lastIndex = this.#at;
      PLAIN.test(this.text);
      if (PLAIN.lastIndex > this.#at) { this.#at = PLAIN.lastIndex; afterHigh = false; }
      if (this.#skip('"')) break;
      ESCAPE.lastIndex = this.#at;
      const [escape] = ESCAPE.exec(this.text) ?? [];
      // Why: half pairs stand escaped, whole ones as they are.
      if (escape === undefined || (afterHigh && LOW.test(escape))) throw new NotCanonical(this.#at, 'a character that is to be written otherwise');
      afterHigh = HIGH.test(escape);
      escaped = true;
      this.#at += escape.length;
    }
    return escaped ? JSON.parse(this.text.slice(begin, this.#at)) as string : this.text.slice(begin + 1, this.#at - 1);
  }

  end(): void { if (this.#at !== this.text.length) throw new NotCanonical(this.#at, 'something after the end'); }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const [number] = NUMBER.exec(this.text) ?? [];
    if (number === undefined || String(Number(number)) !== number) throw new NotCanonical(this.#at, 'no value, or a number that is to be written otherwise');
    this.#at += number.length;
  }

  #skip(token: string): boolean {
    if (!this.text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #take(token: string): void { if (!this.#skip(token)) throw new NotCanonical(this.#at, `no \`${token}\``); }
}

/** A step's output or a part of it, which is known only when the workflow runs. Made by `step.output(…)`. */
export class Ref {
  readonly #intent: object;
  readonly #step: string;
  readonly #tokens: readonly string[];

  constructor(intent: object, step: string, tokens: readonly string[]) {
    this.#intent = intent;
    this.#step = step;
    this.#tokens = tokens;
  }

  /** As it is sent in `$ref`: a JSON Pointer (RFC 6901) into the intent. */
  get pointer(): string { return `#/steps/${this.#step}/output${this.#tokens.map(token => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`; }

  /** Further in. */
  at(...path: readonly (string | number)[]): Ref { return new Ref(this.#intent, this.#step, [...this.#tokens, ...path.map(tokenOf)]); }

  isOf(intent: object): boolean { return this.#intent === intent; }

  // Why: without these a reference would silently become a wrong text.
  toString(): string { return this.unknown(); }
  toJSON(): never { return this.unknown(); }
  [Symbol.toPrimitive](): never { return this.unknown(); }

  private unknown(): never {
    throw new TypeError(`the reference ${this.pointer} stands for a value that is known only when the workflow runs: give it to a step as a whole field of its input; it can't be put into a text or compared by size here`);
  }
}

export function tokenOf(key: string | number): string {
  if (typeof key === 'string') return key;
  if (typeof key !== 'number' || !Number.isSafeInteger(key) || key < 0) throw new TypeError('a reference leads on by a name or an index from 0 on: how long a list is, is known only when the workflow runs');
  return String(key);
}

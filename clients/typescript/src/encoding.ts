import type { Ref } from './ref';

/** Data as it stands, whatever it looks like. Objects that hold `$ref` or `$literal` are made so by themselves. */
export class Literal {
  constructor(readonly value: unknown) {}
}

/** What a field of an input may be. `undefined` is left out, as `JSON.stringify` does. */
export type Given = null | boolean | number | string | undefined | Literal | Ref | readonly Given[] | { readonly [name: string]: Given };

/** The server takes nothing deeper; and what goes round in a circle has to end somewhere. */
const DEPTH_MAX = 64;
const MEANINGFUL = ['$ref', '$literal'];
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** Makes JSON of what is given: references as the server reads them, data so that it can't be taken for one. */
export class Encoder {
  /** @param reference of what stands for an output; undefined: it does not @throws TypeError if it may not stand here */
  constructor(private readonly reference: (value: unknown) => { readonly $ref: string } | undefined) {}

  object(value: object, at: string, isData = false, depth = 0): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${at}an input is an object`);
    return Object.fromEntries(Object.entries(value).flatMap(([name, field]): [string, unknown][] => (field === undefined ? [] : [[text(name, at), this.json(field, `${at}/${name}`, isData, depth + 1)]])));
  }

  /** @param isData inside of `$literal`, where nothing is a reference */
  private json(value: unknown, at: string, isData: boolean, depth: number): unknown {
    if (depth > DEPTH_MAX) throw new TypeError(`${at.slice(0, 200)}: deeper than ${DEPTH_MAX}, or it goes round in a circle`);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string') return text(value, at);
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw new TypeError(`${at}: JSON has no infinite numbers and no NaN`);
      if (Number.isInteger(value) && Math.abs(value) > 2 ** 53) throw new TypeError(`${at}: whole numbers beyond 2^53 lose digits on the way: send it as a text`);
      return value;
    }
    const reference = this.reference(value);
    if (reference !== undefined) {
      if (isData) throw new TypeError(`${at}: what is beside \`$ref\` or \`$literal\`, or in a Literal, is data, where no reference is followed`);
      return reference;
    }
    if (value instanceof Literal) {
      const inner = this.json(value.value, at, true, depth);
      return isData ? inner : { $literal: inner };
    }
    if (Array.isArray(value)) return value.map((item, index) => this.json(item, `${at}/${index}`, isData, depth + 1));
    if (value instanceof Uint8Array || value instanceof ArrayBuffer) throw new TypeError(`${at}: bytes are sent as a text: base64, with \`encoding: 'base64'\` where the capability has it`);
    if (!isPlain(value)) throw new TypeError(`${at}: ${nameOf(value)} is not of JSON: give a text, a number, a boolean, null, an array or a plain object`);
    const isEscaped = !isData && MEANINGFUL.some(name => Object.hasOwn(value, name));
    const fields = this.object(value, at, isData || isEscaped, depth);
    return isEscaped ? { $literal: fields } : fields;
  }
}

function text(value: string, at: string): string {
  if (LONE_SURROGATE.test(value)) throw new TypeError(`${at}: half of a surrogate pair is no text`);
  return value;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Why not compared with `Object.prototype`: an object of another realm, such as that of a test runner, is as plain.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
const nameOf = (value: unknown): string => (typeof value === 'object' && value !== null ? value.constructor.name : typeof value);

import { CannotDo } from '@aifirst/execution';
import type { Json, JsonObject } from '@aifirst/kernel';
import { types } from 'pg';
import { OUTPUT_BYTES_MAX, OUTPUT_ROWS_MAX } from './limits';

const BOOL = 16, INT8 = 20, INT2 = 21, INT4 = 23, OID = 26, FLOAT4 = 700, FLOAT8 = 701, JSON_TYPE = 114, JSONB = 3802;
/** Array type → type of its elements. */
const ARRAYS: Readonly<Record<number, number>> = {
  1000: BOOL, 1016: INT8, 1005: INT2, 1007: INT4, 1028: OID, 1021: FLOAT4, 1022: FLOAT8, 199: JSON_TYPE, 3807: JSONB,
  1009: 25, 1015: 1043, 1014: 1042, 1002: 18, 1003: 19, 1231: 1700, 2951: 2950, 1182: 1082, 1115: 1114, 1185: 1184, 1183: 1083, 1270: 1266, 1187: 1186, 1001: 17, 1041: 869, 651: 650,
};

// Why cast: its own types tell of another version.
const { create } = types.arrayParser as unknown as { create(text: string, item: (text: string) => Json): { parse(): Json } };

/** A value of PostgreSQL's text as canonical JSON: the same text, the same value. */
export function jsonOf(type: number, text: string): Json {
  const element = ARRAYS[type];
  // Why: an array whose bounds are not the usual ones has no form in JSON.
  if (element !== undefined) return text.startsWith('{') ? create(text, item => jsonOf(element, item)).parse() : text;
  switch (type) {
    case BOOL: return text === 't';
    case INT2: case INT4: case OID: return Number(text);
    case INT8: { const number = Number(text); return Number.isSafeInteger(number) ? number : text; }
    case FLOAT4: case FLOAT8: { const number = Number(text); return Number.isFinite(number) && !Object.is(number, -0) ? number : text; }
    case JSON_TYPE: case JSONB: return jsonText(text);
    default: return text;
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** JSON of PostgreSQL's; numbers that JavaScript could not keep are texts. */
export function jsonText(text: string): Json {
  const safe = text.replace(TOKENS, token => (token.startsWith('"') || isKept(token) ? token : `"${token}"`));
  // Why: keys that JSON is refused for everywhere here, and lone surrogates, of which no canonical form can be made.
  return /__proto__|\\u[dD][89a-fA-F]/.test(safe) ? text : JSON.parse(safe) as Json;
}
function isKept(token: string): boolean {
  const digits = token.replace(/[eE].*$/, '').replace(/\D/g, '').replace(/^0+/, '');
  const number = Number(token);
  if (String(number) === token) return Number.isSafeInteger(number) || /[.e]/.test(token);
  return Number.isFinite(number) && digits.length <= 15 && (number !== 0 || digits === '');
}

/** Values for `$1`, `$2` …, as texts. @throws CannotDo `INVALID_INPUT` */
export function parameterTexts(params: Json | undefined, expected: number): (string | null)[] {
  if (params !== undefined && !Array.isArray(params)) throw new CannotDo('INVALID_INPUT', '`params` is no list');
  const given = (params ?? []) as readonly Json[];
  if (given.length !== expected) throw new CannotDo('INVALID_INPUT', `the statement has ${expected} parameters, \`params\` has ${given.length}`);
  return given.map((value, index) => {
    const text = value === null ? null : Array.isArray(value) ? arrayText(value as readonly Json[]) : typeof value === 'object' ? JSON.stringify(value) : String(value);
    if (text?.includes('\0') === true) throw new CannotDo('INVALID_INPUT', `\`params/${index}\` holds a NUL character, which PostgreSQL can't keep`);
    if (text !== null && /\p{Surrogate}/u.test(text)) throw new CannotDo('INVALID_INPUT', `\`params/${index}\` holds a lone surrogate`);
    return text;
  });
}

const arrayText = (items: readonly Json[]): string => `{${items.map(item => {
  if (item === null) return 'NULL';
  if (Array.isArray(item)) return arrayText(item as readonly Json[]);
  return `"${(typeof item === 'object' ? JSON.stringify(item) : String(item)).replace(/[\\"]/g, '\\$&')}"`;
}).join(',')}}`;

export interface Field { readonly name: string; readonly dataTypeID: number }

/** What may still be gathered for one output; its statements share it. */
export interface OutputRoom { rows: number; bytes: number }
export const wholeRoom = (): OutputRoom => ({ rows: OUTPUT_ROWS_MAX, bytes: OUTPUT_BYTES_MAX });

const TOO_LARGE = `the answer has more than ${OUTPUT_ROWS_MAX} rows or ${OUTPUT_BYTES_MAX} bytes: ask for less (LIMIT, fewer columns, no RETURNING)`;
/** @throws CannotDo when it is larger as JSON than allowed */
export function checkSize(gathered: Json): void {
  if (Buffer.byteLength(JSON.stringify(gathered)) > OUTPUT_BYTES_MAX) throw new CannotDo('TOO_LARGE', TOO_LARGE);
}

/** Gathers rows and stops where there are too many. */
export class RowGatherer {
  readonly rows: JsonObject[] = [];
  private names: readonly Field[] | null = null;
  constructor(private readonly room = wholeRoom()) {}

  /** @throws CannotDo `TOO_LARGE`, `INVALID_SQL` */
  add(fields: readonly Field[], values: readonly (string | null)[]): void {
    this.see(fields);
    this.room.rows--;
    for (const value of values) this.room.bytes -= 4 + (value === null ? 0 : Buffer.byteLength(value));
    for (const { name } of fields) this.room.bytes -= 4 + name.length;
    if (this.room.bytes < 0 || this.room.rows < 0) throw new CannotDo('TOO_LARGE', TOO_LARGE);
    this.rows.push(Object.fromEntries(fields.map(({ name, dataTypeID }, index) => [name, values[index] === null ? null : jsonOf(dataTypeID, values[index]!)])));
  }

  /** @throws CannotDo when what it gathered is larger as JSON than allowed */
  finish(): JsonObject[] {
    checkSize(this.rows);
    return this.rows;
  }

  see(fields: readonly Field[]): void {
    if (this.names === fields) return;
    this.names = fields;
    const seen = new Set<string>();
    for (const { name } of fields) {
      if (name === '__proto__') throw new CannotDo('INVALID_SQL', 'a column of the answer has a name that is not allowed: give it another with AS');
      if (seen.has(name)) throw new CannotDo('INVALID_SQL', `two columns of the answer are named \`${name}\`: give one another name with AS`);
      seen.add(name);
    }
  }
}

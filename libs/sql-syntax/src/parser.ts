import { invariant, OperationalError } from '@aifirst/kernel';
import type { ParseResult } from '@pgsql/types';
import { nestsTooDeep, type Token } from './nesting';

/** Exported by libpg-query's own module of WebAssembly; its wrapper keeps one instance for good, which a too deep statement breaks (see `parse`). */
interface Parser {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
  _wasm_scan(text: number): number;
  _wasm_free_string(text: number): void;
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, pointer: number, bytes: number): void;
  UTF8ToString(pointer: number): string;
  getValue(pointer: number, type: 'i32'): number;
}

// Why require: the module has no types of its own, and is reached past the package's main file.
const createParser = require('libpg-query/wasm/libpg-query.js') as (options: object) => Promise<Parser>;

export type Parsed =
  | { readonly tree: ParseResult }
  /** `character` counts code points from 0. */
  | { readonly error: string; readonly character: number }
  | { readonly tooDeep: true };

let ready: Promise<void> | undefined;
let isReady = false;
const parsers: Parser[] = [];
/** One at work and one that waits, so that a broken one is replaced at once. */
const PARSERS = 2;
/** Shorter texts can't nest deep enough to break the parser, which bears 3,000 levels of the worst kind and 7,000 of the shortest. */
const LONG_TEXT = 4_096;

/** Of the machine's stack, and of the instance's own. */
const OVERFLOWS: ReadonlySet<string> = new Set(['RangeError', 'RuntimeError']);

/** How many instances are being made. */
let coming = 0;

async function addParser(): Promise<void> {
  coming++;
  try {
    parsers.push(await createParser({ print: () => undefined, printErr: () => undefined }));
  } finally {
    coming--;
  }
}

/** Loads the parser, once. */
export function prepareSqlSyntax(): Promise<void> {
  ready ??= Promise.all(Array.from({ length: PARSERS }, addParser)).then(() => { isReady = true; }, error => {
    ready = undefined;
    throw error;
  });
  return ready;
}

/**
 * @param text without NUL and lone surrogates
 * @throws OperationalError `SQL_PARSER_BUSY` (retryable) when every instance broke within one turn of the event loop
 */
export function parse(text: string): Parsed {
  invariant(isReady, 'prepareSqlSyntax() has not been awaited');
  for (let missing = PARSERS - parsers.length - coming; missing > 0; missing--) addParser().catch(() => undefined);
  const parser = parsers.pop();
  if (parser === undefined) throw new OperationalError('SQL_PARSER_BUSY', 'the parser of SQL starts again', { retryable: true });
  try {
    const parsed = parseWith(parser, text);
    parsers.push(parser);
    return parsed;
  } catch (error) {
    // Why not back to the others: an overflow of the stack inside leaves the instance's own stack shorter; after some thirty it fails at every statement.
    if (OVERFLOWS.has((error as Partial<Error> | null)?.name ?? '')) return { tooDeep: true };
    throw error;
  }
}

function parseWith(parser: Parser, text: string): Parsed {
  const bytes = parser.lengthBytesUTF8(text) + 1;
  const query = parser._malloc(bytes);
  parser.stringToUTF8(text, query, bytes);
  // Why no finally: after a trap the instance is given up whole, and nothing in it may be called again.
  if (bytes > LONG_TEXT && nestsTooDeep(scan(parser, query))) {
    parser._free(query);
    return { tooDeep: true };
  }
  const result = parser._wasm_parse_query_raw(query);
  const error = parser.getValue(result + 8, 'i32');
  if (error !== 0) {
    const message = parser.UTF8ToString(parser.getValue(error, 'i32'));
    const character = Math.max(parser.getValue(error + 16, 'i32') - 1, 0);
    parser._wasm_free_parse_result(result);
    parser._free(query);
    return { error: message, character };
  }
  const tree = JSON.parse(parser.UTF8ToString(parser.getValue(result, 'i32'))) as ParseResult;
  parser._wasm_free_parse_result(result);
  parser._free(query);
  return { tree };
}

/** Of a text that no tokens can be made of: none; the parser then says what is wrong with it. */
function scan(parser: Parser, query: number): readonly Token[] {
  const json = takeText(parser, parser._wasm_scan(query));
  return json.startsWith('{') ? (JSON.parse(json) as { tokens: readonly Token[] }).tokens : [];
}

function takeText(parser: Parser, pointer: number): string {
  const text = parser.UTF8ToString(pointer);
  parser._wasm_free_string(pointer);
  return text;
}

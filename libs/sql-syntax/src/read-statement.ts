import type { Node } from '@pgsql/types';
import { fingerprintOf } from './fingerprint';
import { parse, type Parsed } from './parser';
import { problem, Refused, unitsOfBytes, unitsOfCharacters } from './problem';
import { statementRefusal } from './refusals';
import type { KindOfProblem, ReadStatement, StatementVerb } from './statement';
import { problemOfText } from './text-gate';
import { TreeReader } from './tree-reader';

export interface ReadOptions {
  /** `read`: queries that change nothing. `write`: statements that change rows. Absent: both. */
  readonly allow?: 'read' | 'write';
}

export type ReadResult = { readonly statement: ReadStatement; readonly problem?: never } | { readonly problem: KindOfProblem; readonly statement?: never };

const TOO_DEEP = 'the statement nests too deep, or chains too many conditions, to be read: pass a list as one array parameter';

const VERBS: ReadonlyMap<string, StatementVerb> = new Map([
  ['SelectStmt', 'select'], ['InsertStmt', 'insert'], ['UpdateStmt', 'update'], ['DeleteStmt', 'delete'], ['MergeStmt', 'merge'], ['TruncateStmt', 'truncate'],
]);

/**
 * Reads one statement by its syntax tree, or says why it is none that may run. Asks no catalogue and keeps nothing.
 * It reads as a server does whose `standard_conforming_strings` is on and whose `search_path` leaves pg_catalog in front: pin both.
 * @param text at most 64 kB of UTF-8; a string constant of it never shows in a problem
 * @throws OperationalError `SQL_PARSER_BUSY` (retryable): see `parse`
 */
export function readStatement(text: string, { allow }: ReadOptions = {}): ReadResult {
  const unfit = problemOfText(text);
  if (unfit !== null) return { problem: unfit };
  const parsed = parse(text);
  if (!('tree' in parsed)) return { problem: problemOfParsing(text, parsed) };
  const [first, second] = parsed.tree.stmts ?? [];
  if (first?.stmt === undefined) return { problem: problem('statements', 'there is no statement') };
  if (second !== undefined) return { problem: problem('statements', 'one statement at a time: make the others steps of their own', startOf(text, second.stmt_location ?? 0)) };
  try {
    return { statement: readTree(text, first.stmt, allow) };
  } catch (error) {
    if (error instanceof Refused) return { problem: problem(error.kind, error.detail, error.at === null ? null : unitsOfBytes(text, error.at)) };
    throw error;
  }
}

function readTree(text: string, root: Node, allow: ReadOptions['allow']): ReadStatement {
  const kind = Object.keys(root)[0] ?? '';
  const verb = VERBS.get(kind);
  if (verb === undefined) throw new Refused('statement', statementRefusal(kind), null);
  const reader = new TreeReader(verb !== 'select');
  reader.read(root);
  const readOnly = verb === 'select' && reader.writes.size === 0;
  if (allow === 'read' && !readOnly) throw new Refused('writes', 'a query changes nothing: use `sql.execute` to change rows', null);
  if (allow === 'write' && readOnly) throw new Refused('reads', 'this changes no row: use `sql.query` to read', null);
  return {
    text, verb, readOnly,
    reads: reader.reads.sorted(),
    writes: reader.writes.sorted(),
    functions: reader.functions.sorted(),
    operators: reader.operators.sorted(),
    types: reader.types.sorted(),
    attributes: [...reader.attributes].sort(),
    assigns: [...reader.assigned].sort(),
    deletes: reader.deletes,
    parameters: parametersOf(reader.parameters),
    isUnbounded: reader.isUnbounded,
    cascades: reader.cascades,
    fingerprint: fingerprintOf(root),
  };
}

function parametersOf(numbers: ReadonlySet<number>): number {
  for (let number = 1; number <= numbers.size; number++) {
    if (!numbers.has(number)) throw new Refused('parameter', `parameter \`$${number}\` is left out: number them without gaps`, null);
  }
  return numbers.size;
}

/** Why there is no tree. */
export const problemOfParsing = (text: string, parsed: Exclude<Parsed, { tree: unknown }>): KindOfProblem =>
  ('tooDeep' in parsed ? problem('depth', TOO_DEEP) : problemOfParser(text, parsed.error, parsed.character));

/** Why without the words after `near`: they may be a constant, which is nobody's to see in a message. */
function problemOfParser(text: string, message: string, character: number): KindOfProblem {
  const offset = unitsOfCharacters(text, character);
  if (message.startsWith('memory exhausted')) return problem('depth', TOO_DEEP, offset);
  return problem('syntax', message.replace(/ at or near ".*$/s, '').replace(/"[^"]*"/g, '"…"').slice(0, 200), offset);
}

/** Where the words of a statement begin, past the white space before. */
const startOf = (text: string, bytes: number) => {
  const units = unitsOfBytes(text, bytes);
  return units + (/^\s*/.exec(text.slice(units))?.[0].length ?? 0);
};


import { createHash } from 'node:crypto';
import type { RawStmt } from '@pgsql/types';
import { Names } from './findings';
import { parse } from './parser';
import { problem, unitsOfBytes } from './problem';
import { problemOfParsing, readStatement } from './read-statement';
import type { KindOfProblem, NamedObject, ReadStatement, ScriptStatement, SqlScript, StatementVerb } from './statement';
import { problemOfText } from './text-gate';

export type ReadScriptResult = { readonly script: SqlScript; readonly problem?: never } | { readonly problem: KindOfProblem; readonly script?: never };

/** More are nobody's to look through before they run. */
export const SCRIPT_STATEMENTS_MAX = 100;

/** The one that takes most away stands for all. */
const WORST: readonly StatementVerb[] = ['truncate', 'delete', 'merge', 'update', 'insert', 'select'];

/**
 * Reads statements that are separated by `;`, each by the rules of `readStatement`; empty ones count for nothing. One that may not run
 * has the whole refused, and so has a script that changes nothing. Parameters are numbered over the whole script, without gaps.
 * @param text at most 64 kB of UTF-8
 * @throws OperationalError `SQL_PARSER_BUSY` (retryable): see `parse`
 */
export function readScript(text: string): ReadScriptResult {
  const unfit = problemOfText(text);
  if (unfit !== null) return { problem: unfit };
  const parsed = parse(text);
  if (!('tree' in parsed)) return { problem: problemOfParsing(text, parsed) };
  const pieces = (parsed.tree.stmts ?? []).filter(({ stmt }) => stmt !== undefined);
  if (pieces.length === 0) return { problem: problem('statements', 'there is no statement') };
  if (pieces.length > SCRIPT_STATEMENTS_MAX) return { problem: problem('statements', `a script has at most ${SCRIPT_STATEMENTS_MAX} statements: make the others a step of their own`) };
  const bytes = Buffer.from(text);
  const statements: ScriptStatement[] = [];
  for (const [index, piece] of pieces.entries()) {
    const { text: own, takes, startsAt } = cutOut(bytes, piece);
    // Why read again by itself: what the server is sent, and nothing else, has passed the gate.
    const { statement, problem: wrong } = readStatement(own);
    if (wrong !== undefined) {
      const detail = pieces.length === 1 ? wrong.detail : `statement ${index + 1} of ${pieces.length}: ${wrong.detail}`;
      return { problem: problem(wrong.kind, detail, wrong.offset === null ? null : unitsOfBytes(text, startsAt) + wrong.offset) };
    }
    statements.push({ ...statement, takes });
  }
  const numbers = new Set(statements.flatMap(({ takes }) => takes));
  for (let number = 1; number <= numbers.size; number++) {
    if (!numbers.has(number)) return { problem: problem('parameter', `parameter \`$${number}\` is left out: number them over the whole script, without gaps`) };
  }
  if (statements.every(({ readOnly }) => readOnly)) return { problem: problem('reads', 'this changes no row: use `sql.query` to read') };
  return { script: scriptOf(text, statements, numbers.size) };
}

/**
 * One statement's own text, its parameters numbered anew from `$1` in their order: a server wants them without gaps. No number grows by that,
 * so that a place inside is that of the script or a few digits before it.
 */
function cutOut(bytes: Buffer, { stmt, stmt_location = 0, stmt_len }: RawStmt): { readonly text: string; readonly takes: readonly number[]; readonly startsAt: number } {
  const endsAt = stmt_len === undefined || stmt_len === 0 ? bytes.length : stmt_location + stmt_len;
  const parameters = parametersIn(stmt);
  const takes = [...new Set(parameters.map(({ number }) => number))].sort((a, b) => a - b);
  const renumbered = new Map(takes.map((number, index) => [number, index + 1]));
  const parts: string[] = [];
  let at = stmt_location;
  for (const { number, location } of parameters) {
    parts.push(bytes.toString('utf8', at, location), `$${renumbered.get(number)!}`);
    at = location + 1 + digitsAt(bytes, location + 1);
  }
  parts.push(bytes.toString('utf8', at, endsAt));
  return { text: parts.join(''), takes, startsAt: stmt_location };
}

interface Parameter { readonly number: number; readonly location: number }

/** In the order of the text. `$0` is left to the gate. */
function parametersIn(root: unknown): readonly Parameter[] {
  const found = new Map<number, Parameter>();
  // Why no recursion: how deep the tree is, is the gate's to ask, and it comes later.
  for (const open: unknown[] = [root]; open.length > 0;) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    for (const [kind, value] of Object.entries(node)) {
      const { number, location } = (kind === 'ParamRef' ? value : {}) as Partial<Parameter>;
      if (number !== undefined && number > 0 && location !== undefined) found.set(location, { number, location });
      else open.push(value);
    }
  }
  return [...found.values()].sort((a, b) => a.location - b.location);
}

const ZERO = 48, NINE = 57;
function digitsAt(bytes: Buffer, at: number): number {
  let count = 0;
  for (let byte = bytes[at]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = bytes[at + ++count]);
  return count;
}

/** As if it were one statement that does it all. */
function scriptOf(text: string, statements: readonly ScriptStatement[], parameters: number): SqlScript {
  const all = (names: (statement: ReadStatement) => readonly NamedObject[]): readonly NamedObject[] => {
    const found = new Names();
    for (const statement of statements) for (const name of names(statement)) found.add(name);
    return found.sorted();
  };
  return {
    text, statements, parameters, readOnly: false,
    verb: WORST.find(verb => statements.some(statement => statement.verb === verb))!,
    reads: all(({ reads }) => reads), writes: all(({ writes }) => writes), functions: all(({ functions }) => functions), operators: all(({ operators }) => operators), types: all(({ types }) => types),
    attributes: [...new Set(statements.flatMap(({ attributes }) => attributes))].sort(),
    assigns: [...new Set(statements.flatMap(({ assigns }) => assigns))].sort(),
    deletes: statements.some(({ deletes }) => deletes),
    isUnbounded: statements.some(({ isUnbounded }) => isUnbounded),
    cascades: statements.some(({ cascades }) => cascades),
    fingerprint: createHash('sha256').update(statements.map(({ fingerprint }) => fingerprint).join(' ')).digest('hex').slice(0, 16),
  };
}

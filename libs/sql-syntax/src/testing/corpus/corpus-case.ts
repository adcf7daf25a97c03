import type { SqlProblemKind, StatementVerb } from '../../statement';

/** A statement that the gate turns away, and where the trick is known from. */
export interface RefusedCase { readonly sql: string; readonly kind: SqlProblemKind; readonly source: string; readonly allow?: 'read' | 'write' }

/** A statement that passes; names are `schema.name`, or `name` where the statement gives no schema. It runs on `CORPUS_SCHEMA`. */
export interface AllowedCase {
  readonly sql: string;
  readonly source: string;
  readonly verb: StatementVerb;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly isUnbounded: boolean;
  readonly params: readonly unknown[];
}

export const refused = (source: string, kind: SqlProblemKind, statements: readonly string[], allow?: 'read' | 'write'): readonly RefusedCase[] =>
  statements.map(sql => (allow === undefined ? { sql, kind, source } : { sql, kind, source, allow }));

const names = (list: string) => list.split(' ').filter(name => name !== '');

export const query = (source: string, cases: readonly (readonly [sql: string, reads: string, ...params: unknown[]])[]): readonly AllowedCase[] =>
  cases.map(([sql, reads, ...params]) => ({ sql, source, verb: 'select', reads: names(reads), writes: [], isUnbounded: false, params }));

export const change = (source: string, verb: StatementVerb, cases: readonly (readonly [sql: string, writes: string, reads: string, ...params: unknown[]])[]): readonly AllowedCase[] =>
  cases.map(([sql, writes, reads, ...params]) => ({ sql, source, verb, reads: names(reads), writes: names(writes), isUnbounded: false, params }));

export const unbounded = (cases: readonly AllowedCase[]): readonly AllowedCase[] => cases.map(each => ({ ...each, isUnbounded: true }));

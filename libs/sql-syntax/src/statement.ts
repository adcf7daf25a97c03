/** What a statement does at its root. */
export type StatementVerb = 'select' | 'insert' | 'update' | 'delete' | 'merge' | 'truncate';

/** As written: `schema` is null where the statement names none. Case is folded as PostgreSQL folds it. */
export interface NamedObject { readonly schema: string | null; readonly name: string }

/**
 * One allowed statement, as its syntax tree tells of it. Nothing of it has been asked of a catalogue: a name may be that of a
 * view, and a function that is named may be anybody's.
 */
export interface SqlStatement {
  readonly text: string;
  readonly verb: StatementVerb;
  /** It changes no row by itself: no data-modifying WITH, no row locks. Functions may still do so: see `functions`. */
  readonly readOnly: boolean;
  /** Relations that are read, those that are written left out unless read too; names of WITH are none. Sorted, without repeats. */
  readonly reads: readonly NamedObject[];
  /** Relations that the root or a WITH writes. Sorted, without repeats. */
  readonly writes: readonly NamedObject[];
  /** Every function, aggregate and operator-like call by name, as written; the list of those allowed is the adapter's. Sorted, without repeats. */
  readonly functions: readonly NamedObject[];
  /** The highest `$n`; 0: none. */
  readonly parameters: number;
  /** An update or delete without WHERE, or one that is always true. */
  readonly isUnbounded: boolean;
  /** Of the shape, without constants: equal for statements that differ in values alone. */
  readonly fingerprint: string;
}

/** `detail` says what is not allowed and what to do instead; `offset` in UTF-16 units of the text, null: of the whole. */
export interface SqlProblem { readonly detail: string; readonly offset: number | null }

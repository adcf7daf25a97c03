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
  /** An update, delete or merge, also in WITH, without WHERE or with one that no column takes part in or that is always true; a truncate. */
  readonly isUnbounded: boolean;
  /** Of the shape, without constants: equal for statements that differ in values alone. */
  readonly fingerprint: string;
}

/** What a catalogue is asked about besides: PostgreSQL finds each of these by the search path too, and may run somebody's function for it. */
export interface ReadStatement extends SqlStatement {
  /** Operators by name, e.g. `+`; one outside pg_catalog may be anybody's. Sorted, without repeats. */
  readonly operators: readonly NamedObject[];
  /** Types of casts and column definitions, array types by that of their elements. Sorted, without repeats. */
  readonly types: readonly NamedObject[];
  /**
   * What is picked by a name out of something: `b` of `a.b` and `(a).b`. Where the row `a` has no such column, PostgreSQL calls the
   * function `b(a)`: none of these may name a function outside pg_catalog that takes one row. Sorted, without repeats.
   */
  readonly attributes: readonly string[];
  /** Columns that a SET gives a value, of an UPDATE, a MERGE or ON CONFLICT; of whatever table. Sorted, without repeats. */
  readonly assigns: readonly string[];
  /** A DELETE or a MERGE with one, also in WITH. */
  readonly deletes: boolean;
  /** A TRUNCATE that empties the tables which refer to the named ones too. */
  readonly cascades: boolean;
}

/** One statement of a script. */
export interface ScriptStatement extends ReadStatement {
  /** Which of the script's parameters its `$1`, `$2` … are, counted from 1. */
  readonly takes: readonly number[];
}

/**
 * Several statements in one text, one after the other. What it says of itself is what they say together: every name that any of them names,
 * unbounded if one is, and the verb of the one that takes most away.
 */
export interface SqlScript extends ReadStatement { readonly statements: readonly ScriptStatement[] }

/** What is wrong, for tests and figures; the words are in `detail`. */
export type SqlProblemKind =
  | 'text' | 'syntax' | 'size' | 'depth' | 'statements' | 'statement' | 'writes' | 'reads' | 'function' | 'relation' | 'type' | 'operator' | 'collation'
  | 'column' | 'parameter' | 'lock' | 'construct';

/** `detail` says what is not allowed and what to do instead; `offset` in UTF-16 units of the text, null: of the whole. */
export interface SqlProblem { readonly detail: string; readonly offset: number | null }

export interface KindOfProblem extends SqlProblem { readonly kind: SqlProblemKind }

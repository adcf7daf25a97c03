/**
 * What a change of one thing in a target carries on to others, as the target's catalogue told when the connection was put. Names as in
 * URIs of resources, `public.customer`.
 */
export interface TargetReach {
  /** Who reads or writes the first does so to the second: a view and what it shows, a table with rules and where they lead, a partition and what it is of. */
  readonly within: readonly (readonly [from: string, to: string])[];
  readonly keys: readonly CarryingKey[];
}

/** A foreign key. */
export interface CarryingKey {
  /** The table that is referred to, and by which columns. */
  readonly from: string;
  readonly columns: readonly string[];
  /** The table that refers, and by which columns. */
  readonly to: string;
  readonly toColumns: readonly string[];
  /** What becomes of rows that refer to one that is deleted. */
  readonly onDelete: 'delete' | 'update' | 'nothing';
  /** … or whose key is changed. */
  readonly onUpdate: 'update' | 'nothing';
}

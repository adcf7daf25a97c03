import type { Json, JsonObject } from '@aifirst/kernel';
import type { Draft, Message } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';

/** How far a consumer has come in each of its sources: the last position whose effect is committed. Absent = 0 = nothing yet. */
export type Positions = Readonly<Record<string, number>>;

/** One row of a log: the facts and messages that one decision made, all stored or none. It is event, outbox and log at once. */
export interface Append {
  readonly tenant: string;
  /** UUID of what it belongs to: a workflow, an intent, an agent. */
  readonly stream: string;
  /** Must not exist yet in the stream. Not necessarily consecutive: the adapter's journal uses it as the step key. */
  readonly version: number;
  /** Unique in the whole log if given: an idempotency key. */
  readonly key?: string;
  /** Kept with the row, never sent: before-images and the like. */
  readonly state?: Json;
  readonly messages: readonly Draft[];
}

export interface StoredRow {
  /** Gapless, from 1, in commit order. */
  readonly position: number;
  readonly tenant: string;
  readonly stream: string;
  readonly version: number;
  readonly key: string | null;
  readonly state: Json;
  readonly messages: readonly Message[];
}

/** A named thing that is not event-sourced on the hot path: an agent, a role, a connection, a snapshot. */
export interface DocumentPut {
  readonly kind: string;
  readonly tenant: string;
  readonly id: string;
  /** null deletes. */
  readonly data: JsonObject | null;
  /** The revision the caller saw; 0 = must not exist; absent = whatever is there. */
  readonly expectedRevision?: number;
}
export interface StoredDocument { readonly kind: string; readonly tenant: string; readonly id: string; readonly revision: number; readonly data: JsonObject }

/** A unit of work: everything in it is stored together or not at all. */
export interface Unit {
  readonly appends?: readonly Append[];
  readonly documents?: readonly DocumentPut[];
  /** Merged into the consumer's positions. */
  readonly positions?: Positions;
  /** No row before this position is needed for recovery any more. Never goes back. */
  readonly lowWater?: number;
  /** Wait until it is on disk. Default true; false only where PERFORMANCE.md's rule 7 allows it. */
  readonly durable?: boolean;
}

/** Somebody else stored one of these first. Nothing of the unit was stored. */
export class VersionConflict extends OperationalError {
  constructor(readonly streams: readonly { readonly stream: string; readonly version: number }[], readonly keys: readonly string[], readonly documents: readonly string[]) {
    super('VERSION_CONFLICT', `already stored: ${[...streams.map(s => `\`${s.stream}/${s.version}\``), ...keys.map(() => 'an idempotency key'), ...documents.map(d => `\`${d}\``)].join(', ')}`, { retryable: true });
  }
}
/** Another writer has taken the log over (its epoch is higher): this one must stop at once. */
export class Fenced extends OperationalError {
  constructor(log: string, epoch: number) { super('FENCED', `the writer of log \`${log}\` with epoch ${epoch} has been replaced`); }
}
/** The log's writer is alive elsewhere. */
export class LeaseHeld extends OperationalError {
  constructor(log: string, owner: string) { super('LEASE_HELD', `log \`${log}\` is being written by \`${owner}\``, { retryable: true }); }
}

export interface OpenOptions {
  /** e.g. `orchestrator`; with the shard it makes the producer `orchestrator/0`. */
  readonly log: string;
  readonly shard: number;
  /** Who opens it, for people to read. */
  readonly owner: string;
  /** Lease on the database's clock, renewed by every commit and by a timer. Default 10,000 ms. */
  readonly leaseMs?: number;
  /** Take the lease even if it is not over: only where something else makes sure that the former writer is gone (the data folder's lock). */
  readonly takeOver?: boolean;
}

/**
 * One log and the documents beside it, opened by its single writer. Appends are numbered in commit order; each fact in
 * them gets `producer`, `source` and a gapless `sequence`. Only one `commit` may be under way at a time (callers batch).
 */
export interface Log {
  readonly producer: string;
  readonly epoch: number;
  /**
   * @returns the rows as stored, in the order given
   * @throws VersionConflict (retryable; says what exists), Fenced
   */
  commit(unit: Unit): Promise<readonly StoredRow[]>;
  positions(): Positions;
  lowWater(): number;
  /** Position of the last row, 0 when empty. */
  head(): number;
  /** Rows after `after`, in order, at most `limit`. Sees only what is committed. */
  read(after: number, limit: number): Promise<readonly StoredRow[]>;
  /** All rows of these streams, by stream, then version. */
  readStreams(streams: readonly string[]): Promise<readonly StoredRow[]>;
  /** Those of the (stream, version) pairs that exist. */
  readVersions(pairs: readonly { readonly stream: string; readonly version: number }[]): Promise<readonly StoredRow[]>;
  readKeys(keys: readonly string[]): Promise<readonly StoredRow[]>;
  /** Called right after each commit, in order, with what was stored. Must not throw. */
  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void;
  getDocument(kind: string, tenant: string, id: string): Promise<StoredDocument | null>;
  /** By id, ascending; `after` is the last id of the page before. `tenant: null` = of all tenants (then ordered by tenant, id; `after` is `<tenant>/<id>`). */
  listDocuments(kind: string, tenant: string | null, page: { readonly limit: number; readonly after?: string }): Promise<readonly StoredDocument[]>;
  /** Ends the lease so that the next writer need not wait. */
  close(): Promise<void>;
}

export interface Store {
  /** @throws LeaseHeld (retryable) */
  open(options: OpenOptions): Promise<Log>;
  close(): Promise<void>;
}

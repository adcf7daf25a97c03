import type { Json, JsonObject } from '@aifirst/kernel';
import type { Draft, Message } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';

/** How far a consumer has come in each of its sources: the last position whose effect is committed. Absent = 0 = nothing yet. */
export type Positions = Readonly<Record<string, number>>;

/** One row of a log: the facts and messages that one decision made, all stored or none. It is event, outbox and log at once. */
export interface Append {
  /** Not empty, without `/` and `*`. */
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
/** `revision` is 1 when new and one more with each put; it starts again after a delete. */
export interface StoredDocument { readonly kind: string; readonly tenant: string; readonly id: string; readonly revision: number; readonly data: JsonObject }

/** A unit of work: everything in it is stored together or not at all. */
export interface Unit {
  readonly appends?: readonly Append[];
  /** Several puts of one document count as one after the other. */
  readonly documents?: readonly DocumentPut[];
  /** Merged into the consumer's positions. */
  readonly positions?: Positions;
  /** No row before this position is needed for recovery any more: `trim` may take it. Never goes back. */
  readonly lowWater?: number;
  /** Wait until it is on disk. Default true; false only where a later durable commit of the same cluster comes before anybody is told. */
  readonly durable?: boolean;
}

/** Somebody else stored one of these first. Nothing of the unit was stored. Documents are named `<kind>/<tenant>/<id>`. */
export class VersionConflict extends OperationalError {
  constructor(readonly streams: readonly { readonly stream: string; readonly version: number }[], readonly keys: readonly string[], readonly documents: readonly string[]) {
    super('VERSION_CONFLICT', `already stored: ${[...streams.map(s => `\`${s.stream}/${s.version}\``), ...keys.map(() => 'an idempotency key'), ...documents.map(d => `\`${d}\``)].join(', ')}`, { retryable: true });
  }
}
/** Another writer has taken the log over (its epoch is higher): this one must stop at once. */
export class Fenced extends OperationalError {
  constructor(log: string, epoch: number, why = 'has been replaced') { super('FENCED', `the writer of log \`${log}\` with epoch ${epoch} ${why}`); }
}
/**
 * The database has crashed and may have lost commits that were not flushed (`durable: false`), of this log or of one that
 * this one has followed. What is in memory may be ahead of what is stored: stop, open again, start from what is stored.
 */
export class CommitsLost extends Fenced {
  constructor(log: string, epoch: number) { super(log, epoch, 'may have lost commits in a crash of the database'); }
}
/** Nothing can be stored by this writer any more: another has taken the log over, or it has been closed. */
export const isLogGone = (error: unknown): boolean => error instanceof Fenced || (error instanceof OperationalError && error.code === 'LOG_CLOSED');
/** The log's writer is alive elsewhere. */
export class LeaseHeld extends OperationalError {
  constructor(log: string, readonly owner: string) { super('LEASE_HELD', `log \`${log}\` is being written by \`${owner}\``, { retryable: true }); }
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
   * A lost connection is brought back and the outcome found out before this resolves or rejects.
   * @returns the rows as stored, in the order given
   * @throws VersionConflict (retryable; names all that exists); Fenced (nothing was stored, or by a lost connection just
   * before: start again from what is stored); OperationalError: STORE_UNAVAILABLE (retryable, nothing was stored),
   * COMMIT_UNKNOWN (retryable: commit the very same unit object again, it is stored once; another unit may come first, the
   * fate of this one then shows in `onCommitted`), NOT_STORABLE (NUL or half a surrogate pair in a tenant, key, kind or id, which
   * are at most 2,000 bytes; event data and state may hold them), LOG_CLOSED
   */
  commit(unit: Unit): Promise<readonly StoredRow[]>;
  positions(): Positions;
  lowWater(): number;
  /** Position of the last row, 0 when empty. */
  head(): number;
  /** Rows after `after` up to `head()`, in order, at most `limit`. Sees only what is committed. */
  read(after: number, limit: number): Promise<readonly StoredRow[]>;
  /** All rows of these streams, by stream, then version. */
  readStreams(streams: readonly string[]): Promise<readonly StoredRow[]>;
  /** Those of the (stream, version) pairs that exist, by stream, then version. */
  readVersions(pairs: readonly { readonly stream: string; readonly version: number }[]): Promise<readonly StoredRow[]>;
  /** By position. */
  readKeys(keys: readonly string[]): Promise<readonly StoredRow[]>;
  /** Called right after each commit that appends, in order, with the very objects `commit` resolves with, before it does. Must not throw. */
  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void;
  getDocument(kind: string, tenant: string, id: string): Promise<StoredDocument | null>;
  /** By id, ascending in bytes of UTF-8; `after` is the last id of the page before. `tenant: null` = of all tenants (then ordered by tenant, id; `after` is `<tenant>/<id>`). */
  listDocuments(kind: string, tenant: string | null, page: { readonly limit: number; readonly after?: string }): Promise<readonly StoredDocument[]>;
  /**
   * Goes through the log from where it was left, at most `rowsMax` (default 5,000) positions at a time, and removes the
   * streams that end there: a stream goes as a whole, with its last row, or not at all. Never beyond `upTo`, the head, or
   * what lies before the low-water mark. Beside the commits, which it does not hold up; repeating it changes nothing more.
   * Head, sequence and positions stay as they are; reads give what is left.
   * @param keep streams that stay although they end there. They go when they have grown and the new end is passed.
   * @returns `more`: not all of `upTo` has been gone through yet
   * @throws Fenced; OperationalError (retryable when the database is away)
   */
  trim(upTo: number, rowsMax?: number, keep?: readonly string[]): Promise<{ readonly removed: number; readonly more: boolean }>;
  /** Takes these keys from the rows that have them, up to a position: they may be used anew. Idempotent. @throws as `trim` */
  releaseKeys(keys: readonly string[], upTo: number): Promise<void>;
  /** Ends the lease so that the next writer need not wait. */
  close(): Promise<void>;
}

export interface Store {
  /** @throws LeaseHeld (retryable) */
  open(options: OpenOptions): Promise<Log>;
  close(): Promise<void>;
}

import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@aifirst/kernel';
import { OperationalError, invariant } from '@aifirst/kernel';
import type { ClientConfig, Pool } from 'pg';
import { TRIM_ROWS, checkRepeats, checkUnit } from '../check-unit';
import type { Origin } from '../row-text';
import { CommitsLost, Fenced, LeaseHeld } from '../store';
import type { Log, OpenOptions, Positions, StoredDocument, StoredRow, Unit } from '../store';
import { SESSION_VALUE, attemptOf } from './attempt';
import type { Attempt, Mark } from './attempt';
import { BinaryArrays } from './binary-arrays';
import { LogReader } from './log-reader';
import { Session, asOperational, isConnectionLoss, isUniqueViolation } from './session';
import * as sql from './statements';

export const LEASE_MS = 10_000;
/** The lease is renewed when it has stood for a third of its time: two renewals may fail. */
const RENEWALS_PER_LEASE = 3;
const RECONNECT_PAUSE_MS = { first: 25, most: 1_000 };

export interface LogSettings {
  /** How the session that writes is connected, but for its name. */
  readonly connection: (name: string) => ClientConfig;
  readonly readers: Pool;
  readonly source: string;
  readonly unflushedCommits: 'allowed' | 'never';
  readonly outageMs: number;
  readonly timers: Pick<Clock, 'after'>;
  readonly onClosed: (log: Log) => void;
}

interface Taken { readonly id: number; readonly epoch: number; readonly session: number; readonly incarnation: string | null; readonly mark: Mark }

export class PostgresLog implements Log {
  readonly producer: string;
  readonly epoch: number;
  readonly #settings: LogSettings;
  readonly #leaseMs: number;
  readonly #application: string;
  readonly #origin: Origin;
  readonly #writer: number;
  readonly #incarnation: string | null;
  readonly #reader: LogReader;
  readonly #arrays = new BinaryArrays();
  readonly #listeners = new Set<(rows: readonly StoredRow[]) => void>();
  #session: Session;
  #sessionNumber: number;
  #mark: Mark;
  /** Sent, and nobody knows whether it was stored. */
  #pending: Attempt | undefined;
  /** The last one that a caller was told COMMIT_UNKNOWN of: a repeat of it is answered, not stored again. */
  #unsure: Attempt | undefined;
  #busy: Promise<unknown> | undefined;
  #recovering: Promise<void> | undefined;
  /** Why no commit is possible any more. */
  #ended: OperationalError | undefined;
  #cancelTimer: () => void = () => undefined;
  #renewedAtMs = performance.now();

  private constructor(settings: LogSettings, options: OpenOptions, session: Session, application: string, taken: Taken) {
    this.#settings = settings;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#application = application;
    this.producer = nameOfLog(options);
    this.#origin = { producer: this.producer, source: settings.source };
    this.epoch = taken.epoch;
    this.#writer = taken.id;
    this.#incarnation = taken.incarnation;
    this.#session = session;
    this.#sessionNumber = taken.session;
    this.#mark = taken.mark;
    this.#reader = new LogReader(settings.readers, taken.id, this.#origin);
    this.#renewLater();
  }

  static async open(settings: LogSettings, options: OpenOptions): Promise<PostgresLog> {
    const name = nameOfLog(options);
    const application = `aifirst ${name} ${Math.random().toString(36).slice(2, 10)}`;
    let session: Session | undefined;
    try {
      session = await Session.connect(settings.connection(application));
      await session.query(sql.ENROL, [name], settings.outageMs);
      await session.query(sql.INCARNATE, [], settings.outageMs);
      const { rows: [row] } = await session.query(sql.TAKE, [name, options.owner, options.leaseMs ?? LEASE_MS, options.takeOver ?? false], settings.outageMs);
      if (row === undefined) {
        const { rows: [holder] } = await session.query(sql.OWNER, [name], settings.outageMs);
        throw new LeaseHeld(name, holder?.['owner'] ?? '');
      }
      return new PostgresLog(settings, options, session, application, takenOf(row));
    } catch (error) {
      await session?.end().catch(() => undefined);
      throw asOperational(error);
    }
  }

  async commit(unit: Unit): Promise<readonly StoredRow[]> {
    invariant(this.#busy === undefined, `two commits at once on log \`${this.producer}\``);
    const work = this.#commit(unit);
    this.#busy = work;
    try { return await work; } finally { this.#busy = undefined; }
  }

  positions(): Positions { return this.#mark.positions; }
  lowWater(): number { return this.#mark.lowWater; }
  head(): number { return this.#mark.head; }
  read(after: number, limit: number): Promise<readonly StoredRow[]> { return this.#reader.read(after, limit, this.#mark.head); }
  readStreams(streams: readonly string[]): Promise<readonly StoredRow[]> { return this.#reader.readStreams(streams); }
  readVersions(pairs: readonly { readonly stream: string; readonly version: number }[]): Promise<readonly StoredRow[]> { return this.#reader.readVersions(pairs); }
  readKeys(keys: readonly string[]): Promise<readonly StoredRow[]> { return this.#reader.readKeys(keys); }
  async trim(upTo: number, rowsMax = TRIM_ROWS, keep: readonly string[] = []): Promise<{ readonly removed: number; readonly more: boolean }> {
    if (this.#ended !== undefined) throw this.#ended;
    return await this.#reader.trim(this.epoch, upTo, rowsMax, keep) ?? this.#throwFenced();
  }
  async releaseKeys(keys: readonly string[], upTo: number): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (keys.length > 0 && !await this.#reader.releaseKeys(this.epoch, keys, upTo)) this.#throwFenced();
  }
  getDocument(kind: string, tenant: string, id: string): Promise<StoredDocument | null> { return this.#reader.getDocument(kind, tenant, id); }
  listDocuments(kind: string, tenant: string | null, page: { readonly limit: number; readonly after?: string }): Promise<readonly StoredDocument[]> { return this.#reader.listDocuments(kind, tenant, page); }

  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  async close(): Promise<void> {
    await this.#busy?.catch(() => undefined);
    if (this.#ended === undefined) {
      this.#end(new OperationalError('LOG_CLOSED', `log \`${this.producer}\` is closed`));
      await this.#session.query(sql.RELEASE, [this.#writer, this.epoch, this.#sessionNumber], this.#settings.outageMs).catch(() => undefined);
    }
    await this.#recovering?.catch(() => undefined);
    await this.#session.end().catch(() => undefined);
    this.#settings.onClosed(this);
  }

  async #commit(unit: Unit): Promise<readonly StoredRow[]> {
    checkUnit(unit);
    const deadlineMs = performance.now() + this.#settings.outageMs;
    if (this.#pending !== undefined || this.#session.lost) await this.#recover(deadlineMs, unit);
    if (this.#ended !== undefined) throw this.#ended;
    const unsure = this.#unsure;
    this.#unsure = undefined;
    if (unsure !== undefined && unsure.unit === unit && unsure.mark === this.#mark) return unsure.rows;
    const attempt = attemptOf(unit, this.#mark, {
      arrays: this.#arrays, origin: this.#origin, writer: this.#writer, epoch: this.epoch, leaseMs: this.#leaseMs, mayStayUnflushed: this.#settings.unflushedCommits === 'allowed',
    });
    for (;;) {
      const stored = await this.#try(attempt, deadlineMs);
      if (stored) return attempt.rows;
    }
  }

  /** @returns false if it was proven not stored and may be tried again */
  async #try(attempt: Attempt, deadlineMs: number): Promise<boolean> {
    attempt.values[SESSION_VALUE] = this.#sessionNumber;
    let count: number;
    try {
      ({ count } = await this.#session.query(attempt.statement, attempt.values, this.#settings.outageMs));
    } catch (error) {
      if (isUniqueViolation(error)) return this.#explain(attempt, error, deadlineMs);
      this.#pending = attempt;
      this.#session.cut();
      await this.#recover(deadlineMs);
      if (this.#mark === attempt.mark) return true;
      if (isConnectionLoss(error) && performance.now() < deadlineMs) return false;
      throw asOperational(error);
    }
    if (count !== attempt.count) return this.#explain(attempt, undefined, deadlineMs);
    this.#adopt(attempt);
    return true;
  }

  /** Nothing was stored. Why? */
  async #explain(attempt: Attempt, error: unknown, deadlineMs: number): Promise<false> {
    const conflict = await this.#reader.conflict(attempt.appends, attempt.puts);
    await this.#checkStanding(deadlineMs);
    if (conflict !== null) throw conflict;
    if (error !== undefined) checkRepeats(attempt.appends);
    // Why: what stood in the way has gone again meanwhile.
    if (performance.now() < deadlineMs) return false;
    throw error === undefined ? new OperationalError('STORE_FAILED', 'a unit met changing documents again and again', { retryable: true }) : asOperational(error);
  }

  async #checkStanding(deadlineMs: number): Promise<void> {
    try {
      const { count } = await this.#session.query(sql.STANDING, [this.#writer, this.epoch, this.#sessionNumber], this.#settings.outageMs);
      if (count === 0) throw this.#end(new Fenced(this.producer, this.epoch));
    } catch (error) {
      if (error instanceof Fenced) throw error;
      this.#session.cut();
      await this.#recover(deadlineMs);
    }
  }

  #adopt(attempt: Attempt): void {
    this.#pending = undefined;
    this.#mark = attempt.mark;
    this.#renewedAtMs = performance.now();
    if (attempt.rows.length === 0) return;
    for (const listener of this.#listeners) {
      // Why: a listener that throws is a bug; it must not look like a failed commit, nor be passed over in silence.
      try { listener(attempt.rows); } catch (error) { queueMicrotask(() => { throw error; }); }
    }
  }

  #throwFenced(): never { throw this.#end(new Fenced(this.producer, this.epoch)); }

  #end(reason: OperationalError): OperationalError {
    this.#ended ??= reason;
    this.#cancelTimer();
    return this.#ended;
  }

  /**
   * Connects anew and finds out what became of what was under way.
   * @throws Fenced; STORE_UNAVAILABLE or, if something is still under way, COMMIT_UNKNOWN when the time is over
   */
  async #recover(deadlineMs: number, unit = this.#pending?.unit): Promise<void> {
    for (let waitMs = RECONNECT_PAUSE_MS.first; ; waitMs = Math.min(waitMs * 2, RECONNECT_PAUSE_MS.most)) {
      if (this.#ended !== undefined) throw this.#ended;
      try {
        await (this.#recovering ??= this.#resume().finally(() => { this.#recovering = undefined; }));
        return;
      } catch (error) {
        if (error instanceof Fenced) throw error;
        if (performance.now() + waitMs > deadlineMs) throw this.#outOfReach(error, unit);
        await pause(waitMs);
      }
    }
  }

  /** @param unit the one that the caller waits for: an earlier one may be what nobody knows of */
  #outOfReach(cause: unknown, unit: Unit | undefined): OperationalError {
    this.#unsure = this.#pending ?? this.#unsure;
    if (this.#pending === undefined || this.#pending.unit !== unit) return asOperational(cause);
    return new OperationalError('COMMIT_UNKNOWN', `nobody knows yet whether log \`${this.producer}\` has stored a unit: commit the same unit again`, { retryable: true, cause });
  }

  async #resume(): Promise<void> {
    if (!this.#session.lost && this.#pending === undefined) return;
    this.#session.cut();
    const session = await Session.connect(this.#settings.connection(this.#application));
    let row: Record<string, string | null> | undefined;
    try {
      await session.query(sql.END_LEFTOVERS, [this.#application], this.#settings.outageMs);
      ({ rows: [row] } = await session.query(sql.RESUME, [this.#writer, this.epoch, this.#leaseMs], this.#settings.outageMs));
    } catch (error) {
      session.cut();
      throw error;
    }
    if (row === undefined) {
      session.cut();
      throw this.#end(new Fenced(this.producer, this.epoch));
    }
    const pending = this.#pending;
    const revision = Number(row['revision']);
    const isStored = pending !== undefined && revision === pending.mark.revision;
    const hasCrashed = this.#settings.unflushedCommits === 'allowed' && (row['incarnation'] ?? null) !== this.#incarnation;
    if (hasCrashed || (!isStored && revision !== this.#mark.revision)) {
      session.cut();
      throw this.#end(new CommitsLost(this.producer, this.epoch));
    }
    this.#session = session;
    this.#sessionNumber = Number(row['session']);
    this.#pending = undefined;
    if (isStored) this.#adopt(pending);
  }

  #renewLater(): void {
    if (this.#ended !== undefined) return;
    this.#cancelTimer = this.#settings.timers.after(this.#leaseMs / RENEWALS_PER_LEASE, () => {
      void this.#renew().catch(() => undefined).finally(() => this.#renewLater());
    });
  }

  /** Renews the lease of an idle log, and brings a lost connection back. What fails here shows at the next commit. */
  async #renew(): Promise<void> {
    if (this.#busy !== undefined || this.#ended !== undefined) return;
    if (this.#session.lost || this.#pending !== undefined) return this.#recover(0);
    if (performance.now() - this.#renewedAtMs < this.#leaseMs / RENEWALS_PER_LEASE / 2) return;
    const { count } = await this.#session.query(sql.RENEW, [this.#writer, this.epoch, this.#sessionNumber, this.#leaseMs], this.#settings.outageMs);
    // Why: a session that was replaced while this was under way belongs to a commit, which knows better.
    if (count === 0 && this.#busy === undefined) this.#end(new Fenced(this.producer, this.epoch));
  }
}

const nameOfLog = ({ log, shard }: OpenOptions): string => `${log}/${shard}`;

const takenOf = (row: Record<string, string | null>): Taken => ({
  id: Number(row['id']), epoch: Number(row['epoch']), session: Number(row['session']), incarnation: row['incarnation'] ?? null,
  mark: {
    head: Number(row['head']), sequence: Number(row['sequence']), revision: Number(row['revision']),
    positions: JSON.parse(row['positions'] ?? '{}') as Positions, lowWater: Number(row['low_water']),
  },
});

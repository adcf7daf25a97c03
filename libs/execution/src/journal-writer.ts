import type { Draft } from '@aifirst/contracts';
import { crashPoint, invariant, isObject, OperationalError, type Clock, type Ids, type Json, type JsonObject } from '@aifirst/kernel';
import { Fenced, VersionConflict, type Append, type DocumentPut, type Log, type StoredRow, type Unit } from '@aifirst/store';
import type { NoteState } from './journal-rows';
import { LowWater } from './low-water';
import { PositionKeeper, type Ticket } from './position-keeper';

/** Larger batches gain nothing (measured). */
const ROWS_MAX = 500;
/** Characters per commit, about: a mebibyte of input per row would make one that no database takes. */
const WEIGHT_MAX = 8 * 2 ** 20;
const RETRY_DELAY_MS_MIN = 50;
const RETRY_DELAY_MS_MAX = 2_000;
/** Positions that nothing else carries may lie about for so long: a restart only repeats what the journal recognises. */
const IDLE_FLUSH_MS = 1_000;

/** A row under a step key. */
export interface Write {
  readonly tenant: string;
  readonly workflow: string;
  readonly version: number;
  readonly state: JsonObject;
  readonly messages: readonly Draft[];
  /** `prepared`: an act waits for it, so it must be on disk; the others may be found out again after a crash. */
  readonly kind: 'prepared' | 'closed' | 'outcome';
  /** Position of the claim row that recovery need not look at any more. */
  readonly settles?: number | undefined;
  readonly ticket?: Ticket | undefined;
}
/** Something said that is not final, under no step key. */
export interface Note {
  readonly tenant: string;
  readonly message: (id: string) => Draft;
  readonly unknown?: NoteState['unknown'][number];
  readonly settles?: number | undefined;
  readonly ticket?: Ticket | undefined;
}

interface PendingWrite { readonly write: Write; readonly token: string; readonly resolve: (row: StoredRow | null) => void }
interface PendingNote { readonly note: Note; readonly resolve: () => void }

export interface WriterOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'uuid'>;
  /** With clusters of their own a later commit of another service flushes nothing of ours. */
  readonly separateClusters: boolean;
  readonly onCommit?: ((commit: { readonly rows: number; readonly durable: boolean; readonly durationMs: number }) => void) | undefined;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Writes the journal: one commit at a time, and each takes along all that piled up while the last one was under way:
 * outcomes of acts that ended, claims of the next ones, notes, positions, the low-water mark.
 */
export class JournalWriter {
  readonly positions = new PositionKeeper();
  readonly lowWater = new LowWater();
  private writes: PendingWrite[] = [];
  private notes: PendingNote[] = [];
  private documents: DocumentPut[] = [];
  private busy = false;
  private dead = false;
  private tokens = 0;
  private readonly nonce: string;
  private readonly idle: (() => void)[] = [];
  private cancelFlush: (() => void) | null = null;

  constructor(private readonly options: WriterOptions) {
    this.nonce = options.ids.uuid().slice(-12);
  }

  /** @returns the row, or null when somebody (an earlier process, an earlier delivery) has the key already */
  write(write: Write): Promise<StoredRow | null> {
    return new Promise(resolve => {
      this.writes.push({ write, token: `${this.nonce}.${++this.tokens}`, resolve });
      this.wake();
    });
  }

  note(note: Note): Promise<void> {
    return new Promise(resolve => { this.notes.push({ note, resolve }); this.wake(); });
  }

  /** Goes along with the next commit. */
  put(document: DocumentPut): void { this.documents.push(document); }

  /** Positions may be able to move although nothing is to be written. */
  settle(ticket: Ticket): void {
    this.positions.settle([ticket]);
    this.flushLater();
  }

  flushLater(): void {
    if (this.dead || this.cancelFlush !== null || this.positions.movedBy([]) === null) return;
    this.cancelFlush = this.options.clock.after(IDLE_FLUSH_MS, () => { this.cancelFlush = null; this.wake(); });
  }

  /** Resolves when nothing is left to be written, positions included; or at once when the writer has died. */
  async drained(): Promise<void> {
    this.cancelFlush?.();
    this.cancelFlush = null;
    this.wake();
    while (this.busy && !this.dead) await new Promise<void>(resolve => this.idle.push(resolve));
  }

  /** Nothing is written any more; what waits for it waits for ever. */
  kill(): void {
    this.dead = true;
    this.cancelFlush?.();
    for (const resolve of this.idle.splice(0)) resolve();
  }

  wake(): void {
    if (this.busy || this.dead) return;
    this.busy = true;
    void this.work();
  }

  private async work(): Promise<void> {
    try {
      for (;;) {
        // Why: lets everything that is ready now say so first; it costs microseconds and saves commits.
        await new Promise<void>(resolve => setImmediate(resolve));
        if (this.dead || !(await this.commitPile())) break;
      }
    } catch (error) {
      if (!this.dead) { this.kill(); this.options.onFatal(error); }
    }
    this.busy = false;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  /** @returns false when there was nothing to commit */
  private async commitPile(): Promise<boolean> {
    let writes = this.writes.splice(0, this.pileOf(this.writes));
    const notes = this.notes.splice(0, ROWS_MAX);
    const documents = this.documents.splice(0);
    for (;;) {
      const tickets = [...writes.map(({ write }) => write.ticket), ...notes.map(({ note }) => note.ticket)].filter(ticket => ticket !== undefined);
      const moved = this.positions.movedBy(tickets);
      if (writes.length === 0 && notes.length === 0 && documents.length === 0 && moved === null) return false;
      const settled = [...writes.map(({ write }) => write.settles), ...notes.map(({ note }) => note.settles)].filter(position => position !== undefined);
      const appends = [...writes.map(pending => this.appendOf(pending)), ...this.appendsOf(notes)];
      const durable = this.options.separateClusters || writes.some(({ write }) => write.kind === 'prepared');
      const mark = this.lowWater.after(settled, this.options.log.head());
      const rows = await this.commit({
        appends, documents, durable, ...(moved === null ? {} : { positions: moved.positions }),
        ...(mark > this.options.log.lowWater() ? { lowWater: mark } : {}),
      }, writes);
      if (rows === 'conflict') { writes = await this.withoutExisting(writes); continue; }

      // Why: a claim is open before its act can end.
      writes.forEach(({ write }, i) => { if (write.kind === 'prepared') this.lowWater.opened(rows[i]!.position); });
      this.lowWater.settled(settled);
      this.positions.settle(tickets);
      if (moved !== null) this.positions.drop(moved.batches);
      writes.forEach(({ resolve }, i) => resolve(rows[i]!));
      for (const { resolve } of notes) resolve();
      return true;
    }
  }

  /** How many of them make one commit. */
  private pileOf(writes: readonly PendingWrite[]): number {
    const max = Math.min(writes.length, ROWS_MAX);
    let weight = 0;
    for (let i = 0; i < max; i++) {
      weight += weightOf(writes[i]!.write.state) + writes[i]!.write.messages.reduce((sum, { data }) => sum + weightOf(data), 0);
      if (weight > WEIGHT_MAX) return Math.max(i, 1);
    }
    return max;
  }

  private async commit(unit: Unit, writes: readonly PendingWrite[]): Promise<readonly StoredRow[] | 'conflict'> {
    const claims = writes.some(({ write }) => write.kind === 'prepared');
    const outcomes = writes.some(({ write }) => write.kind !== 'prepared');
    for (let delayMs = RETRY_DELAY_MS_MIN; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        if (claims) crashPoint('adapter.prepare.before');
        if (outcomes) crashPoint('adapter.outcome.before');
        const begunAt = this.options.clock.now();
        const rows = await this.options.log.commit(unit);
        this.options.onCommit?.({ rows: rows.length, durable: unit.durable !== false, durationMs: this.options.clock.now() - begunAt });
        if (claims) crashPoint('adapter.prepare.after');
        if (outcomes) crashPoint('adapter.outcome.after');
        if (this.dead) return await new Promise<never>(() => undefined);
        return rows;
      } catch (error) {
        if (error instanceof VersionConflict) return 'conflict';
        if (this.dead || error instanceof Fenced || !(error instanceof OperationalError && error.retryable)) throw error;
        await new Promise<void>(resolve => this.options.clock.after(delayMs, resolve));
      }
    }
  }

  /** Tells those that came too late. A row with our own token is a commit whose answer was lost. */
  private async withoutExisting(writes: readonly PendingWrite[]): Promise<PendingWrite[]> {
    const found = await this.options.log.readVersions(writes.map(({ write }) => ({ stream: write.workflow, version: write.version })));
    const existing = new Map(found.map(row => [`${row.stream}/${row.version}`, row]));
    const left: PendingWrite[] = [];
    for (const pending of writes) {
      const row = existing.get(`${pending.write.workflow}/${pending.write.version}`);
      if (row === undefined) { left.push(pending); continue; }
      const ours = isObject(row.state) && row.state['token'] === pending.token;
      if (ours) {
        if (pending.write.kind === 'prepared') this.lowWater.opened(row.position);
        if (pending.write.settles !== undefined) this.lowWater.settled([pending.write.settles]);
        if (pending.write.ticket !== undefined) this.settle(pending.write.ticket);
      }
      pending.resolve(ours ? row : null);
    }
    invariant(left.length < writes.length || writes.length === 0, 'the log reports a conflict with rows that are not there');
    return left;
  }

  private appendOf({ write, token }: PendingWrite): Append {
    return { tenant: write.tenant, stream: write.workflow, version: write.version, state: { ...write.state, token }, messages: write.messages };
  }

  /** One row per tenant, however much is said. */
  private appendsOf(notes: readonly PendingNote[]): Append[] {
    const ofTenant = new Map<string, Note[]>();
    for (const { note } of notes) ofTenant.set(note.tenant, [...(ofTenant.get(note.tenant) ?? []), note]);
    return [...ofTenant].map(([tenant, said]) => {
      const stream = this.options.ids.uuid();
      const state: NoteState = { kind: 'note', unknown: said.flatMap(({ unknown }) => (unknown === undefined ? [] : [unknown])) };
      return { tenant, stream, version: 1, state: state as unknown as JsonObject, messages: said.map((note, i) => note.message(`${stream}/n${i + 1}`)) };
    });
  }
}

/** Characters of text in a value; what else is in it is small beside it. */
function weightOf(value: Json | undefined): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let sum = 0;
  for (const part of Array.isArray(value) ? value as readonly Json[] : Object.values(value as JsonObject)) sum += weightOf(part);
  return sum;
}

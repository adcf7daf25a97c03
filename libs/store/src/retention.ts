import type { Clock, JsonObject } from '@aifirst/kernel';
import type { Log } from './store';

/**
 * What keeps rows of a log although they are old enough: who has not taken them yet.
 * @param upTo rows up to there are old enough
 * @param nowMs from which ages count in this run
 * @returns the position up to which they may go; more than was asked for means all
 */
export type Bound = (upTo: number, nowMs: number) => number | Promise<number>;

export interface RetainedLog {
  readonly log: Log;
  /** Rows stay at least so long. */
  readonly keptMs: number;
  /** Named, so that it can be said why old rows are still there. What lies before the log's low-water mark counts besides. */
  readonly bounds: Readonly<Record<string, Bound>>;
  /** Streams that stay however old they are. Asked in every run, after the low-water mark was looked at. */
  readonly keep?: () => Promise<readonly string[]>;
  /** From now on streams whose last row was stored before this time (ms since 1970) may be gone. Called before the first of them goes. */
  readonly onForgetting?: (before: number) => void;
}

export interface TrimmedLog {
  readonly producer: string;
  readonly removed: number;
  /** Up to where rows are old enough and wanted by nobody. */
  readonly upTo: number;
  /** What keeps rows that are old enough. */
  readonly heldBy: string | null;
  /** Why it could not be gone through; the next run tries again. */
  readonly error: unknown;
}

export interface RetentionOptions {
  /** Opens the log beside which the marks of age lie; it is closed after each run. Its single writer makes retention one. */
  readonly open: () => Promise<Log>;
  readonly logs: readonly RetainedLog[];
  readonly clock: Clock;
}

/** A log's head at a time: every row up to `position` was stored before `at`. */
interface Mark { readonly position: number; readonly at: number }
interface Ledger { readonly marks: readonly Mark[]; readonly forgottenBefore: number }

const DOCUMENT = { kind: 'store.retention', tenant: 'system' } as const;
const MARK_EVERY_MS_MIN = 3_600_000;
/** Marks per log, about: rows stay at most a hundredth longer than they have to. */
const MARKS = 100;
/** Between two pieces, and at least as long as the last one took: half of one connection's time at most. */
const PAUSE_MS = 20;

/**
 * Removes what is old from logs, a piece at a time and beside their commits. How old rows are is known from marks: every
 * run notes where each log's head is, and when. So nothing goes before a first mark has come of age.
 */
export class Retention {
  readonly #options: RetentionOptions;
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: RetentionOptions) { this.#options = options; }

  /**
   * One run at a time; a call while one is under way comes after it.
   * @param nowMs from which ages count; by default the clock's
   * @throws LeaseHeld (retryable) where somebody else is at it; what `open` throws
   */
  run(nowMs: number = this.#options.clock.now()): Promise<readonly TrimmedLog[]> {
    const next = this.#last.then(() => this.#run(nowMs));
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** Resolves when the piece under way is done; nothing is removed after. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
  }

  async #run(nowMs: number): Promise<readonly TrimmedLog[]> {
    if (this.#stopped) return [];
    const notes = await this.#options.open();
    try {
      const trimmed: TrimmedLog[] = [];
      for (const retained of this.#options.logs) {
        if (this.#stopped) break;
        const nothing = { producer: retained.log.producer, removed: 0, upTo: 0, heldBy: null };
        // Why: one log that can't be gone through keeps no other from it.
        trimmed.push(await this.#trim(notes, retained, nowMs).catch((error: unknown) => ({ ...nothing, error })));
      }
      return trimmed;
    } finally {
      await notes.close();
    }
  }

  async #trim(notes: Log, retained: RetainedLog, nowMs: number): Promise<TrimmedLog> {
    const { log, keptMs, onForgetting } = retained;
    const { producer } = log;
    const before = ledgerOf(await notes.getDocument(DOCUMENT.kind, DOCUMENT.tenant, producer));
    const marks = markedNow(before.marks, log.head(), keptMs, nowMs);
    const due = marks.findLast(({ at }) => at <= nowMs - keptMs);
    const { upTo, heldBy } = due === undefined ? { upTo: 0, heldBy: null } : await this.#free(retained, due.position, nowMs);
    const forgotten = upTo > 0 ? Math.max(before.forgottenBefore, due!.at) : before.forgottenBefore;
    const ledger: Ledger = { marks: due === undefined ? marks : marks.slice(marks.indexOf(due)), forgottenBefore: forgotten };
    // Why first: who finds nothing of a workflow has to know whether there may have been something.
    if (JSON.stringify(ledger) !== JSON.stringify(before)) await notes.commit({ documents: [{ ...DOCUMENT, id: producer, data: ledger as unknown as JsonObject }] });
    if (upTo === 0) return { producer, removed: 0, upTo, heldBy, error: null };
    onForgetting?.(forgotten);
    return { producer, removed: await this.#remove(retained, upTo), upTo, heldBy, error: null };
  }

  async #free({ log, bounds }: RetainedLog, old: number, nowMs: number): Promise<{ readonly upTo: number; readonly heldBy: string | null }> {
    let [upTo, heldBy]: [number, string | null] = [old, null];
    for (const [name, bound] of Object.entries<Bound>({ recovery: () => log.lowWater() - 1, ...bounds })) {
      if (upTo <= 0) break;
      const free = Math.max(0, await bound(upTo, nowMs));
      if (free < upTo) [upTo, heldBy] = [free, name];
    }
    return { upTo, heldBy };
  }

  async #remove({ log, keep }: RetainedLog, upTo: number): Promise<number> {
    const { clock } = this.#options;
    const kept = await keep?.() ?? [];
    let removed = 0;
    while (!this.#stopped) {
      const begunAt = clock.now();
      const piece = await log.trim(upTo, undefined, kept);
      removed += piece.removed;
      if (!piece.more) break;
      const pauseMs = Math.max(PAUSE_MS, clock.now() - begunAt);
      await new Promise<void>(resolve => { clock.after(pauseMs, resolve); });
    }
    return removed;
  }
}

/**
 * Before which time streams of a log may be gone, 0: none is. Asked at the start; from then on `onForgetting` tells.
 * @param log any of the schema where the marks lie
 */
export async function forgottenBefore(log: Pick<Log, 'getDocument'>, producer: string): Promise<number> {
  return ledgerOf(await log.getDocument(DOCUMENT.kind, DOCUMENT.tenant, producer)).forgottenBefore;
}

const ledgerOf = (document: { readonly data: JsonObject } | null): Ledger => (document === null ? { marks: [], forgottenBefore: 0 } : document.data as unknown as Ledger);

function markedNow(before: readonly Mark[], head: number, keptMs: number, nowMs: number): readonly Mark[] {
  // Why: a mark from the future was made by a clock that was wrong, and would hold up those that follow.
  const marks = before.filter(({ at }) => at <= nowMs);
  const last = marks.at(-1);
  const isTime = last === undefined || nowMs - last.at >= Math.max(MARK_EVERY_MS_MIN, keptMs / MARKS);
  return isTime && head > (last?.position ?? 0) ? [...marks, { position: head, at: nowMs }] : marks;
}

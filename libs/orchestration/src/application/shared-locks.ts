import type { Lock } from '@aifirst/contracts';
import { invariant, OperationalError, type Clock } from '@aifirst/kernel';
import { CommitsLost, Fenced } from '@aifirst/store';
import { LockReplica, type LockBatch, type LockOperation, type LockOutcome } from '../domain/lock-replica';
import { sameLocks, type Granted, type HeldLock, type LockAnswer, type WaitedFor, type Yielding } from '../domain/lock-table';
import type { Holding, LockKeeper, LockLog, LockNews } from './ports';

/** How often it is looked what others have done: while one of this shard's workflows waits, and while none does. */
const POLL_MS = 50;
const IDLE_MS = 2_000;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;
const OPERATIONS_MAX = 1_000;
/** So many entries are read again by whoever begins. */
const SNAPSHOT_ENTRIES = 1_000;
/** The shard that has been there before there were others. */
const FIRST_SHARD = 0;

export interface SharedLocksOptions {
  readonly log: LockLog;
  readonly shard: number;
  /** Of the shard's log. */
  readonly epoch: number;
  readonly clock: Clock;
  /** Another has taken the shard over, or the log of locks can't be gone on with: nothing is asked any more. Called once. */
  readonly onFatal: (error: unknown) => void;
  /** Default 50. */
  readonly pollMs?: number;
  /** Default 2,000. */
  readonly idleMs?: number;
}

/** A request, and what has become of it. */
interface Ask { readonly number: number; readonly locks: readonly Lock[]; readonly late: boolean; /** In which it was sent; null: not yet. */ batch: number | null; outcome: LockOutcome | null }
/** What a round makes of a workflow. `held` not null: it is to hold these and nothing that was asked for it before. */
interface Change { readonly asked: Ask | null; readonly held: readonly Lock[] | null }

/**
 * The locks of one of several shards. Each keeps a replica of the whole table; what is asked goes to a log that all share,
 * and counts when it comes back in that log's order. So nothing is granted at once. What a shard was granted and did not
 * store before it crashed it lets go of when it begins again.
 */
export class SharedLocks implements LockKeeper {
  readonly #options: SharedLocksOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stopListening: () => void;
  #replica = new LockReplica();
  /** By workflow: what it was asked for by committed rounds, until it was told the outcome. */
  readonly #asks = new Map<string, Ask>();
  /** Those of them whose outcome is there. */
  readonly #answered = new Set<string>();
  /** Of the round under way. */
  readonly #changes = new Map<string, Change>();
  #asked = 0;
  #outbox: LockOperation[] = [];
  /** Sent, and nobody knows yet whether it is stored. */
  #sending: LockBatch | null = null;
  #batch = 0;
  #isLoaded = false;
  #begun: { resolve(): void; reject(error: unknown): void } | null = null;
  #hasBegun = false;
  #running: Promise<void> | null = null;
  #lookAgain = false;
  /** After a failure: how long until the next try, during which nothing else tries. */
  #retryMs = 0;
  #isPausing = false;
  #cancelTimer: (() => void) | null = null;
  #isClosing = false;
  #isOver = false;

  constructor(options: SharedLocksOptions) {
    this.#options = options;
    this.#stopListening = options.log.onAppended(shard => { if (shard !== options.shard && this.#waits()) { this.#lookAgain = true; this.#kick(); } });
  }

  begin(holdings: readonly Holding[]): Promise<void> {
    invariant(this.#begun === null, 'shared locks begin once');
    this.#outbox.push({ op: 'reset', holds: holdings });
    return new Promise((resolve, reject) => {
      this.#begun = { resolve, reject };
      if (this.#isClosing) reject(stopped()); else this.#kick();
    });
  }

  request(workflow: string, wanted: readonly Lock[], late: boolean, _at: number, held: readonly Lock[]): LockAnswer {
    const known = this.#changes.get(workflow);
    const before = known === undefined ? this.#asks.get(workflow) : known.asked;
    if (before !== undefined && before !== null && before.late === late && sameLocks(before.locks, wanted)) return { answer: 'waiting' };
    this.#changes.set(workflow, { asked: { number: ++this.#asked, locks: wanted, late, batch: null, outcome: null }, held: this.#heldBeside(workflow, held) });
    return { answer: 'waiting' };
  }

  cancel(workflow: string, held: readonly Lock[]): void {
    if (this.#changes.has(workflow) || this.#asks.has(workflow)) this.#changes.set(workflow, { asked: null, held: this.#heldBeside(workflow, held) });
  }

  hold(workflow: string, locks: readonly Lock[]): void { this.#changes.set(workflow, { asked: null, held: locks }); }

  release(workflow: string): void {
    // Why: what is let go of already needs no word; most of what ends has told before that it holds nothing.
    if (this.#replica.has(workflow) || this.#asks.has(workflow)) this.hold(workflow, []);
    else this.#changes.delete(workflow);
  }

  grantWaiting(): readonly Granted[] {
    return this.#tell('granted').map(({ workflow, locks }) => ({ workflow, locks }));
  }

  yielding(): readonly Yielding[] {
    return this.#tell('die').flatMap(outcome => (outcome.answer === 'die' ? [{ workflow: outcome.workflow, locks: outcome.locks, holder: outcome.holder }] : []));
  }

  view(): readonly HeldLock[] { return this.#replica.view(this.#options.shard); }
  waitOf(workflow: string): WaitedFor | null { return this.#replica.waitOf(workflow); }

  discard(): void { this.#changes.clear(); }

  flush(): void {
    if (this.#changes.size === 0) return;
    // Why gains first: what passes from one name to another must be nobody's in between.
    for (const [workflow, { held }] of this.#changes) if (held !== null && held.length > 0) this.#outbox.push({ op: 'hold', workflow, locks: held });
    for (const [workflow, { asked, held }] of this.#changes) {
      if (held !== null && held.length === 0) this.#outbox.push({ op: 'hold', workflow, locks: held });
      this.#answered.delete(workflow);
      if (asked === null) this.#asks.delete(workflow); else this.#ask(workflow, asked);
    }
    this.#changes.clear();
    this.#kick();
  }

  onNews(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  /** Sends what is still to be sent, if it can be at once. What can't is made good by whoever begins next. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#stopListening();
    this.#cancelTimer?.();
    await this.#running?.catch(() => undefined);
    if (!this.#isOver && this.#hasBegun && !this.#isPausing && this.#hasBatch()) await this.#turn().catch(() => undefined);
    this.#isOver = true;
    this.#begun?.reject(stopped());
  }

  /** Whether an earlier request of it may have been granted without its knowledge: then it has to say what it holds. */
  #heldBeside(workflow: string, held: readonly Lock[]): readonly Lock[] | null {
    const known = this.#changes.get(workflow);
    if (known !== undefined) return known.held;
    return this.#asks.has(workflow) ? held : null;
  }

  #ask(workflow: string, ask: Ask): void {
    this.#asks.set(workflow, ask);
    this.#outbox.push({ op: 'request', workflow, ask: ask.number, locks: ask.locks, late: ask.late });
  }

  #tell(answer: LockOutcome['answer']): readonly LockOutcome[] {
    if (this.#answered.size === 0) return [];
    const told: LockOutcome[] = [];
    for (const workflow of this.#answered) {
      const outcome = this.#asks.get(workflow)!.outcome!;
      // Why: this round has told it already, or it wants something else now.
      if (outcome.answer !== answer || this.#changes.has(workflow)) continue;
      this.#changes.set(workflow, { asked: null, held: null });
      told.push(outcome);
    }
    return told;
  }

  #waits(): boolean { return this.#asks.size > this.#answered.size || this.#outbox.length > 0 || this.#sending !== null; }

  /** Why not before the first shard has said what it holds: when it was the only one it told nobody. */
  #hasBatch(): boolean {
    return this.#sending !== null || (this.#outbox.length > 0 && (!this.#hasBegun || this.#options.shard === FIRST_SHARD || this.#replica.knows(FIRST_SHARD)));
  }

  #kick(): void {
    if (this.#begun === null || this.#isClosing || this.#isOver || this.#running !== null || this.#isPausing) return;
    this.#cancelTimer?.();
    this.#running = this.#turn().then(() => this.#endTurn(null), (error: unknown) => this.#endTurn(error));
  }

  #endTurn(error: unknown): void {
    this.#running = null;
    this.#isPausing = error !== null;
    if (this.#isClosing || this.#isOver) return;
    if (error !== null && !(error instanceof OperationalError && error.retryable)) { this.#fail(error); return; }
    if (error === null && (this.#hasBatch() || this.#lookAgain)) { this.#kick(); return; }
    this.#retryMs = error === null ? 0 : Math.min(Math.max(2 * this.#retryMs, RETRY_MS_MIN), RETRY_MS_MAX);
    const { clock, pollMs = POLL_MS, idleMs = IDLE_MS } = this.#options;
    this.#cancelTimer = clock.after(this.#isPausing ? this.#retryMs : this.#waits() ? pollMs : idleMs, () => { this.#isPausing = false; this.#kick(); });
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    this.#stopListening();
    if (!this.#hasBegun) { this.#begun?.reject(error); return; }
    this.#options.onFatal(error);
  }

  /** Sends what there is to be sent and takes what has come, at least once. */
  async #turn(): Promise<void> {
    const { log, shard, epoch } = this.#options;
    if (!this.#isLoaded) {
      await this.#catchUp(await log.read(0));
      this.#batch = this.#replica.batchOf(shard, epoch);
      this.#isLoaded = true;
    }
    do {
      this.#lookAgain = false;
      this.#sending ??= this.#nextBatch();
      const sending = this.#sending;
      const news = sending === null ? await log.read(this.#replica.number) : await log.append(sending, this.#replica.number);
      this.#sending = null;
      await this.#catchUp(news);
      if (sending !== null && !this.#hasBegun) { this.#hasBegun = true; this.#begun!.resolve(); }
    } while (!this.#isOver && (this.#hasBatch() || this.#lookAgain));
  }

  #nextBatch(): LockBatch | null {
    if (!this.#hasBatch()) return null;
    const { shard, epoch, clock } = this.#options;
    const operations = this.#outbox.splice(0, OPERATIONS_MAX);
    const batch = ++this.#batch;
    for (const operation of operations) {
      const ask = operation.op === 'request' ? this.#asks.get(operation.workflow) : undefined;
      if (operation.op === 'request' && ask?.number === operation.ask) ask.batch = batch;
    }
    return { shard, epoch, batch, at: clock.now(), operations };
  }

  async #catchUp(news: LockNews): Promise<void> {
    for (let more = news; ; more = await this.#options.log.read(this.#replica.number)) {
      this.#take(more);
      if (this.#replica.number >= more.head) return;
    }
  }

  #take({ snapshot, entries, head }: LockNews): void {
    const { shard, epoch, log } = this.#options;
    // Why: what was applied is not there any more, so others do not know of it.
    if (head < this.#replica.number) throw new CommitsLost(`locks of shard ${shard}`, epoch);
    const answeredBefore = this.#answered.size;
    if (snapshot !== null) this.#replica = LockReplica.of(snapshot);
    let isSnapshotDue = false;
    for (const entry of entries) {
      if (entry.shard === shard && entry.epoch > epoch) throw new Fenced(`locks of shard ${shard}`, epoch);
      for (const outcome of this.#replica.apply(entry)) if (outcome.shard === shard) this.#answer(outcome);
      isSnapshotDue ||= entry.shard === shard && entry.number % SNAPSHOT_ENTRIES === 0;
    }
    if (snapshot !== null) this.#reconcile();
    // Why nobody is told of a failure: there is a next time, and until then more is read again.
    if (isSnapshotDue || (!this.#isLoaded && entries.length > SNAPSHOT_ENTRIES)) log.saveSnapshot(this.#replica.state()).catch(() => undefined);
    if (this.#answered.size > answeredBefore) for (const listener of this.#listeners) listener();
  }

  #answer(outcome: LockOutcome): void {
    const ask = this.#asks.get(outcome.workflow);
    // Why: it wants something else since, and has said so behind it.
    if (ask === undefined || ask.number !== outcome.ask) return;
    ask.outcome = outcome;
    this.#answered.add(outcome.workflow);
  }

  /** What became of requests was in entries that are gone: what is held tells. Who does not hold asks again; it may have to yield. */
  #reconcile(): void {
    const { shard, epoch } = this.#options;
    const stored = this.#replica.batchOf(shard, epoch);
    for (const [workflow, ask] of [...this.#asks]) {
      if (ask.outcome !== null || ask.batch === null || ask.batch > stored || this.#replica.askOf(workflow) === ask.number) continue;
      if (this.#replica.holdsAll(workflow, ask.locks)) this.#answer({ shard, workflow, ask: ask.number, locks: ask.locks, answer: 'granted' });
      else this.#ask(workflow, { ...ask, batch: null });
    }
  }
}

const stopped = (): OperationalError => new OperationalError('STOPPED', 'the orchestrator is stopping', { retryable: true });

import { invariant, messageOf, OperationalError } from '@aifirst/kernel';
import type { Batch } from '@aifirst/bus';
import { Fenced } from '@aifirst/store';
import { CallMaker, unclear } from './call-maker';
import { Fences } from './fences';
import { ForwardWay } from './forward-way';
import { JournalWriter } from './journal-writer';
import { lateResults } from './late-results';
import { sealHolds } from './leave';
import { Lookups } from './lookups';
import { OpenClaims } from './open-claims';
import type { TrackedBatch } from './position-keeper';
import { RecentMap } from './recent-map';
import { openClaimsFrom } from './recovery';
import { Retention, type Swept } from './retention';
import { readCommand, type ReceivedCommand } from './step-commands';
import type { StepJournalOptions } from './step-journal-options';
import { UndoWay } from './undo-way';
import { WaitingRoom } from './waiting-room';
import { Workbench, type Task } from './workbench';

const CONCURRENCY = 64;
const ACTS_MAX = 10_000;
const QUEUE_MAX = 2_000;
const GRACE_MS = 1_000;
/** After a start, ours or a sender's, commands come again: they are looked up before anything is prepared for them. */
const REPEATS_MS = 10_000;
/** Steps that were worked on lately: a repeat of theirs is looked up first. */
const RECENT_MIN = 10_000;
/** Of the 10 s that a stop may take. */
const STOP_MS_MAX = 5_000;
/** What acts that were cut off get to come back in. */
const CUT_OFF_MS_MAX = 1_000;

/**
 * The service beside the adapters: takes commands over, does each once, and says what came of it, whatever is repeated,
 * reordered, forged or killed in between (docs/design of the journal's rows: `versionOf`).
 *
 * `handle` is the bus handler of `stepCommandsTopic(service)`. It resolves when the batch is taken into memory, not when
 * it is done: the positions follow in later commits, each only when every command before it is durably claimed, closed,
 * answered or refused. So a batch may come again after a crash, and a slow act holds up neither the bus nor the others.
 * A batch without positions (a parked message handed over again) is awaited until it is taken over.
 */
export class StepJournal {
  private readonly writer: JournalWriter;
  private readonly bench: Workbench;
  private readonly room: WaitingRoom;
  private readonly lookups: Lookups;
  private readonly fences: Fences;
  private readonly forward: ForwardWay;
  private readonly backward: UndoWay;
  private readonly openClaims: OpenClaims;
  private readonly retention: Retention;
  /** Tasks of one step, the first at work. */
  private readonly slots = new Map<string, Task[]>();
  private readonly recent = new RecentMap<true>(RECENT_MIN);
  private repeatsUntil = 0;
  private state: 'open' | 'stopping' | 'dead' = 'open';
  private death: unknown;
  private readonly whenLess: (() => void)[] = [];
  private readonly forgetControl: (() => void) | undefined;

  constructor(private readonly options: StepJournalOptions) {
    const { log, clock, ids, control, hooks = {} } = options;
    const onFatal = (error: unknown): void => this.die(error);
    this.writer = new JournalWriter({ log, clock, ids, separateClusters: options.separateClusters ?? false, onCommit: commit => { hooks.onCommit?.(commit); this.wakeHandlers(); }, onFatal });
    this.room = new WaitingRoom(clock);
    this.lookups = new Lookups(log);
    this.fences = new Fences(log);
    this.bench = new Workbench({
      writer: this.writer, lookups: this.lookups, maker: new CallMaker(options.adapters, options.vault, options.connections), room: this.room, control, clock, hooks,
      graceMs: options.graceMs ?? GRACE_MS, undoWindowMs: options.undoWindowMs, concurrency: options.concurrency ?? CONCURRENCY, actsMax: options.actsMax ?? ACTS_MAX,
      forgottenBefore: options.forgottenBefore ?? (() => 0),
    });
    const late = lateResults();
    this.openClaims = new OpenClaims(this.bench, late);
    this.forward = new ForwardWay(this.bench, this.openClaims, late);
    this.backward = new UndoWay(this.bench, this.openClaims);
    this.retention = new Retention({ log, bench: this.bench, connections: options.connections, undoWindowMs: options.undoWindowMs, isBusy: slot => this.slots.has(slot) });
    this.forgetControl = control.onRefreshed?.(() => this.room.recheck());
  }

  /**
   * To be called once, before the first batch: finds the claims without outcome that an earlier process left, and probes
   * them (an undo is carried on) beside whatever comes in. @returns how many there are
   */
  async recover(): Promise<number> {
    this.repeatsUntil = this.options.clock.now() + REPEATS_MS;
    await this.fences.load();
    const open = await openClaimsFrom(this.options.log);
    for (const { position, job } of open) {
      this.writer.lowWater.opened(position);
      this.begin({ ...job, kind: 'recover', lease: null, probe: 0, onConflict: 'block', ticket: undefined, phase: 'waiting', cancelled: false, look: null });
    }
    return open.length;
  }

  /** @throws OperationalError `MALFORMED_COMMAND` (not retryable; nothing of the batch is taken then), `JOURNAL_STOPPED` (retryable), Fenced */
  async handle(batch: Batch): Promise<void> {
    this.mustBeOpen();
    const commands = batch.deliveries.map(delivery => readCommand(delivery.message));
    let taken!: () => void;
    const whenTaken = new Promise<void>(resolve => { taken = resolve; });
    const tracked = this.writer.positions.add(batch.positions, commands.length, taken);
    for (const command of commands) this.receive(command, tracked);
    if (commands.length === 0) this.writer.flushLater();
    if (Object.keys(batch.positions).length === 0) await this.orDeath(whenTaken);
    while (this.writer.positions.outstanding() > (this.options.queueMax ?? QUEUE_MAX)) {
      await new Promise<void>(resolve => this.whenLess.push(resolve));
      this.mustBeOpen();
    }
  }

  /** What is under way and what waits, for metrics. */
  depth(): { readonly steps: number; readonly waiting: number; readonly open: number } {
    return { steps: this.slots.size, waiting: this.room.size(), open: this.writer.lowWater.count() };
  }

  /** Of all that came nothing would have to come again after a crash. */
  hasTakenAll(): boolean { return this.writer.positions.isEmpty(); }

  /** Lets go of what the undo window has closed over, a bounded piece at a time. Call it again while `more`. */
  async sweep(nowMs: number, rowsMax?: number): Promise<Swept> {
    this.mustBeOpen();
    return this.retention.sweep(nowMs, rowsMax);
  }

  /** Takes nothing more, lets acts under way end, cuts off those that take too long, and leaves these to recovery. The log stays open. */
  async stop(limitMs = STOP_MS_MAX): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'stopping';
    this.wakeHandlers();
    for (const queue of this.slots.values()) for (const task of queue) this.callOff(task);
    await this.untilIdle(limitMs);
    this.bench.drain();
    await this.untilIdle(CUT_OFF_MS_MAX);
    await this.writer.drained();
    this.end();
  }

  private receive(command: ReceivedCommand, batch: TrackedBatch): void {
    const task: Task = { ...command, ticket: { batch }, phase: 'waiting', cancelled: false, look: null };
    if (!sealHolds(this.options.serviceKey, command)) { void this.bench.refuse(task, 'INVALID_SEAL', 'the lease is not sealed for this command'); return; }
    const fence = this.fences.check(command);
    if (fence === 'pass') this.admit(command, task);
    else if (fence === 'fenced') void this.fenced(task);
    else this.run(this.askJournal(command, task));
  }

  private async askJournal(command: ReceivedCommand, task: Task): Promise<void> {
    const rows = await this.bench.insist(() => this.lookups.workflow(command.command.workflow));
    if (this.fences.isFencedBy(rows, command)) await this.fenced(task);
    else this.admit(command, task);
  }

  /** Why nobody is answered: whoever sent it has been replaced, and who replaced it asks for itself. */
  private fenced(task: Task): Promise<void> {
    return this.bench.refuse(task, 'FENCED', `epoch ${task.command.epoch} has been replaced`);
  }

  private admit(command: ReceivedCommand, task: Task): void {
    const risen = this.fences.passed(command);
    if (risen !== null) {
      this.writer.put(risen);
      this.repeatsUntil = this.options.clock.now() + REPEATS_MS;
    }
    this.begin(task);
  }

  private begin(task: Task): void {
    const slot = this.bench.slotOf(task);
    const queue = this.slots.get(slot);
    const first = queue?.[0];
    if (queue === undefined || first === undefined) {
      this.slots.set(slot, [task]);
      this.work(slot, task);
      return;
    }
    if (first.phase === 'late' && (task.kind === 'probe' || task.direction !== first.direction)) { this.tellLate(task); return; }
    // Why: of what is under way the outcome will come by itself. A probe makes sure of that for what only waits: it may wait no longer.
    const same = queue.find(other => other.direction === task.direction && (task.direction === 'forward' || other.command.attempt === task.command.attempt));
    if (same !== undefined && !(task.kind === 'probe' && same.kind === 'execute' && same.phase === 'waiting')) { this.drop(task); return; }
    if (same !== undefined) this.callOff(same);
    queue.push(task);
  }

  private work(slot: string, task: Task): void {
    const mayBeRepeat = this.recent.get(slot) === true || this.options.clock.now() < this.repeatsUntil;
    this.run(this.way(task, mayBeRepeat).then(() => this.ended(slot, task)));
  }

  private async way(task: Task, mayBeRepeat: boolean): Promise<void> {
    if (task.cancelled) return;
    if (task.direction === 'undo') return this.backward.run(task);
    if (task.kind === 'execute') return this.forward.run(task, mayBeRepeat);
    for (;;) {
      const seen = await this.bench.look(task);
      if (seen !== null) return this.openClaims.answer(task, seen);
      if (this.bench.mayBeForgotten(task)) return this.bench.tellForgotten(task);
      // Why: whoever asks is told "no" only when a late command can't make it "yes" (Seata's rule).
      if (await this.bench.close(task, task, { outcome: 'didNotHappen' })) return;
    }
  }

  private ended(slot: string, task: Task): void {
    this.recent.set(slot, true);
    if (task.cancelled && this.state === 'open') this.drop(task);
    const queue = this.slots.get(slot)!;
    queue.shift();
    const next = queue[0];
    if (next === undefined) this.slots.delete(slot);
    else this.work(slot, next);
    this.wakeHandlers();
  }

  private callOff(task: Task): void {
    if (task.phase !== 'waiting' || task.kind === 'recover') return;
    task.cancelled = true;
    task.look?.();
  }

  /** Nothing is to be done for it that its forerunner does not do. */
  private drop(task: Task): void {
    const { ticket } = task;
    task.ticket = undefined;
    if (ticket !== undefined) this.writer.settle(ticket);
  }

  private tellLate(task: Task): void {
    const error = unclear('OUTCOME_UNKNOWN', 'the adapter was given up but may still be at work');
    void this.bench.note(task, task, task.kind === 'undo' ? { outcome: 'blocked', error } : { outcome: 'cannotTell', error });
  }

  private run(work: Promise<void>): void { work.catch((error: unknown) => this.die(error)); }

  /** Why at once: an effect after a failure to record would be one that nobody knows of. */
  private die(error: unknown): void {
    if (this.state === 'dead') return;
    this.death = error;
    this.end();
    this.options.hooks?.onFatal?.(error);
  }

  private end(): void {
    this.state = 'dead';
    this.writer.kill();
    this.room.close();
    this.forgetControl?.();
    this.wakeHandlers();
  }

  private wakeHandlers(): void { for (const resolve of this.whenLess.splice(0)) resolve(); }

  private mustBeOpen(): void {
    if (this.state === 'open') return;
    if (this.death instanceof Fenced) throw this.death;
    // Why: retryable, so that the bus parks nothing that the next process can do.
    throw new OperationalError('JOURNAL_STOPPED', this.death === undefined ? 'the step journal is stopped' : `the step journal has ended: ${messageOf(this.death)}`, { retryable: true });
  }

  private async orDeath(promise: Promise<void>): Promise<void> {
    let done = false;
    void promise.then(() => { done = true; this.wakeHandlers(); });
    while (!done) {
      await new Promise<void>(resolve => this.whenLess.push(resolve));
      if (!done) this.mustBeOpen();
    }
  }

  private async untilIdle(limitMs: number): Promise<void> {
    const { clock } = this.options;
    invariant(this.state !== 'open', 'only a journal that takes nothing more comes to rest');
    const until = clock.now() + limitMs;
    while (this.state === 'stopping' && [...this.slots.values()].some(([first]) => first !== undefined && first.phase !== 'late') && clock.now() < until) {
      await new Promise<void>(resolve => clock.after(Math.min(10, limitMs), resolve));
    }
  }
}

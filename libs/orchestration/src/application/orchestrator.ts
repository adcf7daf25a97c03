import { isFactTopic, type LockView, type PrincipalRef, type WorkflowHead, type WorkflowOrder } from '@aifirst/contracts';
import { crashPoint, isUuid, OperationalError, Refusal } from '@aifirst/kernel';
import { Fenced, VersionConflict, type Append, type DocumentPut, type Log, type StoredRow, type Unit } from '@aifirst/store';
import type { Batch } from '@aifirst/bus';
import { decide, type Input } from '../domain/decide';
import { losesLocksAt, resendAt } from '../domain/pauses';
import type { Command, Decision } from '../domain/turn';
import { hasEnded, isClosed, isItsOwn, isParked, type RecordedFact, type Workflow } from '../domain/workflow';
import { lockerOf, workflowOf } from '../domain/lockers';
import { nextResendAt, outstanding, wakeAt } from '../domain/wake';
import { weightOf, WEIGHT_MAX, workOf, type Answer, type Intake, type Work } from './inputs';
import { Alarms, lowWaterOf, RecentIds, type Entry } from './open-workflows';
import { LocalLocks } from './local-locks';
import { lockViewsOf, waitsForOf } from './lock-views';
import type { LockKeeper, OrchestratorOptions } from './ports';
import { noSnapshotOf, readWorkflows, recover, snapshotOf } from './recovery';
import { isFact, toAppend } from './workflow-log';

/** A workflow whose beginning lies this many rows back gets a snapshot, so that recovery need not read from there. */
const SNAPSHOT_ROWS = 20_000;
const SNAPSHOTS_PER_COMMIT = 100;
const HOUSEKEEPING_MS = 5_000;
const ENDED_REMEMBERED = 20_000;
/** Between two tries of a commit that the store could not take right now. */
const COMMIT_PAUSE_MS_MIN = 50;
const COMMIT_PAUSE_MS_MAX = 2_000;
/** A timer can't wait much longer than three weeks; a deadline can. */
const TIMER_MS_MAX = 86_400_000;

/** Everything that one round does to one workflow. */
interface Touched { entry: Entry | null; state: Workflow; facts: RecordedFact[]; commands: Command[]; answers: Answer[] }

/** A round in the making: nothing of it counts, and nobody is told, before it is committed. */
interface Round {
  readonly at: number;
  readonly touched: Map<string, Touched>;
  readonly resent: Set<string>;
  readonly defects: Map<Intake, unknown>;
  /** Told after the commit. */
  readonly said: (() => void)[];
}

/**
 * Drives all workflows of its log: brings each input to the pure machine, stores what it decides together with the
 * consumer's positions, many workflows in one commit, and keeps the clock. It holds nothing that the log does not.
 */
export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #log: Log;
  readonly #open = new Map<string, Entry>();
  readonly #ended = new RecentIds(ENDED_REMEMBERED);
  /** Workflows that can't be read, and from where on their rows have to be kept for whoever can. */
  readonly #defects = new Map<string, number>();
  readonly #locks: LockKeeper;
  readonly #alarms = new Alarms();
  #queue: Work[] = [];
  #intakes: Intake[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  #failure: unknown = null;
  #cancelAlarm: (() => void) | null = null;
  #cancelControl: (() => void) | null = null;
  #cancelNews: (() => void) | null = null;
  /** Some who waited for locks have got them, or have to yield. */
  #hasNews = false;
  #endPause: (() => void) | null = null;
  #housekeepingAt = 0;
  /** How often what holds has changed. */
  #changes = 0;

  constructor(options: OrchestratorOptions) { this.#options = options; this.#log = options.log; this.#locks = options.locks ?? new LocalLocks(); }

  /** Rebuilds open workflows and locks from the log. Must be done before the first `handle`. */
  async start(): Promise<void> {
    const { workflows, defects } = await recover(this.#log);
    for (const [id, { firstPosition, error }] of defects) { this.#defects.set(id, firstPosition); this.#options.onDefect?.(id, error); }
    const at = this.#options.clock.now();
    for (const [id, { state, ...found }] of workflows) {
      if (state === null) continue;
      if (isClosed(state)) { this.#ended.add(id); continue; }
      const entry: Entry = { state, ...found, since: at, resentAt: at, alarmAt: Infinity };
      this.#open.set(id, entry);
      this.#setAlarm(entry, at);
    }
    await this.#locks.begin([...this.#open.values()].flatMap(({ state }) => (state.locks.length === 0 ? [] : [{ workflow: lockerOf(state), locks: state.locks }])), at);
    this.#cancelNews = this.#locks.onNews(() => { this.#hasNews = true; this.#kick(); });
    this.#cancelControl = this.#options.control.onChange(tenant => { this.#changes++; this.#tickAll(tenant); });
    this.#tickAll(null);
  }

  /** Takes nothing more, ends the round under way. Who waits for more is told to try again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelAlarm?.();
    this.#cancelControl?.();
    this.#cancelNews?.();
    this.#endPause?.();
    await this.#running?.catch(() => undefined);
    this.#turnAway(this.#queue, this.#intakes);
    await this.#locks.close();
  }

  get openWorkflows(): number { return this.#open.size; }
  openStatuses(): readonly string[] { return [...this.#open.values()].map(({ state }) => state.status); }
  get queueDepth(): number { return this.#queue.length; }

  /** The bus handler for intents, decisions and step outcomes. Resolves when their effect is committed. */
  async handle(batch: Batch): Promise<void> {
    if (this.#isOver()) throw this.#overError();
    const works = batch.deliveries.map(workOf).filter(work => work !== null);
    await new Promise<void>((resolve, reject) => {
      const intake: Intake = { positions: batch.positions, queued: works.length, defect: undefined, resolve, reject };
      for (const work of works) this.#queue.push({ ...work, intake });
      this.#intakes.push(intake);
      this.#kick();
    });
  }

  /** @returns the sequence of the last fact that the order made. @throws Refusal NOT_FOUND, WRONG_STATE, UNKNOWN_STEP; OperationalError STOPPED (retryable) */
  async order(asked: { tenant: string; workflow: string; by: PrincipalRef; order: WorkflowOrder }): Promise<{ sequence: number }> {
    return { sequence: await this.#ask(asked.workflow, asked.tenant, { type: 'Ordered', order: asked.order, by: asked.by }) };
  }

  locks(tenant: string | null): readonly LockView[] {
    return lockViewsOf(this.#locks.view(), workflow => this.#open.get(workflow)?.state.tenant, tenant);
  }

  async breakLock(tenant: string | null, id: string, by: PrincipalRef, reason: string): Promise<LockView> {
    const lock = this.locks(tenant).find(view => view.id === id);
    if (lock === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no lock \`${id}\`` });
    await this.#ask(lock.workflow, lock.tenant, { type: 'LocksTakenAway', code: 'BROKEN', reason, by: by.id });
    return lock;
  }

  /** How far each of these workflows has come; those that are not known here are left out. */
  async heads(workflows: readonly string[]): Promise<readonly WorkflowHead[]> {
    const heads: WorkflowHead[] = [];
    const others: string[] = [];
    for (const workflow of workflows) {
      const state = this.#open.get(workflow)?.state;
      if (state === undefined) { if (isUuid(workflow)) others.push(workflow); continue; }
      heads.push({ workflow, facts: state.facts, ...waitsForOf(this.#locks.waitOf(lockerOf(state))) });
    }
    if (others.length === 0) return heads;
    const ended = new Map<string, number>();
    for (const row of await this.#log.readStreams(others)) ended.set(row.stream, (ended.get(row.stream) ?? 0) + row.messages.filter(isFact).length);
    for (const [workflow, facts] of ended) if (facts > 0) heads.push({ workflow, facts });
    return heads;
  }

  inUse(asked: { tenant: string; connection?: string; agent?: string }): readonly string[] {
    return [...this.#open.values()].filter(({ state }) => state.tenant === asked.tenant
      && (asked.agent === undefined || state.start.agent.id === asked.agent)
      && (asked.connection === undefined || state.start.steps.some(step => step.connection === asked.connection))).map(({ state }) => state.id);
  }

  #ask(workflow: string, tenant: string, input: Input): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#isOver()) { reject(this.#overError()); return; }
      this.#queue.push({ workflow, tenant, causation: undefined, input, answer: { resolve, reject } });
      this.#kick();
    });
  }

  #tickAll(tenant: string | null): void {
    for (const { state } of this.#open.values()) if (tenant === null || state.tenant === tenant) this.#tick(state);
    this.#kick();
  }

  #tick({ id, tenant }: Workflow): void { this.#queue.push({ workflow: id, tenant, causation: undefined, input: { type: 'Tick' } }); }

  #kick(): void {
    if (this.#running !== null || !this.#hasWork()) return;
    this.#running = this.#run().finally(() => { this.#running = null; this.#armAlarm(); this.#kick(); });
    this.#running.catch(() => undefined);
  }

  #isOver(): boolean { return this.#failure !== null || this.#stopped; }
  #hasWork(): boolean { return !this.#isOver() && (this.#queue.length > 0 || this.#intakes.length > 0 || this.#hasNews); }

  async #run(): Promise<void> {
    // Why: whatever comes in during this turn of the event loop belongs into this commit.
    await Promise.resolve();
    while (this.#hasWork()) {
      const queue = this.#takeWork();
      this.#hasNews = false;
      const intakes = this.#intakes.filter(({ queued }) => queued === 0);
      this.#intakes = this.#intakes.filter(({ queued }) => queued > 0);
      try {
        await this.#round(queue, intakes);
      } catch (error) {
        if (!this.#stopped) { this.#failure = error; this.#options.onFatal(error); }
        this.#turnAway([...queue, ...this.#queue], [...intakes, ...this.#intakes]);
        throw error;
      }
    }
  }

  /** As much as one commit may hold. */
  #takeWork(): readonly Work[] {
    let count = 0;
    for (let weight = 0; count < this.#queue.length && weight < WEIGHT_MAX; count++) weight += weightOf(this.#queue[count]!);
    const taken = this.#queue.splice(0, count);
    for (const { intake } of taken) if (intake !== undefined) intake.queued -= 1;
    return taken;
  }

  /** Nothing will come of these. */
  #turnAway(works: readonly Work[], intakes: readonly Intake[]): void {
    const error = this.#overError();
    this.#queue = [];
    this.#intakes = [];
    for (const { reject } of intakes) reject(error);
    for (const { answer } of works) answer?.reject(error);
  }

  /** Why not the failure itself: no message is to blame for it, so none is to be parked; unless the log is gone, which ends the consumer. */
  #overError(): unknown {
    const failure = this.#failure;
    if (failure instanceof Fenced || (failure instanceof OperationalError && ['LOG_CLOSED', 'CRASHED'].includes(failure.code))) return failure;
    return new OperationalError('STOPPED', 'the orchestrator is stopping', { retryable: true, ...(failure === null ? {} : { cause: failure }) });
  }

  async #round(queue: readonly Work[], intakes: readonly Intake[]): Promise<void> {
    const loaded = new Set<string>();
    await this.#load(this.#missing(queue), loaded);
    for (let works = queue; ;) {
      const changes = this.#changes;
      const round: Round = { at: this.#options.clock.now(), touched: new Map(), resent: new Set(), defects: new Map(), said: [] };
      for (const work of works) this.#bring(round, work);
      this.#grantLocks(round);
      this.#resend(round, works);
      const rows = await this.#store(round, intakes);
      if (rows instanceof VersionConflict) { works = [...queue, ...await this.#startAgain(round, rows, loaded)]; continue; }
      this.#settle(round, rows);
      this.#locks.flush();
      // Why: what was decided by the old state was not among the open ones when all of those were told.
      if (changes !== this.#changes) for (const { state } of round.touched.values()) this.#tick(state);
      for (const [intake, error] of round.defects) intake.defect ??= error;
      for (const { defect, resolve, reject } of intakes) if (defect === undefined) resolve(); else reject(defect);
      this.#forgetEnded(loaded);
      return;
    }
  }

  /** @returns the rows, or what of it was stored before */
  async #store({ at, touched, defects }: Round, intakes: readonly Intake[]): Promise<readonly StoredRow[] | VersionConflict> {
    const appends: Append[] = [];
    let durable = !this.#options.sharedCluster;
    for (const { entry, state, facts, commands, answers } of touched.values()) {
      durable ||= answers.length > 0 || (facts.length > 0 && (hasEnded(state) || isParked(state)));
      if (facts.length > 0 || commands.length > 0) appends.push(toAppend(state, (entry?.version ?? 0) + 1, facts, commands, at));
    }
    const positions = Object.assign({}, ...intakes.filter(intake => intake.defect === undefined && !defects.has(intake)).map(intake => intake.positions)) as Record<string, number>;
    const documents = this.#snapshotsOfReopened(touched);
    const aged = at >= this.#housekeepingAt ? this.#aged(touched) : null;
    for (const { state, version } of aged ?? []) documents.push(snapshotOf(this.#log, state, version));
    if (appends.length === 0 && documents.length === 0 && Object.keys(positions).length === 0) return [];
    crashPoint('orchestrator.commit.before');
    try {
      const head = this.#log.head();
      const rows = await this.#commit({ appends, positions, documents, durable, ...(aged === null ? {} : { lowWater: lowWaterOf(this.#log.head(), this.#open, this.#defects.values(), touched) }) });
      crashPoint('orchestrator.commit.after');
      if (aged !== null) this.#housekeepingAt = at + HOUSEKEEPING_MS;
      for (const entry of aged ?? []) { entry.snapshotted = true; entry.firstPosition = head + 1; }
      return rows;
    } catch (error) {
      if (error instanceof VersionConflict) return error;
      throw error;
    }
  }

  /** What the store can't take right now it is asked to take again: the very same unit, so that it is stored once. */
  async #commit(unit: Unit): Promise<readonly StoredRow[]> {
    for (let pauseMs = COMMIT_PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, COMMIT_PAUSE_MS_MAX)) {
      try {
        return await this.#log.commit(unit);
      } catch (error) {
        if (error instanceof VersionConflict || !(error instanceof OperationalError && error.retryable)) throw error;
        if (!this.#stopped) await this.#pause(pauseMs);
        if (this.#stopped) throw error;
      }
    }
  }

  /** Ends early when it is stopped. */
  async #pause(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#endPause = () => { cancel(); resolve(); };
    });
    this.#endPause = null;
  }

  /**
   * A workflow that is not in memory was submitted again; its log says that it is known. All is decided anew with it, and
   * locks are as they were: who got some in this round is asked again what it wants.
   * @returns what to bring besides
   */
  async #startAgain({ at, touched }: Round, conflict: VersionConflict, loaded: Set<string>): Promise<readonly Work[]> {
    const known = conflict.streams.map(({ stream }) => stream);
    if (known.length === 0 || known.some(stream => this.#open.has(stream) || this.#defects.has(stream))) throw conflict;
    await this.#load(known, loaded);
    this.#locks.discard([...touched.values()].flatMap(({ entry, state }) => {
      const [before, after] = [lockerOf(entry?.state ?? state), lockerOf(state)];
      return [{ workflow: before, locks: entry?.state.locks ?? [] }, ...(after === before ? [] : [{ workflow: after, locks: [] }])];
    }), at);
    const others = [...touched.values()].flatMap(({ entry }) => (entry === null ? [] : [entry.state]));
    return others.map(({ id, tenant }) => ({ workflow: id, tenant, causation: undefined, input: { type: 'Tick' } }));
  }

  /** Brings one input to its workflow, and at once whatever follows from locks that it can have. */
  #bring(round: Round, work: Work): void {
    const { workflow, input, answer } = work;
    if (this.#defects.has(workflow)) { this.#refuseDefect(round, work, new OperationalError('UNREADABLE_HISTORY', `the history of workflow \`${workflow}\` can not be read`)); return; }
    const known = round.touched.get(workflow);
    const entry = known?.entry ?? this.#open.get(workflow) ?? null;
    const state = known?.state ?? entry?.state ?? null;
    if (input.type === 'Ordered' && (state === null || state.tenant !== work.tenant || (input.by.kind === 'agent' && !isItsOwn(state, input.by.id)))) {
      round.said.push(() => answer?.reject(new Refusal({ code: 'NOT_FOUND', detail: `there is no workflow \`${workflow}\`` })));
      return;
    }
    if (state === null && input.type !== 'Submitted') {
      this.#ignore(round, work, this.#ended.has(workflow) ? 'late' : 'early');
      return;
    }
    let decision: Decision | null;
    try {
      const { agent, parent } = input.type === 'Submitted' ? input.start : state!.start;
      decision = decide(input, state, {
        at: round.at, chance: this.#options.chance(), epoch: this.#log.epoch, causation: work.causation, control: this.#options.control.control(state?.tenant ?? work.tenant, agent.id, parent?.chain.map(({ id }) => id)), drivenSince: entry?.since ?? round.at,
      }, work.tenant);
    } catch (error) {
      if (input.type === 'LocksGranted') this.#locks.hold(lockerOf(state!), state!.locks, round.at);
      if (error instanceof Refusal) round.said.push(() => answer?.reject(error));
      else this.#refuseDefect(round, work, error);
      return;
    }
    if (decision === null) {
      if (input.type === 'LocksGranted') this.#locks.hold(lockerOf(state!), state!.locks, round.at);
      this.#ignore(round, work, 'late');
      return;
    }
    const mine: Touched = known ?? { entry, state: decision.state, facts: [], commands: [], answers: [] };
    mine.state = decision.state;
    mine.facts.push(...decision.facts);
    mine.commands.push(...decision.commands);
    if (answer !== undefined) mine.answers.push(decision.facts.length > 0 ? answer : { resolve: () => answer.resolve(0), reject: answer.reject });
    round.touched.set(workflow, mine);
    const [before, locker] = [lockerOf(state ?? decision.state), lockerOf(decision.state)];
    if (before !== locker) { this.#locks.hold(locker, decision.state.locks, round.at); this.#locks.release(before); }
    if (isClosed(decision.state) || decision.facts.some(({ fact }) => fact.name === 'LocksLost')) this.#locks.release(locker);
    // Why: each decision says all that is wanted. Who pauses, fails or waits for policy must neither stand in others' way nor be given anything.
    if (decision.wants === null) { this.#locks.cancel(locker, decision.state.locks); return; }
    const { locks, late } = decision.wants;
    const follow = { workflow, tenant: work.tenant, causation: work.causation };
    const found = this.#locks.request(locker, locks, late, round.at, decision.state.locks);
    if (found.answer === 'granted') this.#bring(round, { ...follow, input: { type: 'LocksGranted', locks } });
    if (found.answer === 'die') this.#bring(round, { ...follow, input: { type: 'LocksRefused', holder: workflowOf(found.holder), locks } });
  }

  #ignore(round: Round, { intake, answer }: Work, kind: 'late' | 'early'): void {
    round.said.push(() => { if (intake !== undefined) this.#options.telemetry?.ignored(kind); answer?.resolve(0); });
  }

  /** A bug, or a history that this release can't read: the bus parks what came by it. */
  #refuseDefect(round: Round, { workflow, intake, answer }: Work, error: unknown): void {
    if (intake !== undefined && !round.defects.has(intake)) round.defects.set(intake, error);
    const traceparent = (round.touched.get(workflow) ?? this.#open.get(workflow))?.state.traceparent;
    round.said.push(() => { this.#options.onDefect?.(workflow, error, traceparent); answer?.reject(error); });
  }

  #grantLocks(round: Round): void {
    for (;;) {
      const granted = this.#locks.grantWaiting(round.at);
      const yielding = this.#locks.yielding();
      if (granted.length === 0 && yielding.length === 0) return;
      for (const { workflow, locks } of granted) this.#bringLocks(round, workflow, { type: 'LocksGranted', locks });
      for (const { workflow, holder, locks } of yielding) this.#bringLocks(round, workflow, { type: 'LocksRefused', holder: workflowOf(holder), locks });
    }
  }

  #bringLocks(round: Round, locker: string, input: Input): void {
    const workflow = workflowOf(locker);
    const state = round.touched.get(workflow)?.state ?? this.#open.get(workflow)?.state;
    if (state === undefined) { this.#locks.release(locker); return; }
    this.#bring(round, { workflow, tenant: state.tenant, causation: undefined, input });
  }

  /** Sends again what was not answered for long: the bus may lose anything, and the receivers recognise repeats. */
  #resend({ at, touched, resent }: Round, works: readonly Work[]): void {
    for (const { workflow, input } of works) {
      const entry = this.#open.get(workflow);
      if (input.type !== 'Tick' || entry === undefined || resent.has(workflow)) continue;
      const mine = touched.get(workflow);
      // Why: what has just been decided may have settled it, and is sent along anyway; there is a next time.
      if (mine === undefined || mine.facts.length > 0) continue;
      const commands = outstanding(entry.state, this.#log.epoch, sentAt => resendAt(Math.max(sentAt, entry.since), entry.resentAt, this.#options.resend) <= at);
      resent.add(workflow);
      mine.commands.push(...commands);
    }
  }

  #settle({ at, touched, resent, said }: Round, rows: readonly StoredRow[]): void {
    const rowOf = new Map(rows.map(row => [row.stream, row]));
    for (const [workflow, { entry, state, facts, answers }] of touched) {
      const [row, before] = [rowOf.get(workflow), entry?.state ?? null];
      const next: Entry = entry ?? { state, version: 0, firstPosition: row?.position ?? this.#log.head(), snapshotted: false, since: at, resentAt: at, alarmAt: Infinity };
      next.state = state;
      if (row !== undefined) next.version = row.version;
      if (resent.has(workflow)) next.resentAt = at;
      for (const { fact } of facts) this.#options.telemetry?.fact(fact, state, at, before);
      if (isClosed(state)) { this.#open.delete(workflow); this.#ended.add(workflow); }
      else { this.#open.set(workflow, next); this.#ended.delete(workflow); this.#setAlarm(next, at); }
      const sequence = row?.messages.reduce((last, message) => (isFactTopic(message.topic) ? message.event.sequence ?? last : last), 0) ?? 0;
      for (const answer of answers) answer.resolve(sequence);
    }
    for (const say of said) say();
  }

  #setAlarm(entry: Entry, at: number): void {
    const next = Math.min(wakeAt(entry.state, at, entry.since) ?? Infinity, nextResendAt(entry.state, entry.since, entry.resentAt, this.#options.resend) ?? Infinity);
    // Why: an alarm that comes too early costs a look; one per change would fill the heap with deadlines of what has long ended.
    if (next >= entry.alarmAt) return;
    entry.alarmAt = next;
    this.#alarms.set(entry.state.id, next);
  }

  #armAlarm(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = null;
    const next = this.#alarms.next();
    if (next === null || this.#isOver()) return;
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(1, next - this.#options.clock.now()));
    this.#cancelAlarm = this.#options.clock.after(delayMs, () => {
      const at = this.#options.clock.now();
      for (const workflow of this.#alarms.due(at)) {
        const entry = this.#open.get(workflow);
        if (entry === undefined) continue;
        entry.alarmAt = Infinity;
        const { state } = entry;
        if (losesLocksAt(state) <= at) this.#queue.push({ workflow, tenant: state.tenant, causation: undefined, input: { type: 'LocksTakenAway', code: 'PARKED', reason: 'parked for 15 minutes', by: 'aifirst' } });
        this.#tick(state);
      }
      if (this.#hasWork()) this.#kick(); else this.#armAlarm();
    });
  }

  /** What is asked about and not in memory: workflows that ended, or were never there. */
  #missing(queue: readonly Work[]): readonly string[] {
    const missing = new Set<string>();
    for (const { workflow, input } of queue) {
      if (this.#open.has(workflow) || this.#defects.has(workflow) || input.type === 'Submitted' || input.type === 'Tick') continue;
      if (input.type === 'Ordered' || !this.#ended.has(workflow)) missing.add(workflow);
    }
    // Why: submitted in this very batch, so most likely there is nothing in the log yet; if there is, the commit says so.
    if (missing.size > 0) for (const { workflow, input } of queue) if (input.type === 'Submitted') missing.delete(workflow);
    return [...missing];
  }

  /** One query for all. @param loaded gets the ids: they go again with the round, unless they begin to move */
  async #load(ids: readonly string[], loaded: Set<string>): Promise<void> {
    if (ids.length === 0) return;
    const at = this.#options.clock.now();
    for (const [workflow, found] of await readWorkflows(this.#log, ids)) {
      loaded.add(workflow);
      if ('error' in found) { this.#defects.set(workflow, Infinity); this.#options.onDefect?.(workflow, found.error); }
      else this.#open.set(workflow, { ...found, firstPosition: this.#log.head() + 1, snapshotted: false, since: at, resentAt: at, alarmAt: Infinity });
    }
  }

  #forgetEnded(loaded: ReadonlySet<string>): void {
    for (const workflow of loaded) {
      const entry = this.#open.get(workflow);
      if (entry !== undefined && isClosed(entry.state)) { this.#open.delete(workflow); this.#ended.add(workflow); }
    }
  }

  #snapshotsOfReopened(touched: ReadonlyMap<string, Touched>): DocumentPut[] {
    const documents: DocumentPut[] = [];
    for (const { entry, state } of touched.values()) {
      if (entry === null) continue;
      if (isClosed(state)) { if (entry.snapshotted) documents.push(noSnapshotOf(this.#log, state)); }
      // Why: it had ended and begins to move again; its first rows lie before the low-water mark.
      else if (isClosed(entry.state)) { documents.push(snapshotOf(this.#log, state, entry.version + 1)); entry.snapshotted = true; }
    }
    return documents;
  }

  /** Those that recovery would not find from the low-water mark on, if it moved. Their snapshots are dropped when they end. */
  #aged(touched: ReadonlyMap<string, Touched>): readonly Entry[] {
    const old = this.#log.head() - SNAPSHOT_ROWS;
    const aged: Entry[] = [];
    for (const entry of this.#open.values()) {
      if (aged.length === SNAPSHOTS_PER_COMMIT) break;
      if (entry.firstPosition <= old && !(touched.get(entry.state.id)?.facts.length) && !isClosed(entry.state)) aged.push(entry);
    }
    return aged;
  }
}

import { TOPICS, eventType, isFactTopic, type LockView, type PlanDecided, type PrincipalRef, type StartWorkflow, type StepReported, type WorkflowFact, type WorkflowOrder } from '@aifirst/contracts';
import { crashPoint, InvariantViolation, OperationalError, Refusal, type Clock, type JsonObject } from '@aifirst/kernel';
import { VersionConflict, type Append, type DocumentPut, type Log, type Positions } from '@aifirst/store';
import type { Batch, Delivery } from '@aifirst/bus';
import { decide, type Input } from '../domain/decide';
import { LockTable } from '../domain/lock-table';
import type { Command, Control, Decision } from '../domain/turn';
import { hasEnded, isParked, type RecordedFact, type Workflow } from '../domain/workflow';
import { outstanding, wakeAt } from '../domain/wake';
import { Alarms, RecentIds, type Entry } from './open-workflows';
import { foldRow, toAppend } from './workflow-log';

/** What holds a tenant or an agent right now; says so when it changes. */
export interface ControlSource {
  control(tenant: string, agent: string): Control;
  /** @param listener gets the tenant whose state has moved, null: all */
  onChange(listener: (tenant: string | null) => void): () => void;
}

/** What is counted. Called after the commit that makes it true. */
export interface OrchestratorTelemetry {
  fact(fact: WorkflowFact, workflow: Workflow, at: number): void;
  ignored(kind: 'late' | 'early'): void;
}

export interface OrchestratorOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly chance: () => number;
  readonly control: ControlSource;
  readonly telemetry?: OrchestratorTelemetry;
  /** Bugs and corrupt histories of one workflow: said, never thrown at the others. */
  readonly onDefect?: (workflow: string, error: unknown) => void;
  /** A commit failed for good: nothing more is driven here. The log is whole; a new start carries on. */
  readonly onFatal: (error: unknown) => void;
  /** All services share one database cluster, so that a later synchronous commit flushes what came before (PERFORMANCE, rule 7). */
  readonly sharedCluster: boolean;
}

/** What is sent and not answered is sent again after this long without news, doubling up to the longest pause. */
const RESEND_MS_MIN = 5_000;
const RESEND_MS_MAX = 60_000;
/** A parked workflow gives its locks up after this long (DESIGN, Isolation). */
const PARKED_LOCKS_MS = 15 * 60_000;
/** A workflow whose beginning lies this many rows back gets a snapshot, so that recovery need not read from there. */
const SNAPSHOT_ROWS = 20_000;
const SNAPSHOTS_PER_COMMIT = 100;
const HOUSEKEEPING_MS = 5_000;
/** How often a workflow is looked at that is overdue and waits for something else: policy, control, locks. */
const LOOK_AGAIN_MS = 1_000;
const ENDED_REMEMBERED = 20_000;
const SNAPSHOT_KIND = 'workflow-snapshot';

interface Work {
  readonly workflow: string;
  readonly input: Input;
  readonly tenant: string;
  readonly causation: string | undefined;
  readonly answer?: { resolve(sequence: number): void; reject(error: unknown): void };
}

/** Everything that one round does to one workflow. */
interface Touched { entry: Entry | null; state: Workflow; facts: RecordedFact[]; commands: Command[]; answers: NonNullable<Work['answer']>[] }

/**
 * Drives all workflows of its log: brings each input to the pure machine, stores what it decides together with the
 * consumer's positions, many workflows in one commit, and keeps the clock. It holds nothing that the log does not.
 */
export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #log: Log;
  readonly #open = new Map<string, Entry>();
  readonly #ended = new RecentIds(ENDED_REMEMBERED);
  readonly #locks = new LockTable();
  readonly #alarms = new Alarms();
  #queue: Work[] = [];
  #positions: Positions = {};
  #batches: { resolve(): void; reject(error: unknown): void }[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  #failure: unknown = null;
  #cancelAlarm: (() => void) | null = null;
  #cancelControl: (() => void) | null = null;
  #housekeepingAt = 0;

  constructor(options: OrchestratorOptions) { this.#options = options; this.#log = options.log; }

  /** Rebuilds open workflows and locks from the log. Must be done before the first `handle`. */
  async start(): Promise<void> {
    await this.#recover();
    this.#cancelControl = this.#options.control.onChange(tenant => this.#tickAll(tenant));
    this.#tickAll(null);
  }

  /** Takes nothing more, ends the round under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelAlarm?.();
    this.#cancelControl?.();
    await this.#running?.catch(() => undefined);
  }

  get openWorkflows(): number { return this.#open.size; }
  get queueDepth(): number { return this.#queue.length; }

  /** The bus handler for intents, decisions and step outcomes. Resolves when their effect is committed. */
  handle(batch: Batch): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    for (const delivery of batch.deliveries) {
      const work = workOf(delivery);
      if (work !== null) this.#queue.push(work);
    }
    this.#positions = { ...this.#positions, ...batch.positions };
    return new Promise((resolve, reject) => { this.#batches.push({ resolve, reject }); this.#kick(); });
  }

  /** @returns the sequence of the last fact that the order made. @throws Refusal NOT_FOUND, WRONG_STATE, UNKNOWN_STEP */
  async order(asked: { tenant: string; workflow: string; by: PrincipalRef; order: WorkflowOrder }): Promise<{ sequence: number }> {
    if (this.#failure !== null || this.#stopped) throw new OperationalError('STOPPED', 'the orchestrator is stopping', { retryable: true });
    const sequence = await new Promise<number>((resolve, reject) => {
      this.#queue.push({ workflow: asked.workflow, tenant: asked.tenant, causation: undefined, input: { type: 'Ordered', order: asked.order, by: asked.by }, answer: { resolve, reject } });
      this.#kick();
    });
    return { sequence };
  }

  locks(tenant: string | null): readonly LockView[] {
    return this.#locks.view().flatMap(({ workflow, resource, mode, since, waiting }) => {
      const entry = this.#open.get(workflow);
      if (entry === undefined || (tenant !== null && entry.state.tenant !== tenant) || mode.startsWith('intent')) return [];
      return [{ id: lockId(workflow, resource), tenant: entry.state.tenant, resource, mode, workflow, since: new Date(since).toISOString(), waiting }];
    }).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async breakLock(tenant: string | null, id: string, by: PrincipalRef, reason: string): Promise<LockView> {
    const lock = this.locks(tenant).find(view => view.id === id);
    if (lock === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no lock \`${id}\`` });
    await new Promise<number>((resolve, reject) => {
      this.#queue.push({ workflow: lock.workflow, tenant: lock.tenant, causation: undefined, input: { type: 'LocksTakenAway', code: 'BROKEN', reason, by: by.id }, answer: { resolve, reject } });
      this.#kick();
    });
    return lock;
  }

  inUse(asked: { tenant: string; connection?: string; agent?: string }): readonly string[] {
    return [...this.#open.values()].filter(({ state }) => state.tenant === asked.tenant
      && (asked.agent === undefined || state.start.agent.id === asked.agent)
      && (asked.connection === undefined || state.start.steps.some(step => step.connection === asked.connection))).map(({ state }) => state.id);
  }

  #tickAll(tenant: string | null): void {
    for (const { state } of this.#open.values()) if (tenant === null || state.tenant === tenant) this.#tick(state.id, state.tenant);
    this.#kick();
  }

  #tick(workflow: string, tenant: string): void { this.#queue.push({ workflow, tenant, causation: undefined, input: { type: 'Tick' } }); }

  #kick(): void {
    if (this.#running !== null || this.#stopped || this.#failure !== null) return;
    this.#running = this.#run().finally(() => { this.#running = null; this.#armAlarm(); if (this.#hasWork()) this.#kick(); });
    this.#running.catch(() => undefined);
  }

  #hasWork(): boolean { return this.#failure === null && !this.#stopped && (this.#queue.length > 0 || this.#batches.length > 0); }

  async #run(): Promise<void> {
    // Why: whatever comes in during this turn of the event loop belongs into this commit.
    await Promise.resolve();
    while (this.#hasWork()) {
      const queue = this.#queue;
      const batches = this.#batches;
      const positions = this.#positions;
      this.#queue = [];
      this.#batches = [];
      this.#positions = {};
      try {
        await this.#round(queue, positions);
        for (const batch of batches) batch.resolve();
      } catch (error) {
        this.#failure = error;
        this.#options.onFatal(error);
        for (const batch of batches) batch.reject(error);
        for (const { answer } of [...queue, ...this.#queue]) answer?.reject(error);
        throw error;
      }
    }
  }

  async #round(queue: readonly Work[], positions: Positions): Promise<void> {
    const loaded = await this.#load(queue);
    const repeated = new Set<string>();
    for (;;) {
      const touched = new Map<string, Touched>();
      const at = this.#options.clock.now();
      for (const work of queue) {
        if (work.input.type === 'Submitted' && repeated.has(work.workflow)) continue;
        this.#bring(touched, work, at);
      }
      this.#grantLocks(touched, at);
      const resent = this.#resend(queue, touched, at);
      const housekeeping = at >= this.#housekeepingAt;
      const documents = this.#snapshots(touched, at);
      const appends: Append[] = [];
      for (const { entry, state, facts, commands } of touched.values()) {
        if (facts.length > 0 || commands.length > 0) appends.push(toAppend(state, (entry?.version ?? 0) + 1, facts, commands, at));
      }
      if (appends.length > 0 || documents.length > 0 || Object.keys(positions).length > 0) {
        const durable = !this.#options.sharedCluster || queue.some(work => work.answer !== undefined) || [...touched.values()].some(({ state, facts }) => facts.length > 0 && (hasEnded(state) || isParked(state)));
        crashPoint('orchestrator.commit.before');
        try {
          const rows = await this.#log.commit({ appends, positions, documents, durable, ...(housekeeping ? { lowWater: this.#lowWater(touched) } : {}) });
          crashPoint('orchestrator.commit.after');
          this.#settle(touched, new Map(rows.map(row => [row.stream, row])), at, resent);
        } catch (error) {
          if (!(error instanceof VersionConflict) || error.streams.length === 0 || error.streams.every(({ stream }) => repeated.has(stream))) throw error;
          // Why: a workflow that is not in memory was submitted again; its log says that it is known.
          for (const { stream } of error.streams) { repeated.add(stream); this.#locks.release(stream); }
          continue;
        }
      } else this.#settle(touched, new Map(), at, resent);
      this.#forgetEnded(loaded);
      return;
    }
  }

  /** Brings one input to its workflow, and at once whatever follows from locks that it can have. */
  #bring(touched: Map<string, Touched>, work: Work, at: number): void {
    const known = touched.get(work.workflow);
    const entry = known?.entry ?? this.#open.get(work.workflow) ?? null;
    const state = known?.state ?? entry?.state ?? null;
    if (work.input.type === 'Ordered' && (state === null || state.tenant !== work.tenant || (work.input.by.kind === 'agent' && state.start.agent.id !== work.input.by.id))) {
      work.answer?.reject(new Refusal({ code: 'NOT_FOUND', detail: `there is no workflow \`${work.workflow}\`` }));
      return;
    }
    if (state === null && work.input.type !== 'Submitted') {
      this.#options.telemetry?.ignored(this.#ended.has(work.workflow) ? 'late' : 'early');
      work.answer?.resolve(0);
      return;
    }
    let decision: Decision | null;
    try {
      const agent = work.input.type === 'Submitted' ? work.input.start.agent.id : state!.start.agent.id;
      decision = decide(work.input, state, {
        at, chance: this.#options.chance(), epoch: this.#log.epoch, causation: work.causation, control: this.#options.control.control(work.tenant, agent),
      }, work.tenant);
    } catch (error) {
      if (work.answer !== undefined) { work.answer.reject(error); return; }
      if (!(error instanceof InvariantViolation)) throw error;
      this.#options.onDefect?.(work.workflow, error);
      return;
    }
    if (decision === null) {
      if (work.input.type !== 'Tick') this.#options.telemetry?.ignored('late');
      work.answer?.resolve(0);
      return;
    }
    const mine: Touched = known ?? { entry, state: decision.state, facts: [], commands: [], answers: [] };
    mine.state = decision.state;
    mine.facts.push(...decision.facts);
    mine.commands.push(...decision.commands);
    if (work.answer !== undefined) mine.answers.push(work.answer);
    touched.set(work.workflow, mine);
    if (decision.facts.some(({ fact }) => fact.name === 'LocksLost') || hasEnded(decision.state)) this.#locks.release(work.workflow);
    if (decision.wants === null) return;
    const answer = this.#locks.request(work.workflow, decision.wants.locks, decision.wants.late, at);
    if (answer.answer === 'granted') this.#bring(touched, { ...followUp(work), input: { type: 'LocksGranted', locks: decision.wants.locks } }, at);
    if (answer.answer === 'die') this.#bring(touched, { ...followUp(work), input: { type: 'LocksRefused', holder: answer.holder, locks: decision.wants.locks } }, at);
  }

  #grantLocks(touched: Map<string, Touched>, at: number): void {
    const stateOf = (workflow: string): Workflow | undefined => touched.get(workflow)?.state ?? this.#open.get(workflow)?.state;
    for (;;) {
      const granted = this.#locks.grantWaiting(at);
      const yielding = this.#locks.yielding(workflow => stateOf(workflow)?.status !== 'rollingBack');
      if (granted.length === 0 && yielding.length === 0) return;
      const answers = [...granted.map(({ workflow, locks }) => ({ workflow, input: { type: 'LocksGranted', locks } as const })), ...yielding.map(({ workflow, holder, locks }) => ({ workflow, input: { type: 'LocksRefused', holder, locks } as const }))];
      for (const { workflow, input } of answers) {
        const state = stateOf(workflow);
        if (state === undefined || hasEnded(state)) { this.#locks.release(workflow); continue; }
        this.#bring(touched, { workflow, tenant: state.tenant, causation: undefined, input }, at);
      }
    }
  }

  /** Sends again what was not answered for long: the bus may lose anything, and the receivers recognise repeats. */
  #resend(queue: readonly Work[], touched: Map<string, Touched>, at: number): ReadonlySet<string> {
    const resent = new Set<string>();
    for (const { workflow, input } of queue) {
      const entry = this.#open.get(workflow);
      if (input.type !== 'Tick' || entry === undefined || entry.resendAt > at || resent.has(workflow)) continue;
      const mine = touched.get(workflow);
      if (mine !== undefined && mine.facts.length > 0) continue;
      const commands = outstanding(entry.state, this.#log.epoch);
      resent.add(workflow);
      if (commands.length === 0) continue;
      touched.set(workflow, { entry, state: entry.state, facts: [], commands: [...commands], answers: mine?.answers ?? [] });
    }
    return resent;
  }

  #settle(touched: Map<string, Touched>, rows: ReadonlyMap<string, { readonly position: number; readonly messages: readonly { readonly topic: string; readonly event: { readonly sequence?: number } }[] }>, at: number, resent: ReadonlySet<string>): void {
    for (const [workflow, { entry, state, facts, answers }] of touched) {
      const row = rows.get(workflow);
      const next: Entry = entry ?? { state, version: 0, firstPosition: row?.position ?? this.#log.head(), snapshotted: false, resendAt: 0, resendPauseMs: RESEND_MS_MIN, alarmAt: Infinity };
      next.state = state;
      if (row !== undefined) next.version += 1;
      if (facts.length > 0) next.resendPauseMs = RESEND_MS_MIN;
      else if (resent.has(workflow)) next.resendPauseMs = Math.min(RESEND_MS_MAX, next.resendPauseMs * 2);
      if (facts.length > 0 || resent.has(workflow)) next.resendAt = at + next.resendPauseMs;
      for (const { fact } of facts) this.#options.telemetry?.fact(fact, state, at);
      if (hasEnded(state)) { this.#open.delete(workflow); this.#ended.add(workflow); }
      else { this.#open.set(workflow, next); this.#ended.delete(workflow); this.#setAlarm(next, facts.length > 0 ? null : at); }
      const sequence = row?.messages.reduce((last, message) => (isFactTopic(message.topic) ? message.event.sequence ?? last : last), 0) ?? 0;
      for (const answer of answers) answer.resolve(sequence);
    }
  }

  /** @param quietAt nothing came of a look at it then */
  #setAlarm(entry: Entry, quietAt: number | null): void {
    const { state } = entry;
    let next = wakeAt(state) ?? Infinity;
    if (isWaitingForOthers(state)) next = Math.min(next, entry.resendAt);
    if (isParked(state) && state.locks.length > 0 && state.parkedAt !== null) next = Math.min(next, state.parkedAt + PARKED_LOCKS_MS);
    // Why: what is overdue and does not move waits for something else, and is told of it; looking again at once would never end.
    if (quietAt !== null && next <= quietAt) next = quietAt + LOOK_AGAIN_MS;
    // Why: an alarm that comes too early costs a look; one per change would fill the heap with deadlines of what has long ended.
    if (next >= entry.alarmAt) return;
    entry.alarmAt = next;
    this.#alarms.set(state.id, next);
  }

  #armAlarm(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = null;
    const next = this.#alarms.next();
    if (next === null || this.#stopped || this.#failure !== null) return;
    this.#cancelAlarm = this.#options.clock.after(Math.max(1, next - this.#options.clock.now()), () => {
      const at = this.#options.clock.now();
      for (const workflow of this.#alarms.due(at)) {
        const entry = this.#open.get(workflow);
        if (entry === undefined) continue;
        entry.alarmAt = Infinity;
        const { state } = entry;
        if (isParked(state) && state.locks.length > 0 && state.parkedAt !== null && at >= state.parkedAt + PARKED_LOCKS_MS) {
          this.#queue.push({ workflow, tenant: state.tenant, causation: undefined, input: { type: 'LocksTakenAway', code: 'PARKED', reason: 'parked for 15 minutes', by: 'aifirst' } });
        }
        this.#tick(workflow, state.tenant);
      }
      if (this.#queue.length > 0) this.#kick(); else this.#armAlarm();
    });
  }

  /** Fetches what is asked about and not in memory: workflows that ended, or were never there. One query for all. */
  async #load(queue: readonly Work[]): Promise<Iterable<string>> {
    const missing = new Set<string>();
    for (const { workflow, input } of queue) {
      if (this.#open.has(workflow) || input.type === 'Submitted' || input.type === 'Tick') continue;
      if (input.type === 'Ordered' || !this.#ended.has(workflow)) missing.add(workflow);
    }
    // Why: submitted in this very batch, so there is nothing in the log yet.
    for (const { workflow, input } of queue) if (input.type === 'Submitted') missing.delete(workflow);
    if (missing.size === 0) return missing;
    const states = new Map<string, { state: Workflow | null; version: number }>();
    for (const row of await this.#log.readStreams([...missing])) {
      states.set(row.stream, { state: foldRow(states.get(row.stream)?.state ?? null, row), version: row.version });
    }
    for (const [workflow, { state, version }] of states) {
      if (state !== null) this.#open.set(workflow, { state, version, firstPosition: this.#log.head() + 1, snapshotted: false, resendAt: 0, resendPauseMs: RESEND_MS_MIN, alarmAt: Infinity });
    }
    return missing;
  }

  #forgetEnded(loaded: Iterable<string>): void {
    for (const workflow of loaded) {
      const entry = this.#open.get(workflow);
      if (entry !== undefined && hasEnded(entry.state)) { this.#open.delete(workflow); this.#ended.add(workflow); }
    }
  }

  /** Snapshots for those that recovery would not find from the low-water mark on; dropped when they end. */
  #snapshots(touched: ReadonlyMap<string, Touched>, at: number): readonly DocumentPut[] {
    const documents: DocumentPut[] = [];
    const snapshot = (state: Workflow, version: number) => documents.push({ kind: SNAPSHOT_KIND, tenant: state.tenant, id: state.id, data: { state, version } as unknown as JsonObject });
    for (const { entry, state, facts, commands } of touched.values()) {
      const version = (entry?.version ?? 0) + (facts.length > 0 || commands.length > 0 ? 1 : 0);
      if (hasEnded(state)) { if (entry?.snapshotted === true) documents.push({ kind: SNAPSHOT_KIND, tenant: state.tenant, id: state.id, data: null }); }
      // Why: it had ended and begins to move again; its first rows lie before the low-water mark.
      else if (entry !== null && hasEnded(entry.state)) { snapshot(state, version); entry.snapshotted = true; }
    }
    if (at < this.#housekeepingAt) return documents;
    this.#housekeepingAt = at + HOUSEKEEPING_MS;
    const old = this.#log.head() - SNAPSHOT_ROWS;
    let count = 0;
    for (const entry of this.#open.values()) {
      if (entry.firstPosition > old || touched.has(entry.state.id) || hasEnded(entry.state)) continue;
      if (++count > SNAPSHOTS_PER_COMMIT) break;
      snapshot(entry.state, entry.version);
      entry.snapshotted = true;
      entry.firstPosition = this.#log.head() + 1;
    }
    return documents;
  }

  /** Everything at or before it belongs to workflows that have ended or have a snapshot. */
  #lowWater(touched: ReadonlyMap<string, Touched>): number {
    let oldest = this.#log.head() + 1;
    for (const { state, firstPosition } of this.#open.values()) if (firstPosition < oldest && !hasEnded(touched.get(state.id)?.state ?? state)) oldest = firstPosition;
    return oldest - 1;
  }

  async #recover(): Promise<void> {
    const found = new Map<string, { state: Workflow | null; version: number; firstPosition: number; snapshotted: boolean }>();
    for (let after: string | undefined; ;) {
      const page = await this.#log.listDocuments(SNAPSHOT_KIND, null, { limit: 500, ...(after === undefined ? {} : { after }) });
      for (const { id, data } of page) {
        const { state, version } = data as unknown as { state: Workflow; version: number };
        found.set(id, { state: { ...state, traceparent: state.traceparent }, version, firstPosition: this.#log.head() + 1, snapshotted: true });
      }
      const last = page.at(-1);
      if (last === undefined || page.length < 500) break;
      after = `${last.tenant}/${last.id}`;
    }
    for (let position = this.#log.lowWater(); ;) {
      const rows = await this.#log.read(position, 1_000);
      for (const row of rows) {
        position = row.position;
        const known = found.get(row.stream) ?? (row.version === 1 ? { state: null, version: 0, firstPosition: row.position, snapshotted: false } : undefined);
        // Why: without its beginning it ended before the low-water mark.
        if (known === undefined || row.version <= known.version) continue;
        try {
          // Why: what follows a snapshot lies before the head, and the next recovery needs it as much as this one.
          found.set(row.stream, { ...known, state: foldRow(known.state, row), version: row.version, firstPosition: Math.min(known.firstPosition, row.position) });
        } catch (error) {
          this.#options.onDefect?.(row.stream, error);
          found.delete(row.stream);
        }
      }
      if (rows.length < 1_000) break;
    }
    const at = this.#options.clock.now();
    for (const [id, { state, version, firstPosition, snapshotted }] of found) {
      if (state === null) continue;
      if (hasEnded(state)) { this.#ended.add(id); continue; }
      const entry: Entry = { state, version, firstPosition, snapshotted, resendAt: at + RESEND_MS_MIN, resendPauseMs: RESEND_MS_MIN, alarmAt: Infinity };
      this.#open.set(id, entry);
      if (state.locks.length > 0) this.#locks.grant(id, state.locks, at);
      this.#setAlarm(entry, null);
    }
  }
}

const lockId = (workflow: string, resource: string): string => `${workflow}.${Buffer.from(resource).toString('base64url')}`;
/** Has it sent something that is not answered yet? */
const isWaitingForOthers = (state: Workflow): boolean =>
  state.steps.some(step => (step.asked !== null && step.status === 'pending') || step.status === 'running' || step.status === 'undoing' || (step.status === 'unknown' && !step.parked));
const followUp = (work: Work): Omit<Work, 'input' | 'answer'> => ({ workflow: work.workflow, tenant: work.tenant, causation: work.causation });

const START = eventType('orchestration', 'StartWorkflow');
const DECIDED = eventType('policy', 'PlanDecided');
const REPORTED = eventType('execution', 'StepReported');

/** @throws OperationalError `MALFORMED_MESSAGE` (not retryable: it is parked) */
function workOf({ message: { topic, event } }: Delivery): Work | null {
  const base = { tenant: event.tenant, causation: isFactTopic(topic) ? event.id : event.causationid ?? event.id };
  const workflow = event.data['workflow'];
  if (event.type !== START && event.type !== DECIDED && event.type !== REPORTED) return null;
  if (typeof workflow !== 'string') throw new OperationalError('MALFORMED_MESSAGE', `event \`${event.id}\` names no workflow`);
  if (topic === TOPICS.workflowCommands && event.type === START) return { ...base, workflow, input: { type: 'Submitted', start: event.data as unknown as StartWorkflow, traceparent: event.traceparent } };
  if (topic === TOPICS.decisionEvents && event.type === DECIDED) return { ...base, workflow, input: { type: 'Decided', decided: event.data as unknown as PlanDecided } };
  if (topic === TOPICS.stepEvents && event.type === REPORTED) return { ...base, workflow, input: { type: 'Reported', report: event.data as unknown as StepReported } };
  return null;
}

import { ENDED, eventType, type CloudEvent, type WorkflowStatus } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { OperationalError, Refusal, messageOf, type Clock } from '@aifirst/kernel';
import { isLogGone } from '@aifirst/store';
import type { GatewayLogger } from '../http/edge';
import type { WorkflowProjection } from '../views/workflow-projection';
import { ending, finished } from './endings';
import { LiveTask } from './live-task';
import { TakingBack } from './taking-back';
import { claimantOf, hasEnded, type TaskRecord } from './task-record';
import type { Change, FoundTask, TaskStore } from './task-store';

export interface TaskBoardParts {
  readonly store: TaskStore;
  readonly identity: Identity;
  readonly projection: WorkflowProjection;
  readonly clock: Clock;
  readonly logger: GatewayLogger;
}

/** A workflow that is in one of these may still make use of a result. */
const GOES_FORWARD: readonly WorkflowStatus[] = ['pending', 'awaitingApproval', 'running', 'paused', 'committing'];
const STEP_STARTED = eventType('workflow', 'StepStarted');
const ROLLBACK_STARTED = eventType('workflow', 'RollbackStarted');
const WORKFLOW_ENDED = eventType('workflow', 'WorkflowEnded');
/** By then the view shows the step that asked, or never will. */
const SEEN_MS_MAX = 5_000;
const SWEEP_MS = 30_000;
const RETRY_MS = 1_000;

/** All tasks that may still change, in memory: their leases and deadlines run here, and what they leave is taken back. */
export class TaskBoard {
  readonly live = new Map<string, LiveTask>();
  /** The last one of each step. */
  private readonly bySteps = new Map<string, LiveTask>();
  private readonly byToken = new Map<string, { readonly task: LiveTask; readonly claim: number }>();
  private readonly open = new Map<string, Set<LiveTask>>();
  private readonly offers = new Map<string, Set<() => void>>();
  private readonly takingBack: TakingBack;
  private cancelSweep: () => void = () => {};
  isClosing = false;

  constructor(readonly parts: TaskBoardParts) {
    const { projection, identity: { neighbours }, clock, logger } = parts;
    this.takingBack = new TakingBack({ projection, neighbours, clock, logger });
  }

  /** Reads what was left, and goes on with it: whoever has a claim gets a whole lease, as an outage of ours is nobody's silence. */
  async load(): Promise<void> {
    for (const found of await this.parts.store.loadAll()) this.adopt(this.madeOf(found));
    const sweep = (): void => { this.cancelSweep = this.parts.clock.after(SWEEP_MS, () => { void this.sweep().finally(() => { if (!this.isClosing) sweep(); }); }); };
    sweep();
  }

  /** Answers everybody who waits, and begins nothing any more. */
  end(): void {
    this.isClosing = true;
    this.takingBack.stop();
    this.cancelSweep();
    for (const task of this.live.values()) { task.cancelTimer(); task.unwatch(); task.changed(); }
    for (const waiting of this.offers.values()) for (const wake of [...waiting]) wake();
  }

  lastOf(tenant: string, workflow: string, step: string): LiveTask | undefined { return this.bySteps.get(stepKey(tenant, workflow, step)); }
  ofToken(digest: string): { readonly task: LiveTask; readonly claim: number } | undefined { return this.byToken.get(digest); }
  openOf(tenant: string): Iterable<LiveTask> { return this.open.get(tenant) ?? []; }
  /** Whoever waits for tasks of this tenant. */
  offersOf(tenant: string): Set<() => void> {
    let waiting = this.offers.get(tenant);
    if (waiting === undefined) { waiting = new Set(); this.offers.set(tenant, waiting); }
    return waiting;
  }

  madeOf({ tenant, record, isPast }: FoundTask, generation = 0): LiveTask {
    const task = new LiveTask(tenant, `${record.workflow}.${record.step}.${record.number}`, record, generation, isPast);
    task.isSeen = generation === 0;
    return task;
  }

  adopt(task: LiveTask): void {
    const { tenant, id, record } = task;
    this.live.set(id, task);
    const key = stepKey(tenant, record.workflow, record.step);
    if ((this.bySteps.get(key)?.record.number ?? 0) <= record.number) this.bySteps.set(key, task);
    if (record.status === 'claimed') task.leaseUntil = this.now() + record.leaseMs;
    this.follow(task);
    this.settled(task);
  }

  /** Stores a change of a task; null: there is nothing to change. Whoever fails leaves it to be read again. */
  change(task: LiveTask, decide: (record: TaskRecord) => Change | null | Promise<Change | null>): Promise<TaskRecord> {
    return this.storing(task, async record => {
      const change = await decide(record);
      if (change !== null) await this.parts.store.commit(this.parts.store.unitOf(task, change));
      return { value: undefined, next: change?.record ?? null };
    }).then(() => task.record);
  }

  /** As `change`, for whoever stores something else in the same unit. */
  storing<T>(task: LiveTask, store: (record: TaskRecord) => Promise<{ readonly value: T; readonly next: TaskRecord | null }>): Promise<T> {
    return task.serially(async () => {
      if (task.isStale) {
        task.record = (await this.parts.store.find(task.tenant, task.id))?.record ?? task.record;
        task.isStale = false;
        this.settled(task);
      }
      try {
        const { value, next } = await store(task.record);
        if (next === null) return value;
        task.record = next;
        task.isPast = false;
        if (this.live.get(task.id) === task) this.settled(task); else this.adopt(task);
        return value;
      } catch (error) {
        // Why: of a commit that failed it may not be known whether it was stored.
        if (!(error instanceof Refusal)) task.isStale = true;
        throw error;
      }
    });
  }

  /** Ends what is open or claimed without a result. Of what is being taken back already it says what follows. */
  endAs(task: LiveTask, next: 'failed' | 'withdrawn' | 'undone', error: TaskRecord['error']): Promise<TaskRecord> {
    return this.change(task, record => {
      if (record.status === 'open' || record.status === 'claimed') return ending(record, next, error, this.at());
      if (record.status === 'completed' && next === 'undone') return ending(record, next, error, this.at());
      if (record.status !== 'undoing' || record.next === next || (record.next !== 'open' && next !== 'undone')) return null;
      return { record: { ...record, next, error: error ?? record.error }, facts: [] };
    });
  }

  /** Withdraws it where nobody can make use of a result any more. */
  async checkParent(task: LiveTask): Promise<void> {
    const { status, next, workflow } = task.record;
    if (!task.isSeen || !(status === 'open' || status === 'claimed' || (status === 'undoing' && next === 'open'))) return;
    const view = await this.parts.projection.find(task.tenant, workflow);
    if (view === null || GOES_FORWARD.includes(view.status)) return;
    await this.endAs(task, 'withdrawn', { code: 'CANCELLED', detail: `the workflow that gave the task is \`${view.status}\`` });
  }

  now(): number { return this.parts.clock.now(); }
  at(): string { return new Date(this.now()).toISOString(); }

  /** Nobody can be told before the durable part is done: what follows from a record as it is now. */
  private settled(task: LiveTask): void {
    const { tenant, record } = task;
    record.claims.forEach(({ token }, index) => { this.byToken.set(token, { task, claim: index + 1 }); });
    const open = this.open.get(tenant) ?? new Set();
    this.open.set(tenant, open);
    if (record.status === 'open') open.add(task); else open.delete(task);
    this.arm(task);
    task.changed();
    if (this.isClosing) return;
    if (record.status === 'open') this.offer(tenant);
    if (record.status === 'undoing') void this.takeBack(task);
  }

  private offer(tenant: string): void { for (const wake of [...this.offers.get(tenant) ?? []]) wake(); }

  /** Whoever has given it up may have it again when the others had time to take it. */
  keepFrom(task: LiveTask, agent: string): void {
    const { leaseMs } = task.record;
    task.notFor = { agent, until: this.now() + leaseMs };
    this.parts.clock.after(leaseMs, () => { if (!this.isClosing) this.offer(task.tenant); });
  }

  private arm(task: LiveTask): void {
    task.cancelTimer();
    task.cancelTimer = () => {};
    const { status, deadlineAt } = task.record;
    if (this.isClosing || (status !== 'open' && status !== 'claimed')) return;
    const at = Math.min(Date.parse(deadlineAt), status === 'claimed' ? task.leaseUntil : Infinity);
    task.cancelTimer = this.parts.clock.after(Math.max(0, at - this.now()), () => { this.quietly(task, () => this.due(task)); });
  }

  private async due(task: LiveTask): Promise<void> {
    if (this.now() >= Date.parse(task.record.deadlineAt)) {
      await this.endAs(task, 'failed', { code: 'TIMEOUT', detail: 'the task was not done in its time' });
      return;
    }
    await this.change(task, record => {
      // Why here: a heartbeat may have come while this waited.
      if (record.status !== 'claimed' || this.now() < task.leaseUntil) return null;
      const goesOn = record.onLost === 'handOver' && record.claims.length < record.claimsMax;
      const error = { code: 'TASK_LOST', detail: `agent \`${claimantOf(record)}\` was not heard of for ${record.leaseMs} ms` };
      return ending(record, goesOn ? 'open' : 'failed', goesOn ? null : error, this.at(), [{ name: 'Lost', data: { by: claimantOf(record), claim: record.claims.length } }]);
    });
    this.arm(task);
  }

  private async takeBack(task: LiveTask): Promise<void> {
    if (task.isTakingBack) return;
    task.isTakingBack = true;
    try {
      while (!this.isClosing && task.record.status === 'undoing') {
        const back = await this.takingBack.run(task);
        if (back === null) return;
        await this.change(task, record => (record.status === 'undoing' ? finished(record, back, this.at()) : null)).catch(async (error: unknown) => {
          if (isLogGone(error)) throw error;
          this.parts.logger.warn('the end of a task could not be stored and will be again', { task: task.id, error: messageOf(error) });
          await task.nextChange(this.parts.clock, RETRY_MS);
        });
      }
    } catch (error) {
      if (!this.isClosing && !isLogGone(error)) this.parts.logger.error('the work of a task can not be taken back', { task: task.id, error: messageOf(error) });
    } finally {
      task.isTakingBack = false;
    }
  }

  /** What happens to the workflow that gave it, and to the whole transaction, is this task's matter. */
  private follow(task: LiveTask): void {
    task.unwatch();
    if (this.isClosing) return;
    const { projection, clock } = this.parts;
    const { workflow, root, step } = task.record;
    const look = (event: CloudEvent): void => {
      if (event.type === STEP_STARTED && event.subject === workflow && event.data['step'] === step && Number(event.data['generation']) >= task.generation) task.isSeen = true;
      if (event.type === ROLLBACK_STARTED || event.type === WORKFLOW_ENDED) this.quietly(task, () => this.look(task));
    };
    const ends = [projection.watch(workflow, look), ...(root === workflow ? [] : [projection.watch(root, look)])];
    if (!task.isSeen) ends.push(clock.after(SEEN_MS_MAX, () => { task.isSeen = true; this.quietly(task, () => this.look(task)); }));
    task.unwatch = () => { for (const end of ends.splice(0)) end(); };
    this.quietly(task, () => this.look(task));
  }

  private async look(task: LiveTask): Promise<void> {
    await this.checkParent(task);
    await this.release(task);
  }

  /** The transaction is over: what its tasks have left stands, and need not be held any more. */
  private async release(task: LiveTask): Promise<void> {
    if (!hasEnded(task.record)) return;
    const { tenant, record } = task;
    const { identity: { neighbours }, projection, store } = this.parts;
    const root = await projection.find(tenant, record.root);
    if (root !== null && !ENDED.includes(root.status)) return;
    if (record.status === 'completed') {
      for (const workflow of record.children) {
        await neighbours.ask('orchestrator', 'order', { tenant, workflow, by: { kind: 'service', id: 'gateway', tenant }, order: { order: 'release' } })
          .catch((error: unknown) => { if (!(error instanceof Refusal)) throw error; });
      }
    }
    await task.serially(async () => {
      if (task.record !== record || task.isStale || this.live.get(task.id) !== task) return;
      if (!task.isPast) await store.commit(store.unitOf(task, { record, facts: [] }, true));
      task.isPast = true;
      this.drop(task);
    });
  }

  private drop(task: LiveTask): void {
    this.live.delete(task.id);
    const key = stepKey(task.tenant, task.record.workflow, task.record.step);
    if (this.bySteps.get(key) === task) this.bySteps.delete(key);
    for (const { token } of task.record.claims) this.byToken.delete(token);
    task.cancelTimer();
    task.unwatch();
  }

  private async sweep(): Promise<void> {
    for (const task of [...this.live.values()]) {
      if (this.isClosing) return;
      await this.look(task).catch((error: unknown) => { this.failed(task, error); });
    }
  }

  private quietly(task: LiveTask, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.failed(task, error);
      if (!this.isClosing && !isLogGone(error)) { task.cancelTimer(); task.cancelTimer = this.parts.clock.after(RETRY_MS, () => { this.quietly(task, work); this.arm(task); }); }
    });
  }

  private failed(task: LiveTask, error: unknown): void {
    if (this.isClosing || isLogGone(error)) return;
    const passes = error instanceof OperationalError && error.retryable;
    this.parts.logger[passes ? 'warn' : 'error']('a task could not be looked after and will be again', { task: task.id, error: messageOf(error) });
  }
}

const stepKey = (tenant: string, workflow: string, step: string): string => `${tenant}/${workflow}.${step}`;

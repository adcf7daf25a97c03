import { eventType, TOPICS, type DecidePlan, type ExecuteStep, type Lease, type PlanDecided, type PrincipalRef, type ProbeStep, type StartWorkflow, type StepDecision, type StepReported, type UndoStep, type WorkflowFact, type WorkflowOrder } from '@aifirst/contracts';
import type { Batch, Delivery } from '@aifirst/bus';
import type { Clock, JsonObject } from '@aifirst/kernel';
import type { Log, StoredRow } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { Orchestrator } from '../application/orchestrator';
import type { ControlSource, LockLog, OrchestratorTelemetry } from '../application/ports';
import { SharedLocks } from '../application/shared-locks';
import { foldRow, isFact } from '../application/workflow-log';
import type { Control } from '../domain/turn';
import type { Workflow } from '../domain/workflow';
import { TENANT } from './workflow-harness';

export const ADMIN: PrincipalRef = { kind: 'person', id: 'admin', tenant: TENANT };
/** UUIDs v7 in order of age. */
export const workflowId = (number: number): string => `01900000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;

export type StepCommandSent = (ExecuteStep | UndoStep | ProbeStep) & { readonly kind: 'execute' | 'undo' | 'probe' };
/** What becomes of a call; null: no answer. */
export type Outcome = Pick<StepReported, 'outcome'> & Partial<StepReported> | null;

const TYPES = { decide: eventType('policy', 'DecidePlan'), execute: eventType('execution', 'ExecuteStep'), undo: eventType('execution', 'UndoStep'), probe: eventType('execution', 'ProbeStep') };
const SERVICES = 'services/0';
const LEASE_MS = 60_000;

/**
 * The orchestrator between a store that outlives it and services that do what a test says: policy allows, acts succeed,
 * undos too. Its time is the stand's. What is sent is served in order; `lose` and `repeat` make the way unsure.
 */
export class OrchestratorStand {
  now = Date.UTC(2026, 0, 2);
  held: Control = { epoch: 1, hold: null };
  /** The answer to a question; null: none. */
  policy: (asked: DecidePlan) => ((step: string) => Partial<StepDecision>) | null = () => () => ({});
  adapter: (command: StepCommandSent) => Outcome = ({ kind, step }) => ({ outcome: 'succeeded', ...(kind === 'undo' ? { verified: true } : { output: { value: step } }) });
  lose: (delivery: Delivery | string) => boolean = () => false;
  repeat: (delivery: Delivery) => boolean = () => false;
  batchMax = 500;
  shard = 0;
  /** Where its locks are, if it shares them. */
  lockLog: LockLog | null = null;
  /** How often it looks there while somebody waits, and while nobody does. */
  looks = { pollMs: 10_000, idleMs: 3_600_000 };
  readonly store = new MemoryStore({ serviceName: 'orchestrator' });
  readonly fatal: unknown[] = [];
  readonly defects: unknown[] = [];
  readonly counted: WorkflowFact[] = [];
  readonly ignored: string[] = [];
  /** Every command that reached its service. */
  readonly served: (StepCommandSent | (DecidePlan & { readonly kind: 'decide' }))[] = [];
  /** By step key: what the adapters' journal says came of it. */
  readonly journal = new Map<string, Exclude<Outcome, null>>();
  readonly rejected: unknown[] = [];
  /** Timers that have gone off. */
  fired = 0;
  log!: Log;
  orchestrator!: Orchestrator;
  private readonly inbox: Delivery[] = [];
  private delivered = 0;
  private servedUpTo = 0;
  private timers: { readonly at: number; readonly callback: () => void }[] = [];
  private readonly listeners = new Set<(tenant: string | null) => void>();
  private acts = 0;
  private lives = 0;

  readonly clock: Clock = {
    now: () => this.now,
    after: (delayMs, callback) => {
      const timer = { at: this.now + delayMs, callback };
      this.timers.push(timer);
      return () => { this.timers = this.timers.filter(other => other !== timer); };
    },
  };
  readonly control: ControlSource = { control: () => this.held, onChange: listener => { this.listeners.add(listener); return () => this.listeners.delete(listener); } };

  async start(options: { readonly telemetry?: OrchestratorTelemetry; readonly sharedCluster?: boolean } = {}): Promise<this> {
    this.timers = [];
    this.listeners.clear();
    this.log = await this.store.open({ log: 'orchestrator', shard: this.shard, owner: 'test', takeOver: true });
    this.delivered = this.log.positions()[SERVICES] ?? 0;
    const life = ++this.lives;
    // Why: what a killed process is told reaches nobody.
    const onFatal = (error: unknown): void => { if (life === this.lives) this.fatal.push(error); };
    const locks = this.lockLog === null ? {} : { locks: new SharedLocks({ log: this.lockLog, shard: this.shard, epoch: this.log.epoch, clock: this.clock, onFatal, ...this.looks }) };
    this.orchestrator = new Orchestrator({
      ...locks, log: this.log, clock: this.clock, chance: () => 0.5, control: this.control, sharedCluster: options.sharedCluster ?? false,
      telemetry: options.telemetry ?? { fact: fact => this.counted.push(fact), ignored: kind => this.ignored.push(kind) },
      onFatal, onDefect: (_, error) => { this.defects.push(error); },
    });
    let isOver = false;
    const started = this.orchestrator.start().finally(() => { isOver = true; });
    started.catch(() => undefined);
    await drained();
    // Why: what it asks for may be away, and is asked for again in time.
    while (!isOver && this.fireNext(Infinity)) await drained();
    await started;
    return this;
  }

  /** The process is killed; another begins. */
  async restart(): Promise<this> {
    this.store.crash();
    this.fatal.length = 0;
    return this.start();
  }

  submit(...starts: readonly StartWorkflow[]): this {
    for (const start of starts) this.post(TOPICS.workflowCommands, eventType('orchestration', 'StartWorkflow'), start.workflow, start);
    return this;
  }

  /** Puts an answer of a service on its way. */
  decided(decided: PlanDecided): this { this.post(TOPICS.decisionEvents, eventType('policy', 'PlanDecided'), decided.workflow, decided); return this; }
  reported(report: StepReported): this { this.post(TOPICS.stepEvents, eventType('execution', 'StepReported'), report.workflow, report); return this; }
  post(topic: string, type: string, workflow: string, data: object): void {
    const position = this.inbox.length + 1;
    this.inbox.push({
      source: SERVICES, position,
      message: { topic, key: workflow, event: { specversion: '1.0', id: `s${position}`, type, source: '/test', time: new Date(this.now).toISOString(), subject: workflow, tenant: TENANT, producer: SERVICES, data: data as JsonObject } },
    });
  }

  order(workflow: string, order: WorkflowOrder, by = ADMIN): Promise<{ sequence: number }> { return this.orchestrator.order({ tenant: TENANT, workflow, by, order }); }

  /** What holds has changed. */
  async hold(control: Control): Promise<void> {
    this.held = control;
    for (const listener of [...this.listeners]) listener(null);
    await this.run();
  }

  /** Carries messages to and fro, at one moment of time, until nobody has any more. */
  async run(): Promise<this> {
    for (;;) {
      await drained();
      if (this.fatal.length > 0) return this;
      const rows = await this.log.read(this.servedUpTo, 1_000).catch(() => []);
      for (const row of rows) { this.servedUpTo = row.position; this.serve(row); }
      const deliveries = this.inbox.slice(this.delivered, this.delivered + this.batchMax);
      if (rows.length === 0 && deliveries.length === 0) return this;
      if (deliveries.length > 0) await this.deliver(deliveries);
    }
  }

  /** Lets time pass, and carries messages whenever something happens. */
  async pass(ms: number): Promise<this> {
    const until = this.now + ms;
    await this.run();
    while (this.fatal.length === 0 && this.fireNext(until)) await this.run();
    this.now = Math.max(this.now, until);
    return this;
  }

  /** Lets time pass until the workflows have ended or wait for a person. */
  async settle(ms = 3_600_000): Promise<this> {
    const until = this.now + ms;
    await this.run();
    while (this.fatal.length === 0 && this.orchestrator.openWorkflows > 0 && this.fireNext(until)) await this.run();
    return this;
  }

  get nextTimerAt(): number { return Math.min(...this.timers.map(({ at }) => at)); }

  async rows(workflow?: string): Promise<readonly StoredRow[]> { return (await this.log.read(0, 1_000_000)).filter(row => workflow === undefined || row.stream === workflow); }
  async facts(workflow: string): Promise<readonly string[]> {
    return (await this.rows(workflow)).flatMap(row => row.messages.filter(isFact).map(({ event }) => event.type.slice('aifirst.workflow.'.length, -'.v1'.length)));
  }
  /** As the log has it. */
  async workflow(id: string): Promise<Workflow> { return (await this.rows(id)).reduce<Workflow | null>(foldRow, null)!; }
  async statuses(...ids: readonly string[]): Promise<readonly string[]> { return Promise.all(ids.map(async id => (await this.workflow(id)).status)); }

  /** What stands at the targets, by workflow and step: acts that happened and were not undone, each key once. */
  standing(): readonly string[] {
    const standing = new Map<string, number>();
    for (const [key, { outcome }] of this.journal) {
      const [workflow, step, , direction] = key.split('/') as [string, string, string, string];
      if (outcome === 'succeeded') standing.set(`${workflow}/${step}`, (standing.get(`${workflow}/${step}`) ?? 0) + (direction === 'forward' ? 1 : -1));
    }
    return [...standing].filter(([, count]) => count !== 0).map(([step, count]) => (count === 1 ? step : `${step} × ${count}`)).sort();
  }

  private async deliver(deliveries: readonly Delivery[]): Promise<void> {
    const last = deliveries.at(-1)!.position;
    const arriving = deliveries.filter(delivery => !this.lose(delivery)).flatMap(delivery => (this.repeat(delivery) ? [delivery, delivery] : [delivery]));
    const batch: Batch = { deliveries: arriving, positions: { [SERVICES]: last } };
    this.delivered = last;
    let over = false;
    void this.orchestrator.handle(batch).catch((error: unknown) => { this.rejected.push(error); }).finally(() => { over = true; });
    await drained();
    // Why: a commit that is tried again waits for its time.
    while (!over && this.fatal.length === 0 && this.fireNext(Infinity)) await drained();
  }

  /** @returns false if nothing is due by then */
  private fireNext(until: number): boolean {
    const next = this.timers.reduce<typeof this.timers[number] | undefined>((first, timer) => (timer.at <= until && (first === undefined || timer.at < first.at) ? timer : first), undefined);
    if (next === undefined) return false;
    this.timers = this.timers.filter(timer => timer !== next);
    this.now = Math.max(this.now, next.at);
    this.fired += 1;
    next.callback();
    return true;
  }

  private serve(row: StoredRow): void {
    for (const { event: { type, data } } of row.messages) {
      if (type === TYPES.decide) this.answer(data as unknown as DecidePlan);
      else if (type === TYPES.execute) this.act({ ...data as unknown as ExecuteStep, kind: 'execute' });
      else if (type === TYPES.undo) this.act({ ...data as unknown as UndoStep, kind: 'undo' });
      else if (type === TYPES.probe) this.act({ ...data as unknown as ProbeStep, kind: 'probe' });
    }
  }

  private answer(asked: DecidePlan): void {
    if (this.lose(`decide ${asked.workflow}`)) return;
    this.served.push({ ...asked, kind: 'decide' });
    const ruling = this.policy(asked);
    if (ruling === null) return;
    const controlEpoch = this.held.epoch ?? 1;
    const lease: Lease = { policyVersion: '1', controlEpoch, expiresAt: this.now + LEASE_MS, mac: 'mac' };
    this.decided({
      workflow: asked.workflow, question: asked.question, action: 'execute', controlEpoch,
      decisions: asked.steps.map(({ step, generation, unresolved, risk }) => {
        const ruled = ruling(step);
        const allowed = (ruled.outcome ?? (unresolved ? 'defer' : 'allow')) === 'allow';
        return { step, generation, outcome: allowed ? 'allow' : 'defer', policies: ['p@1'], policyVersion: '1', reason: 'permitted', risk, ...(allowed ? { lease, undoLease: { ...lease, expiresAt: 0 } } : {}), ...ruled };
      }),
    });
  }

  /** As the journal does it: each key once, a repeat is answered with what came of it, a probe of nothing closes the key. */
  private act(command: StepCommandSent): void {
    const { workflow, step, index, generation, attempt } = command;
    if (this.lose(`${command.kind} ${workflow}`)) return;
    this.served.push(command);
    const direction = command.kind === 'undo' || ('direction' in command && command.direction === 'undo') ? 'undo' : 'forward';
    const key = `${workflow}/${step}/${generation}/${direction}${direction === 'undo' ? `/${attempt}` : ''}`;
    const known = this.journal.get(key);
    let outcome: Outcome;
    if (known !== undefined && known.outcome !== 'unknown') outcome = known;
    else if (known === undefined && command.kind === 'probe') outcome = { outcome: 'didNotHappen' };
    else if (known !== undefined && command.kind !== 'probe') outcome = known;
    else outcome = this.adapter(command);
    if (outcome === null) return;
    if (outcome.outcome !== 'cannotTell') this.journal.set(key, known?.actSequence === undefined ? { actSequence: ++this.acts, ...outcome } : { actSequence: known.actSequence, ...outcome });
    this.reported({ workflow, step, index, generation, direction, attempt, probe: 'probe' in command ? command.probe : 0, ...(this.journal.get(key) ?? {}), ...outcome });
  }
}

/** Everything that can go on without a timer has gone on. */
export const drained = async (): Promise<void> => { for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve)); };

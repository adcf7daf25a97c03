import type { Lease, PlannedStep, StartWorkflow, StepDecision, StepReported, WorkflowOrder } from '@aifirst/contracts';
import { decide, type Input } from '../domain/decide';
import type { Circumstances, Command, Control } from '../domain/turn';
import type { RecordedFact, Workflow } from '../domain/workflow';

export const TENANT = 'default';
export const WORKFLOW = '01900000-0000-7000-8000-000000000001';
const LEASE: Lease = { policyVersion: '1', controlEpoch: 1, expiresAt: Number.MAX_SAFE_INTEGER, mac: 'mac' };

export const aStep = (id: string, change: Partial<PlannedStep> = {}): PlannedStep => ({
  id, capability: 'noop', adapter: 'builtin', reversibility: 'reversible', connection: null, input: {}, after: [], hasReferences: false, resources: [],
  risk: { level: 'low', score: 20 }, timeoutMs: 30_000, attemptsMax: 1, ...change,
});

export const aWorkflow = (steps: readonly PlannedStep[], change: Partial<StartWorkflow> = {}): StartWorkflow => ({
  workflow: WORKFLOW, intent: 'intent', agent: { kind: 'agent', id: 'agent', tenant: TENANT }, goal: 'goal', mode: 'saga', onFailure: 'rollback', deadlineMs: 600_000,
  labels: {}, digest: 'sha256:0', steps, ...change,
});

/** Plays the services around one workflow: what they answer is up to the test, state is frozen so that a rule that mutates fails. */
export class WorkflowHarness {
  state: Workflow | null = null;
  at = 1_000_000;
  control: Control = { epoch: 1, hold: null };
  readonly facts: RecordedFact[] = [];
  readonly sent: Command[] = [];
  wants: readonly { resource: string }[] = [];
  /** Grants every lock that is wanted. */
  grantLocks = true;

  get circumstances(): Circumstances { return { at: this.at, chance: 0.5, epoch: 1, causation: 'cause', control: this.control }; }

  bring(input: Input): this {
    const decision = decide(input, this.state, this.circumstances, TENANT);
    if (decision === null) return this;
    this.state = deepFreeze(decision.state);
    this.facts.push(...decision.facts);
    this.sent.push(...decision.commands);
    if (decision.wants !== null) {
      this.wants = decision.wants.locks;
      if (this.grantLocks) this.bring({ type: 'LocksGranted', locks: decision.wants.locks });
    }
    return this;
  }

  submit(start: StartWorkflow): this { return this.bring({ type: 'Submitted', start, traceparent: undefined }); }

  /** Answers the last question, or that of a number, as `outcome` says per step. */
  decided(outcome: (step: string) => Partial<StepDecision> = () => ({}), question?: number): this {
    const asked = this.sent.findLast(command => command.name === 'DecidePlan' && (question === undefined || command.data.question === question));
    if (asked?.name !== 'DecidePlan') throw new Error('policy was not asked');
    return this.bring({
      type: 'Decided',
      decided: {
        workflow: WORKFLOW, question: asked.data.question, action: 'execute', controlEpoch: this.control.epoch ?? 1,
        decisions: asked.data.steps.map(({ step, generation, unresolved }) => ({
          step, generation, outcome: unresolved ? 'defer' : 'allow', policies: ['p@1'], policyVersion: '1', reason: 'permitted', risk: { level: 'low', score: 20 },
          ...(unresolved ? {} : { lease: { ...LEASE, controlEpoch: this.control.epoch ?? 1 }, undoLease: LEASE }), ...outcome(step),
        })),
      },
    });
  }

  report(step: string, outcome: StepReported['outcome'], change: Partial<StepReported> = {}): this {
    const index = this.state!.start.steps.findIndex(planned => planned.id === step);
    const current = this.state!.steps[index]!;
    const direction = current.undo === null ? 'forward' : 'undo';
    return this.bring({
      type: 'Reported',
      report: {
        workflow: WORKFLOW, step, index, generation: current.generation, direction, attempt: current.undo?.attempt ?? 1, outcome,
        probe: direction === 'forward' ? current.probe : current.undo!.probe, ...(outcome === 'succeeded' ? { output: { value: step }, actSequence: this.facts.length, verified: true } : {}),
        ...(outcome === 'failed' ? { error: { code: 'NO', detail: 'no', clean: true } } : {}), ...(outcome === 'unknown' ? { error: { code: 'LOST', detail: 'answer lost', clean: false } } : {}), ...change,
      },
    });
  }

  order(order: WorkflowOrder, id = 'admin'): this { return this.bring({ type: 'Ordered', order, by: { kind: 'person', id, tenant: TENANT } }); }
  wait(ms: number): this { this.at += ms; return this.bring({ type: 'Tick' }); }

  get status() { return this.state!.status; }
  statusOf(step: string) { return this.state!.steps[this.state!.start.steps.findIndex(planned => planned.id === step)]!.status; }
  commands(name: Command['name']): readonly string[] { return this.sent.filter(command => command.name === name).map(command => ('step' in command.data ? command.data.step : '')); }
  names(): readonly string[] { return this.facts.map(({ fact }) => fact.name); }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) { Object.freeze(value); Object.values(value).forEach(deepFreeze); }
  return value;
}

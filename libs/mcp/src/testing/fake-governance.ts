import type { CapabilityDescriptor, StepView, WorkflowStatus, WorkflowView } from '@aifirst/contracts';
import { Refusal, messageOf, type Json, type JsonObject } from '@aifirst/kernel';
import type { Explained, Governance, McpCaller, McpSubmission, TransactionStep } from '../governance';
import type { Reachable } from '../tools';
import { aCapability } from './capabilities';

export const WORKFLOW = '01999999-0000-7000-8000-000000000001';
export const aCaller = (over: Partial<McpCaller> = {}): McpCaller => ({ principal: { kind: 'agent', id: '01999999-0000-7000-8000-00000000000a', tenant: 'default' }, repeatWindowMs: null, traceparent: '', ...over });

export const aStep = (over: Partial<StepView> = {}): StepView => ({
  id: 'call', capability: 'fs.write', status: 'succeeded', statusReason: null, attempts: 1, risk: { level: 'low', score: 20 }, decision: null, resources: [], output: { path: 'a' }, error: null, undo: null, undoableUntil: null, startedAt: null, endedAt: null, ...over,
});
export const aWorkflow = (status: WorkflowStatus = 'completed', step: Partial<StepView> = {}, over: Partial<WorkflowView> = {}): WorkflowView => ({
  id: WORKFLOW, intentId: WORKFLOW, tenant: 'default', status, statusReason: null, goal: '', agent: '', mode: 'saga', labels: {}, steps: [aStep(step)], residue: [], createdAt: '2026-01-01T00:00:00.000Z', endedAt: null, ...over,
});

/** Does as the test says, and remembers what it was asked for. */
export class FakeGovernance implements Governance {
  list: readonly CapabilityDescriptor[] = [aCapability(), aCapability({ name: 'fs.read', reversibility: 'readOnly' })];
  readonly submitted: McpSubmission[] = [];
  /** As they were sent, into transactions. */
  readonly steps: JsonObject[] = [];
  readonly ordered: string[] = [];
  readonly cancelled: string[] = [];
  refusal: Error | null = null;
  replayed = false;
  view: WorkflowView | null = aWorkflow();
  /** Answers of `waitFor`, the last for ever. */
  waits: (() => Promise<WorkflowView | null>) | null = null;

  capabilities(): readonly CapabilityDescriptor[] { return this.list; }
  find(name: string): CapabilityDescriptor | undefined { return this.list.find(one => one.name === name); }
  async reachable(): Promise<readonly Reachable[]> { return this.list.map(capability => ({ capability, connections: ['docs'] })); }
  async submit(_caller: McpCaller, submission: McpSubmission): Promise<{ workflowId: string; replayed: boolean }> {
    if (this.refusal !== null) throw this.refusal;
    this.submitted.push(submission);
    return { workflowId: WORKFLOW, replayed: this.replayed };
  }
  async waitFor(): Promise<WorkflowView | null> { return this.waits === null ? this.view : this.waits(); }
  async workflow(_caller: McpCaller, id: string): Promise<WorkflowView> {
    if (this.view === null || id !== WORKFLOW) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no workflow \`${id}\`` });
    return this.view;
  }
  glance(caller: McpCaller, id: string): Promise<WorkflowView> { return this.workflow(caller, id); }
  async begin(caller: McpCaller, submission: McpSubmission): Promise<{ view: WorkflowView; replayed: boolean }> {
    const { workflowId, replayed } = await this.submit(caller, submission);
    return { view: await this.workflow(caller, workflowId), replayed };
  }
  async addStep(caller: McpCaller, id: string, step: JsonObject): Promise<TransactionStep> {
    if (this.refusal !== null) throw this.refusal;
    await this.workflow(caller, id);
    this.steps.push(step);
    return { ...await this.waitForStep(caller, id, String(step['id'])), replayed: this.replayed };
  }
  /** The one step that `view` has stands for whichever was added. */
  async waitForStep(_caller: McpCaller, _id: string, stepId: string): Promise<Omit<TransactionStep, 'replayed'>> {
    const view = await this.waitFor() ?? aWorkflow();
    const [shown] = view.steps;
    return { view, step: shown === undefined ? null : { ...shown, id: stepId }, isAnswered: shown !== undefined && !['pending', 'running'].includes(shown.status) };
  }
  async commit(caller: McpCaller, id: string): Promise<WorkflowView> { this.ordered.push('commit'); if (this.refusal !== null) throw this.refusal; return this.workflow(caller, id); }
  async rollBack(caller: McpCaller, id: string, reason: string): Promise<WorkflowView> { this.ordered.push(`rollback: ${reason}`); if (this.refusal !== null) throw this.refusal; return this.workflow(caller, id); }
  watch(): () => void { return () => undefined; }
  async plan(): Promise<Json> { return { planId: WORKFLOW, createdAt: '', expiresAt: '' }; }
  async planOf(): Promise<Json> { return { planId: WORKFLOW, status: 'making', createdAt: '', expiresAt: '' }; }
  async cancel(_caller: McpCaller, workflow: string): Promise<void> { this.cancelled.push(workflow); }
  async repeatKey(_caller: McpCaller, called: Json): Promise<string> { return `key of ${JSON.stringify(called)}`.slice(0, 255); }
  explain(error: unknown): Explained {
    if (error instanceof Refusal) return { code: error.problems[0].code, detail: error.problems[0].detail, problems: error.problems, extra: error.extra as JsonObject, passes: false };
    return { code: 'UNAVAILABLE', detail: messageOf(error), problems: [], extra: {}, passes: true };
  }
}

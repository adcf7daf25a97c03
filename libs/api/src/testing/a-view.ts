import type { StartWorkflow, StepView, WorkflowView } from '@aifirst/contracts';
import { randomIds } from './system-clock';

export const aStepView = (over: Partial<StepView> = {}): StepView => ({
  id: 'a', capability: 'noop', status: 'pending', statusReason: null, attempts: 0, risk: { level: 'low', score: 20 }, decision: null, resources: [], output: null, error: null, undo: null,
  undoableUntil: null, startedAt: null, endedAt: null, ...over,
});

export const aView = (over: Partial<WorkflowView> = {}): WorkflowView => ({
  id: randomIds.uuid(), intentId: randomIds.uuid(), tenant: 'default', status: 'running', statusReason: null, goal: 'a goal', agent: 'agent', mode: 'saga', labels: {}, steps: [aStepView()], residue: [],
  createdAt: '2026-01-01T00:00:00.000Z', endedAt: null, ...over,
});

export const aStart = (over: Partial<StartWorkflow> = {}): StartWorkflow => ({
  workflow: randomIds.uuid(), intent: randomIds.uuid(), agent: { kind: 'agent', id: 'agent', tenant: 'default' }, goal: 'a goal', mode: 'saga', onFailure: 'rollback', deadlineMs: 600_000, labels: {},
  digest: 'sha256:00', steps: [{
    id: 'a', capability: 'noop', adapter: 'builtin', reversibility: 'reversible', connection: null, input: {}, after: [], hasReferences: false, resources: [], risk: { level: 'low', score: 20 },
    timeoutMs: 30_000, attemptsMax: 1,
  }], ...over,
});

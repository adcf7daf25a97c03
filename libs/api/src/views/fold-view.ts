import { ENDED, WORKFLOW_FACT_OF_TYPE } from './facts';
import { expandResources, sentSteps } from '@aifirst/contracts';
import type { CloudEvent, PlannedStep, RecordedDecision, Residue, StartWorkflow, StepDecision, StepView, WorkflowFact, WorkflowStatus, WorkflowView } from '@aifirst/contracts';
import { blockedActions, pausedActions, reasonOf, resolutions } from './actions';

/** A workflow that was taken in and of which nothing is known yet. */
export function pendingView(start: StartWorkflow, tenant: string, at: string): WorkflowView {
  return {
    id: start.workflow, intentId: start.intent, tenant, status: start.interactive === undefined ? 'pending' : 'running', statusReason: null, goal: start.goal, agent: start.agent.id, mode: start.mode, labels: start.labels,
    ...(start.interactive === undefined ? {} : { interactive: { ...start.interactive, committing: false } }),
    ...(start.parent === undefined ? {} : { parent: { ...start.parent, chain: start.parent.chain.map(({ id }) => id) } }),
    // Why: steps of the engine's own come last, and say nothing that the workflow's status does not.
    steps: sentSteps(start.steps).map(pendingStep),
    residue: [], createdAt: at, endedAt: null,
  };
}

const pendingStep = (step: PlannedStep): StepView => ({
  id: step.id, capability: step.capability, status: 'pending', statusReason: null, attempts: 0, risk: step.risk, decision: null,
  // As far as the input is known: what was denied shows what it would have touched.
  resources: expandResources(step.resources, step.connection, step.input).map(({ uri }) => uri), output: null, error: null,
  undo: null, undoableUntil: null, startedAt: null, endedAt: null,
});

/**
 * The view after a fact. A view begins with `IntentSubmitted`; one that begins in the middle is null, for the caller to ask
 * for the facts before. A fact of a later release changes nothing.
 */
export function foldView(view: WorkflowView | null, event: CloudEvent): WorkflowView | null {
  const name = WORKFLOW_FACT_OF_TYPE[event.type];
  if (name === undefined) return view;
  const fact = { ...event.data, name } as unknown as WorkflowFact;
  if (fact.name === 'IntentSubmitted') return view ?? pendingView(fact.start, event.tenant, event.time);
  return view === null ? null : whileCommitting(apply(view, fact, event.time));
}

/** A transaction that waits for its last steps shows so whenever it runs. */
const whileCommitting = (view: WorkflowView): WorkflowView => (view.interactive?.committing === true && view.status === 'running' ? { ...view, status: 'committing' } : view);

function apply(view: WorkflowView, fact: Exclude<WorkflowFact, { name: 'IntentSubmitted' }>, at: string): WorkflowView {
  const step = (index: number, change: Partial<StepView>): WorkflowView => {
    const before = view.steps[index];
    return before === undefined ? view : { ...view, steps: view.steps.with(index, { ...before, ...change }) };
  };
  const settled = (change: Partial<StepView>): Partial<StepView> => ({ statusReason: null, endedAt: at, ...change });
  switch (fact.name) {
    case 'StepAdded': return { ...view, steps: [...view.steps, pendingStep(fact.plan)] };
    case 'PolicyAsked': case 'LocksTaken': case 'LocksLost': return view;
    case 'PolicyDecided': return decided(view, fact, at);
    case 'StepStarted': return {
      ...step(fact.index, { status: 'running', statusReason: null, attempts: fact.attempt, resources: fact.resources, error: null, endedAt: null, startedAt: view.steps[fact.index]?.startedAt ?? at }),
      ...(view.status === 'pending' || view.status === 'awaitingApproval' ? { status: 'running', statusReason: null } : {}),
    };
    case 'StepHeld': return step(fact.index, { status: 'held', statusReason: reasonOf('HELD', 'runs when all else has succeeded, as nothing can take it back', at) });
    case 'StepSucceeded': return step(fact.index, settled({ status: 'succeeded', output: fact.output, error: null, undoableUntil: fact.undoableUntil === null ? null : new Date(fact.undoableUntil).toISOString() }));
    case 'StepFailed': return fact.retryAt === null
      ? step(fact.index, settled({ status: 'failed', error: fact.error }))
      : step(fact.index, { status: 'pending', error: fact.error, statusReason: reasonOf(fact.error.code, `is tried again at ${new Date(fact.retryAt).toISOString()}`, at) });
    case 'StepUnknown': return step(fact.index, {
      status: 'unknown', error: fact.error, statusReason: fact.parked
        ? reasonOf('OUTCOME_UNKNOWN', 'nobody but a person can tell whether it happened', at, resolutions(view.id, fact.step))
        : reasonOf('OUTCOME_UNKNOWN', 'the target is being asked whether it happened', at),
    });
    case 'StepDidNotHappen': return step(fact.index, { status: 'pending', statusReason: null });
    case 'StepSkipped': return step(fact.index, settled({ status: 'skipped', statusReason: reasonOf(fact.why, 'was never started', at) }));
    case 'RollbackStarted': return {
      ...view, status: 'rollingBack', statusReason: reasonOf(fact.code, fact.reason, at), endedAt: null,
      steps: view.steps.map(one => {
        // Why: what was left out before stays so, until somebody wants it all back again.
        if (one.status !== 'succeeded' || (one.undo?.status === 'skipped' && fact.code !== 'REQUESTED')) return one;
        return { ...one, statusReason: null, undo: { status: 'pending', verified: false, reason: null } };
      }),
    };
    case 'StepUndoStarted': return {
      ...step(fact.index, { status: 'undoing', statusReason: null, undo: { status: 'running', verified: false, reason: null } }),
      status: 'rollingBack', residue: withoutStep(view.residue, fact.step),
    };
    case 'StepUndoUnknown': return step(fact.index, { undo: { status: 'running', verified: false, reason: fact.error.detail }, statusReason: reasonOf('OUTCOME_UNKNOWN', 'the target is being asked whether the undo happened', at) });
    case 'StepUndone': return {
      ...step(fact.index, settled({ status: 'undone', undo: { status: 'done', verified: fact.verified, reason: fact.reason } })),
      residue: withoutStep(view.residue, fact.step),
    };
    case 'StepUndoBlocked': return {
      ...step(fact.index, {
        status: 'undoBlocked', undo: { status: 'blocked', verified: false, reason: fact.reason },
        statusReason: reasonOf(fact.code, foundBy(fact), at, fact.code === 'OUTCOME_UNKNOWN' ? blockedActions(view.id, [fact.step], false) : blockedActions(view.id, [], true)),
      }),
      residue: [...withoutStep(view.residue, fact.step), ...residueOf(view, fact, `settle it at the target, then POST /v1/workflows/${view.id}/rollback tries again`)],
    };
    case 'StepUndoSkipped': return {
      ...step(fact.index, { status: 'succeeded', undo: { status: 'skipped', verified: false, reason: fact.reason }, statusReason: reasonOf(fact.code, foundBy(fact), at) }),
      residue: [...withoutStep(view.residue, fact.step), ...residueOf(view, fact, 'put it right at the target')],
    };
    case 'WorkflowPaused': return {
      ...view, status: 'paused', statusReason: reasonOf(fact.code, fact.reason, at, pausedActions(view.id, fact, view.agent, stepsIn(view, 'unknown'))),
    };
    case 'WorkflowResumed': return {
      ...view, status: resumedStatus(view), statusReason: null,
      steps: view.steps.map(one => (one.status === 'failed' && fact.failedStep === 'retry' ? { ...one, status: 'pending', endedAt: null } : one)),
    };
    case 'WorkflowRestarted': return {
      ...view, status: 'running', statusReason: reasonOf('LOCKED', `begins again for the ${fact.restarts}. time: an older workflow needs the same resources`, at),
      steps: view.steps.map(one => ({ ...one, status: 'pending', statusReason: null, decision: null, output: null, error: null, undo: null, undoableUntil: null, startedAt: null, endedAt: null })),
    };
    case 'RollbackParked': return { ...view, status: 'rollbackBlocked', statusReason: reasonOf(fact.code, fact.reason, at, blockedActions(view.id, unsettled(view), view.steps.some(({ status, statusReason }) => status === 'undoBlocked' && statusReason?.code !== 'OUTCOME_UNKNOWN'))) };
    case 'WorkflowCommitting': return { ...view, status: 'committing', statusReason: null, ...(view.interactive === undefined ? {} : { interactive: { ...view.interactive, committing: true } }) };
    case 'WorkflowEnded': return ended(view, fact, at);
  }
}

function decided(view: WorkflowView, fact: Extract<WorkflowFact, { name: 'PolicyDecided' }>, at: string): WorkflowView {
  if (fact.action !== 'execute') return view;
  const decisions = new Map(fact.decisions.map(decision => [decision.step, decision]));
  let waits = false;
  const steps = view.steps.map((step): StepView => {
    const decision = decisions.get(step.id);
    if (decision === undefined) return step;
    const asks = decision.outcome === 'approve';
    waits ||= asks;
    return { ...step, decision: recorded(decision, at), risk: decision.risk, ...(asks && step.status === 'pending' ? { status: 'awaitingApproval' as const } : !asks && step.status === 'awaitingApproval' ? { status: 'pending' as const } : {}) };
  });
  const status: WorkflowStatus = waits && view.status === 'pending' ? 'awaitingApproval' : !waits && view.status === 'awaitingApproval' ? 'pending' : view.status;
  return { ...view, status, steps };
}

const recorded = ({ outcome, policies, policyVersion, reason }: StepDecision, at: string): RecordedDecision => ({ outcome, policies, policyVersion, reason, at });

function ended(view: WorkflowView, fact: Extract<WorkflowFact, { name: 'WorkflowEnded' }>, at: string): WorkflowView {
  return {
    ...view, status: fact.status, statusReason: fact.code === null ? null : reasonOf(fact.code, fact.reason ?? fact.status, at), residue: fact.residue, endedAt: at,
    steps: view.steps.map(step => (step.undo?.status === 'pending' ? { ...step, undo: { status: 'skipped', verified: false, reason: 'there was nothing to take back' } } : step)),
  };
}

type NotUndone = Extract<WorkflowFact, { name: 'StepUndoBlocked' | 'StepUndoSkipped' }>;
const foundBy = ({ conflict, reason }: NotUndone): string => (conflict === null ? reason : `${conflict.what}: expected ${conflict.expected}, found ${conflict.found}`);
const residueOf = (view: WorkflowView, fact: NotUndone, action: string): Residue[] =>
  (fact.conflict === null ? view.steps[fact.index]?.resources ?? [] : [fact.conflict.resource]).map(resource => ({ step: fact.step, resource, what: 'still stands', why: fact.reason, action }));

const withoutStep = (residue: readonly Residue[], step: string): readonly Residue[] => (residue.some(one => one.step === step) ? residue.filter(one => one.step !== step) : residue);
const stepsIn = (view: WorkflowView, status: StepView['status']): string[] => view.steps.flatMap(step => (step.status === status ? [step.id] : []));
const unsettled = (view: WorkflowView): string[] =>
  view.steps.flatMap(step => (step.status === 'unknown' || (step.status === 'undoBlocked' && step.statusReason?.code === 'OUTCOME_UNKNOWN') ? [step.id] : []));

function resumedStatus(view: WorkflowView): WorkflowStatus {
  if (view.steps.some(step => step.undo !== null && step.undo.status !== 'done' && step.undo.status !== 'skipped')) return 'rollingBack';
  return view.interactive !== undefined || view.steps.some(step => step.attempts > 0) ? 'running' : 'pending';
}

export const hasEnded = (view: WorkflowView): boolean => ENDED.includes(view.status);

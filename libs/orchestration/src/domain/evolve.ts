import type { StepDecision, WorkflowFact } from '@aifirst/contracts';
import { invariant } from '@aifirst/kernel';
import { ASKS_APART_MS } from './pauses';
import { factId, isForward, isLeftStanding, newStep, type RecordedFact, type Step, type Workflow } from './workflow';

/** The state after a fact. The first fact of every workflow is `IntentSubmitted`. */
export function evolve(state: Workflow | null, recorded: RecordedFact, tenant: string, traceparent?: string): Workflow {
  const { fact, at } = recorded;
  if (fact.name === 'IntentSubmitted') {
    return {
      id: fact.start.workflow, start: fact.start, tenant, status: fact.start.interactive === undefined ? 'pending' : 'running', createdAt: at, deadlineAt: at + fact.start.deadlineMs,
      steps: fact.start.steps.map(newStep), questions: 0, paused: null, rollback: null, parkedAt: null, locks: [], locksLost: false, wanted: [], restarts: 0,
      closing: false, movedAt: at, facts: 1, endedAt: null, traceparent,
    };
  }
  invariant(state !== null, `a workflow begins with \`IntentSubmitted\`, not \`${fact.name}\``);
  invariant(recorded.id === factId(state.id, state.facts + 1), `fact \`${recorded.id}\` does not follow fact ${state.facts} of \`${state.id}\``);
  return { ...apply(state, fact, recorded), movedAt: at, facts: state.facts + 1 };
}

function apply(state: Workflow, fact: Exclude<WorkflowFact, { name: 'IntentSubmitted' }>, { id, at }: RecordedFact): Workflow {
  const step = (index: number, change: Partial<Step>): Workflow => ({ ...state, steps: state.steps.with(index, { ...state.steps[index]!, ...change }) });
  switch (fact.name) {
    case 'StepAdded': return { ...state, start: { ...state.start, steps: [...state.start.steps, fact.plan] }, steps: [...state.steps, newStep()] };
    case 'PolicyAsked': {
      const steps = [...state.steps];
      for (const { index } of fact.steps) steps[index] = { ...steps[index]!, asked: fact.question, askedAt: at, status: 'pending' };
      return { ...state, questions: fact.question, steps };
    }
    case 'PolicyDecided': {
      const decisions = new Map<string, StepDecision>(fact.decisions.map(decision => [decision.step, decision]));
      const steps = state.steps.map((current, index) => {
        const decision = decisions.get(state.start.steps[index]!.id);
        if (decision === undefined || decision.generation !== current.generation || current.asked !== fact.question) return current;
        const waits = decision.outcome === 'approve';
        return {
          ...current, asked: waits ? current.asked : null, status: waits ? 'awaitingApproval' as const : 'pending' as const, decision: { ...decision, fact: id, controlEpoch: fact.controlEpoch },
          asks: current.decidedAt !== null && at - current.decidedAt < ASKS_APART_MS ? current.asks + 1 : 1, decidedAt: at,
        };
      });
      return { ...state, steps, status: isForward(state) ? forwardStatus(state, steps) : state.status };
    }
    case 'LocksTaken': return { ...state, locks: [...state.locks, ...fact.locks], locksLost: false };
    case 'LocksLost': return { ...state, locks: [], locksLost: true };
    case 'WorkflowRestarted': return {
      ...state, status: 'running', rollback: null, parkedAt: null, restarts: fact.restarts, wanted: [...state.wanted, ...state.rollback?.wanted ?? []],
      steps: state.steps.map(s => ({ ...newStep(), generation: s.generation + 1, attempts: s.attempts })),
    };
    case 'StepStarted': return {
      ...step(fact.index, { status: 'running', generation: fact.generation, attempts: fact.attempt, startedFact: id, startedAt: at, retryAt: null, resources: fact.resources, error: null, parked: false, probe: 0, probedAt: null }),
      status: state.status === 'pending' ? 'running' : state.status,
    };
    case 'StepHeld': return step(fact.index, { status: 'held' });
    case 'StepSucceeded': return step(fact.index, { status: 'succeeded', output: fact.output, actSequence: fact.actSequence, doneAt: at, error: null, parked: false });
    case 'StepFailed': return fact.retryAt === null
      ? step(fact.index, { status: 'failed', error: fact.error, parked: false, asked: null })
      : step(fact.index, { ...again(state.steps[fact.index]!), retryAt: fact.retryAt, error: fact.error, failures: state.steps[fact.index]!.failures + 1 });
    case 'StepUnknown': return step(fact.index, { status: 'unknown', error: fact.error, probe: fact.probe, probedAt: at, parked: fact.parked });
    case 'StepDidNotHappen': return step(fact.index, again(state.steps[fact.index]!));
    case 'StepSkipped': return step(fact.index, { status: 'skipped', asked: null });
    case 'RollbackStarted': return {
      ...state, status: 'rollingBack', paused: null, parkedAt: null, endedAt: null, rollback: { code: fact.code, reason: fact.reason, by: fact.by, fact: id, since: at, wanted: fact.wanted ?? [], onConflict: fact.onConflict ?? 'block' },
      steps: state.steps.map(s => {
        // Why: what policy says from now on is of no consequence any more.
        if (s.asked !== null) return { ...s, status: 'pending', asked: null };
        // Why: ordered again, what was blocked is still to be undone, like what has not been tried yet.
        if (fact.code !== 'REQUESTED' || (s.status !== 'undoBlocked' && !isLeftStanding(s))) return s;
        const { left: _, ...undo } = s.undo!;
        return { ...s, status: 'succeeded', undo: { ...undo, status: 'blocked' } };
      }),
    };
    case 'StepUndoStarted': return {
      ...step(fact.index, { status: 'undoing', undo: { status: 'running', attempt: fact.attempt, fact: id, startedAt: at, probe: 0, probedAt: null, code: null } }),
      status: 'rollingBack', parkedAt: null,
    };
    case 'StepUndoUnknown': return step(fact.index, { undo: { ...state.steps[fact.index]!.undo!, status: 'unknown', probe: fact.probe, probedAt: at } });
    case 'StepUndone': return step(fact.index, { status: 'undone', undo: { ...state.steps[fact.index]!.undo!, status: 'done', code: null } });
    case 'StepUndoBlocked': return step(fact.index, {
      // Why: what was cut off is still to be undone, under a key of its own.
      status: fact.code === 'DID_NOT_HAPPEN' ? 'succeeded' : 'undoBlocked',
      undo: { ...(state.steps[fact.index]!.undo ?? { attempt: 1, fact: id, startedAt: at, probe: 0, probedAt: null }), status: 'blocked', code: fact.code },
    });
    case 'StepUndoSkipped': return step(fact.index, {
      status: 'succeeded',
      undo: { ...(state.steps[fact.index]!.undo ?? { attempt: 1, fact: id, startedAt: at, probe: 0, probedAt: null }), status: 'skipped', code: fact.code, left: { reason: fact.reason, resource: fact.conflict?.resource ?? null } },
    });
    case 'WorkflowPaused': return { ...state, status: 'paused', parkedAt: at, paused: { code: fact.code, by: fact.by, since: at, failed: fact.failed } };
    case 'WorkflowResumed': return {
      ...state, status: forwardStatus(state, state.steps), paused: null, parkedAt: null,
      // Why: a pause that only a person ends is not counted, else the deadline would be over whatever they decide.
      deadlineAt: state.paused !== null && (state.paused.failed || state.paused.code === 'OUTCOME_UNKNOWN') ? at + state.start.deadlineMs : state.deadlineAt,
      steps: state.steps.map(s => {
        if (s.status === 'unknown') return { ...s, parked: false, probe: 0 };
        return s.status === 'failed' && fact.failedStep === 'retry' ? { ...s, ...again(s), error: s.error } : s;
      }),
    };
    case 'RollbackParked': return { ...state, status: 'rollbackBlocked', parkedAt: at };
    // Why not so for an interactive one: until its last step has ended it can be taken back like any that runs.
    case 'WorkflowCommitting': return state.start.interactive === undefined ? { ...state, status: 'committing' } : { ...state, closing: true };
    case 'WorkflowEnded': return { ...state, status: fact.status, locks: isKeptForParent(state, fact.status) ? state.locks : [], locksLost: false, paused: null, parkedAt: null, endedAt: at };
  }
}

/** What stands belongs to a transaction that has not ended: nobody else may build on it yet. */
const isKeptForParent = ({ start }: Workflow, status: Workflow['status']): boolean => start.parent !== undefined && (status === 'completed' || status === 'failed');

const forwardStatus = (state: Workflow, steps: readonly Step[]): Workflow['status'] => {
  if (steps.some(s => s.status === 'awaitingApproval')) return 'awaitingApproval';
  return state.start.interactive !== undefined || state.status === 'running' || steps.some(s => s.attempts > 0) ? 'running' : 'pending';
};

/** Proven not to have happened: ready for the next generation, for which policy has not been asked yet. */
const again = (step: Step): Partial<Step> => ({
  status: 'pending', generation: step.generation + 1, decision: null, asked: null, askedAt: null, startedFact: null, startedAt: null, retryAt: null, probe: 0, probedAt: null, parked: false,
});

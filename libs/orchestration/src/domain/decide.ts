import type { Lock, PlanDecided, PrincipalRef, StartWorkflow, StepReported, WorkflowOrder } from '@aifirst/contracts';
import { order } from './orders';
import { isEndlesslyProbed, phaseOf } from './commitment';
import { advanceCommitment, advanceForward, applyControl, probe } from './forward';
import { losesLocksAt, PROBE_PAUSES_MS, retryDelayMs } from './pauses';
import { advanceRollback, beginRollback, blockUndo, MAY_STAND, probeUndo, RESTARTS_MAX } from './rollback';
import { locksRefused } from './transaction';
import { Turn, type Circumstances, type Decision } from './turn';
import { hasEnded, isForward, type Workflow } from './workflow';

/** What can happen to a workflow. Recognised by workflow, step, generation, direction and kind, never by position. */
export type Input =
  | { readonly type: 'Submitted'; readonly start: StartWorkflow; readonly traceparent: string | undefined }
  | { readonly type: 'Decided'; readonly decided: PlanDecided }
  | { readonly type: 'Reported'; readonly report: StepReported }
  | { readonly type: 'LocksGranted'; readonly locks: readonly Lock[] }
  /** Wait-die: an older workflow holds what this one wants. */
  | { readonly type: 'LocksRefused'; readonly holder: string; readonly locks: readonly Lock[] }
  | { readonly type: 'LocksTakenAway'; readonly code: 'PARKED' | 'BROKEN'; readonly reason: string; readonly by: string }
  | { readonly type: 'Ordered'; readonly order: WorkflowOrder; readonly by: PrincipalRef }
  /** Time has passed, or what controls the tenant has changed. */
  | { readonly type: 'Tick' };

/**
 * The whole rule of a workflow: what is recorded and what is sent because of an input. Repeating an input changes
 * nothing; a late one changes nothing; an early one is for the driver to bring again.
 * @throws Refusal for an order that does not fit the state
 */
export function decide(input: Input, state: Workflow | null, now: Circumstances, tenant: string): Decision | null {
  if (input.type === 'Submitted') {
    if (state !== null) return null;
    const turn = new Turn(null, now, tenant, input.traceparent);
    turn.record({ name: 'IntentSubmitted', start: input.start, by: input.start.agent.id });
    proceed(turn);
    return turn.result();
  }
  if (state === null) return null;
  const turn = new Turn(state, now, tenant);
  if (!take(turn, input)) return null;
  proceed(turn);
  return turn.result();
}

function proceed(turn: Turn): void {
  if (hasEnded(turn.state)) return;
  applyControl(turn);
  if (isForward(turn.state) || turn.state.status === 'paused') return advanceForward(turn);
  if (turn.state.status === 'committing') return advanceCommitment(turn);
  if (turn.state.status !== 'rollingBack') return;
  advanceRollback(turn);
  // Why: undone to the last step because it had to yield its locks, it begins again at once.
  if (isForward(turn.state)) proceed(turn);
}

/** @returns false where the input is of no consequence */
function take(turn: Turn, input: Exclude<Input, { type: 'Submitted' }>): boolean {
  switch (input.type) {
    case 'Decided': return decided(turn, input.decided);
    case 'Reported': return input.report.direction === 'forward' ? forwardReport(turn, input.report) : undoReport(turn, input.report);
    case 'LocksGranted':
      if (!isForward(turn.state) && turn.state.status !== 'rollingBack' && turn.state.status !== 'committing') return false;
      turn.record({ name: 'LocksTaken', locks: input.locks });
      return true;
    case 'LocksRefused': return die(turn, input.holder, input.locks);
    case 'LocksTakenAway':
      // Why: it may have gone on since the time was over.
      if (turn.state.locks.length === 0 || (input.code === 'PARKED' && turn.at < losesLocksAt(turn.state))) return false;
      turn.record({ name: 'LocksLost', code: input.code, reason: input.reason, by: input.by });
      return true;
    case 'Ordered': order(turn, input.order, input.by); return true;
    case 'Tick': return !hasEnded(turn.state);
  }
}

function decided(turn: Turn, { question, action, decisions, controlEpoch }: PlanDecided): boolean {
  const { state } = turn;
  if (hasEnded(state) || action !== 'execute') return false;
  const asked = decisions.filter(decision => {
    const index = state.start.steps.findIndex(step => step.id === decision.step);
    if (index < 0 || state.steps[index]!.asked !== question || state.steps[index]!.generation !== decision.generation) return false;
    return decision.outcome !== 'approve' || state.steps[index]!.status !== 'awaitingApproval';
  });
  if (asked.length === 0) return false;
  const fact = turn.record({ name: 'PolicyDecided', question, action, decision: turn.now.causation ?? '', controlEpoch, decisions: asked });
  for (const decision of asked) {
    if (decision.outcome !== 'deny') continue;
    const index = state.start.steps.findIndex(step => step.id === decision.step);
    turn.record({ name: 'StepFailed', step: decision.step, index, generation: decision.generation, error: { code: decision.code ?? 'POLICY_DENIED', detail: decision.reason, clean: true }, retryAt: null, decision: fact }, fact);
  }
  return true;
}

function forwardReport(turn: Turn, report: StepReported): boolean {
  const step = turn.state.steps[report.index];
  if (step === undefined || step.generation !== report.generation || hasEnded(turn.state)) return false;
  if (step.startedFact === null || !['running', 'unknown', 'pending'].includes(step.status)) return false;
  const ids = { step: report.step, index: report.index, generation: report.generation };
  const started = step.startedFact;
  const decision = step.decision!.fact;
  switch (report.outcome) {
    case 'succeeded':
      turn.record({ name: 'StepSucceeded', ...ids, output: report.output ?? null, actSequence: report.actSequence ?? 0, undoableUntil: report.undoableUntil ?? null, decision }, started);
      return true;
    case 'failed': return failedClean(turn, report, report.error ?? { code: 'ADAPTER_ERROR', detail: 'the adapter gave no reason', clean: true });
    case 'refused':
      turn.record({ name: 'StepDidNotHappen', ...ids }, started);
      return true;
    case 'didNotHappen':
      // Why: what the act itself reported as unknown is a failed attempt now that it is known not to have happened; what a crash cut off simply runs again.
      // What was decided to be committed runs again whatever kept it.
      if (step.status === 'unknown' && step.error !== null && step.error.code !== 'INTERRUPTED' && phaseOf(turn.state, report.index) !== 'commit') return failedClean(turn, report, { code: step.error.code, detail: `${step.error.detail}; it did not happen`, clean: true });
      turn.record({ name: 'StepDidNotHappen', ...ids }, started);
      return true;
    case 'unknown':
      if (step.status === 'unknown') return false;
      probe(turn, report.index, report.error ?? { code: 'OUTCOME_UNKNOWN', detail: 'the adapter does not know', clean: false }, 1);
      return true;
    case 'cannotTell': {
      if (step.status !== 'unknown' || report.probe !== step.probe || step.parked) return false;
      if (step.probe <= PROBE_PAUSES_MS.length || isEndlesslyProbed(turn.state, report.index)) return false; // Why: asked again after a pause, see wake.ts.
      turn.record({ name: 'StepUnknown', ...ids, error: { ...step.error!, code: 'OUTCOME_UNKNOWN', detail: report.error?.detail ?? step.error!.detail }, probe: step.probe, parked: true, decision }, started);
      return true;
    }
    case 'blocked': return false;
  }
}

function failedClean(turn: Turn, report: StepReported, error: NonNullable<StepReported['error']>): boolean {
  const step = turn.step(report.index);
  const goesOn = isForward(turn.state) || turn.state.paused?.failed === false;
  const canRetry = goesOn && step.failures + 1 < turn.plan(report.index).attemptsMax;
  const retryAt = canRetry ? turn.at + retryDelayMs(step.failures + 1, turn.now.chance) : null;
  turn.record({ name: 'StepFailed', step: report.step, index: report.index, generation: report.generation, error: { ...error, clean: true }, retryAt, decision: step.decision!.fact }, step.startedFact ?? undefined);
  return true;
}

function undoReport(turn: Turn, report: StepReported): boolean {
  const step = turn.state.steps[report.index];
  if (step === undefined || step.generation !== report.generation || step.status !== 'undoing' || step.undo === null || step.undo.attempt !== report.attempt) return false;
  const ids = { step: report.step, index: report.index, generation: report.generation };
  const cause = step.undo.fact;
  switch (report.outcome) {
    case 'succeeded':
      turn.record({ name: 'StepUndone', ...ids, verified: report.verified ?? false, reason: report.reason ?? null }, cause);
      return true;
    case 'blocked':
      blockUndo(turn, report.index, { code: report.error?.code ?? 'TARGET_CHANGED', reason: report.error?.detail ?? report.conflict?.what ?? 'the target was changed since', conflict: report.conflict ?? null }, cause);
      return true;
    case 'failed': case 'refused':
      turn.record({ name: 'StepUndoBlocked', ...ids, code: report.error?.code ?? 'ADAPTER_ERROR', reason: report.error?.detail ?? 'the adapter could not undo it', conflict: null }, cause);
      return true;
    case 'unknown':
      if (step.undo.status === 'unknown') return false;
      probeUndo(turn, report.index, report.error ?? { code: 'OUTCOME_UNKNOWN', detail: 'the adapter does not know', clean: false });
      return true;
    case 'cannotTell':
      if (step.undo.status !== 'unknown' || report.probe !== step.undo.probe) return false;
      if (step.undo.probe <= PROBE_PAUSES_MS.length || isEndlesslyProbed(turn.state, report.index)) return false; // Why: asked again after a pause, see wake.ts.
      probeUndo(turn, report.index, report.error ?? { code: 'OUTCOME_UNKNOWN', detail: 'the adapter can not tell', clean: false });
      return true;
    case 'didNotHappen':
      // Why: an undo can be begun anew from any point (evolve); its next attempt has a key of its own.
      turn.record({ name: 'StepUndoBlocked', ...ids, code: 'DID_NOT_HAPPEN', reason: 'the undo was cut off and begins again', conflict: null }, cause);
      return true;
  }
}

function die(turn: Turn, holder: string, wanted: readonly Lock[]): boolean {
  if (!isForward(turn.state)) return false;
  // Why also of a task: what it belongs to holds other locks and does not begin again, so that waiting here could go round in a circle.
  if (turn.state.start.interactive !== undefined || turn.state.start.parent !== undefined) return locksRefused(turn, holder, wanted);
  const passed = turn.state.steps.some((step, index) => MAY_STAND.includes(step.status) && step.decision?.undoLease === undefined && turn.plan(index).reversibility !== 'readOnly');
  if (passed || turn.state.restarts >= RESTARTS_MAX) {
    // Why such a one: only a step that is ready asks for locks.
    const isReady = (index: number): boolean => turn.step(index).status === 'pending' && turn.plan(index).after.every(before => ['succeeded', 'skipped'].includes(turn.step(before).status));
    const index = turn.state.steps.findIndex((_, at) => isReady(at) && turn.plan(at).hasReferences);
    if (index < 0) return false;
    turn.record({ name: 'StepFailed', step: turn.plan(index).id, index, generation: turn.step(index).generation, error: { code: 'LOCKED', detail: `workflow \`${holder}\` holds what it needs`, clean: true }, retryAt: null, decision: turn.step(index).decision?.fact ?? null });
    return true;
  }
  beginRollback(turn, 'DIED', `yields to the older workflow \`${holder}\` and begins again`, 'aifirst', wanted);
  return true;
}


import { Refusal } from '@aifirst/kernel';
import type { PrincipalRef, WorkflowOrder, WorkflowStatus } from '@aifirst/contracts';
import { end, fail, resumeForward } from './forward';
import { beginRollback, requestRollback, resumeRollback } from './rollback';
import { addStep, commitTransaction } from './transaction';
import type { Turn } from './turn';
import { hasEnded, isForward, isHeldByControl, isInFlight, isLeftStanding } from './workflow';

/** Carries out a person's or the owning agent's word. @throws Refusal `WRONG_STATE` naming the status, `UNKNOWN_STEP`, `PLAN_STALE` */
export function order(turn: Turn, asked: WorkflowOrder, by: PrincipalRef): void {
  switch (asked.order) {
    case 'rollback': return rollback(turn, asked, by);
    case 'cancel': return cancel(turn, asked.reason ?? 'cancelled', by.id);
    case 'pause': return pause(turn, asked.reason ?? 'paused', by.id);
    case 'resume': return resume(turn, asked.failedStep, by.id);
    case 'resolve': return resolve(turn, asked, by.id);
    case 'addStep': return addStep(turn, asked.step, by);
    case 'commit': return commitTransaction(turn, by);
    case 'release': return release(turn, by);
  }
}

function wrongState(turn: Turn, what: string): never {
  const { status } = turn.state;
  throw new Refusal({ code: 'WRONG_STATE', detail: `a workflow that is \`${status}\` can not be ${what}` }, { status });
}

const TO_ROLL_BACK: readonly WorkflowStatus[] = ['completed', 'failed', 'paused', 'rollbackBlocked'];
function rollback(turn: Turn, { reason, onConflict, facts }: Extract<WorkflowOrder, { order: 'rollback' }>, by: PrincipalRef): void {
  const { state } = turn;
  const { parent } = state.start;
  if (parent !== undefined && hasEnded(state) && by.kind !== 'service') {
    throw new Refusal({ code: 'WRONG_STATE', detail: `the workflow belongs to the transaction of workflow \`${parent.root}\`, which has built on it: that is what can be rolled back` }, { status: state.status });
  }
  // Why once more: what was left out still stands, and may be in nobody's way by now.
  const standsStill = state.status === 'rolledBack' && state.steps.some(isLeftStanding);
  if (!isForward(state) && !TO_ROLL_BACK.includes(state.status) && !standsStill) wrongState(turn, 'rolled back');
  if (facts !== undefined && facts !== state.facts) throw new Refusal({ code: 'PLAN_STALE', detail: 'the workflow has moved since it was looked at: preview it anew' }, { status: state.status });
  requestRollback(turn, by.id, reason, onConflict);
}

/** The transaction that it belongs to has ended. */
function release(turn: Turn, by: PrincipalRef): void {
  const { state } = turn;
  if (by.kind !== 'service') throw new Refusal({ code: 'FORBIDDEN', detail: 'locks are let go when the transaction ends' });
  if (!hasEnded(state)) wrongState(turn, 'released');
  if (state.locks.length > 0) turn.record({ name: 'LocksLost', code: 'ENDED', reason: 'the transaction that it belonged to has ended', by: by.id });
}

function cancel(turn: Turn, reason: string, by: string): void {
  if (!isForward(turn.state) && turn.state.status !== 'paused') wrongState(turn, 'cancelled');
  // Why: a step that was started may have had its effect already, whatever has been reported so far.
  const untouched = turn.state.steps.every((step, index) => step.startedFact === null || ['failed', 'skipped'].includes(step.status) || turn.plan(index).reversibility === 'readOnly');
  if (untouched && !turn.state.steps.some(isInFlight)) return end(turn, 'cancelled', 'CANCELLED', `${reason} (by ${by})`);
  // Why: what only reads is waited for, and then there is nothing to take back.
  if (untouched || turn.state.start.onFailure === 'rollback') return beginRollback(turn, 'CANCELLED', reason, by);
  if (turn.state.start.onFailure === 'pause' && turn.state.status === 'paused') wrongState(turn, 'cancelled: it waits for `resume` or `rollback`');
  turn.record({ name: 'WorkflowPaused', code: 'CANCELLED', reason, by, failed: true });
  if (turn.state.start.onFailure === 'keep') fail(turn, 'CANCELLED', reason);
}

function pause(turn: Turn, reason: string, by: string): void {
  if (!isForward(turn.state)) wrongState(turn, 'paused');
  turn.record({ name: 'WorkflowPaused', code: 'PAUSED', reason, by, failed: false });
}

function resume(turn: Turn, failedStep: 'retry' | 'skip' | undefined, by: string): void {
  if (turn.state.status !== 'paused') wrongState(turn, 'resumed');
  if (isHeldByControl(turn.state)) throw new Refusal({ code: 'WRONG_STATE', detail: `held by ${turn.state.paused!.code}: it goes on by itself when that is lifted` }, { status: 'paused' });
  if (failedStep === 'skip') {
    turn.state.steps.forEach((step, index) => { if (step.status === 'failed') turn.record({ name: 'StepSkipped', step: turn.plan(index).id, index, why: `skipped by ${by}` }); });
  }
  resumeForward(turn, by, failedStep ?? (turn.state.paused!.failed ? 'retry' : null));
}

function resolve(turn: Turn, asked: Extract<WorkflowOrder, { order: 'resolve' }>, by: string): void {
  const index = turn.state.start.steps.findIndex(step => step.id === asked.step);
  if (index < 0) throw new Refusal({ code: 'UNKNOWN_STEP', detail: `the workflow has no step \`${asked.step}\`` });
  const step = turn.step(index);
  const ids = { step: asked.step, index, generation: step.generation };
  if (hasEnded(turn.state)) wrongState(turn, 'resolved');
  if (step.status === 'undoBlocked' && step.undo?.code === 'OUTCOME_UNKNOWN') {
    const reason = `${asked.reason} (by ${by})`;
    if (asked.outcome === 'succeeded') turn.record({ name: 'StepUndone', ...ids, verified: false, reason }, step.undo.fact);
    else turn.record({ name: 'StepUndoBlocked', ...ids, code: 'DID_NOT_HAPPEN', reason, conflict: null }, step.undo.fact);
    return resumeRollback(turn, by, asked.reason);
  }
  if (step.status !== 'unknown') throw new Refusal({ code: 'WRONG_STATE', detail: `step \`${asked.step}\` is \`${step.status}\`, its outcome is not unknown` }, { status: turn.state.status });
  const decision = step.decision!.fact;
  // Why the last: nothing that touches the same begins while it is unknown, so it acted after all that has ended.
  const actSequence = Math.max(...turn.state.steps.map(other => other.actSequence)) + 1;
  if (asked.outcome === 'succeeded') turn.record({ name: 'StepSucceeded', ...ids, output: asked.output ?? null, actSequence, undoableUntil: null, decision, by }, step.startedFact ?? undefined);
  else turn.record({ name: 'StepFailed', ...ids, error: { code: 'OUTCOME_UNKNOWN', detail: `${asked.reason} (settled by ${by}: it did not happen)`, clean: true }, retryAt: null, decision, by }, step.startedFact ?? undefined);
  if (turn.state.status === 'paused' && turn.state.paused?.code === 'OUTCOME_UNKNOWN') resumeForward(turn, by, null);
  if (turn.state.status === 'rollbackBlocked') resumeRollback(turn, by, asked.reason);
}

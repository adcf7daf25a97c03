import { overlap, locksOf, merged, missingLocks, touched } from './conflicts';
import { undoCommand, probeCommand } from './commands';
import { end, driveUnknowns, PROBE_PAUSES_MS } from './forward';
import type { Turn } from './turn';
import type { Workflow } from './workflow';

/** Without an answer for so long an undo's outcome is asked for. */
export const UNDO_REPORT_MS_MAX = 60_000;
const RESTARTS_MAX = 5;

export function beginRollback(turn: Turn, code: string, reason: string, by: string): void {
  turn.record({ name: 'RollbackStarted', reason, by, code });
  advanceRollback(turn);
}

const needsUndo = (state: Workflow, index: number): boolean =>
  state.start.steps[index]!.reversibility !== 'readOnly' && ['succeeded', 'undoBlocked', 'undoing'].includes(state.steps[index]!.status);

/**
 * Undoes what was done in reverse causal order: a step only after all that rest on it. A blocked undo holds back only
 * what it depends on; everything else is undone. What still runs is waited for and then undone too.
 */
export function advanceRollback(turn: Turn): void {
  driveUnknowns(turn);
  driveUndoProbes(turn);
  if (turn.now.control.hold?.includeUndo === true) return;
  const todo = turn.state.steps.flatMap((step, index) => (needsUndo(turn.state, index) && step.status === 'succeeded' ? [index] : []));
  const missing = todo.length === 0 ? [] : missingLocks(turn.state, todo.flatMap(index => locksOf(turn.state, index)));
  if (missing.length > 0) { turn.wants = { locks: merged(missing), late: turn.state.locks.length > 0 }; return; }
  for (const index of todo) if (mayUndo(turn.state, index)) undo(turn, index, 1);
  settle(turn);
}

/** Tries again what was blocked. */
export function retryRollback(turn: Turn, by: string, reason: string): void {
  turn.record({ name: 'RollbackStarted', reason, by, code: 'REQUESTED' });
  turn.state.steps.forEach((step, index) => {
    if (step.status === 'undoBlocked' && mayUndo(turn.state, index)) undo(turn, index, (step.undo?.attempt ?? 0) + 1);
    if (step.status === 'unknown' && step.parked) turn.record({ name: 'StepUnknown', step: turn.plan(index).id, index, generation: step.generation, error: step.error!, probe: step.probe + 1, parked: false, decision: step.decision!.fact });
  });
  turn.state.steps.forEach((step, index) => {
    if (step.status === 'unknown') turn.send(probeCommand(turn.state, index, turn.now.epoch, 'forward', turn.facts.at(-1)!.id));
  });
  advanceRollback(turn);
}

function undo(turn: Turn, index: number, attempt: number): void {
  const step = turn.step(index);
  const ids = { step: turn.plan(index).id, index, generation: step.generation };
  if (step.decision?.undoLease === undefined) {
    turn.record({ name: 'StepUndoBlocked', ...ids, code: 'IRREVERSIBLE', reason: 'the capability can not be undone', conflict: null });
    return;
  }
  turn.record({ name: 'StepUndoStarted', ...ids, attempt, decision: step.decision.fact }, turn.state.rollback?.fact);
  turn.send(undoCommand(turn.state, index, turn.now.epoch));
}

/** Everything that rests on this step is taken back, or can't be and has nothing to do with it. */
function mayUndo(state: Workflow, index: number): boolean {
  return state.steps.every((other, at) => {
    if (at === index) return true;
    const open = ['running', 'unknown', 'undoing'].includes(other.status) || (other.status === 'succeeded' && needsUndo(state, at));
    const blocked = other.status === 'undoBlocked';
    if (!open && !blocked) return true;
    if (!restsOn(state, at, index)) return true;
    // Why: two steps on one connection are taken back against the order of their acts, as the later one may stand in a
    // folder that the earlier one made or touched; but only what really depends is held back by a blocked one.
    return blocked ? !dependsOn(state, at, index) && !sharesResource(state, at, index) : false;
  });
}

/** Must `later` be taken back before `earlier`? */
function restsOn(state: Workflow, later: number, earlier: number): boolean {
  if (dependsOn(state, later, earlier)) return true;
  const connection = state.start.steps[later]!.connection;
  if (connection === null || connection !== state.start.steps[earlier]!.connection || state.start.steps[later]!.reversibility === 'readOnly') return false;
  const [a, b] = [state.steps[later]!, state.steps[earlier]!];
  return a.status === 'running' || a.status === 'unknown' || a.actSequence > b.actSequence;
}

function dependsOn(state: Workflow, later: number, earlier: number): boolean {
  const open = [...state.start.steps[later]!.after];
  const seen = new Set(open);
  while (open.length > 0) {
    const at = open.pop()!;
    if (at === earlier) return true;
    for (const next of state.start.steps[at]!.after) if (!seen.has(next)) { seen.add(next); open.push(next); }
  }
  return false;
}

const sharesResource = (state: Workflow, a: number, b: number): boolean =>
  touched(state, a).some(mine => touched(state, b).some(other => overlap(mine, other)));

function driveUndoProbes(turn: Turn): void {
  turn.state.steps.forEach((step, index) => {
    if (step.status === 'undoing' && step.undo?.status === 'running' && turn.at >= step.undo.startedAt + UNDO_REPORT_MS_MAX) probeUndo(turn, index, { code: 'TIMEOUT', detail: 'no report of the undo', clean: false });
  });
}

export function probeUndo(turn: Turn, index: number, error: { code: string; detail: string; clean: boolean }): void {
  const { undo: current, generation } = turn.step(index);
  const ids = { step: turn.plan(index).id, index, generation };
  if (current!.probe >= PROBE_PAUSES_MS.length + 1) {
    turn.record({ name: 'StepUndoBlocked', ...ids, code: 'OUTCOME_UNKNOWN', reason: `nobody can tell whether the undo happened: ${error.detail}`, conflict: null });
    return;
  }
  const id = turn.record({ name: 'StepUndoUnknown', ...ids, attempt: current!.attempt, probe: current!.probe + 1, error }, current!.fact);
  turn.send(probeCommand(turn.state, index, turn.now.epoch, 'undo', id));
}

/** Did nothing of it happen, so that it can begin again? */
function settle(turn: Turn): void {
  const { state } = turn;
  if (state.status !== 'rollingBack') return;
  if (state.steps.some(step => step.status === 'running' || step.status === 'undoing' || (step.status === 'unknown' && !step.parked))) return;
  const blocked = state.steps.flatMap((step, index) => (step.status === 'undoBlocked' || step.status === 'unknown' ? [turn.plan(index).id] : []));
  if (blocked.length > 0) {
    turn.record({ name: 'RollbackParked', code: state.steps.some(step => step.status === 'unknown' || step.undo?.code === 'OUTCOME_UNKNOWN') ? 'OUTCOME_UNKNOWN' : state.steps.find(step => step.status === 'undoBlocked')?.undo?.code ?? 'TARGET_CHANGED', reason: `could not be undone: ${blocked.map(id => `\`${id}\``).join(', ')}` });
    return;
  }
  if (state.steps.some((step, index) => step.status === 'succeeded' && needsUndo(state, index))) return;
  const { rollback } = state;
  if (rollback?.code === 'DIED' && state.restarts < RESTARTS_MAX) { turn.record({ name: 'WorkflowRestarted', restarts: state.restarts + 1 }); return; }
  end(turn, rollback?.code === 'CANCELLED_BEFORE_EFFECT' ? 'cancelled' : 'rolledBack', rollback?.code === 'DIED' ? 'LOCKED' : rollback?.code ?? null, rollback?.reason ?? null);
}

import { delegates, overlap, type Conflict, type Lock, type Residue, type StepStatus } from '@aifirst/contracts';
import { locksOf, merged, targetOf, touched } from './conflicts';
import { isEndlesslyProbed } from './commitment';
import { undoCommand, probeCommand } from './commands';
import { end, probe, probeUnknowns } from './forward';
import { PROBE_PAUSES_MS, probeAgainAt, UNDO_REPORT_MS_MAX } from './pauses';
import type { Turn } from './turn';
import { isInFlight, isLeftStanding, type Workflow } from './workflow';

export const RESTARTS_MAX = 5;

/** @param wanted locks that it yields for, and waits for before it begins again */
export function beginRollback(turn: Turn, code: string, reason: string, by: string, wanted?: readonly Lock[]): void {
  turn.record({ name: 'RollbackStarted', reason, by, code, ...(wanted === undefined ? {} : { wanted }) });
  advanceRollback(turn);
}

const isReadOnly = (state: Workflow, index: number): boolean => state.start.steps[index]!.reversibility === 'readOnly';
export const MAY_STAND: readonly StepStatus[] = ['running', 'unknown', 'succeeded', 'undoing', 'undoBlocked'];
const needsUndo = (state: Workflow, index: number): boolean =>
  !isReadOnly(state, index) && ['succeeded', 'undoBlocked', 'undoing'].includes(state.steps[index]!.status) && !isLeftStanding(state.steps[index]!);

/**
 * Undoes what was done in reverse causal order: a step only after all that rest on it. A blocked undo holds back only
 * what it depends on; everything else is undone. One that is left out holds nothing back: what it rests on is looked at by
 * its adapter like all else. What still runs is waited for and then undone too.
 */
export function advanceRollback(turn: Turn): void {
  probeUnknowns(turn);
  driveUndoProbes(turn);
  const todo = turn.state.steps.flatMap((step, index) => (needsUndo(turn.state, index) && step.status === 'succeeded' ? [index] : []));
  if (todo.length > 0) {
    if (turn.now.control.hold?.includeUndo === true) return;
    const missing = missingForUndo(turn.state);
    if (missing.length > 0) { turn.wants = { locks: missing, late: false }; return; }
    undoWhatMayBe(turn, todo);
  }
  settle(turn);
}

/**
 * What it has to take before it undoes anything: nothing where it still holds what it took to act, else all that may have
 * to be taken back, also what still runs: so it never waits while it holds, and need not yield.
 */
function missingForUndo(state: Workflow): readonly Lock[] {
  if (state.locks.length > 0) return [];
  return merged(state.steps.flatMap((step, index) => (!isReadOnly(state, index) && MAY_STAND.includes(step.status) ? locksOf(state, index) : [])));
}

/** A person's word: also tries again what was blocked or left out (evolve: `RollbackStarted`) and asks again what nobody could tell. */
export function requestRollback(turn: Turn, by: string, reason: string, onConflict: 'block' | 'skip' = 'block'): void {
  turn.record({ name: 'RollbackStarted', reason, by, code: 'REQUESTED', ...(onConflict === 'skip' ? { onConflict } : {}) });
  turn.state.steps.forEach((step, index) => { if (step.parked) probe(turn, index, step.error!, step.probe + 1); });
  advanceRollback(turn);
}

/** What a person has settled lets a rollback go on, as it was asked for. */
export function resumeRollback(turn: Turn, by: string, reason: string): void {
  turn.record({ name: 'RollbackStarted', reason, by, code: 'RESOLVED', ...(turn.state.rollback?.onConflict === 'skip' ? { onConflict: 'skip' } : {}) });
}

/** An undo can't be: it waits for a person, or leaves the step standing where that was asked for. What nobody can tell is never said to stand. */
export function blockUndo(turn: Turn, index: number, { code, reason, conflict }: { code: string; reason: string; conflict: Conflict | null }, cause?: string): void {
  const name = turn.state.rollback?.onConflict === 'skip' && code !== 'OUTCOME_UNKNOWN' ? 'StepUndoSkipped' : 'StepUndoBlocked';
  turn.record({ name, step: turn.plan(index).id, index, generation: turn.step(index).generation, code, reason, conflict }, cause);
}

function undo(turn: Turn, index: number): void {
  const step = turn.step(index);
  const attempt = (step.undo?.attempt ?? 0) + 1;
  const ids = { step: turn.plan(index).id, index, generation: step.generation };
  if (step.decision?.undoLease === undefined) {
    return blockUndo(turn, index, { code: 'IRREVERSIBLE', reason: 'the capability can not be undone', conflict: null });
  }
  turn.record({ name: 'StepUndoStarted', ...ids, attempt, decision: step.decision.fact }, turn.state.rollback?.fact);
  turn.send(undoCommand(turn.state, index, turn.now.epoch));
}

/** Begins every undo that may begin. One that turns out to be impossible at once may free others. */
function undoWhatMayBe(turn: Turn, todo: readonly number[]): void {
  for (let left = todo; ;) {
    const isHeldBack = heldBack(turn.state);
    const now = left.filter(index => !isHeldBack(index));
    if (now.length === 0) return;
    for (const index of now) undo(turn, index);
    // Why: whether others are held back changes only by what ends at once.
    if (now.every(index => turn.step(index).status === 'undoing')) return;
    left = left.filter(index => isHeldBack(index));
  }
}

/**
 * Must a step wait with its undo, as something that rests on it is still to be taken back, or can't be and has to do with it?
 * Two steps on one target are taken back against the order of their acts, as the later one may stand in a folder that
 * the earlier one made or touched; but only what really depends is held back by a blocked one.
 */
function heldBack(state: Workflow): (index: number) => boolean {
  const open: number[] = [];
  const blocked: number[] = [];
  state.steps.forEach(({ status, parked }, index) => {
    if (status === 'undoBlocked') blocked.push(index);
    else if (parked && isReadOnly(state, index)) return;
    else if (status === 'running' || status === 'unknown' || status === 'undoing' || (status === 'succeeded' && needsUndo(state, index))) open.push(index);
  });
  const depended = allBelow(state, [...open, ...blocked]);
  const changing = open.filter(index => !isReadOnly(state, index));
  const lastAct = new Map<string, number>();
  for (const index of open) {
    const target = targetOf(state, index);
    if (target !== null && !isReadOnly(state, index)) lastAct.set(target, Math.max(actOf(state, index), lastAct.get(target) ?? -Infinity));
  }
  return index => {
    if (depended.has(index) || changing.some(other => mayHaveBuiltOn(state, other, index))) return true;
    const target = targetOf(state, index);
    if (target === null) return false;
    const act = state.steps[index]!.actSequence;
    return [...lastAct].some(([other, last]) => last > act && overlap(other, target))
      || blocked.some(other => other !== index && actOf(state, other) > act && sharesResource(state, other, index));
  };
}

/** Others' work for a task may have touched anything: whatever was done before it ended is taken back after it, and the other way round. */
function mayHaveBuiltOn(state: Workflow, later: number, earlier: number): boolean {
  if (later === earlier || ![later, earlier].some(index => delegates(state.start.steps[index]!.capability))) return false;
  return doneAtOf(state, later) > doneAtOf(state, earlier);
}
const doneAtOf = (state: Workflow, index: number): number => {
  const { status, doneAt } = state.steps[index]!;
  return status === 'running' || status === 'unknown' ? Infinity : doneAt ?? -Infinity;
};

/** When it acted, among the acts on its target; what may still act comes last. */
const actOf = (state: Workflow, index: number): number => {
  const { status, actSequence } = state.steps[index]!;
  return status === 'running' || status === 'unknown' ? Infinity : actSequence;
};

const NAMED_MAX = 20;
/** Steps with what they touch, for a person. */
function namesOf(state: Workflow, steps: readonly number[]): string {
  const names = steps.slice(0, NAMED_MAX).map(index => {
    const { resources } = state.steps[index]!;
    return `\`${state.start.steps[index]!.id}\`${resources.length === 0 ? '' : ` (${resources.join(', ')})`}`;
  });
  return `${names.join(', ')}${steps.length > NAMED_MAX ? ` and ${steps.length - NAMED_MAX} more` : ''}`;
}

/** Every step that one of these depends on, at whatever distance. */
function allBelow(state: Workflow, steps: readonly number[]): ReadonlySet<number> {
  const below = new Set<number>();
  const open = [...steps];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of state.start.steps[at]!.after) if (!below.has(next)) { below.add(next); open.push(next); }
  }
  return below;
}

const sharesResource = (state: Workflow, a: number, b: number): boolean =>
  touched(state, a).some(mine => touched(state, b).some(other => overlap(mine, other)));

function driveUndoProbes(turn: Turn): void {
  turn.state.steps.forEach((step, index) => {
    if (step.status !== 'undoing' || step.undo === null) return;
    if (step.undo.status === 'running' ? turn.at >= step.undo.startedAt + UNDO_REPORT_MS_MAX : turn.at >= probeAgainAt(step.undo, isEndlesslyProbed(turn.state, index))) probeUndo(turn, index, { code: 'TIMEOUT', detail: 'no report of the undo', clean: false });
  });
}

export function probeUndo(turn: Turn, index: number, error: { code: string; detail: string; clean: boolean }): void {
  const { undo: current, generation } = turn.step(index);
  const ids = { step: turn.plan(index).id, index, generation };
  if (current!.probe >= PROBE_PAUSES_MS.length + 1 && !isEndlesslyProbed(turn.state, index)) {
    turn.record({ name: 'StepUndoBlocked', ...ids, code: 'OUTCOME_UNKNOWN', reason: `nobody can tell whether the undo happened: ${error.detail}`, conflict: null }, current!.fact);
    return;
  }
  const id = turn.record({ name: 'StepUndoUnknown', ...ids, attempt: current!.attempt, probe: current!.probe + 1, error }, current!.fact);
  turn.send(probeCommand(turn.state, index, turn.now.epoch, 'undo', id));
}

/** Did nothing of it happen, so that it can begin again? */
function settle(turn: Turn): void {
  const { state } = turn;
  if (state.status !== 'rollingBack') return;
  if (state.steps.some(isInFlight)) return;
  const blocked = state.steps.flatMap((step, index) => (step.status === 'undoBlocked' || (step.status === 'unknown' && !isReadOnly(state, index)) ? [index] : []));
  if (blocked.length > 0) {
    turn.record({ name: 'RollbackParked', code: state.steps.some(step => step.status === 'unknown' || step.undo?.code === 'OUTCOME_UNKNOWN') ? 'OUTCOME_UNKNOWN' : state.steps.find(step => step.status === 'undoBlocked')?.undo?.code ?? 'TARGET_CHANGED', reason: `could not be undone: ${namesOf(state, blocked)}` });
    return;
  }
  if (state.steps.some((step, index) => step.status === 'succeeded' && needsUndo(state, index))) return;
  const { rollback } = state;
  if (rollback?.code === 'DIED' && state.restarts < RESTARTS_MAX) {
    // Why: it yields what it holds, or the one it yields to would wait for it for ever.
    if (state.locks.length > 0) turn.record({ name: 'LocksLost', code: 'DIED', reason: rollback.reason, by: rollback.by });
    turn.record({ name: 'WorkflowRestarted', restarts: state.restarts + 1 });
    return;
  }
  const hadNoEffect = !state.steps.some(step => step.status === 'undone' || isLeftStanding(step));
  end(turn, rollback?.code === 'CANCELLED' && hadNoEffect ? 'cancelled' : 'rolledBack', rollback?.code === 'DIED' ? 'LOCKED' : rollback?.code ?? null, rollback?.reason ?? null, residueOf(state));
}

/** What was left out, and why: wherever the step acted, or where something was found in its way. */
const residueOf = (state: Workflow): readonly Residue[] => state.steps.flatMap(({ undo: left, resources }, index) => {
  if (left?.status !== 'skipped' || left.left === undefined) return [];
  const { reason, resource: at } = left.left;
  const action = left.code === 'IRREVERSIBLE' ? 'put it right at the target: nothing takes it back' : `put it right at the target; POST /v1/workflows/${state.id}/rollback tries again`;
  return (at === null ? resources : [at]).map(resource => ({ step: state.start.steps[index]!.id, resource, what: 'still stands', why: reason, action }));
});

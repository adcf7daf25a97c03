import { Refusal } from '@aifirst/kernel';
import type { AddedStep, Lock, PrincipalRef, StepStatus } from '@aifirst/contracts';
import { locksOf, missingLocks } from './conflicts';
import { bytesOf } from './plan-facts';
import type { Turn } from './turn';
import { isForward, type Workflow } from './workflow';

/**
 * An interactive transaction: a workflow that grows step by step, each run at once. Its agent has reasoned on what it saw, so
 * that it never begins again; a step that failed had no effect and leaves the rest standing. It ends by its agent's
 * word, or takes itself back when nobody speaks to it any more.
 */
export const STEPS_MAX = 1_000;
/** All steps together, as JSON: they stay in memory until the transaction has ended. */
const BYTES_MAX = 16 * 1024 * 1024;

export const isInteractive = ({ start }: Workflow): boolean => start.interactive !== undefined;

const SETTLED: readonly StepStatus[] = ['succeeded', 'failed', 'skipped'];
export const isAllSettled = ({ steps }: Workflow): boolean => steps.every(({ status }) => SETTLED.includes(status));

/**
 * When nobody has spoken to it for its time. Infinity: that does not count, as something of ours is pending, somebody has
 * paused it, or it is ending.
 * @param drivenSince its agent could tell it nothing before
 */
export function idleAt(state: Workflow, drivenSince = -Infinity): number {
  const { interactive } = state.start;
  if (interactive === undefined || state.closing || !isForward(state) || !isAllSettled(state)) return Infinity;
  return Math.max(state.movedAt, drivenSince) + interactive.idleTimeoutMs;
}

/** @throws Refusal FORBIDDEN, IDEMPOTENCY_CONFLICT, WRONG_STATE, UNKNOWN_STEP, INVALID_REFERENCE, TOO_LARGE */
export function addStep(turn: Turn, { restsOn, ...added }: AddedStep, by: PrincipalRef): void {
  mustBeInteractive(turn, by, 'be given steps one by one');
  const { state } = turn;
  const known = state.start.steps.find(({ id }) => id === added.id);
  if (known !== undefined) {
    if (known.digest === added.digest) return;
    throw new Refusal({ code: 'IDEMPOTENCY_CONFLICT', pointer: '/id', detail: `another step was added as \`${added.id}\` before: give this one an id of its own` });
  }
  if (!isForward(state) || state.closing) throw wrongState(turn, 'be given another step');
  if (state.start.steps.length >= STEPS_MAX) throw new Refusal({ code: 'TOO_LARGE', detail: `a transaction has at most ${STEPS_MAX} steps: commit this one and begin another` });
  const bytes = state.start.steps.reduce((sum, step) => sum + bytesOf(step), 0);
  const after = placesOf(state, restsOn);
  const plan = { ...added, after };
  if (bytes + bytesOf(plan) > BYTES_MAX) throw new Refusal({ code: 'TOO_LARGE', detail: `the steps of a transaction have at most ${BYTES_MAX} bytes together: commit this one and begin another` });
  turn.record({ name: 'StepAdded', step: plan.id, index: state.steps.length, plan });
}

function placesOf(state: Workflow, restsOn: AddedStep['restsOn']): readonly number[] {
  const places = new Set<number>();
  for (const { step, at } of restsOn) {
    const place = state.start.steps.findIndex(({ id }) => id === step);
    if (place < 0) throw new Refusal({ code: 'UNKNOWN_STEP', pointer: at, detail: `no step \`${step}\` was added before` });
    places.add(place);
  }
  return [...places].sort((a, b) => a - b);
}

/** Said again it changes nothing. @throws Refusal FORBIDDEN, WRONG_STATE */
export function commitTransaction(turn: Turn, by: PrincipalRef): void {
  mustBeInteractive(turn, by, 'be committed: it commits by itself when its last step has succeeded');
  const { state } = turn;
  if (state.closing && (isForward(state) || state.status === 'paused' || state.status === 'completed')) return;
  if (!isForward(state)) throw wrongState(turn, 'be committed');
  turn.record({ name: 'WorkflowCommitting', by: by.id });
}

function mustBeInteractive(turn: Turn, by: PrincipalRef, what: string): void {
  const { status, start: { agent, interactive } } = turn.state;
  // Why: steps run with the rights of whoever began it, so nobody else may say what they are.
  if (by.id !== agent.id || by.kind !== agent.kind) throw new Refusal({ code: 'FORBIDDEN', detail: 'only whoever began a transaction adds steps to it and commits it' });
  if (interactive === undefined) throw new Refusal({ code: 'WRONG_STATE', detail: `the workflow is no interactive transaction, so it can not ${what}` }, { status });
}

function wrongState(turn: Turn, what: string): Refusal {
  const { status, closing } = turn.state;
  const shown = closing && isForward(turn.state) ? 'committing' : status;
  return new Refusal({ code: 'WRONG_STATE', detail: `a transaction that is \`${shown}\` can not ${what}` }, { status: shown });
}

/** What rests on a step that was not done is not started. */
export function skipWhatCannotBe(turn: Turn): void {
  turn.state.start.steps.forEach(({ id, after }, index) => {
    if (turn.step(index).status !== 'pending' || turn.step(index).asked !== null) return;
    if (after.some(before => ['failed', 'skipped'].includes(turn.step(before).status))) turn.record({ name: 'StepSkipped', step: id, index, why: 'DEPENDENCY_FAILED' });
  });
}

/** What a step still has to lock: its transaction holds others already, so it waits for younger ones only. */
export const lateLocksOf = (state: Workflow, index: number): readonly Lock[] => missingLocks(state, locksOf(state, index));

/** An older workflow holds what a step needs. The step fails, the transaction stands: its agent knows what to do. */
export function locksRefused(turn: Turn, holder: string, wanted: readonly Lock[]): boolean {
  const { state } = turn;
  const names = new Set(wanted.map(({ resource }) => resource));
  const index = state.steps.findIndex(({ status, decision }, at) => {
    if (status !== 'pending' || decision?.lease === undefined) return false;
    const missing = lateLocksOf(state, at);
    return missing.length > 0 && missing.every(({ resource }) => names.has(resource));
  });
  if (index < 0) return false;
  const { generation, decision } = turn.step(index);
  turn.record({
    name: 'StepFailed', step: turn.plan(index).id, index, generation, retryAt: null, decision: decision?.fact ?? null,
    error: { code: 'LOCKED', detail: `workflow \`${holder}\`, which is older, holds what it needs: do something else, or try again under another step id when that one has ended`, clean: true },
  });
  return true;
}

const NAMED_MAX = 20;
/** What its end says of steps that were not done. */
export function completion({ start, steps }: Workflow): { readonly code: string | null; readonly reason: string | null } {
  const undone = start.steps.filter((_, index) => steps[index]!.status !== 'succeeded').map(({ id }) => `\`${id}\``);
  if (undone.length === 0) return { code: null, reason: null };
  const rest = undone.length > NAMED_MAX ? ` and ${undone.length - NAMED_MAX} more` : '';
  return { code: 'STEPS_FAILED', reason: `committed without steps that were not done and had no effect: ${undone.slice(0, NAMED_MAX).join(', ')}${rest}` };
}

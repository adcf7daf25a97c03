import { delegates, type Lock, type Residue } from '@aifirst/contracts';
import { Busy, merged, locksOf, missingLocks } from './conflicts';
import { isEndlesslyProbed, isReadyToCommit, phaseOf } from './commitment';
import { askCommand, executeCommand, inputOf, probeCommand, resourcesOf } from './commands';
import { footprintOf } from './plan-facts';
import { mayAskAt, probeAgainAt, REPORT_GRACE_MS } from './pauses';
import { beginRollback, MAY_STAND } from './rollback';
import { completion, idleAt, isAllSettled, isInteractive, lateLocksOf, skipWhatCannotBe } from './transaction';
import type { Turn } from './turn';
import { CONTROL_CODES, isForward, isHeldByControl, isInFlight, type Workflow } from './workflow';

/** A lease must have this long to live when a step is started with it: the command still has to reach its adapter. */
const LEASE_MARGIN_MS = 5_000;
/** Moves a workflow on as far as it goes now: asks, locks, starts, commits, or turns to what its failure calls for. */
export function advanceForward(turn: Turn): void {
  // Why: what was begun is found out about whatever holds the rest; it has no effect of its own.
  probeUnknowns(turn);
  const { state } = turn;
  if (state.status === 'paused') return parkedFailures(turn);
  if (turn.at >= state.deadlineAt) return fail(turn, 'DEADLINE_EXCEEDED', `the deadline of ${state.start.deadlineMs} ms is over`);
  if (turn.at >= idleAt(state, turn.now.drivenSince)) return beginRollback(turn, 'IDLE', `no step was added for ${state.start.interactive!.idleTimeoutMs} ms`, 'aifirst');
  if (turnsToFailure(turn) || parksUnknowns(turn)) return;
  if (isInteractive(state)) skipWhatCannotBe(turn);
  if (turn.now.control.epoch === null) return;
  startWhatIsReady(turn);
  if (turnsToFailure(turn)) return;
  if (!isReadyToCommit(turn.state)) return endIfDone(turn);
  turn.record({ name: 'WorkflowCommitting' });
  advanceCommitment(turn);
}

/** It is decided: no deadline, pause or hold keeps it from being carried out. What a target has undone by itself is a failure like any other. */
export function advanceCommitment(turn: Turn): void {
  probeUnknowns(turn);
  if (turnsToFailure(turn) || turn.now.control.epoch === null) return;
  startWhatIsReady(turn);
  if (!turnsToFailure(turn)) endIfDone(turn);
}

function endIfDone(turn: Turn): void {
  if (!isDone(turn.state)) return;
  const { code, reason } = isInteractive(turn.state) ? completion(turn.state) : { code: null, reason: null };
  end(turn, 'completed', code, reason);
}
const isDone = (state: Workflow): boolean => (isInteractive(state) ? state.closing && isAllSettled(state) : state.steps.every(({ status }) => status === 'succeeded' || status === 'skipped'));

function turnsToFailure(turn: Turn): boolean {
  // Why: its agent sees what failed, and goes on.
  if (isInteractive(turn.state)) return false;
  const failed = turn.state.steps.findIndex(step => step.status === 'failed');
  if (failed < 0) return false;
  const { code, detail } = turn.step(failed).error!;
  fail(turn, code, `step \`${turn.plan(failed).id}\` failed: ${detail}`);
  return true;
}

function startWhatIsReady(turn: Turn): void {
  const ready: number[] = [];
  const ask: number[] = [];
  const later: number[] = [];
  for (let index = 0; index < turn.state.steps.length; index++) {
    const step = turn.step(index);
    if (step.status !== 'pending' || step.asked !== null) continue;
    // Why: the whole plan is asked at once, before anything; later only what is ready.
    if (step.decision === null && turn.state.questions === 0) { ask.push(index); continue; }
    if (phaseOf(turn.state, index) === 'commit' && turn.state.status !== 'committing') continue;
    if (step.retryAt !== null && step.retryAt > turn.at) continue;
    if (!turn.plan(index).after.every(before => isSettled(turn.state, before))) {
      // Why: what is deferred for its references is asked about when they are known; a hold defers everything.
      if ((step.decision?.outcome !== 'defer' || CONTROL_CODES.includes(step.decision.code ?? '')) && needsLeave(turn, index)) later.push(index);
      continue;
    }
    const resolved = inputOf(turn.state, index);
    if (!resolved.ok) {
      turn.record({ name: 'StepFailed', step: turn.plan(index).id, index, generation: step.generation, error: { code: resolved.code, detail: resolved.detail, clean: true }, retryAt: null, decision: step.decision?.fact ?? null });
      if (isInteractive(turn.state)) continue;
      return;
    }
    if (footprintOf(turn.plan(index), resolved).unknown) {
      // Why: what a step touches must be known to policy and locks before it acts; a sealed value tells them nothing.
      turn.record({ name: 'StepFailed', step: turn.plan(index).id, index, generation: step.generation, error: { code: 'INVALID_INPUT', detail: 'what the step touches is named by a sensitive value, so it can not be known before the act', clean: true }, retryAt: null, decision: step.decision?.fact ?? null });
      if (isInteractive(turn.state)) continue;
      return;
    }
    if (waitsForControl(turn, index)) continue;
    if (!needsLeave(turn, index)) ready.push(index);
    else if (mayAskAt(step) <= turn.at) ask.push(index);
  }
  // Why: one question in bulk; what is asked anyway asks for the steps behind it too.
  if (ask.length > 0) askFor(turn, [...ask, ...later]);
  const free = withLocks(turn, ready);
  if (free.length === 0) return;
  const busy = new Busy();
  turn.state.steps.forEach((step, index) => { if (step.status === 'running' || step.status === 'unknown') busy.add(turn.state, index); });
  for (const index of free) {
    if (busy.isInTheWayOf(turn.state, index)) continue;
    start(turn, index);
    busy.add(turn.state, index);
  }
}

const isSettled = (state: Workflow, index: number): boolean => state.steps[index]!.status === 'succeeded' || state.steps[index]!.status === 'skipped';

function needsLeave(turn: Turn, index: number): boolean {
  const { decision, generation } = turn.step(index);
  if (decision === null || decision.generation !== generation || decision.lease === undefined) return true;
  return decision.lease.expiresAt < turn.at + LEASE_MARGIN_MS || decision.lease.controlEpoch < turn.now.control.epoch!;
}

/** Policy knows of a hold that has not reached us yet: asking again before the epoch moves would get the same answer. */
function waitsForControl(turn: Turn, index: number): boolean {
  const { decision, generation } = turn.step(index);
  return decision !== null && decision.generation === generation && decision.outcome === 'defer' && CONTROL_CODES.includes(decision.code ?? '') && decision.controlEpoch >= turn.now.control.epoch!;
}

function askFor(turn: Turn, indices: readonly number[]): void {
  const question = turn.state.questions + 1;
  const id = turn.record({ name: 'PolicyAsked', question, action: 'execute', steps: indices.map(index => ({ index, generation: turn.step(index).generation })) });
  turn.send(askCommand(turn.state, question, indices, id));
}

/**
 * Which of them hold all the locks they need. The footprint that is known is taken whole before the first effect, so
 * nobody waits while holding. What a reference reveals later is asked for in addition, and there the younger one yields.
 */
function withLocks(turn: Turn, ready: readonly number[]): readonly number[] {
  if (ready.length === 0) return ready;
  const { state } = turn;
  if (isInteractive(state)) return withLocksOneByOne(turn, ready);
  if (state.locks.length === 0) {
    // Why all of them: what was done before locks were lost may have to be undone.
    const missing = merged([...state.wanted, ...state.steps.flatMap((step, index) => (step.status === 'skipped' ? [] : locksOf(state, index)))]);
    if (missing.length === 0) return ready;
    turn.wants = { locks: missing, late: holdsBesides(state) };
    return [];
  }
  const missingOf = (index: number): readonly Lock[] => (turn.plan(index).hasReferences ? missingLocks(state, locksOf(state, index)) : []);
  const lacking = new Set(ready.filter(index => missingOf(index).length > 0));
  if (lacking.size > 0) turn.wants = { locks: merged([...lacking].flatMap(missingOf)), late: true };
  return ready.filter(index => !lacking.has(index));
}

/** Others of its transaction may hold locks: so it never waits for an older one, holding none itself. */
const holdsBesides = ({ start, steps }: Workflow): boolean => start.parent !== undefined || steps.some(({ startedFact }, index) => startedFact !== null && delegates(start.steps[index]!.capability));

/** A transaction whose steps are not known beforehand holds nothing until the first one that touches something, and then asks for what each one needs. */
function withLocksOneByOne(turn: Turn, ready: readonly number[]): readonly number[] {
  const { state } = turn;
  const isLate = state.locks.length > 0 || holdsBesides(state);
  const lacking = ready.filter(index => lateLocksOf(state, index).length > 0);
  if (lacking.length > 0) {
    // Why: what was done before locks were lost may have to be undone, so that it counts as if it were to be done.
    const standing = state.locks.length > 0 ? [] : state.steps.flatMap(({ status }, index) => (MAY_STAND.includes(status) ? [index] : []));
    // Why one: it must be known whom a refusal is about.
    turn.wants = { locks: state.locks.length > 0 ? lateLocksOf(state, lacking[0]!) : merged([...standing, lacking[0]!].flatMap(index => [...locksOf(state, index)])), late: isLate };
  }
  return ready.filter(index => !lacking.includes(index));
}

function start(turn: Turn, index: number): void {
  const step = turn.step(index);
  const resolved = inputOf(turn.state, index);
  if (!resolved.ok) return;
  turn.record({
    name: 'StepStarted', step: turn.plan(index).id, index, generation: step.generation, attempt: step.startedFact === null ? step.attempts + 1 : step.attempts,
    decision: step.decision!.fact, resources: resourcesOf(turn.state, index),
  }, step.decision!.fact);
  turn.send(executeCommand(turn.state, index, turn.now.epoch));
}

/** Probes what is unknown, or ran too long without a report. */
export function probeUnknowns(turn: Turn): void {
  for (let index = 0; index < turn.state.steps.length; index++) {
    const step = turn.step(index);
    if (step.status === 'running' && step.startedAt !== null && turn.at >= step.startedAt + turn.plan(index).timeoutMs + REPORT_GRACE_MS) {
      // Why not TIMEOUT: the adapter says so itself. What is known here is that nothing was heard, as after a crash.
      probe(turn, index, { code: 'INTERRUPTED', detail: `no report within ${turn.plan(index).timeoutMs + REPORT_GRACE_MS} ms`, clean: false }, 1);
    }
  }
  turn.state.steps.forEach((step, index) => {
    if (step.status === 'unknown' && !step.parked && turn.at >= probeAgainAt(step, isEndlesslyProbed(turn.state, index))) probe(turn, index, step.error!, step.probe + 1);
  });
}

/** What stays unknown after the last probe waits for a person, once nothing moves any more. */
function parksUnknowns(turn: Turn): boolean {
  const stuck = turn.state.steps.findIndex(step => step.parked);
  if (stuck < 0 || turn.state.steps.some(isInFlight)) return false;
  turn.record({ name: 'WorkflowPaused', code: 'OUTCOME_UNKNOWN', reason: `nobody can tell whether step \`${turn.plan(stuck).id}\` happened`, by: 'aifirst', failed: false });
  return true;
}

export function probe(turn: Turn, index: number, error: { code: string; detail: string; clean: boolean }, number: number): void {
  const step = turn.step(index);
  const id = turn.record({ name: 'StepUnknown', step: turn.plan(index).id, index, generation: step.generation, error, probe: number, parked: false, decision: step.decision!.fact }, step.startedFact ?? undefined);
  turn.send(probeCommand(turn.state, index, turn.now.epoch, 'forward', id));
}

/** Nothing more is started; what runs ends first where the workflow is to stand as it is. */
export function fail(turn: Turn, code: string, reason: string): void {
  const { state } = turn;
  const untouched = state.steps.every(step => step.attempts === 0);
  if (untouched) {
    const denied = code === 'POLICY_DENIED' || code === 'POLICY_ERROR';
    if (denied) return end(turn, 'rejected', code, reason);
  }
  if (state.start.onFailure === 'rollback') return beginRollback(turn, code, reason, 'aifirst');
  if (state.steps.some(isInFlight)) return;
  if (state.start.onFailure === 'pause') {
    if (state.status !== 'paused') turn.record({ name: 'WorkflowPaused', code, reason, by: 'aifirst', failed: true });
    return;
  }
  end(turn, 'failed', code, reason);
}

/** A paused workflow moves by itself in one case: the deadline passed while it was not a failure that it waits with. */
function parkedFailures(turn: Turn): void {
  const { paused, deadlineAt, start } = turn.state;
  if (paused?.failed === true && start.onFailure === 'keep') return fail(turn, paused.code, 'what ran has ended');
  if (paused === null || paused.failed || paused.code === 'OUTCOME_UNKNOWN' || paused.code === 'DEADLINE_EXCEEDED') return;
  if (turn.at < deadlineAt || isDone(turn.state)) return;
  if (start.onFailure === 'pause') { turn.record({ name: 'WorkflowPaused', code: 'DEADLINE_EXCEEDED', reason: `the deadline of ${start.deadlineMs} ms is over`, by: 'aifirst', failed: true }); return; }
  fail(turn, 'DEADLINE_EXCEEDED', `the deadline of ${start.deadlineMs} ms is over`);
}

export function end(turn: Turn, status: 'completed' | 'rejected' | 'failed' | 'cancelled' | 'rolledBack', code: string | null, reason: string | null, standing: readonly Residue[] = []): void {
  turn.state.steps.forEach((step, index) => {
    if (['pending', 'awaitingApproval', 'held'].includes(step.status)) turn.record({ name: 'StepSkipped', step: turn.plan(index).id, index, why: code ?? status });
  });
  const residue = status !== 'failed' ? standing : turn.state.steps.flatMap((step, index) => {
    if (step.status !== 'succeeded' && step.status !== 'unknown') return [];
    if (turn.plan(index).reversibility === 'readOnly') return [];
    return step.resources.map(resource => ({
      step: turn.plan(index).id, resource, what: step.status === 'unknown' ? 'may have been changed' : 'was changed', why: '`onFailure` is `keep`', action: `POST /v1/workflows/${turn.state.id}/rollback undoes it`,
    }));
  });
  turn.record({ name: 'WorkflowEnded', status, code, reason, residue });
}

/** Goes on after a pause. What was done when it was paused, or has ended since, is not late. */
export function resumeForward(turn: Turn, by: string, failedStep: 'retry' | 'skip' | null): void {
  turn.record({ name: 'WorkflowResumed', by, failedStep });
  endIfDone(turn);
}

/** Kill switch or suspension: forward steps wait, undo goes on unless the switch says otherwise. */
export function applyControl(turn: Turn): void {
  const { epoch, hold } = turn.now.control;
  if (hold === null) {
    // Why: where nobody knows what holds, what was held stays so.
    if (epoch !== null && isHeldByControl(turn.state)) resumeForward(turn, 'aifirst', null);
    return;
  }
  if (isForward(turn.state) || (isHeldByControl(turn.state) && turn.state.paused!.code !== hold.code)) {
    turn.record({ name: 'WorkflowPaused', code: hold.code, reason: hold.reason, by: 'aifirst', failed: false, ...(hold.killSwitch === undefined ? {} : { killSwitch: hold.killSwitch }) });
  }
  // Why: what has not begun has nothing to take back; it waits like any intent that comes under the switch.
  if (hold.rollback && turn.state.status === 'paused' && turn.state.steps.some(step => step.startedFact !== null)) beginRollback(turn, hold.code, hold.reason, 'aifirst');
}

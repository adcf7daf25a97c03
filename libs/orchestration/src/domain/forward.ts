import { hasUnknownResources } from '@aifirst/contracts';
import { merged, locksOf, missingLocks, stepsConflict } from './conflicts';
import { askCommand, executeCommand, inputOf, probeCommand, resourcesOf } from './commands';
import { beginRollback } from './rollback';
import type { Turn } from './turn';
import { CONTROL_CODES, isHeldByControl, type Step, type Workflow } from './workflow';

/** A lease must have this long to live when a step is started with it: the command still has to reach its adapter. */
const LEASE_MARGIN_MS = 5_000;
/** Beyond the step's own time: after this long without a report its outcome counts as unknown. */
export const REPORT_GRACE_MS = 10_000;
/** When an unknown outcome is probed again, counted from the probe before. The last miss leaves it to a person. */
export const PROBE_PAUSES_MS: readonly number[] = [500, 2_000];

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;
/** Doubling from 200 ms to 10 s, ±50 % (CONTRACT, Defaults). `attempt` from 1. */
export const retryDelayMs = (attempt: number, chance: number): number =>
  Math.round(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (attempt - 1)) * (0.5 + chance));

/** Moves a workflow on as far as it goes now: asks, locks, starts, commits, or turns to what its failure calls for. */
export function advanceForward(turn: Turn): void {
  // Why: what was begun is found out about whatever holds the rest; it has no effect of its own.
  probeUnknowns(turn);
  const { state } = turn;
  if (state.status === 'paused') return parkedFailures(turn);
  if (turn.at >= state.deadlineAt) return fail(turn, 'DEADLINE_EXCEEDED', `the deadline of ${state.start.deadlineMs} ms is over`);
  parkUnknowns(turn);
  if (turn.state.status === 'paused') return;
  const failed = turn.state.steps.findIndex(step => step.status === 'failed');
  if (failed >= 0) return fail(turn, turn.step(failed).error!.code, `step \`${turn.plan(failed).id}\` failed: ${turn.step(failed).error!.detail}`);
  if (turn.now.control.epoch === null) return;
  startWhatIsReady(turn);
  const failedNow = turn.state.steps.findIndex(step => step.status === 'failed');
  if (failedNow >= 0) return fail(turn, turn.step(failedNow).error!.code, `step \`${turn.plan(failedNow).id}\` failed: ${turn.step(failedNow).error!.detail}`);
  if (turn.state.steps.every(step => step.status === 'succeeded' || step.status === 'skipped')) end(turn, 'completed', null, null);
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
    if (step.retryAt !== null && step.retryAt > turn.at) continue;
    if (!turn.plan(index).after.every(before => isSettled(turn.state, before))) {
      if (step.decision?.outcome !== 'defer' && needsLeave(turn, index)) later.push(index);
      continue;
    }
    const resolved = inputOf(turn.state, index);
    if (!resolved.ok) {
      turn.record({ name: 'StepFailed', step: turn.plan(index).id, index, generation: step.generation, error: { code: resolved.code, detail: resolved.detail, clean: true }, retryAt: null, decision: step.decision?.fact ?? null });
      return;
    }
    if (hasUnknownResources(turn.plan(index).resources, resolved.value)) {
      // Why: what a step touches must be known to policy and locks before it acts; a sealed value tells them nothing.
      turn.record({ name: 'StepFailed', step: turn.plan(index).id, index, generation: step.generation, error: { code: 'INVALID_INPUT', detail: 'what the step touches is named by a sensitive value, so it can not be known before the act', clean: true }, retryAt: null, decision: step.decision?.fact ?? null });
      return;
    }
    if (waitsForControl(turn, index)) continue;
    if (needsLeave(turn, index)) ask.push(index); else ready.push(index);
  }
  // Why: one question in bulk; what is asked anyway asks for the steps behind it too.
  if (ask.length > 0) askFor(turn, [...ask, ...later]);
  if (ready.length === 0 || !holdsLocks(turn, ready)) return;
  for (const index of ready) {
    const busy = turn.state.steps.some((other, at) => at !== index && (other.status === 'running' || other.status === 'unknown') && stepsConflict(turn.state, index, at));
    if (!busy) start(turn, index);
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
 * The footprint that is known is taken whole before the first effect, so nobody waits while holding. What a reference
 * reveals later is asked for in addition, and there the younger one yields.
 */
function holdsLocks(turn: Turn, ready: readonly number[]): boolean {
  const { state } = turn;
  const first = state.locks.length === 0;
  const wanted = first ? [...state.wanted, ...state.steps.flatMap((step, index) => (step.status === 'succeeded' || step.status === 'skipped' ? [] : locksOf(state, index)))] : ready.flatMap(index => locksOf(state, index));
  const missing = missingLocks(state, first && state.steps.some(step => step.status === 'succeeded') ? [...wanted, ...state.steps.flatMap((_, index) => locksOf(state, index))] : wanted);
  if (missing.length === 0) return true;
  turn.wants = { locks: merged(missing), late: !first };
  return false;
}

function start(turn: Turn, index: number): void {
  const step = turn.step(index);
  const resolved = inputOf(turn.state, index);
  if (!resolved.ok) return;
  turn.record({
    name: 'StepStarted', step: turn.plan(index).id, index, generation: step.generation, attempt: step.startedFact === null ? step.attempts + 1 : step.attempts,
    decision: step.decision!.fact, resources: resourcesOf(turn.state, index, resolved.value),
  }, step.decision!.fact);
  turn.send(executeCommand(turn.state, index, turn.now.epoch));
}

/** Probes what is unknown, or ran too long without a report. */
export function probeUnknowns(turn: Turn): void {
  for (let index = 0; index < turn.state.steps.length; index++) {
    const step = turn.step(index);
    if (step.status === 'running' && step.startedAt !== null && turn.at >= step.startedAt + turn.plan(index).timeoutMs + REPORT_GRACE_MS) {
      probe(turn, index, { code: 'TIMEOUT', detail: `no report within ${turn.plan(index).timeoutMs} ms`, clean: false }, 1);
    }
  }
  turn.state.steps.forEach((step, index) => {
    const dueAt = probeDueAt(step);
    if (dueAt !== null && turn.at >= dueAt) probe(turn, index, step.error!, step.probe + 1);
  });
}

/** When the outcome of a step is asked for next. null: not again by ourselves. */
export function probeDueAt({ status, parked, probe: last, probedAt }: Step): number | null {
  if (status !== 'unknown' || parked || probedAt === null || last > PROBE_PAUSES_MS.length) return null;
  // Why: 0 after a resume, which begins anew and at once.
  return last === 0 ? 0 : probedAt + PROBE_PAUSES_MS[last - 1]!;
}

/** What stays unknown after the last probe waits for a person, once nothing moves any more. */
function parkUnknowns(turn: Turn): void {
  const stuck = turn.state.steps.findIndex(step => step.parked);
  const moving = turn.state.steps.some(step => step.status === 'running' || (step.status === 'unknown' && !step.parked));
  if (stuck >= 0 && !moving) {
    turn.record({ name: 'WorkflowPaused', code: 'OUTCOME_UNKNOWN', reason: `nobody can tell whether step \`${turn.plan(stuck).id}\` happened`, by: 'aifirst', failed: false });
  }
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
  if (state.steps.some(step => step.status === 'running' || (step.status === 'unknown' && !step.parked))) return;
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
  if (turn.at < deadlineAt) return;
  if (start.onFailure === 'pause') { turn.record({ name: 'WorkflowPaused', code: 'DEADLINE_EXCEEDED', reason: `the deadline of ${start.deadlineMs} ms is over`, by: 'aifirst', failed: true }); return; }
  fail(turn, 'DEADLINE_EXCEEDED', `the deadline of ${start.deadlineMs} ms is over`);
}

export function end(turn: Turn, status: 'completed' | 'rejected' | 'failed' | 'cancelled' | 'rolledBack', code: string | null, reason: string | null): void {
  turn.state.steps.forEach((step, index) => {
    if (['pending', 'awaitingApproval', 'held'].includes(step.status)) turn.record({ name: 'StepSkipped', step: turn.plan(index).id, index, why: code ?? status });
  });
  const residue = status !== 'failed' ? [] : turn.state.steps.flatMap((step, index) => {
    if (step.status !== 'succeeded' && step.status !== 'unknown') return [];
    if (turn.plan(index).reversibility === 'readOnly') return [];
    return step.resources.map(resource => ({
      step: turn.plan(index).id, resource, what: step.status === 'unknown' ? 'may have been changed' : 'was changed', why: '`onFailure` is `keep`', action: `POST /v1/workflows/${turn.state.id}/rollback undoes it`,
    }));
  });
  turn.record({ name: 'WorkflowEnded', status, code, reason, residue });
}

/** Kill switch or suspension: forward steps wait, undo goes on unless the switch says otherwise. */
export function applyControl(turn: Turn): void {
  const { hold } = turn.now.control;
  const { status } = turn.state;
  const forward = status === 'pending' || status === 'running' || status === 'awaitingApproval';
  if (hold !== null && forward) turn.record({ name: 'WorkflowPaused', code: hold.code, reason: hold.reason, by: 'aifirst', failed: false, ...(hold.killSwitch === undefined ? {} : { killSwitch: hold.killSwitch }) });
  if (hold !== null && hold.rollback && turn.state.status === 'paused') return beginRollback(turn, hold.code, hold.reason, 'aifirst');
  if (hold === null && isHeldByControl(turn.state)) turn.record({ name: 'WorkflowResumed', by: 'aifirst', failedStep: null });
}

import { isEndlesslyProbed } from './commitment';
import { executeCommand, probeCommand, askCommand, undoCommand } from './commands';
import { LOOK_AGAIN_MS, losesLocksAt, mayAskAt, probeAgainAt, REPORT_GRACE_MS, resendAt, UNDO_REPORT_MS_MAX, type ResendPace } from './pauses';
import type { Command } from './turn';
import { hasEnded, isForward, type Step, type Workflow } from './workflow';

/**
 * When time changes something: the driver brings a `Tick` then. null: never.
 * @param after of the last input: what was due by then has had its effect, or waits for something else than time
 */
export function wakeAt(state: Workflow, after: number): number | null {
  if (hasEnded(state)) return null;
  let next = Infinity;
  const consider = (at: number): void => { next = Math.min(next, at > after ? at : after + LOOK_AGAIN_MS); };
  const forward = isForward(state);
  if (forward || (state.status === 'paused' && !state.paused!.failed && state.paused!.code !== 'OUTCOME_UNKNOWN')) consider(state.deadlineAt);
  state.steps.forEach((step, index) => {
    if (step.status === 'pending') {
      if (!(forward || state.status === 'committing') || step.asked !== null) return;
      if (step.retryAt !== null) consider(step.retryAt);
      if (mayAskAt(step) > after) consider(mayAskAt(step));
    } else if (step.status === 'running') consider(step.startedAt! + state.start.steps[index]!.timeoutMs + REPORT_GRACE_MS);
    else if (step.status === 'unknown') { if (!step.parked) consider(probeAgainAt(step, isEndlesslyProbed(state, index))); }
    else if (step.status === 'undoing') consider(step.undo!.status === 'unknown' ? probeAgainAt(step.undo!, isEndlesslyProbed(state, index)) : step.undo!.startedAt + UNDO_REPORT_MS_MAX);
  });
  consider(losesLocksAt(state));
  return next === Infinity ? null : next;
}

/** When its last command was sent, null: it waits for no answer. */
function sentAt(step: Step): number | null {
  switch (step.status) {
    case 'pending': case 'awaitingApproval': return step.asked === null ? null : step.askedAt;
    case 'running': return step.startedAt;
    case 'unknown': return step.parked ? null : step.probedAt;
    case 'undoing': return step.undo!.status === 'unknown' ? step.undo!.probedAt : step.undo!.startedAt;
    default: return null;
  }
}

/**
 * When something is to be sent again, the first time after `after`; null: nothing waits for an answer.
 * @param since what was sent earlier counts as sent then: a new driver waits before it repeats
 */
export function nextResendAt(state: Workflow, since: number, after: number, pace?: ResendPace): number | null {
  if (hasEnded(state)) return null;
  let next = Infinity;
  for (const step of state.steps) {
    const sent = sentAt(step);
    if (sent !== null) next = Math.min(next, resendAt(Math.max(sent, since), after, pace));
  }
  return next === Infinity ? null : next;
}

/**
 * What was sent and not answered, to be sent again: the bus may have lost it, the receivers recognise repeats.
 * @param isDue says of the time at which it was sent whether it is to be sent again
 */
export function outstanding(state: Workflow, epoch: number, isDue: (sentAt: number) => boolean = () => true): readonly Command[] {
  if (hasEnded(state)) return [];
  const commands: Command[] = [];
  const asked = new Map<number, number[]>();
  state.steps.forEach((step, index) => {
    const sent = sentAt(step);
    if (sent === null || !isDue(sent)) return;
    if (step.status === 'running') commands.push(executeCommand(state, index, epoch));
    else if (step.status === 'unknown') commands.push(probeCommand(state, index, epoch, 'forward', step.startedFact!));
    else if (step.status === 'undoing') commands.push(step.undo!.status === 'unknown' ? probeCommand(state, index, epoch, 'undo', step.undo!.fact) : undoCommand(state, index, epoch));
    else {
      const others = asked.get(step.asked!);
      if (others === undefined) asked.set(step.asked!, [index]); else others.push(index);
    }
  });
  for (const [question, indices] of asked) commands.push(askCommand(state, question, indices, `${state.id}/q${question}`));
  return commands;
}

import { executeCommand, probeCommand, askCommand, undoCommand } from './commands';
import { probeDueAt, REPORT_GRACE_MS } from './forward';
import { UNDO_REPORT_MS_MAX } from './rollback';
import type { Command } from './turn';
import { hasEnded, isForward, type Workflow } from './workflow';

/** When time alone changes something: the driver brings a `Tick` then. null: never. */
export function wakeAt(state: Workflow): number | null {
  if (hasEnded(state)) return null;
  let at = Infinity;
  const forward = isForward(state);
  if (forward || (state.status === 'paused' && !state.paused!.failed && state.paused!.code !== 'OUTCOME_UNKNOWN')) at = state.deadlineAt;
  state.steps.forEach((step, index) => {
    if (forward && step.status === 'pending' && step.retryAt !== null) at = Math.min(at, step.retryAt);
    if (step.status === 'running' && step.startedAt !== null) at = Math.min(at, step.startedAt + state.start.steps[index]!.timeoutMs + REPORT_GRACE_MS);
    const probeAt = probeDueAt(step);
    if (probeAt !== null) at = Math.min(at, probeAt);
    if (step.status === 'undoing' && step.undo?.status === 'running') at = Math.min(at, step.undo.startedAt + UNDO_REPORT_MS_MAX);
  });
  return at === Infinity ? null : at;
}

/** Everything that was sent and not answered, to be sent again: the bus may have lost it, the receivers recognise repeats. */
export function outstanding(state: Workflow, epoch: number): readonly Command[] {
  if (hasEnded(state)) return [];
  const commands: Command[] = [];
  const asked = new Map<number, number[]>();
  state.steps.forEach((step, index) => {
    if (step.asked !== null && step.status === 'pending') asked.set(step.asked, [...(asked.get(step.asked) ?? []), index]);
    if (step.status === 'running') commands.push(executeCommand(state, index, epoch));
    if (step.status === 'unknown' && !step.parked) commands.push(probeCommand(state, index, epoch, 'forward', step.startedFact!));
    if (step.status === 'undoing') commands.push(step.undo!.status === 'unknown' ? probeCommand(state, index, epoch, 'undo', step.undo!.fact) : undoCommand(state, index, epoch));
  });
  for (const [question, indices] of asked) commands.push(askCommand(state, question, indices, `${state.id}/q${question}`));
  return commands;
}

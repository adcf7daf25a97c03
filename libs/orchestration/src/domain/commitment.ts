import type { Phase } from '@aifirst/contracts';
import type { Workflow } from './workflow';

/**
 * Mode `atomic`, two-phase commit with presumed abort: what can prepare acts in one open transaction per connection, is
 * prepared when all of it has been done, and committed when everything else has succeeded too. The fact `WorkflowCommitting` is the
 * decision: before it whatever fails takes all back, after it each part is committed however long that takes.
 */
export const phaseOf = ({ start }: Workflow, index: number): Phase | undefined => start.steps[index]!.phase;

/** Part of the commitment that nobody but a target can settle: asked for until it answers, never left to a person. */
export const isEndlesslyProbed = (state: Workflow, index: number): boolean => phaseOf(state, index) !== undefined && state.start.steps[index]!.reversibility !== 'readOnly';

/** What the transaction of a connection holds by now: see `StepCommand.held`. */
export function heldIn({ start, steps }: Workflow, connection: string | null): readonly string[] {
  const held = start.steps.flatMap(({ phase, connection: own, reversibility, id }, index) => {
    const { status, generation, actSequence } = steps[index]!;
    return phase === 'work' && own === connection && reversibility !== 'readOnly' && status === 'succeeded' ? [{ place: `${id}/${generation}`, actSequence }] : [];
  });
  return held.sort((a, b) => a.actSequence - b.actSequence).map(({ place }) => place);
}

/** Has everything but the commits succeeded? Then nothing stands against committing any more. */
export function isReadyToCommit(state: Workflow): boolean {
  let commits = false;
  for (let index = 0; index < state.steps.length; index++) {
    if (phaseOf(state, index) === 'commit') { commits = true; continue; }
    const { status } = state.steps[index]!;
    if (status !== 'succeeded' && status !== 'skipped') return false;
  }
  return commits;
}

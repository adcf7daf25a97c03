import { SERVICE_OF_ADAPTER, type AdapterHost, type AskedUndoPreview, type UndoPreviewAnswer } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { OperationalError, type Clock } from '@aifirst/kernel';
import type { DoneStep, DoneWorkflow } from './done-steps';

/** Of one rollback at once: targets have other work. */
const AT_ONCE = 8;
const STEP_MS_MAX = 10_000;
/** How much content is shown, by the length of what is sealed. */
const CONTENT_CHARS_MAX = 4 * 1024 * 1024;

/**
 * What taking each of these steps back would do to its target as it is now, whatever the others would do.
 * @param until by then (ms since 1970) what has not been looked at is not any more
 */
export async function previewUndos(neighbours: Neighbours, clock: Pick<Clock, 'now'>, workflow: DoneWorkflow, steps: readonly DoneStep[], until: number): Promise<ReadonlyMap<number, UndoPreviewAnswer>> {
  const answers = new Map<number, UndoPreviewAnswer>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let step = steps[next++]; step !== undefined; step = steps[next++]) answers.set(step.index, await previewOf(neighbours, clock, workflow, step, until));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, steps.length) }, work));
  return withinBounds(steps, answers);
}

async function previewOf(neighbours: Neighbours, clock: Pick<Clock, 'now'>, { id, agent }: DoneWorkflow, step: DoneStep, until: number): Promise<UndoPreviewAnswer> {
  const known = withoutAsking(step);
  if (known !== null) return known;
  const { plan, index, generation } = step;
  const timeoutMs = Math.min(plan.timeoutMs, STEP_MS_MAX, until - clock.now());
  if (timeoutMs <= 0) return cannot('TIMEOUT', 'there was no time left to look at it', true);
  const service = SERVICE_OF_ADAPTER[plan.adapter];
  if (service === undefined) return cannot('NOT_PREVIEWABLE', 'nobody hosts its adapter', false);
  const body: AskedUndoPreview = {
    workflow: id, step: plan.id, index, generation, agent, capability: plan.capability, adapter: plan.adapter, connection: plan.connection, timeoutMs,
    ...(plan.connectionStamp === undefined ? {} : { connectionStamp: plan.connectionStamp }),
  };
  try {
    return await neighbours.ask(service as AdapterHost, 'previewUndo', body);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'UNKNOWN_QUESTION') return cannot('NOT_PREVIEWABLE', 'its adapter can show nothing beforehand, or not yet', true);
    if (error instanceof OperationalError) return cannot(error.code, 'its adapter does not answer', error.retryable);
    throw error;
  }
}

/** What is known without a look at the target. */
function withoutAsking({ plan, status }: DoneStep): UndoPreviewAnswer | null {
  if (status === 'running') return cannot('STILL_RUNNING', 'it still runs: it is waited for, and taken back then', true);
  if (status === 'unknown') return cannot('OUTCOME_UNKNOWN', 'it is not known whether it happened: its target is asked first', true);
  if (status === 'undoing') return cannot('UNDOING', 'it is being taken back right now', true);
  if (plan.adapter === 'builtin' && plan.reversibility !== 'irreversible') return { preview: { outcome: 'wouldUndo', summary: `\`${plan.capability}\` touches nothing: there is nothing to put back`, conflicts: [], truncated: false }, digest: 'builtin' };
  return null;
}

const cannot = (code: string, detail: string, passing: boolean): UndoPreviewAnswer => ({ error: { code, detail, passing } });

/** The first conflicts with what they hold, the rest without: no answer is larger than callers can take. */
function withinBounds(steps: readonly DoneStep[], answers: ReadonlyMap<number, UndoPreviewAnswer>): ReadonlyMap<number, UndoPreviewAnswer> {
  let left = CONTENT_CHARS_MAX;
  return new Map(steps.map(({ index }): [number, UndoPreviewAnswer] => {
    const answer = answers.get(index)!;
    if ('error' in answer || !('$sealed' in answer.preview.conflicts)) return [index, answer];
    left -= answer.preview.conflicts.$sealed.length;
    return [index, left >= 0 ? answer : { ...answer, preview: { ...answer.preview, conflicts: [], truncated: true } }];
  }));
}

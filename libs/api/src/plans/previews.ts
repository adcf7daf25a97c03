import { SERVICE_OF_ADAPTER, type AdapterHost, type AskedPreview, type AskedStep, type PlannedStep, type PreviewAnswer, type PrincipalRef, type StepDecision } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { OperationalError, type Clock } from '@aifirst/kernel';

/** Of one plan at once: targets have other work. */
const AT_ONCE = 8;
const STEP_MS_MAX = 10_000;
/** How many previews are kept with their content, by the length of what is sealed. */
const CONTENT_CHARS_MAX = 4 * 1024 * 1024;

export interface PreviewedStep { readonly planned: PlannedStep; readonly asked: AskedStep; readonly decision: StepDecision }

/**
 * What each step would do to its target as it is now, whatever the steps before it would do. Nothing is looked at for a
 * step that policy does not allow.
 * @param until by then (ms since 1970) what has not been shown is not any more
 */
export async function previewAll(neighbours: Neighbours, clock: Pick<Clock, 'now'>, plan: string, agent: PrincipalRef, steps: readonly PreviewedStep[], until: number): Promise<readonly PreviewAnswer[]> {
  const answers = new Array<PreviewAnswer>(steps.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < steps.length; index = next++) answers[index] = await previewOf(neighbours, clock, plan, agent, steps[index]!, until);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, steps.length) }, work));
  return withinBounds(answers);
}

async function previewOf(neighbours: Neighbours, clock: Pick<Clock, 'now'>, plan: string, agent: PrincipalRef, { planned, asked, decision }: PreviewedStep, until: number): Promise<PreviewAnswer> {
  const without = whyNot(asked, decision);
  if (without !== null) return without;
  const timeoutMs = Math.min(planned.timeoutMs, STEP_MS_MAX, until - clock.now());
  if (timeoutMs <= 0) return cannot('TIMEOUT', 'there was no time left to look at it', true);
  const body: AskedPreview = {
    plan, step: asked.step, index: asked.index, agent, capability: asked.capability, adapter: asked.adapter, connection: asked.connection, input: asked.input, timeoutMs,
    ...(planned.connectionStamp === undefined ? {} : { connectionStamp: planned.connectionStamp }),
  };
  try {
    return await neighbours.ask(SERVICE_OF_ADAPTER[asked.adapter] as AdapterHost, 'preview', body);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'UNKNOWN_QUESTION') return cannot('NOT_PREVIEWABLE', 'its adapter can show nothing beforehand, or not yet', true);
    if (error instanceof OperationalError) return cannot(error.code, 'its adapter does not answer', error.retryable);
    throw error;
  }
}

function whyNot({ unresolved }: AskedStep, { outcome, code, reason }: StepDecision): PreviewAnswer | null {
  if (outcome === 'allow') return null;
  if (outcome === 'deny') return cannot(code ?? 'POLICY_DENIED', `policy does not allow it: ${reason}`, false);
  if (unresolved && code === undefined) return cannot('REFERENCE_UNRESOLVED', 'its input is known only when the steps have run that it refers to', false);
  return cannot(code ?? 'NOT_DECIDED', reason, false);
}

const cannot = (code: string, detail: string, passing: boolean): PreviewAnswer => ({ error: { code, detail, passing } });

/** The first previews with what they hold, the rest without: one plan must not fill the store. */
function withinBounds(answers: readonly PreviewAnswer[]): readonly PreviewAnswer[] {
  let left = CONTENT_CHARS_MAX;
  return answers.map(answer => {
    if ('error' in answer || !('$sealed' in answer.preview.changes)) return answer;
    left -= answer.preview.changes.$sealed.length;
    return left >= 0 ? answer : { ...answer, preview: { ...answer.preview, changes: [], truncated: true } };
  });
}

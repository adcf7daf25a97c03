import type { PlannedStep } from '@aifirst/contracts';
import { Refusal, type Problem } from '@aifirst/kernel';
import type { PlanBasis } from './plan-record';

const MOVED_SHOWN = 50;

/** What a plan rested on and is no longer so. */
export interface Moved { readonly what: 'intent' | 'policy' | 'connection' | 'capability' | 'target'; readonly step?: string; readonly detail: string; readonly pointer?: string }

export const noLongerAdmitted = ({ detail, pointer }: Problem): Moved => ({ what: 'intent', detail: `it would not be admitted any more: ${detail}`, ...(pointer === undefined ? {} : { pointer }) });

export function movedBetween(before: PlanBasis, now: PlanBasis, plan: readonly PlannedStep[]): readonly Moved[] {
  const moved: Moved[] = [];
  if (now.policyVersion !== before.policyVersion) moved.push({ what: 'policy', detail: 'roles or policies in force are others than when it was made' });
  plan.forEach(({ id: step, connection, capability }, index) => {
    const [was, is] = [before.steps[index]!, now.steps[index]!];
    const tell = (what: Moved['what'], detail: string): void => { moved.push({ what, step, detail: `step \`${step}\`: ${detail}`, pointer: `/steps/${index}` }); };
    if (is.connection !== was.connection) tell('connection', `connection \`${connection ?? ''}\` has changed since`);
    if (is.capability !== was.capability) tell('capability', `\`${capability}\` has another version now`);
    if (is.decision !== was.decision) tell('policy', 'policy decides otherwise now');
    if (is.target !== was.target) tell('target', 'its target is not as it was shown, or can be shown no longer');
  });
  return moved;
}

export function stale(id: string, moved: readonly Moved[]): Refusal {
  const problems = moved.slice(0, MOVED_SHOWN).map(({ detail }): Problem => ({ code: 'PLAN_STALE', detail: `${detail}: make the plan anew` }));
  return new Refusal(problems as [Problem, ...Problem[]], { planId: id, moved: moved.slice(0, MOVED_SHOWN).map(({ what, step, pointer }) => ({ what, ...(step === undefined ? {} : { step }), ...(pointer === undefined ? {} : { pointer }) })) });
}

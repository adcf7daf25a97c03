import type { DraftStep } from './draft';
import type { PlanProblem } from './errors';
import { isObject, listOf, textOf, type Json, type JsonObject } from './json';

/** How much of what a plan shows goes to the model. `none`: codes, places and reasons alone. `summary`: besides, in a sentence, what each step would do. `full`: besides, what would be changed, with what is there. */
export type Previews = 'none' | 'summary' | 'full';

/** Why a preview may be missing although the step is right: it rests on others, or it can't be told now. */
const NOT_TOLD = new Set(['REFERENCE_UNRESOLVED', 'NOT_DECIDED', 'NOT_PREVIEWABLE', 'TIMEOUT', 'UNAVAILABLE', 'OVERLOADED', 'KILL_SWITCH', 'AGENT_SUSPENDED', 'INTERNAL']);
const isNotTold = (code: string): boolean => NOT_TOLD.has(code) || code.startsWith('SERVICE_') || code.startsWith('CONNECTION_');

/**
 * What a plan shows to be wrong with what was proposed: policy denies a step, or a step that waits for no other would fail
 * as things are. Of a step that waits nobody knows: those before it may make it right.
 */
export function problemsOf(plan: JsonObject, steps: readonly DraftStep[]): readonly PlanProblem[] {
  const places = new Map(steps.map(({ id }, index) => [id, index]));
  return listOf(plan['steps']).filter(isObject).flatMap((shown): PlanProblem[] => {
    const place = places.get(textOf(shown['id']));
    if (place === undefined) return [];
    const pointer = `/steps/${place}`;
    const { decision, previewError } = shown;
    if (isObject(decision) && decision['outcome'] === 'deny') return [{ code: textOf(decision['code']) || 'POLICY_DENIED', pointer, detail: `step \`${steps[place]!.id}\`: policy denies it: ${textOf(decision['reason'])}` }];
    if (!isObject(previewError) || waits(steps[place]!)) return [];
    const code = textOf(previewError['code']);
    return isNotTold(code) ? [] : [{ code, pointer, detail: `step \`${steps[place]!.id}\` would fail as things are: ${textOf(previewError['detail'])}` }];
  });
}

const waits = ({ dependsOn, input }: DraftStep): boolean => dependsOn.length > 0 || refers(input);
const refers = (value: Json | undefined): boolean => (Array.isArray(value) ? (value as readonly Json[]).some(refers) : isObject(value) && ('$ref' in value || Object.values(value).some(refers)));

/** What the model gets to see of a plan. */
export function shownToModel(plan: JsonObject, previews: Previews): readonly JsonObject[] {
  if (previews === 'none') return [];
  return listOf(plan['steps']).filter(isObject).flatMap(({ id, preview }): JsonObject[] => {
    if (!isObject(preview)) return [];
    return [{ step: textOf(id), summary: textOf(preview['summary']), ...(previews === 'full' ? { changes: preview['changes'] ?? [] } : {}) }];
  });
}

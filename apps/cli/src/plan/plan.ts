import type { Json, JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';

/** What `POST /v1/plans` answers; told apart from what is still being made by its steps. */
export interface Plan {
  readonly planId: string;
  readonly digest: string;
  readonly steps: readonly PlanStep[];
  /** The first step after which not everything can be undone, by id or order. */
  readonly pointOfNoReturn: Json;
}
export interface PlanStep {
  readonly order: number;
  readonly id: string;
  readonly capability: string;
  readonly decision: Json;
  readonly risk: JsonObject | null;
  readonly approvals: Json;
  readonly preview: JsonObject | null;
  /** Why there is none. */
  readonly previewError: JsonObject | null;
  readonly undo: JsonObject | null;
}

/** @returns null while it is being made */
export function planIn(body: JsonObject): Plan | null {
  const { planId, digest, steps, pointOfNoReturn } = body;
  if (!Array.isArray(steps)) return null;
  return { planId: textOf(planId), digest: textOf(digest), pointOfNoReturn: pointOfNoReturn ?? null, steps: steps.filter(isObject).map(stepOf).sort((a, b) => a.order - b.order) };
}

const stepOf = (step: JsonObject, index: number): PlanStep => ({
  order: typeof step['order'] === 'number' ? step['order'] : index + 1, id: textOf(step['id']), capability: textOf(step['capability']), decision: step['decision'] ?? null,
  risk: objectOf(step['risk']), approvals: step['approvals'] ?? null, preview: objectOf(step['preview']), previewError: objectOf(step['previewError']), undo: objectOf(step['undo']),
});

export const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));
export const objectOf = (value: Json | undefined): JsonObject | null => (isObject(value) ? value : null);
export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value as readonly Json[] : []);
/** Of a decision as an object or as a bare outcome. */
export const outcomeOf = (decision: Json): string => (isObject(decision) ? textOf(decision['outcome']) : textOf(decision));

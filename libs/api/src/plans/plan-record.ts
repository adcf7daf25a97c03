import type { PrincipalRef, RecordedDecision, Risk, Sealed, SealedPreview, UndoExactness } from '@aifirst/contracts';

/** How long a plan can be looked at and run. */
export const PLAN_KEPT_MS = 24 * 3_600_000;

/** A step as a plan shows it. */
export interface PlanStep {
  /** From 1: no step comes before one that it waits for. */
  readonly order: number;
  readonly id: string;
  readonly capability: string;
  readonly decision: RecordedDecision & { readonly code?: string };
  readonly risk: Risk;
  readonly approvals: readonly [];
  readonly preview: SealedPreview | null;
  /** Why there is no preview. */
  readonly previewError?: { readonly code: string; readonly detail: string };
  readonly undo: { readonly how: UndoExactness; readonly detail: string };
}

/** What a plan rests on, step by step in the order of the intent: what must not have moved when it is run. */
export interface PlanBasis {
  readonly policyVersion: string;
  readonly steps: readonly StepBasis[];
}
export interface StepBasis {
  /** Of the connection and of the capability. null: it takes none. */
  readonly connection: string | null;
  readonly capability: string;
  /** Outcome, code and policies. */
  readonly decision: string;
  /** Of what was found at the target, keyed under the plan; or why nothing was. */
  readonly target: string;
  readonly reach: number | null;
}

export interface MadePlan { readonly digest: string; readonly basis: PlanBasis; readonly steps: readonly PlanStep[]; /** The step after which not everything can be undone. */ readonly pointOfNoReturn: string | null }

/** What is kept of a plan. The intent is sealed as a whole, so that what is run is what was sent. */
export interface PlanRecord {
  readonly principal: PrincipalRef;
  readonly intent: Sealed;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** null: it is being made, or its maker was stopped. */
  readonly made: MadePlan | null;
}

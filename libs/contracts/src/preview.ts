import type { JsonObject } from '@aifirst/kernel';
import type { Sealed } from './capability';
import type { StepPreview } from './execution';
import type { PrincipalRef } from './intent';

/** A step of a plan, as its adapter is asked what it would do. */
export interface AskedPreview {
  /** The plan's id: in the vault it stands where a workflow's would. */
  readonly plan: string;
  readonly step: string;
  readonly index: number;
  readonly agent: PrincipalRef;
  readonly capability: string;
  readonly adapter: string;
  readonly connection: string | null;
  /** See `PlannedStep.connectionStamp`. */
  readonly connectionStamp?: string;
  /** Resolved; sensitive values sealed under the plan. */
  readonly input: JsonObject;
  readonly timeoutMs: number;
}

/** A preview as it is sent and kept: the changes hold content, so they are sealed as a whole. */
export interface SealedPreview extends Omit<StepPreview, 'changes'> { readonly changes: Sealed | readonly [] }

export type PreviewAnswer =
  | {
    readonly preview: SealedPreview;
    /** Keyed under the plan: another one shows that the target is not what it was, or would not come to the same. */
    readonly digest: string;
    /** How many things it would touch. */
    readonly reach: number;
  }
  /** It can't be shown; `passing`: not now. */
  | { readonly error: { readonly code: string; readonly detail: string; readonly passing: boolean } };

import type { JsonObject } from '@aifirst/kernel';
import type { Sealed } from './capability';
import type { StepCommand, StepPreview } from './execution';

/** A step of a plan, as its adapter is asked what it would do. */
export interface AskedPreview extends Pick<StepCommand, 'step' | 'index' | 'agent' | 'capability' | 'adapter' | 'connection' | 'connectionStamp' | 'timeoutMs'> {
  /** The plan's id: in the vault it stands where a workflow's would. */
  readonly plan: string;
  /** Resolved; sensitive values sealed under the plan. */
  readonly input: JsonObject;
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

import type { Json, JsonObject } from '@aifirst/kernel';
import type { Sealed } from './capability';
import type { Conflict, StepCommand, StepPreview } from './execution';

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

/** A step that was done, as its adapter is asked what taking it back would do now. */
export type AskedUndoPreview = Pick<StepCommand, 'workflow' | 'step' | 'index' | 'generation' | 'agent' | 'capability' | 'adapter' | 'connection' | 'connectionStamp' | 'timeoutMs'>;

/** What taking a step back would do to its target now, found out without leaving a trace there. Bounded by whoever makes it. */
export interface UndoPreview {
  /** `nothingToDo`: it was not done, or is undone already. `wouldBlock`: `conflicts` are in its way. */
  readonly outcome: 'wouldUndo' | 'nothingToDo' | 'wouldBlock';
  /** One line for a person; never content. */
  readonly summary: string;
  readonly conflicts: readonly UndoConflict[];
  /** There is more than is shown. */
  readonly truncated: boolean;
}

/** The three sides of a conflict: before the step, after it, and as it is now. They hold content: sealed wherever they are kept or sent. null: not there. */
export interface UndoConflict extends Conflict { readonly before: Json; readonly after: Json; readonly current: Json }

export type UndoPreviewAnswer =
  | {
    /** The conflicts are sealed as a whole, under the workflow. */
    readonly preview: Omit<UndoPreview, 'conflicts'> & { readonly conflicts: Sealed | readonly [] };
    /** Keyed under the workflow: another one shows that the target is not what it was. */
    readonly digest: string;
  }
  | { readonly error: { readonly code: string; readonly detail: string; readonly passing: boolean } };

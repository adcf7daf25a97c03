import type { Json, JsonObject } from '@aifirst/kernel';
import type { Phase, PrincipalRef } from './intent';
import type { Direction, Lease } from './policy';

/** What every command to an adapter carries. The step key is `workflow/step/generation/direction`. */
export interface StepCommand {
  readonly workflow: string;
  readonly step: string;
  /** Place of the step in the plan, from 0. */
  readonly index: number;
  readonly generation: number;
  /** From 1. A forward call keeps its attempt within a generation; an undo that was blocked is tried again under the next. */
  readonly attempt: number;
  /** Fencing epoch of the orchestrator's log: a lower one than already seen for the workflow is refused. */
  readonly epoch: number;
  readonly agent: PrincipalRef;
  readonly capability: string;
  readonly adapter: string;
  readonly connection: string | null;
  /** See `PlannedStep.connectionStamp`. */
  readonly connectionStamp?: string;
  /** Resolved; sensitive values sealed. */
  readonly input: JsonObject;
  readonly timeoutMs: number;
  /** See `PlannedStep.phase`. */
  readonly phase?: Phase;
  /** With `phase`: the writing steps that the transaction must hold by then, as `<step>/<generation>` in the order of their acts. */
  readonly held?: readonly string[];
  /** `id` of the `StepStarted`, `StepUndoStarted` or `StepUnknown` fact that sends it. */
  readonly cause: string;
}
/** `aifirst.execution.execute-step.v1` */
export interface ExecuteStep extends StepCommand { readonly lease: Lease }
/** `aifirst.execution.undo-step.v1`. The lease is the undo lease of the forward decision. */
export interface UndoStep extends StepCommand { readonly lease: Lease; readonly onConflict: 'block' | 'skip' | 'force' }
/** `aifirst.execution.probe-step.v1`: what came of the call of that direction? The lease is that direction's, expiry and epoch not checked. */
export interface ProbeStep extends StepCommand { readonly lease: Lease; readonly direction: Direction; /** Which probe this is, from 1: recognises the answer. */ readonly probe: number }

export interface StepError { readonly code: string; readonly detail: string; /** Nothing left the adapter, or the target said a definite no. */ readonly clean: boolean }

/**
 * succeeded     it was done; `output`
 * failed        clean: it was not done and will not be
 * unknown       it may or may not have been done: to be probed
 * didNotHappen  a probe, or recovery after a crash, proved that it was not done and can't come any more
 * refused       the adapter would not even begin: no valid seal (`INVALID_SEAL`), lease over or epoch moved (`LEASE_EXPIRED`, asks to be asked again), fenced (`FENCED`)
 * cannotTell    a probe that found nothing out
 * blocked       undo only: somebody else changed the target; `conflict`
 */
export type StepOutcome = 'succeeded' | 'failed' | 'unknown' | 'didNotHappen' | 'refused' | 'cannotTell' | 'blocked';

/** What an undo found in its way. Text for a person; never content. */
export interface Conflict { readonly resource: string; readonly what: string; readonly expected: string; readonly found: string }

/** `aifirst.execution.step-reported.v1`, adapter → orchestrator. */
export interface StepReported {
  readonly workflow: string;
  readonly step: string;
  readonly index: number;
  readonly generation: number;
  readonly direction: Direction;
  readonly attempt: number;
  readonly outcome: StepOutcome;
  /** The number of the probe it answers; 0 for an execute or undo. */
  readonly probe: number;
  /** Sensitive values sealed. */
  readonly output?: Json;
  readonly error?: StepError;
  /** Adapter's running number of the act: undo goes against this order within a connection. */
  readonly actSequence?: number;
  /** Undo: the target was read again and its digest equals the one before. */
  readonly verified?: boolean;
  /** Undo: what could not be put back exactly. */
  readonly reason?: string;
  readonly conflict?: Conflict;
  /** The adapter keeps what undo needs until then (ms since 1970). */
  readonly undoableUntil?: number;
}

/** `aifirst.execution.step-prepared.v1`: the journal holds the before-image; the act comes next. */
export interface StepPrepared { readonly workflow: string; readonly step: string; readonly generation: number; readonly direction: Direction; readonly capability: string }

/** `aifirst.execution.command-refused.v1`: a command without a valid seal or with an old epoch; nothing was done. */
export interface CommandRefused { readonly workflow: string; readonly step: string; readonly code: string; readonly detail: string }

/** What a step would do to its target, found out without leaving a trace there. Bounded by whoever makes it. */
export interface StepPreview {
  /** One line for a person; never content. */
  readonly summary: string;
  /** Everything it would touch, as resource URIs, also what its input does not name (cascades, triggers, parents). */
  readonly footprint: readonly string[];
  readonly changes: readonly PreviewedChange[];
  /** There is more than is shown. */
  readonly truncated: boolean;
}

/** `diff` and `rows` hold content: sealed wherever they are kept or sent. */
export type PreviewedChange =
  | {
    readonly kind: 'file'; readonly resource: string; readonly action: 'create' | 'change' | 'delete' | 'move' | 'mode';
    /** Unified; null for what is no text, too large, or not changed inside. */
    readonly diff: string | null;
    readonly before: FileState | null; readonly after: FileState | null;
  }
  | {
    readonly kind: 'rows'; readonly resource: string;
    /** Of the net effect. */
    readonly inserted: number; readonly updated: number; readonly deleted: number;
    readonly rows: readonly { readonly before: JsonObject | null; readonly after: JsonObject | null }[];
  };

/** `size` in bytes, `mode` four octal digits, `digest` `sha256:<hex>` (of a folder none). */
export interface FileState { readonly type: 'file' | 'directory'; readonly size: number; readonly mode: string; readonly digest: string | null }

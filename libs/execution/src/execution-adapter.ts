import type { CapabilityDescriptor, Conflict, Connection, Phase, PrincipalRef, StepError, StepPreview, TargetReach, UndoPreview } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';

/** One call of a capability, as an adapter gets it: input resolved, unsealed and checked against its schema. */
export interface StepCall {
  /** `workflow/step/generation/direction`: the same key, the same effect, once. */
  readonly key: string;
  readonly tenant: string;
  readonly workflow: string;
  readonly step: string;
  readonly agent: PrincipalRef;
  readonly capability: string;
  /** null for built-ins. */
  readonly connection: Connection | null;
  readonly input: JsonObject;
  /**
   * Mode `atomic`: the call's part in the transaction that its connection has for the workflow. `held`: keys of the writing
   * calls that the transaction must hold by now, in order; where it does not, it was lost, and with it all of them.
   */
  readonly transaction?: { readonly phase: Phase; readonly held: readonly string[] };
  readonly timeoutMs: number;
  /**
   * Aborts when the time is over (`reason.code` is `TIMEOUT`) or the process drains (`DRAINING`): stop as soon as it is
   * safe, the outcome may then be `unknown`. After `DRAINING` only a success counts, anything else is probed at the next start.
   */
  readonly signal: AbortSignal;
}

/** What the journal keeps durably before the act. Private to the adapter, JSON, sensitive parts are sealed by the journal. */
export type Image = JsonObject;

export type ActResult =
  | { readonly outcome: 'succeeded'; readonly output: Json; /** What undo must find at the target. */ readonly after: Image }
  /** Not done and will not be. */
  | { readonly outcome: 'failed'; readonly error: StepError & { readonly clean: true } }
  | { readonly outcome: 'unknown'; readonly error: StepError };

export type ProbeResult =
  | { readonly outcome: 'succeeded'; readonly output: Json; readonly after: Image }
  /** It was not done and can't come any more. Leaves the target as it was before, half-done parts taken back. */
  | { readonly outcome: 'didNotHappen' }
  | { readonly outcome: 'cannotTell'; readonly detail: string };

export type UndoResult =
  /** `verified`: the target was read again and its digest equals the one before. `reason`: what could not be put back exactly, else null. */
  | { readonly outcome: 'undone'; readonly verified: boolean; readonly reason: string | null }
  /** Somebody else changed it since: nothing was touched. */
  | { readonly outcome: 'blocked'; readonly conflict: Conflict }
  | { readonly outcome: 'unknown'; readonly error: StepError };

/** A call that succeeded, at the same connection as another one. */
export interface DoneCall { readonly call: StepCall; readonly before: Image; readonly after: Image }

/** Expected: the step can't be done, and nothing was touched. Thrown by `prepare`; becomes a clean failure. */
export class CannotDo extends Error {
  constructor(readonly code: string, detail: string) { super(detail); this.name = 'CannotDo'; }
}

/**
 * A kind of target. The journal calls `prepare`, stores the image durably, then calls `execute` once, and stores what
 * came of it. After a crash in between it calls `probe` with the same image. Every method may be called again with the
 * same key after a crash, and none may rely on memory.
 */
export interface ExecutionAdapter {
  /** `os`, `builtin`, … */
  readonly name: string;
  /** Images hold what an agent or the target holds, not only digests, names and numbers: the journal seals them as a whole. Default false. */
  readonly imageIsSensitive?: boolean;
  /** Has no need to know what it is given: sensitive values in the input stay sealed, and so go on sealed into its output. Default false. */
  readonly takesSealed?: boolean;
  capabilities(): readonly CapabilityDescriptor[];
  /**
   * Its probe and undo may wait for other steps, perhaps of this very journal, for as long as these take: so they have plenty of places and no time of
   * their own, and its act is never given up but told that its time is over. Default: none of them does.
   */
  waitsForOthers?(capability: string): boolean;
  /** Looks at a connection when it is put: null, or what is wrong with it. */
  probeConnection(connection: Connection): Promise<{ readonly limitations: readonly string[]; /** The target's own identity, `PlannedStep.lockBase`. */ readonly lockBase?: string; readonly reach?: TargetReach } | { readonly problem: string; readonly pointer: string }>;
  /** What `execute` would do now; leaves no trace at the target and no lock. Absent: nothing can be said beforehand. @throws CannotDo */
  preview?(call: StepCall): Promise<StepPreview>;
  /** What must not be worked on by two calls at once, from image to outcome; the journal serialises on these. */
  serialiseOn(call: StepCall): readonly string[];
  /** Reads the target and makes the before-image; must not change what anybody else sees. @throws CannotDo */
  prepare(call: StepCall): Promise<Image>;
  execute(call: StepCall, before: Image): Promise<ActResult>;
  /** What came of `execute`, which may never have begun? Holds the same operating-system lock as `execute`. Idempotent. */
  probe(call: StepCall, before: Image): Promise<ProbeResult>;
  /** Puts back what was before, three-way: equal to before: done; equal to after: put back; else blocked. Idempotent, re-runnable from any point. */
  undo(call: StepCall, before: Image, after: Image): Promise<UndoResult>;
  /**
   * What `undo` would do now, conflicts with all three sides; leaves no trace at the target and no lock. Absent: nothing can be said beforehand.
   * @param first what would be taken back before it, in that order: it is as if that had been done, as far as it can be. Default nothing.
   * @throws CannotDo
   */
  previewUndo?(call: StepCall, before: Image, after: Image, first?: readonly DoneCall[]): Promise<UndoPreview>;
  /** The undo window of these is over: images and what was set aside may go. */
  forget(call: Pick<StepCall, 'key' | 'tenant' | 'connection' | 'capability'>, before: Image, after: Image | null): Promise<void>;
}

/** What agents may call of them. */
export const offeredBy = (adapters: readonly ExecutionAdapter[]): CapabilityDescriptor[] =>
  adapters.flatMap(adapter => adapter.capabilities().filter(({ isInternal }) => isInternal !== true));

/** Resolves connections by name; answered by the gateway, cached by the caller until told otherwise. */
export interface ConnectionResolver {
  /**
   * @param stamp `connectionStampOf` what the caller has reason to expect: a copy with another one is out of date, or the caller is
   * @throws OperationalError, retryable, when the gateway can't be asked right now
   */
  resolve(tenant: string, name: string, stamp?: string): Promise<Connection | null>;
}

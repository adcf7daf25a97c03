import type { CapabilityDescriptor, PrincipalRef, StepView, WorkflowView } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';
import type { Reachable } from './tools';

/** Who calls, as the credential has decided. */
export interface McpCaller {
  readonly principal: PrincipalRef;
  /** How long an identical call without a key is the same call; null: never. */
  readonly repeatWindowMs: number | null;
  /** W3C trace context of this request. */
  readonly traceparent: string;
}

/** An intent as it would be sent by REST. */
export interface McpSubmission {
  readonly body: JsonObject;
  /** 1 to 255 printable ASCII characters; the same space of keys as `Idempotency-Key`. */
  readonly idempotencyKey?: string;
  /** The key stands for this long only; then the same intent is a new one. */
  readonly repeatWithinMs?: number;
}

/** A step of an interactive transaction, as far as it has come. */
export interface TransactionStep {
  /** As it is; what is sealed in it is sealed, but for the step. */
  readonly view: WorkflowView;
  /** null: it has been added, and does not show yet. */
  readonly step: StepView | null;
  /** It had been added before: nothing is done twice. */
  readonly replayed: boolean;
  /** It has ended, or waits for a person. */
  readonly isAnswered: boolean;
}

/**
 * What the gateway does for tools: what it does for REST. Everything throws `Refusal` with the codes of REST, and
 * `OperationalError` where something does not answer.
 */
export interface Governance {
  /** All that there is to call; the same list while nothing has changed. Empty until adapters have said it. */
  capabilities(): readonly CapabilityDescriptor[];
  find(name: string): CapabilityDescriptor | undefined;
  /** What policy does not rule out for the caller, as of now, with the connections for which it does not. */
  reachable(caller: McpCaller): Promise<readonly Reachable[]>;
  /** Resolves when the intent is durable. */
  submit(caller: McpCaller, submission: McpSubmission): Promise<{ readonly workflowId: string; readonly replayed: boolean }>;
  /** As soon as the workflow has ended or waits for somebody, or as it is when the time is over; outputs are clear. */
  waitFor(caller: McpCaller, workflowId: string, timeoutMs: number): Promise<WorkflowView | null>;
  /** @throws Refusal NOT_FOUND, also where it is another's */
  workflow(caller: McpCaller, workflowId: string): Promise<WorkflowView>;
  /** The same, but what is sealed in it is sealed: where the outputs are not looked at. @throws Refusal NOT_FOUND */
  glance(caller: McpCaller, workflowId: string): Promise<WorkflowView>;
  /** Calls back for each new fact of a workflow. @returns what ends it */
  watch(workflowId: string, listener: () => void): () => void;
  /** Makes a plan; one that is still being made has `status` `making`. */
  plan(caller: McpCaller, body: JsonObject): Promise<Json>;
  planOf(caller: McpCaller, planId: string): Promise<Json>;
  /** Begins an interactive transaction; resolves when that is durable. @param submission its body as that of `POST /v1/workflows` */
  begin(caller: McpCaller, submission: McpSubmission): Promise<{ readonly view: WorkflowView; readonly replayed: boolean }>;
  /** Adds a step as it would be sent by REST, which runs at once, and waits for what comes of it, at most so long. @throws Refusal also NOT_FOUND, WRONG_STATE of the transaction */
  addStep(caller: McpCaller, workflowId: string, step: JsonObject, waitMs: number): Promise<TransactionStep>;
  /** Waits on for a step that has been added. @throws Refusal NOT_FOUND */
  waitForStep(caller: McpCaller, workflowId: string, stepId: string, waitMs: number): Promise<Omit<TransactionStep, 'replayed'>>;
  /** No step follows. @returns as it is when that is said: it ends when what runs has ended @throws Refusal NOT_FOUND, WRONG_STATE */
  commit(caller: McpCaller, workflowId: string): Promise<WorkflowView>;
  /**
   * Orders that all of it is taken back: by the caller's right to roll back, or, while it is open, as its own to cancel. What
   * is back already, or on its way, is left as it is. @returns as it is then @throws Refusal NOT_FOUND, FORBIDDEN, WRONG_STATE, IN_USE
   */
  rollBack(caller: McpCaller, workflowId: string, reason: string): Promise<WorkflowView>;
  cancel(caller: McpCaller, workflowId: string, reason: string): Promise<void>;
  /** A key for what was called, under which nobody learns what that was. `^[\x20-\x7e]{1,255}$` */
  repeatKey(caller: McpCaller, called: Json): Promise<string>;
  /** An error in the words of REST; of one that is unexpected only an id is told, under which the log has it. */
  explain(error: unknown): Explained;
}
export interface Explained { readonly code: string; readonly detail: string; readonly problems: readonly { readonly code: string; readonly detail: string; readonly pointer?: string }[]; readonly extra: JsonObject; /** Trying again may help. */ readonly passes: boolean }

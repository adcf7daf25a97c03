import type { CapabilityDescriptor, PrincipalRef, WorkflowView } from '@aifirst/contracts';
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
  /** Calls back for each new fact of a workflow. @returns what ends it */
  watch(workflowId: string, listener: () => void): () => void;
  /** Makes a plan; one that is still being made has `status` `making`. */
  plan(caller: McpCaller, body: JsonObject): Promise<Json>;
  planOf(caller: McpCaller, planId: string): Promise<Json>;
  cancel(caller: McpCaller, workflowId: string, reason: string): Promise<void>;
  /** A key for what was called, under which nobody learns what that was. `^[\x20-\x7e]{1,255}$` */
  repeatKey(caller: McpCaller, called: Json): Promise<string>;
  /** An error in the words of REST; of one that is unexpected only an id is told, under which the log has it. */
  explain(error: unknown): Explained;
}
export interface Explained { readonly code: string; readonly detail: string; readonly problems: readonly { readonly code: string; readonly detail: string; readonly pointer?: string }[]; readonly extra: JsonObject; /** Trying again may help. */ readonly passes: boolean }

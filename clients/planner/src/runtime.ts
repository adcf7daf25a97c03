import type { Workflow } from '@aifirst/client';
import type { PlanProblem } from './errors';
import type { JsonObject } from './json';

/** A capability that the agent may reach, as far as that can be told without an input. */
export interface ReachedCapability {
  readonly name: string;
  readonly description: string;
  /** JSON Schema; names the connections that the agent may use. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
}

export type MadePlan =
  | { readonly plan: JsonObject }
  /** The intent was refused, for reasons that another intent might not have. */
  | { readonly problems: readonly PlanProblem[] };

export type Applied =
  | { readonly workflow: Workflow }
  /** Something has moved since, or the plan is no longer kept: nothing was done. */
  | { readonly stale: readonly PlanProblem[] };

export interface ApplyOptions {
  /** Ends the waiting, never the workflow. */
  readonly signal?: AbortSignal | undefined;
  /** Is told as soon as it has been taken in. */
  readonly onSubmitted?: ((workflowId: string) => void) | undefined;
  /** How long its end is waited for (600,000). */
  readonly timeoutMs?: number | undefined;
}

/** What a planner needs of the runtime, in the agent's name. */
export interface Runtime {
  reach(signal: AbortSignal | undefined): Promise<readonly ReachedCapability[]>;
  /** Changes nothing. */
  plan(intent: JsonObject, signal: AbortSignal | undefined): Promise<MadePlan>;
  /** Runs exactly that plan, once under its key, and waits until it has ended or waits for somebody. @throws WorkflowFailed unless it is completed */
  apply(planId: string, idempotencyKey: string, options: ApplyOptions): Promise<Applied>;
}

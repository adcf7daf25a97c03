import type { JsonObject } from '@aifirst/kernel';
import type { Risk, Reversibility } from './capability';
import type { Phase, PrincipalRef, Weighed } from './intent';

export type DecisionOutcome = 'allow' | 'deny' | 'modify' | 'approve' | 'defer';

/** One step of a question. The pair (step, generation) names it in the answer. */
export interface AskedStep extends Weighed {
  readonly step: string;
  /** Place of the step in the plan, from 0. */
  readonly index: number;
  readonly generation: number;
  readonly capability: string;
  readonly adapter: string;
  readonly reversibility: Reversibility;
  readonly connection: string | null;
  /** Resolved where `unresolved` is false; else with `$ref` objects standing for what is not known yet. */
  readonly input: JsonObject;
  readonly unresolved: boolean;
  /** Normalised URIs; those that depend on an unresolved reference are left out. */
  readonly resources: readonly string[];
  /** Of the capability: what policy begins with. */
  readonly risk: Risk;
  /** `prepare`, `commit`: ends what has been allowed step by step; there is nothing of its own to decide. */
  readonly phase?: Phase;
}

/** `aifirst.policy.decide-plan.v1`, orchestrator → policy. Recognised by (workflow, question). */
export interface DecidePlan {
  readonly workflow: string;
  readonly question: number;
  readonly principal: PrincipalRef;
  /** On whose behalf it acts, whose transaction it is first: each of them has to be permitted what it does. Absent: nobody's. */
  readonly chain?: readonly PrincipalRef[];
  readonly action: 'execute' | 'rollback';
  readonly steps: readonly AskedStep[];
  /** For Cedar's `context.workflow`: the whole plan. */
  readonly plan: { readonly steps: number; readonly capabilities: readonly string[]; readonly resources: readonly string[] };
}

/**
 * Leave to act: what an adapter checks before it does anything. The MAC covers every field of `SealedFields`, most of
 * which the adapter takes from the command itself, so that a lease fits no other command.
 */
export interface Lease {
  readonly policyVersion: string;
  readonly controlEpoch: number;
  /** Milliseconds since 1970; 0: no expiry (undo leases). */
  readonly expiresAt: number;
  readonly mac: string;
}

/** What the MAC of a lease is made over. */
export interface SealedFields {
  readonly direction: Direction;
  readonly tenant: string;
  readonly workflow: string;
  readonly step: string;
  /** Place of the step in the plan: it is part of the journal's key. */
  readonly index: number;
  readonly generation: number;
  readonly agent: string;
  readonly capability: string;
  readonly connection: string | null;
  /** `sha256:<hex>` of the JCS form of the resolved input as it travels (sensitive values sealed). */
  readonly inputDigest: string;
  readonly policyVersion: string;
  readonly controlEpoch: number;
  readonly expiresAt: number;
  /** So that what was allowed within a transaction is not done outside of it. */
  readonly phase?: Phase;
}

export type Direction = 'forward' | 'undo';

export interface StepDecision {
  readonly step: string;
  readonly generation: number;
  readonly outcome: DecisionOutcome;
  /** `POLICY_DENIED`, `POLICY_ERROR`, `AGENT_SUSPENDED`, `KILL_SWITCH`; absent for an allow. */
  readonly code?: string;
  /** Determining policies, `<id>@<version>`, sorted. */
  readonly policies: readonly string[];
  readonly policyVersion: string;
  readonly reason: string;
  readonly risk: Risk;
  /** Present when the outcome is `allow`. */
  readonly lease?: Lease;
  /** Recorded with the forward one, so that automatic undo needs no further question. No expiry, no epoch. */
  readonly undoLease?: Lease;
}

/** `aifirst.policy.plan-decided.v1`, policy → orchestrator. */
export interface PlanDecided {
  readonly workflow: string;
  readonly question: number;
  readonly action: 'execute' | 'rollback';
  readonly controlEpoch: number;
  readonly decisions: readonly StepDecision[];
}

/** What holds a tenant's forward steps right now. Answered by policy's `controlState`. */
export interface ControlState {
  readonly tenant: string;
  readonly epoch: number;
  /** Engaged kill switches that concern the whole tenant or named agents. */
  readonly killSwitches: readonly { readonly id: string; readonly kind: 'all' | 'agent'; readonly target: string | null; readonly reason: string; readonly includeUndo: boolean; readonly rollback: boolean }[];
  readonly suspendedAgents: readonly string[];
}

import type { Json } from '@aifirst/kernel';
import type { Interactive, PlannedStep, StartWorkflow } from './intent';
import type { DecisionOutcome, StepDecision } from './policy';
import type { Conflict, StepError } from './execution';
import type { Risk } from './capability';
import type { Parent } from './task';

export const WORKFLOW_STATUSES = ['pending', 'awaitingApproval', 'running', 'paused', 'committing', 'completed', 'rollingBack', 'rolledBack',
  'rollbackBlocked', 'redoing', 'rejected', 'failed', 'cancelled'] as const;
export type WorkflowStatus = (typeof WORKFLOW_STATUSES)[number];
export const STEP_STATUSES = ['pending', 'awaitingApproval', 'running', 'held', 'succeeded', 'failed', 'unknown', 'skipped', 'undoing', 'undone', 'undoBlocked'] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];
export const ENDED: readonly WorkflowStatus[] = ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled'];
/** A waiting caller is answered here too: a person must decide before anything moves. */
export const PARKED: readonly WorkflowStatus[] = ['paused', 'awaitingApproval', 'rollbackBlocked'];
/** Nothing moves until a person, or time, acts: a waiting caller is answered. */
export const isAtRest = (status: WorkflowStatus): boolean => ENDED.includes(status) || PARKED.includes(status);

/** What a person (or the owning agent) can do now. `by` names who may. */
export interface Action { readonly method: string; readonly path: string; readonly body?: Json; readonly by: string }
export interface StatusReason { readonly code: string; readonly detail: string; readonly since: string; readonly actions: readonly Action[] }
/** What a workflow leaves standing that its agent may not expect. */
export interface Residue { readonly step: string; readonly resource: string; readonly what: string; readonly why: string; readonly action: string }

export interface RecordedDecision {
  readonly outcome: DecisionOutcome;
  readonly policies: readonly string[];
  readonly policyVersion: string;
  readonly reason: string;
  readonly at: string;
}

/**
 * The facts of a workflow: `type` is `aifirst.workflow.<name in kebab case>.v1`, `data` the rest.
 * A recorded fact never changes its meaning: add a field, or a new fact.
 */
export type WorkflowFact =
  | { readonly name: 'IntentSubmitted'; readonly start: StartWorkflow; readonly by: string }
  /** An interactive transaction has one step more, behind all others. */
  | { readonly name: 'StepAdded'; readonly step: string; readonly index: number; readonly plan: PlannedStep }
  | { readonly name: 'PolicyAsked'; readonly question: number; readonly action: 'execute' | 'rollback'; readonly steps: readonly { readonly index: number; readonly generation: number }[] }
  | { readonly name: 'PolicyDecided'; readonly question: number; readonly action: 'execute' | 'rollback'; readonly decision: string; readonly controlEpoch: number; readonly decisions: readonly StepDecision[] }
  | { readonly name: 'LocksTaken'; readonly locks: readonly Lock[] }
  /** All locks are gone: the workflow was parked too long, an administrator broke one, it died in wait-die, is undone and starts again (`WorkflowRestarted` follows), or (`ENDED`) the transaction that it belonged to has ended. */
  | { readonly name: 'LocksLost'; readonly code: 'PARKED' | 'BROKEN' | 'DIED' | 'ENDED'; readonly reason: string; readonly by: string }
  /** All is undone and every step begins again, in its next generation, at the workflow's old age. */
  | { readonly name: 'WorkflowRestarted'; readonly restarts: number }
  | { readonly name: 'StepStarted'; readonly step: string; readonly index: number; readonly generation: number; readonly attempt: number; readonly decision: string; readonly resources: readonly string[] }
  | { readonly name: 'StepHeld'; readonly step: string; readonly index: number }
  | { readonly name: 'StepSucceeded'; readonly step: string; readonly index: number; readonly generation: number; readonly output: Json; readonly actSequence: number; readonly undoableUntil: number | null; readonly decision: string; readonly by?: string }
  | { readonly name: 'StepFailed'; readonly step: string; readonly index: number; readonly generation: number; readonly error: StepError; readonly retryAt: number | null; readonly decision: string | null; readonly by?: string }
  | { readonly name: 'StepUnknown'; readonly step: string; readonly index: number; readonly generation: number; readonly error: StepError; readonly probe: number; /** Nobody but a person can settle it. */ readonly parked: boolean; readonly decision: string }
  /** Proven not to have happened: the next start has the next generation. */
  | { readonly name: 'StepDidNotHappen'; readonly step: string; readonly index: number; readonly generation: number; readonly by?: string }
  | { readonly name: 'StepSkipped'; readonly step: string; readonly index: number; readonly why: string }
  | { readonly name: 'RollbackStarted'; readonly reason: string; readonly by: string; readonly code: string; /** Code `DIED`: what it yields for, and waits for before it starts again. */ readonly wanted?: readonly Lock[]; /** `skip`: what is in the way of an undo leaves that step standing. Absent: it blocks. */ readonly onConflict?: 'skip' }
  | { readonly name: 'StepUndoStarted'; readonly step: string; readonly index: number; readonly generation: number; readonly attempt: number; readonly decision: string }
  | { readonly name: 'StepUndoUnknown'; readonly step: string; readonly index: number; readonly generation: number; readonly attempt: number; readonly probe: number; readonly error: StepError }
  | { readonly name: 'StepUndone'; readonly step: string; readonly index: number; readonly generation: number; readonly verified: boolean; readonly reason: string | null }
  | { readonly name: 'StepUndoBlocked'; readonly step: string; readonly index: number; readonly generation: number; readonly code: string; readonly reason: string; readonly conflict: Conflict | null }
  /** What would have blocked the undo was to be left out: the step stands, and the others are undone. */
  | { readonly name: 'StepUndoSkipped'; readonly step: string; readonly index: number; readonly generation: number; readonly code: string; readonly reason: string; readonly conflict: Conflict | null }
  | { readonly name: 'WorkflowPaused'; readonly code: string; readonly reason: string; readonly by: string; /** A step failed and `onFailure` is `pause`. */ readonly failed: boolean; /** Code `KILL_SWITCH`: which. */ readonly killSwitch?: string }
  | { readonly name: 'WorkflowResumed'; readonly by: string; readonly failedStep: 'retry' | 'skip' | null }
  | { readonly name: 'RollbackParked'; readonly code: string; readonly reason: string }
  /** `by`: its agent commits an interactive transaction; what runs is waited for, and nothing is added any more. */
  | { readonly name: 'WorkflowCommitting'; readonly by?: string }
  | { readonly name: 'WorkflowEnded'; readonly status: WorkflowStatus; readonly code: string | null; readonly reason: string | null; readonly residue: readonly Residue[] };

export interface Lock { readonly resource: string; readonly mode: LockMode }
export type LockMode = 'read' | 'write' | 'intentRead' | 'intentWrite';

/** `aifirst.workflow.*` events' data: a fact, and which workflow and agent it belongs to. */
export type WorkflowFactData = Omit<WorkflowFact, 'name'> & { readonly workflow: string; readonly agent: string };

/**
 * Which of its workflow's facts an event is, from 1, gapless: a fact's id is `<workflow>/<number>`. So whoever follows a
 * workflow sees what the bus has lost. null: not a fact of a workflow.
 */
export function factNumberOf({ id, subject }: { readonly id: string; readonly subject: string }): number | null {
  if (!id.startsWith(subject) || id[subject.length] !== '/') return null;
  const number = Number(id.slice(subject.length + 1));
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}

/** A workflow as `GET /workflows/:id` shows it. Sealed outputs are unsealed by the gateway for those who may see them. */
export interface WorkflowView {
  readonly id: string;
  readonly intentId: string;
  readonly tenant: string;
  readonly status: WorkflowStatus;
  readonly statusReason: StatusReason | null;
  readonly goal: string;
  readonly agent: string;
  readonly mode: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of an interactive transaction alone. `committing`: its agent has said that no step follows. */
  readonly interactive?: Interactive & { readonly committing: boolean };
  /** It works a task of another workflow's. `chain`: ids of those on whose behalf, whose transaction it is first. */
  readonly parent?: Omit<Parent, 'chain'> & { readonly chain: readonly string[] };
  readonly steps: readonly StepView[];
  readonly residue: readonly Residue[];
  readonly createdAt: string;
  readonly endedAt: string | null;
}
export interface StepView {
  readonly id: string;
  readonly capability: string;
  readonly status: StepStatus;
  readonly statusReason: StatusReason | null;
  readonly attempts: number;
  readonly risk: Risk;
  readonly decision: RecordedDecision | null;
  readonly resources: readonly string[];
  readonly output: Json;
  readonly error: StepError | null;
  readonly undo: { readonly status: 'pending' | 'running' | 'done' | 'blocked' | 'skipped'; readonly verified: boolean; readonly reason: string | null } | null;
  readonly undoableUntil: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** A person's or an agent's word about a workflow, by `ServiceQuery` to the orchestrator: answered, or `Refusal` with `WRONG_STATE`. */
export type WorkflowOrder =
  /** `onConflict` absent: `block`. `facts`: only while it has just so many, else `PLAN_STALE`: what was looked at is what is taken back. */
  | { readonly order: 'rollback'; readonly reason: string; readonly onConflict?: 'block' | 'skip'; readonly facts?: number }
  | { readonly order: 'cancel'; readonly reason?: string }
  | { readonly order: 'pause'; readonly reason?: string }
  | { readonly order: 'resume'; readonly failedStep?: 'retry' | 'skip' }
  /** To an interactive transaction, by whom it belongs to. The same step again changes nothing, and the answer's `sequence` is 0. */
  | { readonly order: 'addStep'; readonly step: AddedStep }
  | { readonly order: 'commit' }
  /** To a workflow with a parent, by the gateway: the transaction that it belongs to has ended, so that what it holds for that is let go. */
  | { readonly order: 'release' }
  | { readonly order: 'resolve'; readonly step: string; readonly outcome: 'succeeded' | 'didNotHappen'; readonly output?: Json; readonly reason: string };

/** A step on its way into an interactive transaction: what it rests on goes by names, as only the transaction's owner knows the places. `digest` is what a repeat is recognised by. */
export interface AddedStep extends Omit<PlannedStep, 'after' | 'digest'> {
  readonly digest: string;
  /** `at`: where in the body it is named. */
  readonly restsOn: readonly { readonly step: string; readonly at: string }[];
}

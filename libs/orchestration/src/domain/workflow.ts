import type { Lock, StartWorkflow, StepDecision, StepError, StepStatus, WorkflowFact, WorkflowStatus } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';

/** A step as its facts have made it. `generation` rises only after it was proven that nothing happened. */
export interface Step {
  readonly status: StepStatus;
  readonly generation: number;
  /** How often it was started. */
  readonly attempts: number;
  /** Clean failures that were tried again. */
  readonly failures: number;
  /** The last decision, of this generation; `fact` is the id of the `PolicyDecided` that records it. */
  readonly decision: (StepDecision & { readonly fact: string; readonly controlEpoch: number }) | null;
  /** Number of the question in flight that asks about this step. */
  readonly asked: number | null;
  readonly askedAt: number | null;
  /** How many decisions came one shortly after the other, and when the last one did. */
  readonly asks: number;
  readonly decidedAt: number | null;
  readonly startedFact: string | null;
  readonly startedAt: number | null;
  readonly retryAt: number | null;
  readonly probe: number;
  readonly probedAt: number | null;
  /** Unknown, and nobody but a person can settle it. */
  readonly parked: boolean;
  readonly output: Json;
  readonly error: StepError | null;
  readonly actSequence: number;
  readonly resources: readonly string[];
  /** When it had succeeded. */
  readonly doneAt: number | null;
  readonly undo: Undo | null;
}

export interface Undo {
  readonly status: 'running' | 'unknown' | 'done' | 'blocked' | 'skipped';
  readonly attempt: number;
  readonly fact: string;
  readonly startedAt: number;
  readonly probe: number;
  readonly probedAt: number | null;
  readonly code: string | null;
  /** `skipped`: why the step stands, and where; null: wherever it acted. */
  readonly left?: { readonly reason: string; readonly resource: string | null };
}

export interface Workflow {
  readonly id: string;
  readonly start: StartWorkflow;
  readonly tenant: string;
  readonly status: WorkflowStatus;
  readonly createdAt: number;
  readonly deadlineAt: number;
  readonly steps: readonly Step[];
  /** Number of the last question to policy. */
  readonly questions: number;
  /** What holds it, where the status is `paused`. `failed`: a step's failure with `onFailure: pause`. */
  readonly paused: { readonly code: string; readonly by: string; readonly since: number; readonly failed: boolean } | null;
  readonly rollback: { readonly code: string; readonly reason: string; readonly by: string; readonly fact: string; readonly since: number; readonly wanted: readonly Lock[]; readonly onConflict: 'block' | 'skip' } | null;
  readonly parkedAt: number | null;
  /** What it holds; empty also after `LocksLost`. */
  readonly locks: readonly Lock[];
  readonly locksLost: boolean;
  /** What it yielded for: taken before it begins again. */
  readonly wanted: readonly Lock[];
  readonly restarts: number;
  /** Interactive: its agent has said that no step follows. */
  readonly closing: boolean;
  /** When its last fact was recorded. */
  readonly movedAt: number;
  /** Facts so far: the next one's id is `<id>/<facts + 1>`. */
  readonly facts: number;
  readonly endedAt: number | null;
  readonly traceparent: string | undefined;
}

export interface RecordedFact { readonly id: string; readonly at: number; readonly causation: string | undefined; readonly fact: WorkflowFact }

export const factId = (workflow: string, number: number): string => `${workflow}/${number}`;

export const FIRST_GENERATION = 1;
export const newStep = (): Step => ({
  status: 'pending', generation: FIRST_GENERATION, attempts: 0, failures: 0, decision: null, asked: null, askedAt: null, asks: 0, decidedAt: null, startedFact: null, startedAt: null, retryAt: null,
  probe: 0, probedAt: null, parked: false, output: null, error: null, actSequence: 0, resources: [], doneAt: null, undo: null,
});

const ENDED: readonly WorkflowStatus[] = ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled'];
export const hasEnded = ({ status }: Pick<Workflow, 'status'>): boolean => ENDED.includes(status);
/** Nothing is left to be kept for it. One that worked a task holds what it has touched until the transaction that it belongs to has ended. */
export const isClosed = (workflow: Workflow): boolean => hasEnded(workflow) && workflow.locks.length === 0;
/** Its own agent's, or somebody's on whose behalf that one acts. */
export const isItsOwn = ({ start: { agent, parent } }: Workflow, id: string): boolean => agent.id === id || parent?.chain.some(other => other.id === id) === true;
export const isForward = (workflow: Workflow): boolean => workflow.status === 'pending' || workflow.status === 'running' || workflow.status === 'awaitingApproval';
/** What is asked of the person or thing that waits: nothing moves by itself. */
export const isParked = (workflow: Workflow): boolean => workflow.status === 'paused' || workflow.status === 'rollbackBlocked';

/** Its undo was left out: it stands, whatever becomes of the others. */
export const isLeftStanding = ({ undo }: Step): boolean => undo?.status === 'skipped';
/** Held by a kill switch or by the agent's suspension: goes on by itself when that is lifted. */
export const CONTROL_CODES: readonly string[] = ['KILL_SWITCH', 'AGENT_SUSPENDED'];
/** Is something under way at an adapter, or at least not known not to be? */
export const isInFlight = ({ status, parked }: Step): boolean => status === 'running' || status === 'undoing' || (status === 'unknown' && !parked);
export const isHeldByControl = (workflow: Workflow): boolean => workflow.paused !== null && CONTROL_CODES.includes(workflow.paused.code);

import type { PrincipalRef, TaskState, TaskStatus } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';

/** Who took it, and what proves that: hex SHA-256 of the claim's token. */
export interface TaskClaim { readonly agent: string; readonly token: string; readonly at: string }

/** What is kept of a task, durably. Leases are not: they run in memory. */
export interface TaskRecord {
  readonly workflow: string;
  readonly step: string;
  /** Which task of its step: one more once the end of the one before was told. */
  readonly number: number;
  readonly from: PrincipalRef;
  /** On whose behalf the work is done: the delegating workflow's own chain, and its agent. */
  readonly chain: readonly PrincipalRef[];
  /** Whose transaction all of it is. */
  readonly root: string;
  readonly goal: string;
  /** Sealed under the delegating workflow's key. */
  readonly task: Json;
  readonly resultSchema: JsonObject | null;
  /** One of these two is null. */
  readonly agent: string | null;
  readonly role: string | null;
  readonly leaseMs: number;
  readonly onLost: 'handOver' | 'fail';
  readonly claimsMax: number;
  readonly createdAt: string;
  readonly deadlineAt: string;
  readonly status: TaskStatus;
  /** What it becomes when all is taken back. */
  readonly next: 'open' | 'failed' | 'withdrawn' | 'undone' | null;
  /** The last one is the present one. */
  readonly claims: readonly TaskClaim[];
  /** Every workflow that was ever begun for it, in order. */
  readonly children: readonly string[];
  readonly error: { readonly code: string; readonly detail: string } | null;
  /** Sealed as `task`. */
  readonly result: Json;
  /** Of what was taken back: all of it was read again, and what could not be put back exactly. */
  readonly undone: { readonly verified: boolean; readonly reason: string | null } | null;
  readonly endedAt: string | null;
}

export const TASK_ENDED: readonly TaskStatus[] = ['completed', 'failed', 'withdrawn', 'undone'];
export const hasEnded = ({ status }: Pick<TaskRecord, 'status'>): boolean => TASK_ENDED.includes(status);
export const idOf = ({ workflow, step, number }: Pick<TaskRecord, 'workflow' | 'step' | 'number'>): string => `${workflow}.${step}.${number}`;
export const claimantOf = ({ claims }: TaskRecord): string | null => claims.at(-1)?.agent ?? null;

/** Something that was done for it can't be taken back by itself. */
export interface Blocked { readonly workflow: string; readonly detail: string }

/** As its step sees it. */
export function stateOf(record: TaskRecord, blocked: Blocked | null): TaskState {
  switch (record.status) {
    case 'open': case 'claimed': return { state: 'open' };
    case 'undoing': return blocked === null ? { state: 'open', isEnding: true } : { state: 'blocked', ...blocked };
    case 'completed': return { state: 'completed', output: { result: record.result, agent: claimantOf(record) } };
    case 'failed': case 'withdrawn': return { state: 'failed', code: record.error?.code ?? 'TASK_FAILED', detail: record.error?.detail ?? 'the task was ended' };
    case 'undone': return { state: 'undone', verified: record.undone?.verified ?? true, reason: record.undone?.reason ?? null };
  }
}

/** May see it: who may claim it or has, who delegates, and people. @param roles of the agent */
export function isVisibleTo({ kind, id }: Pick<PrincipalRef, 'kind' | 'id'>, roles: readonly string[], record: TaskRecord): boolean {
  return kind !== 'agent' || record.from.id === id || record.claims.some(({ agent }) => agent === id) || (record.status === 'open' && mayClaim(id, roles, record));
}

/** Whoever is named, or has the role: but not one who has only told itself. */
export const mayClaim = (agent: string, roles: readonly string[], record: TaskRecord): boolean =>
  (record.agent === null ? record.role !== null && roles.includes(record.role) && record.from.id !== agent : record.agent === agent);

export interface ShownTask {
  readonly id: string;
  readonly status: TaskStatus;
  readonly resultSchema: JsonObject | null;
  readonly agent: string | null;
  readonly role: string | null;
  readonly from: string;
  readonly goal: string;
  readonly workflow: string;
  readonly step: string;
  readonly claim: number;
  readonly claimedBy: string | null;
  readonly leaseMs: number;
  readonly leaseUntil: string | null;
  readonly deadline: string;
  /** Workflows that were begun for it. */
  readonly children: readonly string[];
  /** What keeps what was done for it from being taken back. */
  readonly blocked: Blocked | null;
  readonly error: TaskRecord['error'];
  readonly createdAt: string;
  readonly endedAt: string | null;
}

/** Without what is sealed. @param leaseUntil in ms; null: nobody has it */
export function shown(record: TaskRecord, leaseUntil: number | null, blocked: Blocked | null): ShownTask {
  const { status, resultSchema, agent, role, from, goal, workflow, step, claims, leaseMs, deadlineAt, children, error, createdAt, endedAt } = record;
  return {
    id: idOf(record), status, resultSchema, agent, role, from: from.id, goal, workflow, step, claim: claims.length, claimedBy: claimantOf(record), leaseMs,
    leaseUntil: leaseUntil === null ? null : new Date(leaseUntil).toISOString(), deadline: deadlineAt, children, blocked, error, createdAt, endedAt,
  };
}

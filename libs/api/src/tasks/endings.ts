import type { TaskRecord } from './task-record';
import { claimantOf } from './task-record';
import type { TakenBack } from './taking-back';
import type { Change, TaskFact } from './task-store';

type Next = NonNullable<TaskRecord['next']>;
const NOTHING: TakenBack = { verified: true, reason: null };

/** The task goes on to `next` once nothing stands of what was done for it: at once where nothing was. @param now ISO */
export function ending(record: TaskRecord, next: Next, error: TaskRecord['error'], now: string, first: readonly TaskFact[] = []): Change {
  const undoing: TaskRecord = { ...record, status: 'undoing', next, error, endedAt: null };
  if (record.children.length === 0) {
    const ended = finished(undoing, NOTHING, now, false);
    return { record: ended.record, facts: [...first, ...ended.facts] };
  }
  return { record: undoing, facts: [...first, { name: 'Undoing', data: { next, ...(error === null ? {} : { code: error.code, reason: error.detail }) } }] };
}

/** All is taken back. @param isTold whether to say so: something was there to be taken back */
export function finished(record: TaskRecord, back: TakenBack, now: string, isTold = true): Change {
  const facts: TaskFact[] = isTold ? [{ name: 'Undone', data: { verified: back.verified, reason: back.reason } }] : [];
  if (record.next === 'open') return { record: { ...record, status: 'open', next: null, error: null }, facts: [...facts, offered(record)] };
  const status = record.next ?? 'undone';
  const ended: TaskRecord = { ...record, status, next: null, undone: { ...back }, endedAt: now };
  if (status === 'failed') return { record: ended, facts: [...facts, { name: 'Failed', data: { ...why(record), by: claimantOf(record) } }] };
  if (status === 'withdrawn') return { record: ended, facts: [...facts, { name: 'Withdrawn', data: why(record) }] };
  return { record: ended, facts: isTold ? facts : [{ name: 'Undone', data: { verified: true, reason: null } }] };
}

export const offered = ({ agent, role, claims, deadlineAt }: TaskRecord): TaskFact => ({ name: 'Offered', data: { to: agent, role, claims: claims.length, deadline: deadlineAt } });
const why = ({ error }: TaskRecord): { code: string; reason: string } => ({ code: error?.code ?? 'CANCELLED', reason: error?.detail ?? 'the task was ended' });

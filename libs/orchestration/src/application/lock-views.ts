import type { LockView, WorkflowHead } from '@aifirst/contracts';
import type { HeldLock, WaitedFor } from '../domain/lock-table';
import { workflowOf } from '../domain/lockers';

/** What is held as people see it, by id. @param tenantOf a workflow's, undefined: it is not open here */
export function lockViewsOf(held: readonly HeldLock[], tenantOf: (workflow: string) => string | undefined, of: string | null): readonly LockView[] {
  return held.flatMap(({ workflow: locker, resource, mode, since, waiting }) => {
    const workflow = workflowOf(locker);
    const tenant = tenantOf(workflow);
    if (tenant === undefined || (of !== null && tenant !== of) || mode.startsWith('intent')) return [];
    return [{ id: lockId(workflow, resource), tenant, resource, mode, workflow, since: new Date(since).toISOString(), waiting: waiting.map(workflowOf) }];
  }).sort((a, b) => (a.id < b.id ? -1 : 1));
}

export const waitsForOf = (wait: WaitedFor | null): Pick<WorkflowHead, 'waitsFor'> =>
  (wait === null ? {} : { waitsFor: { ...wait, holder: wait.holder === null ? null : workflowOf(wait.holder) } });

const lockId = (workflow: string, resource: string): string => `${workflow}.${Buffer.from(resource).toString('base64url')}`;

import type { Action, StatusReason } from '@aifirst/contracts';

const ADMIN = 'an administrator';
const ADMIN_OR_AGENT = 'an administrator or the agent';

const post = (workflow: string, path: string, by: string, body?: Action['body']): Action =>
  ({ method: 'POST', path: `/v1/workflows/${workflow}/${path}`, ...(body === undefined ? {} : { body }), by });

const MAY_ROLL_BACK = 'an administrator, or the agent where a role permits `rollback`';
const rollback = (workflow: string): Action => post(workflow, 'rollback', MAY_ROLL_BACK, { reason: 'why' });
const cancel = (workflow: string): Action => post(workflow, 'cancel', ADMIN_OR_AGENT);
const resume = (workflow: string, failedStep?: 'retry' | 'skip'): Action => post(workflow, 'resume', ADMIN_OR_AGENT, failedStep === undefined ? undefined : { failedStep });

export const resolutions = (workflow: string, step: string): Action[] => [
  post(workflow, `steps/${step}/resolve`, ADMIN, { outcome: 'succeeded', reason: 'how you know' }),
  post(workflow, `steps/${step}/resolve`, ADMIN, { outcome: 'didNotHappen', reason: 'how you know' }),
];

/** What moves a paused workflow on. */
export function pausedActions(workflow: string, { code, failed, killSwitch }: { code: string; failed: boolean; killSwitch?: string }, agent: string, unknownSteps: readonly string[]): Action[] {
  const waits = [rollback(workflow), cancel(workflow)];
  if (code === 'KILL_SWITCH') return [killSwitch === undefined ? { method: 'GET', path: '/v1/controls/kill-switches', by: ADMIN } : { method: 'DELETE', path: `/v1/controls/kill-switches/${killSwitch}`, by: ADMIN }, ...waits];
  if (code === 'AGENT_SUSPENDED') return [{ method: 'POST', path: `/v1/agents/${agent}/resume`, by: ADMIN }, ...waits];
  const settle = unknownSteps.flatMap(step => resolutions(workflow, step));
  if (settle.length > 0) return [...settle, ...waits];
  // Why no cancel: it would do what `onFailure` says, which is what has happened.
  return failed ? [resume(workflow, 'retry'), resume(workflow, 'skip'), rollback(workflow)] : [resume(workflow), ...waits];
}

/**
 * What moves a blocked roll-back on: settle what nobody can tell, then look at what is in the way, try again what is left, or
 * leave it out. @param leavable is there something that may be left out? What nobody can tell may not
 */
export const blockedActions = (workflow: string, unknownSteps: readonly string[], leavable: boolean): Action[] => [
  ...unknownSteps.flatMap(step => resolutions(workflow, step)),
  post(workflow, 'rollback', MAY_ROLL_BACK, { preview: true }), rollback(workflow),
  ...(leavable ? [post(workflow, 'rollback', MAY_ROLL_BACK, { reason: 'why', onConflict: 'skip' })] : []),
];

export const reasonOf = (code: string, detail: string, since: string, actions: readonly Action[] = []): StatusReason => ({ code, detail, since, actions });

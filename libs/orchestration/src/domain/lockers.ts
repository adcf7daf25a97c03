import type { Parent } from '@aifirst/contracts';
import { hasEnded, type Workflow } from './workflow';

/**
 * Under which name a workflow holds locks: `<id>`; of one that works a task `<root>/<id>` while it runs and `<root>#<id>`
 * once it has ended. All of a root's are one family, and as old as the root. What the root holds, and what those have left that
 * have ended, is in no relative's way, as it belongs to the same transaction; those that run are in each other's, or neither
 * could be taken back for itself.
 */
export const lockerOf = ({ id, start: { parent }, status }: Pick<Workflow, 'id' | 'start' | 'status'>): string =>
  (parent === undefined ? id : hasEnded({ status }) ? leftBy(parent, id) : `${parent.root}${RUNNING}${id}`);

const RUNNING = '/';
const LEFT = '#';
const leftBy = ({ root }: Parent, id: string): string => `${root}${LEFT}${id}`;

/** Where the name of the family ends. */
function familyEnd(locker: string): number {
  for (let at = 0; at < locker.length; at++) if (locker[at] === RUNNING || locker[at] === LEFT) return at;
  return locker.length;
}

export function workflowOf(locker: string): string {
  const end = familyEnd(locker);
  return end === locker.length ? locker : locker.slice(end + 1);
}

/** Neither is ever in the other's way. */
export function areOne(a: string, b: string): boolean {
  if (a === b) return true;
  const end = familyEnd(a);
  if (familyEnd(b) !== end || !b.startsWith(a.slice(0, end))) return false;
  return a[end] !== RUNNING || b[end] !== RUNNING;
}

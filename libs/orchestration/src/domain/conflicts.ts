import { expandResources, type Lock, type LockMode } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { inputOf } from './commands';
import type { Workflow } from './workflow';

/** `a` is `b`, or lies above it: `file://x/p` covers `file://x/p/q`. */
export const covers = (a: string, b: string): boolean => a === b || (b.startsWith(a) && b[a.length] === '/');
export const overlap = (a: string, b: string): boolean => covers(a, b) || covers(b, a);

/** The locks that a step needs, as far as its input is known: one per resource and an intent on everything above it. */
export function locksOf(state: Workflow, index: number): readonly Lock[] {
  const plan = state.start.steps[index]!;
  if (plan.resources.length === 0) return [];
  const resolved = inputOf(state, index);
  const input: JsonObject = resolved.ok ? resolved.value : plan.input;
  const locks: Lock[] = [];
  for (const { uri, access } of expandResources(plan.resources, plan.connection, input)) {
    const name = lockName(uri, plan.lockBase);
    const intent: LockMode = access === 'write' ? 'intentWrite' : 'intentRead';
    locks.push({ resource: name, mode: access });
    for (let parent = parentOf(name); parent !== null; parent = parentOf(parent)) locks.push({ resource: parent, mode: intent });
  }
  return locks;
}

/** `file://workspace/a/b` with base `file:///srv/data` → `file:///srv/data/a/b`. */
function lockName(uri: string, base: string | undefined): string {
  if (base === undefined) return uri;
  const path = uri.indexOf('/', uri.indexOf('://') + 3);
  return path < 0 ? base : base + uri.slice(path);
}

function parentOf(name: string): string | null {
  const cut = name.lastIndexOf('/');
  return cut <= name.indexOf('://') + 2 ? null : name.slice(0, cut);
}

const STRENGTH: Readonly<Record<LockMode, number>> = { intentRead: 0, intentWrite: 1, read: 1, write: 3 };

/** One lock per resource, the strongest mode of each, sorted by name. `read` and `intentWrite` together make `write`. */
export function merged(locks: readonly Lock[]): readonly Lock[] {
  const modes = new Map<string, LockMode>();
  for (const { resource, mode } of locks) modes.set(resource, stronger(modes.get(resource), mode));
  return [...modes].map(([resource, mode]) => ({ resource, mode })).sort((a, b) => (a.resource < b.resource ? -1 : 1));
}

export function stronger(held: LockMode | undefined, wanted: LockMode): LockMode {
  if (held === undefined || held === wanted) return wanted;
  if (STRENGTH[held] === STRENGTH[wanted]) return 'write';
  return STRENGTH[held] > STRENGTH[wanted] ? held : wanted;
}

/** Which of the wanted locks the workflow does not hold strongly enough yet. */
export function missingLocks(state: Workflow, wanted: readonly Lock[]): readonly Lock[] {
  if (wanted.length === 0) return [];
  const held = new Map(state.locks.map(lock => [lock.resource, lock.mode]));
  for (const lock of state.locks) held.set(lock.resource, stronger(held.get(lock.resource), lock.mode));
  return merged(wanted).filter(({ resource, mode }) => { const has = held.get(resource); return has === undefined || stronger(has, mode) !== has; });
}

/** Do two steps of one workflow touch the same thing, one of them writing? Then they never run at once. */
export function stepsConflict(state: Workflow, a: number, b: number): boolean {
  if (state.start.steps[a]!.reversibility === 'readOnly' && state.start.steps[b]!.reversibility === 'readOnly') return false;
  const mine = touched(state, a);
  return mine.length > 0 && touched(state, b).some(other => mine.some(uri => overlap(uri, other)));
}

/** By the target's own identity: two connections to one thing are one thing. */
export function touched(state: Workflow, index: number): readonly string[] {
  const step = state.steps[index]!;
  const plan = state.start.steps[index]!;
  if (step.resources.length > 0) return step.resources.map(uri => lockName(uri, plan.lockBase));
  if (plan.resources.length === 0) return [];
  const resolved = inputOf(state, index);
  return expandResources(plan.resources, plan.connection, resolved.ok ? resolved.value : plan.input).map(resource => lockName(resource.uri, plan.lockBase));
}

/** What a step acts on, by the target's own identity where that is known; null: nothing outside. */
export const targetOf = ({ start }: Workflow, index: number): string | null => start.steps[index]!.lockBase ?? start.steps[index]!.connection;

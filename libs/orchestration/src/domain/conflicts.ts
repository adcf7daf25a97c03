import { lockName, parentOf, type Lock, type LockMode } from '@aifirst/contracts';
import { inputOf } from './commands';
import { footprintOf } from './plan-facts';
import type { Workflow } from './workflow';

/** The locks that a step needs, as far as its input is known: one per resource and an intent on everything above it. */
export const locksOf = (state: Workflow, index: number): readonly Lock[] => footprintOf(state.start.steps[index]!, inputOf(state, index)).locks;

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

/** By the target's own identity: two connections to one thing are one thing. */
export function touched(state: Workflow, index: number): readonly string[] {
  const step = state.steps[index]!;
  const plan = state.start.steps[index]!;
  const names = plan.hasReferences && step.resources.length > 0 ? step.resources.map(uri => lockName(uri, plan.lockBase)) : footprintOf(plan, inputOf(state, index)).names;
  // Why: one transaction takes one statement at a time.
  return plan.phase === undefined ? names : [...names, `transaction://${plan.connection}`];
}

/**
 * What some steps touch. Two steps of one workflow that touch the same thing never run at once, unless both only read.
 * Asking costs as much as paths are deep, however many steps are in it.
 */
export class Busy {
  /** Names, and what lies above them. True: one of the steps may write. */
  readonly #names = new Map<string, boolean>();
  readonly #above = new Map<string, boolean>();

  add(state: Workflow, index: number): void {
    const writes = state.start.steps[index]!.reversibility !== 'readOnly';
    for (const name of touched(state, index)) {
      this.#names.set(name, writes || this.#names.get(name) === true);
      for (let above = parentOf(name); above !== null; above = parentOf(above)) this.#above.set(above, writes || this.#above.get(above) === true);
    }
  }

  isInTheWayOf(state: Workflow, index: number): boolean {
    const writes = state.start.steps[index]!.reversibility !== 'readOnly';
    const collides = (other: boolean | undefined): boolean => other === true || (other === false && writes);
    return touched(state, index).some(name => {
      if (collides(this.#above.get(name))) return true;
      for (let at: string | null = name; at !== null; at = parentOf(at)) if (collides(this.#names.get(at))) return true;
      return false;
    });
  }
}

/** What a step acts on, by the target's own identity where that is known; null: nothing outside. */
export const targetOf = ({ start }: Workflow, index: number): string | null => start.steps[index]!.lockBase ?? start.steps[index]!.connection;

import type { Workflow } from '@aifirst/orchestration';
import { sameEntries, type Change, type Target } from '../target';

export interface KeyParts { readonly workflow: string; readonly step: string; readonly generation: number; readonly direction: 'forward' | 'undo' }

export function partsOf(key: string): KeyParts {
  const [workflow, step, generation, direction] = key.split('/');
  return { workflow: workflow!, step: step!, generation: Number(generation), direction: direction as KeyParts['direction'] };
}
export const keyOf = ({ workflow, step, generation, direction }: KeyParts): string => `${workflow}/${step}/${generation}/${direction}`;

/** Which effects stand, by the ledger alone. What changed nothing counts for nothing. */
export class Effects {
  /** Forward keys whose effect is in and not taken back, per workflow. */
  private readonly standing = new Map<string, Map<string, Change>>();
  private readonly done = new Map<string, Change>();

  /** @returns the effect under the same key before it, if there was one */
  add(change: Change): Change | undefined {
    const before = this.done.get(change.key);
    if (sameEntries(change.before, change.after)) return undefined;
    this.done.set(change.key, change);
    const key = partsOf(change.key);
    const mine = this.standing.get(key.workflow) ?? new Map<string, Change>();
    this.standing.set(key.workflow, mine);
    if (key.direction === 'forward') mine.set(change.key, change);
    else this.takenBack(change.key);
    return before;
  }

  /** @param key of the undo */
  takenBack(key: string): void {
    const parts = partsOf(key);
    this.standing.get(parts.workflow)?.delete(keyOf({ ...parts, direction: 'forward' }));
  }

  of(key: string): Change | undefined { return this.done.get(key); }
  stands(key: string): boolean { return this.standing.get(partsOf(key).workflow)?.has(key) === true; }
  standingOf(workflow: string): readonly string[] { return [...(this.standing.get(workflow)?.keys() ?? [])]; }
}

/**
 * Does what stands at the target agree with what the workflow says of its steps?
 * @param settled nothing of it moves any more
 * @returns what does not agree
 */
export function disagreements(state: Workflow, effects: Effects, settled: boolean): readonly string[] {
  const wrong: string[] = [];
  const allowed = new Set<string>();
  state.start.steps.forEach(({ id, capability }, index) => {
    const step = state.steps[index]!;
    const key = keyOf({ workflow: state.id, step: id, generation: step.generation, direction: 'forward' });
    if (step.status === 'succeeded') {
      allowed.add(key);
      if (touches(capability) && effects.of(key) !== undefined && !effects.stands(key)) wrong.push(`${key} is said to stand but was taken back`);
      if (settled && state.status === 'rolledBack' && touches(capability) && step.undo?.status !== 'skipped') wrong.push(`${key} stands in a workflow that is rolled back, and nobody has left it out`);
    }
    if (['running', 'unknown', 'undoing', 'undoBlocked'].includes(step.status)) {
      allowed.add(key);
      if (settled && (step.status === 'running' || step.status === 'undoing')) wrong.push(`step ${id} is \`${step.status}\` in a workflow that is \`${state.status}\``);
    }
  });
  for (const key of effects.standingOf(state.id)) if (!allowed.has(key)) wrong.push(`${key} stands although the workflow is \`${state.status}\` and its step \`${statusOf(state, key)}\``);
  return wrong;
}

export const touches = (capability: string): boolean => capability.startsWith('sim.') && capability !== 'sim.read';

const statusOf = (state: Workflow, key: string): string => {
  const { step, generation } = partsOf(key);
  const index = state.start.steps.findIndex(({ id }) => id === step);
  const current = state.steps[index]!;
  return current.generation === generation ? current.status : `${current.status} in generation ${current.generation}`;
};

/**
 * Whoever has changed what is in the way of an undo since its step acted: workflows, or `foreign`. null: nothing was found
 * in its way.
 * @param since when the step acted
 */
export function culprits(target: Target, key: string, since: number): ReadonlySet<string> | null {
  const conflict = target.conflicts.findLast(found => found.key === key);
  if (conflict === undefined) return null;
  const paths = new Set([...conflict.expected, ...conflict.entries].map(([path]) => path).filter(path => stampAt(conflict.expected, path) !== stampAt(conflict.entries, path)));
  const changes = target.ledger.filter(({ tick, before, after }) => tick > since && tick <= conflict.tick && [...paths].some(path => stampAt(before, path) !== stampAt(after, path)));
  return new Set(changes.map(change => (change.key === 'foreign' ? 'foreign' : partsOf(change.key).workflow)));
}
export const stampAt = (entries: Change['before'], at: string): number | undefined => entries.find(([path]) => path === at)?.[1].stamp;

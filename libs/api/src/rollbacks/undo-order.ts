import { isEngineStep, lockName, overlap } from '@aifirst/contracts';
import { mayStand, onlyReads, type DoneStep } from './done-steps';

/** By the target's own identity: what a step touched. */
export const namesOf = ({ plan, resources }: DoneStep): readonly string[] => resources.map(uri => lockName(uri, plan.lockBase));

/** What a step acts on; null: nothing outside. */
const targetOf = ({ plan }: DoneStep): string | null => plan.lockBase ?? plan.connection;

/** What still has to be taken back, in the order in which that goes: a step after all that rest on it, and on one target the last act first. */
export function inUndoOrder(steps: readonly DoneStep[]): readonly DoneStep[] {
  const toUndo = new Set(steps.filter(isToBeUndone));
  const latestFirst = [...toUndo].sort((a, b) => successOf(b) - successOf(a));
  const followers = steps.map(() => 0);
  for (const { plan } of steps) for (const before of plan.after) followers[before]!++;
  const letGo = (gone: number[]): void => {
    for (let at = gone.pop(); at !== undefined; at = gone.pop()) {
      for (const before of steps[at]!.plan.after) if (--followers[before]! === 0 && !toUndo.has(steps[before]!)) gone.push(before);
    }
  };
  letGo(steps.flatMap((step, index) => (followers[index] === 0 && !toUndo.has(step) ? [index] : [])));
  const acts = new LastActs(latestFirst);
  const ordered: DoneStep[] = [];
  while (toUndo.size > 0) {
    const left = latestFirst.filter(step => toUndo.has(step));
    const next = left.find(step => followers[step.index] === 0 && acts.isLast(step)) ?? left[0]!;
    toUndo.delete(next);
    acts.delete(next);
    ordered.push(next);
    letGo([next.index]);
  }
  return ordered;
}

/** What acted last on each target, of what is still to be taken back. */
class LastActs {
  private readonly byTarget = new Map<string, DoneStep[]>();

  constructor(steps: readonly DoneStep[]) {
    for (const step of steps) {
      const target = targetOf(step);
      if (target !== null) this.byTarget.set(target, [...(this.byTarget.get(target) ?? []), step]);
    }
    for (const acted of this.byTarget.values()) acted.sort((a, b) => actOf(a) - actOf(b));
  }

  isLast(step: DoneStep): boolean {
    const target = targetOf(step);
    return target === null || [...this.byTarget].every(([other, acted]) => !overlap(other, target) || acted.length === 0 || actOf(acted.at(-1)!) <= actOf(step));
  }

  delete(step: DoneStep): void {
    const acted = this.byTarget.get(targetOf(step) ?? '');
    acted?.splice(acted.indexOf(step), 1);
  }
}

/** Why not the engine's own: they have no effect beside those of the steps that they end. */
const isToBeUndone = (step: DoneStep): boolean => mayStand(step) && !onlyReads(step) && !isEngineStep(step.plan);
/** What may still act comes last. */
const isOpen = ({ status }: DoneStep): boolean => status === 'running' || status === 'unknown';
const actOf = (step: DoneStep): number => (isOpen(step) ? Number.MAX_SAFE_INTEGER : step.actSequence);
const successOf = (step: DoneStep): number => (isOpen(step) ? Number.MAX_SAFE_INTEGER : step.actedFact);

/** Every step that one depends on, at whatever distance. */
export function allBelow(steps: readonly DoneStep[], index: number): ReadonlySet<number> {
  const below = new Set<number>();
  const open = [index];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of steps[at]!.plan.after) if (!below.has(next)) { below.add(next); open.push(next); }
  }
  return below;
}

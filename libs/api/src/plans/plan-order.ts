import type { CapabilityDescriptor, PlannedStep } from '@aifirst/contracts';
import type { PlanStep } from './plan-record';

/** The place of each step, from 1, in an order in which they may run: as they were sent, but for those that wait. */
export function ordersOf(steps: readonly Pick<PlannedStep, 'after'>[]): readonly number[] {
  const orders = new Array<number>(steps.length).fill(0);
  const waitsFor = steps.map(({ after }) => after.length);
  const followers = steps.map((): number[] => []);
  steps.forEach(({ after }, index) => { for (const before of after) followers[before]!.push(index); });
  const ready = waitsFor.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let order = 1; ready.length > 0; order++) {
    const index = ready.shift()!;
    orders[index] = order;
    for (const follower of followers[index]!) if (--waitsFor[follower]! === 0) insert(ready, follower);
  }
  return orders;
}

function insert(sorted: number[], value: number): void {
  const at = sorted.findIndex(other => other > value);
  if (at < 0) sorted.push(value);
  else sorted.splice(at, 0, value);
}

/** How a step would be taken back, as its capability declares it and the connection limits it. */
export function undoOf({ reversibility, undo }: Pick<CapabilityDescriptor, 'reversibility' | 'undo'>, limitations: readonly string[]): PlanStep['undo'] {
  if (reversibility === 'readOnly') return { how: 'exact', detail: 'it only reads: there is nothing to take back' };
  if (reversibility === 'irreversible' || undo === 'none') return { how: 'none', detail: 'nothing takes it back' };
  const limits = limitations.length === 0 ? '' : `; what limits it on this connection: ${limitations.join('; ')}`;
  return undo === 'exact'
    ? { how: 'exact', detail: `what was there before is put back and looked at again, unless somebody else has changed it since${limits}` }
    : { how: 'compensating', detail: `another call makes up for it: what comes back need not be the same in everything${limits}` };
}

/** The first step in order that nothing takes back. */
export const pointOfNoReturnOf = (steps: readonly PlanStep[]): string | null => steps.find(({ undo }) => undo.how === 'none')?.id ?? null;

import fc from 'fast-check';
import { ordersOf, pointOfNoReturnOf, undoOf } from './plan-order';
import type { PlanStep } from './plan-record';

describe('the order of a plan', () => {
  it('is that of the intent where nothing waits', () => { expect(ordersOf([{ after: [] }, { after: [] }, { after: [] }])).toEqual([1, 2, 3]); });
  it('puts a step behind what it waits for', () => { expect(ordersOf([{ after: [2] }, { after: [0] }, { after: [] }, { after: [] }])).toEqual([2, 3, 1, 4]); });
  it('names every place once, and none before those it waits for', () => {
    const plan = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 })
      .map(all => all.map((after, index) => [...new Set(after.filter(other => other < index))]))
      .chain(steps => fc.shuffledSubarray(steps.map((_, index) => index), { minLength: steps.length }).map(places => {
        const moved = steps.map((): { after: number[] } => ({ after: [] }));
        steps.forEach((after, index) => { moved[places[index]!] = { after: after.map(other => places[other]!).sort((a, b) => a - b) }; });
        return moved;
      }));
    fc.assert(fc.property(plan, steps => {
      const orders = ordersOf(steps);
      expect([...orders].sort((a, b) => a - b)).toEqual(steps.map((_, index) => index + 1));
      steps.forEach(({ after }, index) => { for (const before of after) expect(orders[before]!).toBeLessThan(orders[index]!); });
    }));
  });
});

describe('how a step is taken back', () => {
  it.each([
    ['readOnly', 'none', 'exact'], ['reversible', 'exact', 'exact'], ['compensable', 'compensating', 'compensating'], ['irreversible', 'none', 'none'], ['irreversible', 'exact', 'none'],
  ] as const)('%s with undo %s is shown as %s', (reversibility, undo, how) => { expect(undoOf({ reversibility, undo }, []).how).toBe(how); });
  it('says what limits it on its connection', () => { expect(undoOf({ reversibility: 'reversible', undo: 'exact' }, ['no trigger on `t`']).detail).toMatch(/; what limits it on this connection: no trigger on `t`$/); });
});

it('the point of no return is the first step that nothing takes back', () => {
  const step = (id: string, how: PlanStep['undo']['how']) => ({ id, undo: { how, detail: '' } }) as PlanStep;
  expect(pointOfNoReturnOf([step('a', 'exact'), step('b', 'compensating')])).toBeNull();
  expect(pointOfNoReturnOf([step('a', 'exact'), step('b', 'none'), step('c', 'none')])).toBe('b');
});

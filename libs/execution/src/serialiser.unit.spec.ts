import fc from 'fast-check';
import { Gate, Serialiser, type Turn } from './serialiser';

describe('taking turns', () => {
  it('never lets two that share a key be first at once, and lets all be first in the end', () => {
    fc.assert(fc.property(fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }), { maxLength: 20 }), fc.infiniteStream(fc.nat()), (wants, dice) => {
      const serialiser = new Serialiser();
      const waiting = new Set<Turn>();
      const working = new Map<Turn, readonly string[]>();
      const check = (): void => {
        const keys = [...working.values()].flat();
        expect(new Set(keys).size).toBe(keys.length);
      };
      for (const keys of wants) {
        const turn = serialiser.enter(keys);
        const begin = (): void => { waiting.delete(turn); working.set(turn, keys); check(); };
        if (turn.isFirst()) begin();
        else { waiting.add(turn); turn.onFirst = begin; }
      }
      while (working.size > 0) {
        const all = [...working.keys()];
        const turn = all[dice.next().value % all.length]!;
        working.delete(turn);
        turn.leave();
        check();
      }
      expect(waiting.size).toBe(0);
    }));
  });

  it('lets the next on when one leaves before its turn', () => {
    const serialiser = new Serialiser();
    const [first, second, third] = [serialiser.enter(['k']), serialiser.enter(['k']), serialiser.enter(['k'])];
    let isOn = false;
    third.onFirst = () => { isOn = true; };
    second.leave();
    second.leave();
    expect(isOn).toBe(false);
    first.leave();
    expect(isOn).toBe(true);
  });
});

describe('a gate', () => {
  it('lets so many through at once, and the next when one fails', async () => {
    const gate = new Gate(2);
    let active = 0, most = 0;
    const work = (fails: boolean) => gate.run(async () => {
      most = Math.max(most, ++active);
      await new Promise(resolve => setImmediate(resolve));
      active--;
      if (fails) throw new Error('failed');
    }).catch(() => undefined);
    await Promise.all(Array.from({ length: 9 }, (_, i) => work(i % 2 === 0)));
    expect([most, active]).toEqual([2, 0]);
  });
});

import fc from 'fast-check';
import { HeldPositions, Sequencer } from './sequencer';

describe('a sequencer', () => {
  it('takes what comes in order, drops repeats and holds what is early', () => {
    const sequencer = new Sequencer<string>({ p: 2 }, 10);
    const ready: string[] = [];
    sequencer.offer('p', 2, 'p2', ready);
    sequencer.offer('p', 5, 'p5', ready);
    sequencer.offer('p', 4, 'p4', ready);
    sequencer.offer('q', 1, 'q1', ready);
    expect(ready).toEqual(['q1']);
    expect(sequencer.gaps()).toEqual([{ producer: 'p', from: 3, to: 4 }]);
    sequencer.offer('p', 3, 'p3', ready);
    expect(ready).toEqual(['q1', 'p3', 'p4', 'p5']);
    expect([sequencer.gaps(), sequencer.held(), sequencer.lasts()]).toEqual([[], 0, { p: 5, q: 1 }]);
  });

  it('remembers that there is more where it has no room to hold it', () => {
    const sequencer = new Sequencer<number>({}, 2);
    const ready: number[] = [];
    for (const number of [2, 3, 4, 5]) sequencer.offer('p', number, number, ready);
    sequencer.offer('p', 1, 1, ready);
    expect(ready).toEqual([1, 2, 3]);
    expect(sequencer.gaps()).toEqual([{ producer: 'p', from: 4, to: 5 }]);
    for (const number of [4, 5]) sequencer.offer('p', number, number, ready);
    expect([ready, sequencer.gaps()]).toEqual([[1, 2, 3, 4, 5], []]);
  });

  it('takes each number once and in order, whatever is repeated and mixed up', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom('p', 'q'), fc.integer({ min: 1, max: 12 })), { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (offers, room) => {
      const sequencer = new Sequencer<string>({}, room);
      const ready: string[] = [];
      for (const [producer, number] of offers) sequencer.offer(producer, number, `${producer}${number}`, ready);
      for (const producer of ['p', 'q']) {
        const mine = ready.filter(name => name.startsWith(producer));
        expect(mine).toEqual(mine.map((_, i) => `${producer}${i + 1}`));
        expect(sequencer.last(producer)).toBe(mine.length);
        const most = Math.max(0, ...offers.filter(([name]) => name === producer).map(([, number]) => number));
        expect(sequencer.gaps().some(gap => gap.producer === producer && gap.from === mine.length + 1)).toBe(most > mine.length);
      }
    }), { numRuns: 300 });
  });
});

describe('held positions', () => {
  it('are let go in their order, when all before them is taken', () => {
    const held = new HeldPositions();
    held.add('p', 3, new Map([['p', 2]]));
    held.add('p', 9, new Map());
    held.add('q', 5, new Map([['q', 1]]));
    expect(held.release(producer => (producer === 'q' ? 1 : 1))).toEqual({ q: 5 });
    expect(held.release(() => 2)).toEqual({ p: 9 });
    expect(held.release(() => 99)).toEqual({});
  });

  it('are joined where many wait', () => {
    const held = new HeldPositions();
    for (let i = 1; i <= 1_000; i++) held.add('p', i, new Map([['p', i]]));
    expect(held.release(() => 999)).toEqual({ p: 63 });
    expect(held.release(() => 1_000)).toEqual({ p: 1_000 });
  });
});

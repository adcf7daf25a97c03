import fc from 'fast-check';
import { aDoneStep } from '../testing/a-done-step';
import { inUndoOrder } from './undo-order';

const order = (...steps: Parameters<typeof aDoneStep>[0][]) => inUndoOrder(steps.map((step, index) => aDoneStep({ index, actedFact: index, actSequence: index, ...step }))).map(({ plan }) => plan.id);

describe('the order of a rollback', () => {
  it('is the last act first', () => { expect(order({}, {}, {})).toEqual(['s2', 's1', 's0']); });
  it('has a step after all that rest on it, also through one that only reads', () => {
    expect(order({}, { after: [0], reversibility: 'readOnly' }, { after: [1], connection: 'other', actedFact: -1 })).toEqual(['s2', 's0']);
  });
  it('goes against the order of the acts on one target, whoever was heard of first', () => {
    expect(order({ actSequence: 5, actedFact: 1 }, { actSequence: 4, actedFact: 9 })).toEqual(['s0', 's1']);
    expect(order({ actSequence: 5, actedFact: 1 }, { actSequence: 4, actedFact: 9, connection: 'other' })).toEqual(['s1', 's0']);
  });
  it('waits for what still runs', () => { expect(order({}, { status: 'running', actSequence: 0 }, {})).toEqual(['s1', 's2', 's0']); });
  it('leaves out what is not to be undone', () => { expect(order({ status: 'undone' }, { status: 'ended' }, { reversibility: 'readOnly' }, { status: 'undoBlocked' }, { status: 'pending' })).toEqual(['s3']); });
  it('leaves out what the engine does for itself, and goes through it to what waits for that', () => {
    const engine = { ...aDoneStep({ index: 1, after: [0] }) };
    const steps = [aDoneStep({ index: 0, actedFact: 9 }), { ...engine, plan: { ...engine.plan, phase: 'prepare' as const } }, aDoneStep({ index: 2, after: [1], actedFact: 1, connection: 'other' })];
    expect(inUndoOrder(steps).map(({ index }) => index)).toEqual([2, 0]);
  });
  it('names each once, and none before what rests on it', () => {
    const graph = fc.array(fc.record({ after: fc.array(fc.nat(20), { maxLength: 3 }), connection: fc.constantFrom('a', 'b', 'c') }), { minLength: 1, maxLength: 20 });
    fc.assert(fc.property(graph, steps => {
      const done = steps.map(({ after, connection }, index) => aDoneStep({ index, actedFact: index, actSequence: index, connection, after: [...new Set(after.filter(at => at < index))] }));
      const ordered = inUndoOrder(done).map(({ index }) => index);
      expect([...ordered].sort((a, b) => a - b)).toEqual(done.map(({ index }) => index));
      done.forEach(({ index, plan }) => { for (const before of plan.after) expect(ordered.indexOf(index)).toBeLessThan(ordered.indexOf(before)); });
    }));
  });
  it('of a thousand steps takes no time', () => {
    const done = Array.from({ length: 1_000 }, (_, index) => aDoneStep({ index, actedFact: index, actSequence: index, after: index === 0 ? [] : [index - 1] }));
    const began = performance.now();
    expect(inUndoOrder(done)[0]!.index).toBe(999);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

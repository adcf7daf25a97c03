import type { StepView } from '@aifirst/contracts';
import { repeatedStepId, stepIdOfKey } from './step-ids';
import { aStep } from './testing';

const CALLED = 'x'.repeat(43);
const at = (second: number): string => new Date(second * 1_000).toISOString();
const step = (number: number, over: Partial<StepView> = {}): StepView => aStep({ id: `same-${CALLED}-${number}`, startedAt: at(10), endedAt: at(11), ...over });
const idAt = (steps: readonly StepView[], second: number): string => repeatedStepId(CALLED, steps, 5_000, second * 1_000);

describe('the id of a step', () => {
  it('is the key where that could be one, else its digest', () => {
    expect(stepIdOfKey('letter-42')).toBe('letter-42');
    const ids = ['letter 42', 'x'.repeat(65), 'a/b'].map(stepIdOfKey);
    for (const id of ids) expect(id).toMatch(/^key-[A-Za-z0-9_-]{43}$/);
    expect(new Set(ids).size).toBe(3);
    expect(stepIdOfKey('letter 42')).toBe(ids[0]);
  });

  it('of an identical call is the same within the window, whoever asks, and another one after it', () => {
    expect(idAt([], 10)).toBe(`same-${CALLED}-1`);
    expect(idAt([step(1)], 14)).toBe(`same-${CALLED}-1`);
    expect(idAt([step(1)], 15)).toBe(`same-${CALLED}-2`);
    expect(idAt([step(10, { startedAt: at(20) }), step(2), step(9)], 21)).toBe(`same-${CALLED}-10`);
  });

  it('is the same while the first has not begun, however long that takes', () => {
    expect(idAt([step(1, { status: 'pending', startedAt: null, endedAt: null })], 1_000)).toBe(`same-${CALLED}-1`);
  });

  it('is another one where the last had no effect', () => {
    for (const status of ['failed', 'skipped'] as const) expect(idAt([step(1, { status })], 11)).toBe(`same-${CALLED}-2`);
    for (const status of ['unknown', 'undone', 'running'] as const) expect(idAt([step(1, { status })], 11)).toBe(`same-${CALLED}-1`);
  });

  it('is not mistaken for another call\'s', () => {
    expect(idAt([aStep({ id: `same-${'y'.repeat(43)}-3` }), aStep({ id: `same-${CALLED}` })], 11)).toBe(`same-${CALLED}-1`);
  });
});

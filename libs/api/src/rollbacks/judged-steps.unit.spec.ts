import type { UndoPreviewAnswer } from '@aifirst/contracts';
import { aDoneStep } from '../testing/a-done-step';
import { judged, type OnConflict } from './judged-steps';
import { inUndoOrder } from './undo-order';

type Step = Parameters<typeof aDoneStep>[0];
const says = (outcome: 'wouldUndo' | 'nothingToDo' | 'wouldBlock', conflicts: unknown = []): UndoPreviewAnswer => ({ preview: { outcome, summary: `says ${outcome}`, conflicts: conflicts as [], truncated: false }, digest: outcome });
const judge = (steps: readonly (readonly [Step, UndoPreviewAnswer?])[], onConflict: OnConflict = 'block') => {
  const done = steps.map(([step], index) => aDoneStep({ index, actedFact: index, actSequence: index, ...step }));
  return judged(done, inUndoOrder(done), new Map(steps.flatMap(([, answer], index) => (answer === undefined ? [] : [[index, answer]]))), onConflict);
};
const outcomes = (...args: Parameters<typeof judge>) => judge(...args).map(({ order, id, outcome }) => `${order} ${id} ${outcome}`);

describe('what becomes of a step', () => {
  it('is what its adapter says, in the order of the undo; what there is nothing of comes last', () => {
    expect(outcomes([[{}, says('wouldUndo')], [{ reversibility: 'readOnly' }], [{}, says('nothingToDo')], [{ status: 'pending' }], [{ status: 'undone' }]])).toEqual(['1 s2 nothingToDo', '2 s0 wouldUndo', '3 s1 nothingToDo', '4 s4 nothingToDo']);
  });
  it('can not be told where nobody could look, and says why', () => {
    expect(judge([[{}, { error: { code: 'NOT_PREVIEWABLE', detail: 'it can not be shown', passing: false } }]])).toMatchObject([{ outcome: 'cannotTell', reason: 'it can not be shown', conflicts: [] }]);
  });
  it('is nothing where its capability can not be undone', () => { expect(outcomes([[{ reversibility: 'irreversible' }, says('wouldUndo')]])).toEqual(['1 s0 irreversible']); });
  it('is held back by what rests on it and is blocked, unless that is left out', () => {
    const steps: Parameters<typeof judge>[0] = [[{}, says('wouldUndo')], [{ connection: 'other', after: [0] }, says('wouldBlock', [{ resource: 'x' }])]];
    expect(judge(steps)).toMatchObject([{ id: 's1', outcome: 'wouldBlock', conflicts: [{ resource: 'x' }], reason: 'says wouldBlock' }, { id: 's0', outcome: 'wouldBlock', reason: expect.stringContaining('`s1`') }]);
    expect(outcomes(steps, 'skip')).toEqual(['1 s1 wouldBlock', '2 s0 wouldUndo']);
  });
  it('is held back by what can not be undone in the same place', () => {
    expect(outcomes([[{ path: 'd' }, says('wouldUndo')], [{ path: 'd/f', reversibility: 'irreversible' }]])).toEqual(['1 s1 irreversible', '2 s0 wouldBlock']);
    expect(outcomes([[{ path: 'd' }, says('wouldUndo')], [{ path: 'e', reversibility: 'irreversible' }]])).toEqual(['1 s1 irreversible', '2 s0 wouldUndo']);
  });
  it('can not be told where a later step lies over it that came through another connection: what is found there may be that step’s', () => {
    const elsewhere = { path: 'f', connection: 'sub', lockBase: 'file:///srv/d' };
    const beneath = { path: 'd', lockBase: 'file:///srv' };
    const seen = judge([[beneath, says('wouldBlock', [{ resource: 'x' }])], [elsewhere, says('wouldUndo')]]);
    expect(seen).toMatchObject([{ id: 's1', outcome: 'wouldUndo' }, { id: 's0', outcome: 'cannotTell', conflicts: [{ resource: 'x' }], reason: expect.stringContaining('`s1`') }]);
    expect(outcomes([[beneath, says('wouldBlock')], [elsewhere, says('nothingToDo')]])).toEqual(['1 s1 nothingToDo', '2 s0 wouldBlock']);
    expect(outcomes([[{ path: 'd' }, says('wouldBlock')], [{ path: 'd/f' }, says('wouldUndo')]])).toEqual(['1 s1 wouldUndo', '2 s0 wouldBlock']);
  });
});

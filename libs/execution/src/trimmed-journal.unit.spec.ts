import { JournalStand, UNDO_WINDOW_MS, workflowId } from './testing';
import { madeAt } from './journal-key';

const MADE_AT = madeAt(workflowId(1));
/** A journal that has done one step and forgotten it. */
async function forgetful(forgottenBefore: number): Promise<JournalStand> {
  let before = 0;
  const stand = await new JournalStand({ forgottenBefore: () => before }).start();
  await stand.send(stand.execute());
  await stand.log.commit({ lowWater: stand.log.head() + 1 });
  expect(await stand.log.trim(stand.log.head())).toEqual({ removed: 2, more: false });
  before = forgottenBefore;
  return stand;
}

describe('a journal whose old rows were removed', () => {
  it('blocks the undo of what it may have forgotten, and leaves the effect alone', async () => {
    const stand = await forgetful(MADE_AT);
    await stand.send(stand.undo());
    await stand.send(stand.undo());
    expect(await stand.reports()).toMatchObject(Array(2).fill({ direction: 'undo', outcome: 'blocked', error: { code: 'UNDO_WINDOW_OVER' } }));
    expect([stand.methods(), stand.effects()]).toEqual([['prepare', 'execute'], { [`${workflowId(1)}/s0/1/forward`]: 1 }]);
  });

  it.each(['forward', 'undo'] as const)('can not tell what came of a %s call, rather than say that it did not happen', async direction => {
    const stand = await forgetful(MADE_AT);
    await stand.send(stand.probe({ direction }));
    await stand.send(stand.probe({ direction, probe: 2 }));
    expect(await stand.reports()).toMatchObject([1, 2].map(probe => ({ direction, probe, outcome: 'cannotTell', error: { code: 'OUTCOME_UNKNOWN', clean: false } })));
  });

  it('still says of younger workflows that what it does not know did not happen', async () => {
    const stand = await forgetful(MADE_AT - 1);
    await stand.send(stand.probe({ workflow: 2 }));
    await stand.send(stand.undo({ workflow: 3 }));
    expect(await stand.reports()).toMatchObject([{ direction: 'forward', outcome: 'didNotHappen' }, { outcome: 'didNotHappen' }, { direction: 'undo', outcome: 'succeeded', reason: 'nothing had been done' }]);
  });

  it('does a new step of an old workflow', async () => {
    const stand = await forgetful(MADE_AT);
    await stand.send(stand.execute({ step: 's1', index: 1, input: { connection: 'docs', key: 'other', value: 1 } }));
    expect(await stand.outcomes()).toEqual(['s1 forward succeeded']);
  });

  it('is opened again and goes on sweeping', async () => {
    const stand = await forgetful(MADE_AT);
    stand.crash();
    await stand.start();
    await stand.send(stand.execute({ workflow: 5 }));
    await stand.clock.advance(UNDO_WINDOW_MS + 1);
    await stand.log.commit({ lowWater: stand.log.head() + 1 });
    expect(await stand.journal.sweep(stand.clock.now())).toMatchObject({ forgotten: 1, failed: 0, upTo: stand.log.head() });
  });
});

describe('the time when a workflow was made', () => {
  it('is read from ids of version 7 alone', () => {
    expect(madeAt('019c0000-0001-7000-8000-000000000001')).toBe(0x019c00000001);
    expect(madeAt('019c0000-0001-4000-8000-000000000001')).toBe(0);
  });
});

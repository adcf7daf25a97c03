import { randomUUID } from 'node:crypto';
import type { Risk } from '@aifirst/contracts';
import { MemoryStore } from '@aifirst/store/testing';
import { ADMIN, anAgent, aQuestion, aRole, aRunningService, aStep } from '../testing';
import { USES_MAX } from './uses';

async function running(store = new MemoryStore({ serviceName: 'policy' })) {
  const log = await store.open({ log: 'policy', shard: 0, owner: 'test', takeOver: true });
  const all = { store, log, ...(await aRunningService(log)) };
  let position = 0;
  const decide = async (capability: string, connection: string | null = 'docs', id = 'robo') => {
    await all.bring(++position, aQuestion([aStep(capability, { connection })], { workflow: randomUUID(), principal: { kind: 'agent', id, tenant: 'acme' } }));
    return all.answers().at(-1)!.decisions[0]!;
  };
  return { ...all, decide };
}
async function settled() {
  const all = await running();
  await all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*', 'sql.execute'], ['*']), by: ADMIN });
  for (const id of ['robo', 'other']) await all.ask.applyPrincipal(anAgent(id));
  return all;
}
const isNovel = ({ risk }: { readonly risk: Risk }): boolean => risk.factors!.some(({ factor }) => factor === 'novelty');

describe('the first use of a capability on a connection', () => {
  it('adds to the risk, once for each agent and pair', async () => {
    const { decide } = await settled();
    const novel = [await decide('fs.write'), await decide('fs.write'), await decide('fs.delete'), await decide('fs.write', 'crm'), await decide('fs.write', 'docs', 'other'), await decide('fs.write', 'crm')].map(isNovel);
    expect(novel).toEqual([true, false, true, true, true, false]);
  });
  it('is no use where it was denied', async () => {
    const { decide, ask } = await settled();
    const denied = await decide('mail.send');
    expect([denied.outcome, isNovel(denied)]).toEqual(['deny', true]);
    await ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['*'], ['*']), by: ADMIN });
    expect(isNovel(await decide('mail.send'))).toBe(true);
    expect(isNovel(await decide('mail.send'))).toBe(false);
  });
  it('is no use where it was only tried out, which records nothing at all', async () => {
    const { ask, decide, log, answers } = await settled();
    const head = log.head();
    const question = aQuestion([aStep('fs.write')]);
    const tried = [await ask.decidePlan(question), await ask.decidePlan(question)];
    expect(tried.map(({ decisions }) => isNovel(decisions[0]!))).toEqual([true, true]);
    expect(tried[0]!.decisions[0]).toMatchObject({ outcome: 'allow', policies: ['role/clerk@1'] });
    expect(Object.keys(tried[0]!.decisions[0]!)).not.toEqual(expect.arrayContaining([expect.stringMatching(/lease/i)]));
    expect([log.head(), answers().length]).toEqual([head, 0]);
    expect(isNovel(await decide('fs.write'))).toBe(true);
  });
  it('is remembered by whoever takes over, with the decision that it was', async () => {
    const before = await settled();
    await before.decide('fs.write');
    await before.log.close();
    const after = await running(before.store);
    expect([await after.decide('fs.write'), await after.decide('fs.read')].map(isNovel)).toEqual([false, true]);
  });
  it('is not remembered of a decision that was not stored', async () => {
    const all = await settled();
    const { log } = all;
    const commit = log.commit.bind(log);
    log.commit = async () => { throw new Error('away'); };
    await expect(all.decide('fs.write')).rejects.toThrow('away');
    log.commit = commit;
    expect(isNovel(await all.decide('fs.write'))).toBe(true);
  });
  it('is new again when it is long ago and much came since, or the agent was deleted', async () => {
    const { decide, ask, log } = await settled();
    for (let index = 0; index <= USES_MAX; index++) await decide('fs.write', `c${index}`);
    expect([await decide('fs.write', 'c1'), await decide('fs.write', 'c0')].map(isNovel)).toEqual([false, true]);
    expect(((await log.getDocument('uses', 'acme', 'agent/robo'))!.data['pairs'] as string[]).length).toBe(USES_MAX);
    await ask.applyPrincipal(anAgent('robo', { deleted: true, revision: 2 }));
    expect(await log.getDocument('uses', 'acme', 'agent/robo')).toBeNull();
  });
  it('reaches policies as part of the score', async () => {
    const { ask, decide } = await settled();
    await ask.putPolicy({ tenant: 'acme', name: 'known-only', value: { cedar: 'forbid (principal, action, resource) when { context.risk.score == 25 };' }, by: ADMIN });
    await ask.activatePolicy({ tenant: 'acme', name: 'known-only', version: 1, by: ADMIN });
    expect((await decide('fs.write')).outcome).toBe('deny');
    expect((await decide('fs.read')).outcome).toBe('allow');
  });
});

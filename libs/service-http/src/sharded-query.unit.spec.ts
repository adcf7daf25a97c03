import { shardOf } from '@aifirst/bus';
import { OperationalError, Refusal } from '@aifirst/kernel';
import type { Address } from './question-path';
import { ShardedQuery } from './sharded-query';

const OF = 4;
const WORKFLOWS = Array.from({ length: 40 }, (_, n) => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`);
const asked: [Address, string, unknown][] = [];
beforeEach(() => { asked.length = 0; });

function sharded(answer: (shard: number, question: string, body: never) => unknown) {
  return new ShardedQuery({
    shardsOf: service => (service === 'orchestrator' || service === 'adapter-os' ? OF : 1),
    query: { ask: async (address, question, body) => { asked.push([address, question, body]); return await answer(Number(address.split('.')[1]), question, body as never) as never; } },
  });
}
const away = (): never => { throw new OperationalError('SERVICE_UNAVAILABLE', 'nobody', { retryable: true }); };
const notFound = (): never => { throw new Refusal({ code: 'NOT_FOUND', detail: 'none' }); };

describe('questions to a service whose work is shared', () => {
  it('leave one that is not alone', async () => {
    expect(await sharded(() => 'x').ask('policy', 'order', { workflow: WORKFLOWS[0] })).toBe('x');
    expect(asked).toEqual([['policy', 'order', { workflow: WORKFLOWS[0] }]]);
  });

  it.each(['order', 'facts'])('take `%s` to the shard of the workflow', async question => {
    for (const workflow of WORKFLOWS) await sharded(() => ({})).ask('orchestrator', question, { workflow });
    expect(asked.map(([address]) => address)).toEqual(WORKFLOWS.map(workflow => `orchestrator.${shardOf(workflow, OF)}`));
  });

  it.each(['previewUndo', 'takeOver'])('take `%s` to the shard whose journal has the workflow', async question => {
    for (const workflow of WORKFLOWS) await sharded(() => ({})).ask('adapter-os', question, { workflow, step: 's' });
    expect(asked.map(([address]) => address)).toEqual(WORKFLOWS.map(workflow => `adapter-os.${shardOf(workflow, OF)}`));
  });

  it('take a lock to be broken to the shard of the workflow that holds it', async () => {
    await sharded(() => ({})).ask('orchestrator', 'breakLock', { id: `${WORKFLOWS[7]}.Zm9v` });
    expect(asked[0]![0]).toBe(`orchestrator.${shardOf(WORKFLOWS[7]!, OF)}`);
  });

  it('ask each shard for the heads of its own workflows, and take the largest lag', async () => {
    const query = sharded((shard, _question, { workflows }: { workflows: string[] }) => ({ items: workflows.map(workflow => ({ workflow, facts: shard })), lag: shard }));
    const { items, lag } = await query.ask<{ items: { workflow: string; facts: number }[]; lag: number }>('orchestrator', 'workflowHeads', { workflows: WORKFLOWS });
    expect(lag).toBe(OF - 1);
    expect(new Map(items.map(({ workflow, facts }) => [workflow, facts]))).toEqual(new Map(WORKFLOWS.map(workflow => [workflow, shardOf(workflow, OF)])));
  });

  it('put locks of all shards into one page in order, and what is in use into one list', async () => {
    const locks = sharded((shard, _question, { after, limit }: { after?: string; limit: number }) => ({ items: [`${shard}a`, `${9 - shard}b`].map(id => ({ id })).filter(({ id }) => after === undefined || id > after).slice(0, limit) }));
    const first = await locks.ask<{ items: { id: string }[] }>('orchestrator', 'locks', { tenant: null, limit: 5 });
    const second = await locks.ask<{ items: { id: string }[] }>('orchestrator', 'locks', { tenant: null, limit: 5, after: first.items.at(-1)!.id });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(['0a', '1a', '2a', '3a', '6b', '7b', '8b', '9b']);
    expect(await sharded(shard => ({ workflows: [`w${shard}`] })).ask('orchestrator', 'inUse', {})).toEqual({ workflows: ['w0', 'w1', 'w2', 'w3'] });
  });

  it('find a log by its number, and none that there is not', async () => {
    await sharded(() => ({})).ask('adapter-os', 'readLog', { source: 'adapter-os/2', after: 0, limit: 1 });
    expect(asked[0]![0]).toBe('adapter-os.2');
    await sharded(() => ({})).ask('adapter-os', 'sqlHeldUntil', { source: 'adapter-os/3' });
    expect(asked.at(-1)![0]).toBe('adapter-os.3');
    for (const source of ['adapter-os/4', 'adapter-os', '', 'adapter-os/-1']) await expect(sharded(() => ({})).ask('adapter-os', 'logHead', { source })).rejects.toThrow(Refusal);
  });

  it('ask one shard after the other what is about none, while nothing was done there', async () => {
    expect(await sharded(shard => (shard < 2 ? away() : shard)).ask('adapter-os', 'capabilities', {})).toBe(2);
    expect(await sharded(shard => (shard < 3 ? notFound() : shard)).ask('orchestrator', 'replayDeadLetter', { id: 'x' })).toBe(3);
    await expect(sharded(notFound).ask('orchestrator', 'replayDeadLetter', { id: 'x' })).rejects.toMatchObject({ problems: [{ code: 'NOT_FOUND' }] });
    asked.length = 0;
    await expect(sharded(() => { throw new OperationalError('SERVICE_TIMEOUT', 'perhaps', { retryable: true }); }).ask('orchestrator', 'replayDeadLetter', { id: 'x' })).rejects.toThrow('perhaps');
    expect(asked).toHaveLength(1);
  });

  it('fail as a whole where one of all fails', async () => {
    await expect(sharded(shard => (shard === 1 ? away() : { items: [] })).ask('orchestrator', 'locks', { tenant: null, limit: 1 })).rejects.toThrow('nobody');
  });
});

import { OperationalError } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import type { Fate } from '@aifirst/store/testing';
import { ADMIN, aStep, aWorkflow, drained, OrchestratorStand, TENANT, workflowId } from '../testing';

const A = workflowId(1);
const chain = [aStep('a'), aStep('b', { after: [0] }), aStep('c', { after: [1] })];
const START = { topic: 'aifirst.orchestration.workflow.commands.v1', type: 'aifirst.orchestration.start-workflow.v1' };
const delivery = (workflow: string, position: number) => ({
  source: 'gateway/0', position,
  message: { topic: START.topic, key: workflow, event: { specversion: '1.0' as const, id: `g${position}`, type: START.type, source: '/test', time: '', subject: workflow, tenant: TENANT, producer: 'gateway/0', data: aWorkflow(chain, { workflow }) as never } },
});
const STOPPED = { code: 'STOPPED', retryable: true };

describe('a commit that the store can not take right now', () => {
  it.each<Fate>(['refused', 'unknownStored', 'unknownAbsent'])('is tried again until it can, and stored once (%s)', async fate => {
    const stand = await new OrchestratorStand().start();
    let commits = 0;
    stand.store.fate = () => (++commits % 3 === 0 ? 'stored' : fate);
    await stand.submit(aWorkflow(chain, { workflow: A })).run();
    const order = stand.order(A, { order: 'rollback', reason: 'x' });
    await stand.pass(10_000);
    expect(await order).toEqual({ sequence: expect.any(Number) });
    expect([await stand.statuses(A), stand.fatal, stand.rejected, stand.standing()]).toEqual([['rolledBack'], [], [], []]);
    const ids = (await stand.rows(A)).flatMap(row => row.messages.map(({ event }) => `${event.type} ${event.id}`));
    expect(new Set(ids).size).toBe(ids.length);
  });
  it('holds up a stop no longer than the try that is under way', async () => {
    const stand = await new OrchestratorStand().start();
    stand.store.fate = () => 'refused';
    const handled = stand.orchestrator.handle({ deliveries: [delivery(A, 1)], positions: { 'gateway/0': 1 } });
    const refused = expect(handled).rejects.toMatchObject(STOPPED);
    await drained();
    await stand.orchestrator.stop();
    await refused;
    expect(stand.fatal).toEqual([]);
  });
});

describe('a commit that fails for good', () => {
  const waiting = async (stand: OrchestratorStand) => {
    const { orchestrator } = stand;
    const first = orchestrator.handle({ deliveries: [delivery(A, 1)], positions: { 'gateway/0': 1 } });
    await Promise.resolve();
    await Promise.resolve();
    // Why: these come while the commit is under way.
    const all = [first, orchestrator.handle({ deliveries: [delivery(workflowId(2), 2)], positions: { 'gateway/0': 2 } }), orchestrator.handle({ deliveries: [], positions: { 'gateway/0': 3 } }),
      orchestrator.order({ tenant: TENANT, workflow: A, by: ADMIN, order: { order: 'pause' } })];
    return (await Promise.allSettled(all)).map(result => (result.status === 'rejected' ? result.reason as unknown : 'fulfilled'));
  };

  it('is said once, and everybody who waits is told, whoever comes later too', async () => {
    const stand = await new OrchestratorStand().start();
    await stand.store.open({ log: 'orchestrator', shard: 0, owner: 'another', takeOver: true });
    const told = await waiting(stand);
    expect(told.map(error => error instanceof Fenced)).toEqual([true, true, true, true]);
    await expect(stand.orchestrator.handle({ deliveries: [], positions: {} })).rejects.toThrow(Fenced);
    await expect(stand.order(A, { order: 'pause' })).rejects.toThrow(Fenced);
    expect(stand.fatal).toHaveLength(1);
    await stand.orchestrator.stop();
  });
  it('lets the bus park nothing where no message is to blame', async () => {
    const stand = await new OrchestratorStand().start();
    stand.store.fate = () => { throw new OperationalError('STORE_FAILED', 'the disk is full'); };
    expect(await waiting(stand)).toMatchObject([STOPPED, STOPPED, STOPPED, STOPPED]);
    await expect(stand.orchestrator.handle({ deliveries: [delivery(A, 4)], positions: {} })).rejects.toMatchObject(STOPPED);
    expect(stand.fatal).toMatchObject([{ code: 'STORE_FAILED' }]);
  });
});

describe('a stop', () => {
  it('ends the round under way and turns away the rest', async () => {
    const stand = await new OrchestratorStand().start();
    await stand.submit(aWorkflow([aStep('a', { resources: [{ uri: 'file://x/{path}', access: 'write' }], input: { path: 'p' } }), aStep('b', { after: [0] })], { workflow: A })).run();
    const open = workflowId(2);
    stand.adapter = () => null;
    await stand.submit(aWorkflow([aStep('a', { resources: [{ uri: 'file://x/{path}', access: 'write' }], input: { path: 'p' } })], { workflow: open })).run();
    const [lock] = stand.orchestrator.locks(null);
    const under = stand.orchestrator.handle({ deliveries: [delivery(workflowId(3), 1)], positions: { 'gateway/0': 1 } });
    await Promise.resolve();
    await Promise.resolve();
    const queued = expect(stand.orchestrator.handle({ deliveries: [delivery(workflowId(4), 2)], positions: { 'gateway/0': 2 } })).rejects.toMatchObject(STOPPED);
    const ordered = expect(stand.order(A, { order: 'rollback', reason: 'x' })).rejects.toMatchObject(STOPPED);
    await stand.orchestrator.stop();
    await under;
    await queued;
    await ordered;
    await expect(stand.orchestrator.breakLock(null, lock!.id, ADMIN, 'x')).rejects.toMatchObject(STOPPED);
    await expect(stand.orchestrator.handle({ deliveries: [], positions: {} })).rejects.toMatchObject(STOPPED);
    expect([stand.fatal, stand.nextTimerAt]).toEqual([[], Infinity]);
    // Why: what was taken is stored, what was turned away is not.
    expect((await stand.rows()).some(row => row.stream === workflowId(3))).toBe(true);
    expect((await stand.rows()).some(row => row.stream === workflowId(4))).toBe(false);
    expect(stand.log.positions()['gateway/0']).toBe(1);
  });
});

it('makes several commits of a flood of plans', async () => {
  const stand = await new OrchestratorStand().start();
  const plan = Array.from({ length: 1_000 }, (_, i) => aStep(`s${i}`, i === 0 ? {} : { after: [0] }));
  let commits = 0;
  stand.store.fate = () => { commits += 1; return 'stored'; };
  stand.policy = () => null;
  await stand.submit(...Array.from({ length: 12 }, (_, i) => aWorkflow(plan, { workflow: workflowId(i + 1) }))).run();
  expect([commits, stand.orchestrator.openWorkflows, stand.log.positions()['services/0']]).toEqual([2, 12, 12]);
});

it('tells a workflow of a change of what holds that came while its first commit was under way', async () => {
  const stand = await new OrchestratorStand().start();
  stand.held = { epoch: null, hold: null };
  const handled = stand.orchestrator.handle({ deliveries: [delivery(A, 1)], positions: { 'gateway/0': 1 } });
  await Promise.resolve();
  await Promise.resolve();
  await stand.hold({ epoch: 1, hold: null });
  await handled;
  await stand.run();
  expect(await stand.statuses(A)).toEqual(['completed']);
});

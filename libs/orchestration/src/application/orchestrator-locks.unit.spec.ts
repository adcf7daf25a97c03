import type { PlannedStep, StartWorkflow } from '@aifirst/contracts';
import { ADMIN, aStep, aWorkflow, MemoryLockLog, OrchestratorStand, workflowId } from '../testing';

const [A, B, C] = [workflowId(1), workflowId(2), workflowId(3)] as const;
const write = (id: string, path: PlannedStep['input'][string], change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const revealed = (id: string, by: string, change: Partial<PlannedStep> = {}) => write(id, { $ref: `#/steps/${by}/output/value` }, { hasReferences: true, ...change });
const HOLD = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: false } } as const;
const FREE = { epoch: 3, hold: null } as const;

/** The same rules hold where the locks are in the orchestrator's own table, and where they are shared. */
let makeStand: () => OrchestratorStand;
const shared = (): OrchestratorStand => {
  const stand = new OrchestratorStand();
  stand.lockLog = new MemoryLockLog({ epochOf: () => stand.log.epoch });
  return stand;
};

/** `first` holds `x` and never reports; the others wait for it. */
const queue = async (...others: readonly StartWorkflow[]) => {
  const stand = await makeStand().start();
  stand.adapter = ({ workflow, kind }) => (workflow === A && kind !== 'undo' ? null : { outcome: 'succeeded', verified: true, output: { value: 'x' } });
  await stand.submit(aWorkflow([write('a', 'x')], { workflow: A })).run();
  await stand.submit(...others).run();
  return stand;
};
const done = { workflow: A, step: 'a', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: null, actSequence: 1 } as const;
const started = (stand: OrchestratorStand) => stand.served.filter(({ kind }) => kind === 'execute').map(({ workflow }) => workflow);

describe.each([['of its own', () => new OrchestratorStand()], ['that are shared', shared]] as const)('with locks %s', (_, make) => {
  beforeAll(() => { makeStand = make; });

  describe('workflows on one thing', () => {
    it('take turns in order of age, whoever asked first', async () => {
      const ids = Array.from({ length: 20 }, (_, i) => workflowId(100 - i));
      const stand = await queue(...ids.map(workflow => aWorkflow([write('b', 'x')], { workflow })));
      expect(stand.orchestrator.locks(null).find(({ resource }) => resource.endsWith('/x'))!.waiting).toHaveLength(20);
      await stand.reported(done).run();
      expect(started(stand)).toEqual([A, ...[...ids].sort()]);
      expect(stand.orchestrator.locks(null)).toEqual([]);
    });
    it('many of them in no time', async () => {
      const ids = Array.from({ length: 300 }, (_, i) => workflowId(i + 1));
      const stand = await makeStand().start();
      const before = process.cpuUsage().user;
      await stand.submit(...ids.map(workflow => aWorkflow([write('b', 'x')], { workflow }))).run();
      expect(started(stand)).toEqual(ids);
      expect((process.cpuUsage().user - before) / 1_000).toBeLessThan(15_000);
    });
    it('that cross by what references reveal both end, the younger one after it has begun again', async () => {
      const stand = await makeStand().start();
      stand.adapter = ({ workflow, step, kind }) => ({ outcome: 'succeeded', verified: true, output: { value: step === 'name' ? (workflow === A ? 'y' : 'x') : kind } });
      const crossing = (first: string) => [write('first', first), aStep('name', { after: [0] }), revealed('second', 'name', { after: [1] })];
      await stand.submit(aWorkflow(crossing('x'), { workflow: A }), aWorkflow(crossing('y'), { workflow: B })).run();
      expect(await stand.statuses(A, B)).toEqual(['completed', 'completed']);
      expect([(await stand.workflow(A)).restarts, (await stand.workflow(B)).restarts]).toEqual([0, 1]);
      expect(stand.standing()).toHaveLength(6);
    });
    it('do not hold up their own steps that need nothing more', async () => {
      const stand = await queue(aWorkflow([write('own', 'y'), aStep('name', { after: [0] }), revealed('late', 'name', { after: [1] }), write('free', 'z', { after: [1] })], { workflow: workflowId(0) }));
      expect((await stand.workflow(workflowId(0))).steps.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'pending', 'succeeded']);
      expect(await (await stand.reported(done).run()).statuses(workflowId(0))).toEqual(['completed']);
    });
  });

  describe('one that waits', () => {
    const both = [aWorkflow([write('b', 'x'), write('b2', 'y')], { workflow: B, deadlineMs: 20_000 }), aWorkflow([write('c', 'y')], { workflow: C })] as const;

    it.each([
      ['is cancelled', async (stand: OrchestratorStand) => { await stand.order(B, { order: 'cancel' }); }, 'cancelled'],
      ['is rolled back', async (stand: OrchestratorStand) => { await stand.order(B, { order: 'rollback', reason: 'x' }); }, 'rolledBack'],
      ['is paused', async (stand: OrchestratorStand) => { await stand.order(B, { order: 'pause' }); }, 'paused'],
      ['reaches its deadline', async (stand: OrchestratorStand) => { await stand.pass(20_000); }, 'rolledBack'],
    ])('stands in nobody’s way once it %s, and is given nothing', async (_, act, status) => {
      const stand = await queue(...both);
      expect(await stand.statuses(B, C)).toEqual(['pending', 'pending']);
      await act(stand);
      await stand.run();
      expect(await stand.statuses(B, C)).toEqual([status, 'completed']);
      await stand.reported(done).run();
      expect((await stand.facts(B)).filter(name => name === 'locks-taken')).toEqual([]);
      expect(stand.orchestrator.locks(null)).toEqual([]);
    });
    it('asks again once it is resumed', async () => {
      const stand = await queue(...both);
      await stand.order(B, { order: 'pause' });
      await stand.reported(done).run();
      await stand.order(B, { order: 'resume' });
      expect(await (await stand.run()).statuses(A, B, C)).toEqual(['completed', 'completed', 'completed']);
    });
    it('is given nothing while a switch holds it, and goes on when that is lifted', async () => {
      const stand = await queue(...both);
      await stand.hold(HOLD);
      await stand.reported(done).run();
      await stand.order(A, { order: 'cancel' });
      await stand.run();
      expect([await stand.statuses(A, B, C), stand.orchestrator.locks(null)]).toEqual([['rolledBack', 'paused', 'paused'], []]);
      await stand.hold(FREE);
      expect(await stand.statuses(B, C)).toEqual(['completed', 'completed']);
    });
    it('is not late where all was done before it was held', async () => {
      const stand = await queue();
      await stand.hold(HOLD);
      await stand.reported(done).pass(3_600_000);
      expect(await stand.statuses(A)).toEqual(['paused']);
      await stand.hold(FREE);
      expect(await stand.statuses(A)).toEqual(['completed']);
    });
    it('stays where it is while nobody knows what holds', async () => {
      const stand = await queue(...both);
      await stand.hold(HOLD);
      await stand.hold({ epoch: null, hold: null });
      await stand.pass(1_000);
      expect(await stand.statuses(B, C)).toEqual(['paused', 'paused']);
      expect(await stand.facts(B)).not.toContain('workflow-resumed');
    });
    it('waits again after a restart, behind whoever holds', async () => {
      const stand = await queue(...both);
      await stand.restart();
      expect(await (await stand.run()).statuses(A, B, C)).toEqual(['running', 'pending', 'pending']);
      expect(await (await stand.reported(done).run()).statuses(A, B, C)).toEqual(['completed', 'completed', 'completed']);
    });
  });

  describe('locks', () => {
    it('of what is parked for 15 minutes block nobody, and are taken again before it goes on', async () => {
      const stand = await queue(aWorkflow([write('b', 'x')], { workflow: B, deadlineMs: 86_400_000 }));
      stand.adapter = ({ workflow, step }) => (workflow === A ? { outcome: 'failed', error: { code: 'NO', detail: step, clean: true } } : null);
      await stand.submit(aWorkflow([write('c', 'z'), write('c2', 'z', { after: [0] })], { workflow: C, onFailure: 'pause' })).run();
      stand.reported({ ...done, workflow: C, step: 'c' });
      stand.reported({ ...done, workflow: C, step: 'c2', index: 1, outcome: 'failed', error: { code: 'NO', detail: 'no', clean: true } });
      const D = workflowId(4);
      await stand.submit(aWorkflow([write('d', 'z')], { workflow: D, deadlineMs: 86_400_000 })).run();
      expect(await stand.statuses(C, D)).toEqual(['paused', 'pending']);
      await stand.pass(15 * 60_000 + 1);
      expect([await stand.statuses(D), (await stand.facts(C)).at(-1)]).toEqual([['running'], 'locks-lost']);
      await stand.order(C, { order: 'rollback', reason: 'x' });
      await stand.run();
      // Why: D writes there, so C must not take anything back now.
      expect([await stand.statuses(C), stand.served.filter(({ kind, workflow }) => kind === 'undo' && workflow === C)]).toEqual([['rollingBack'], []]);
      stand.adapter = () => ({ outcome: 'succeeded', verified: true });
      await stand.reported({ ...done, workflow: D, step: 'd' }).run();
      expect(await stand.statuses(C, D)).toEqual(['rolledBack', 'completed']);
    });
    it('stay with what is parked as long as something of it runs', async () => {
      const stand = await queue(aWorkflow([write('b', 'x')], { workflow: B, deadlineMs: 86_400_000 }));
      const slow = workflowId(5);
      await stand.submit(aWorkflow([write('s', 'q', { timeoutMs: 3_600_000 })], { workflow: slow, deadlineMs: 86_400_000 })).run();
      expect(await stand.statuses(slow)).toEqual(['completed']);
      stand.adapter = () => null;
      const slower = workflowId(6);
      await stand.submit(aWorkflow([write('s', 'r', { timeoutMs: 3_600_000 })], { workflow: slower, deadlineMs: 86_400_000 })).run();
      await stand.order(slower, { order: 'pause' });
      await stand.pass(20 * 60_000);
      expect(await stand.facts(slower)).not.toContain('locks-lost');
      await stand.reported({ ...done, workflow: slower, step: 's' }).pass(1_000);
      expect((await stand.facts(slower)).slice(-1)).toEqual(['locks-lost']);
    });
    it('that an administrator breaks go to who waits, and are shown while they are held', async () => {
      const stand = await queue(aWorkflow([write('b', 'x')], { workflow: B }));
      const view = stand.orchestrator.locks(null);
      expect(view).toMatchObject([{ workflow: A, resource: 'file://w/x', mode: 'write', waiting: [B] }]);
      await stand.orchestrator.breakLock(null, view[0]!.id, ADMIN, 'A is asleep');
      expect(await (await stand.run()).statuses(A, B)).toEqual(['running', 'completed']);
    });
    it('are waited for by a rollback after the end while another holds them', async () => {
      const stand = await makeStand().start();
      await stand.submit(aWorkflow([write('b', 'x')], { workflow: B })).run();
      stand.adapter = ({ workflow, kind }) => (workflow === A && kind !== 'undo' ? null : { outcome: 'succeeded', verified: true });
      await stand.submit(aWorkflow([write('a', 'x')], { workflow: A })).run();
      await stand.order(B, { order: 'rollback', reason: 'after all' });
      await stand.run();
      expect([await stand.statuses(B), stand.served.some(({ kind }) => kind === 'undo')]).toEqual([['rollingBack'], false]);
      await expect(stand.order(B, { order: 'rollback', reason: 'again' })).rejects.toMatchObject({ code: 'WRONG_STATE' });
      await stand.restart();
      await stand.run();
      expect(stand.served.some(({ kind }) => kind === 'undo')).toBe(false);
      expect(await (await stand.reported(done).run()).statuses(A, B)).toEqual(['completed', 'rolledBack']);
    });
  });
});

import type { Parent, PlannedStep, PrincipalRef } from '@aifirst/contracts';
import { MemoryLockLog } from '../testing/memory-lock-log';
import { aStep, aWorkflow, OrchestratorStand, TENANT, workflowId } from '../testing';

const GATEWAY: PrincipalRef = { kind: 'service', id: 'gateway', tenant: TENANT };
const LEADER: PrincipalRef = { kind: 'agent', id: 'agent', tenant: TENANT };
const DELEGATE: PrincipalRef = { kind: 'agent', id: 'delegate', tenant: TENANT };
const [OLDER, ROOT, CHILD, SIBLING, YOUNGER] = [1, 2, 3, 4, 5].map(workflowId) as [string, string, string, string, string];

const file = (id: string, path: string, change: Partial<PlannedStep> = {}): PlannedStep =>
  aStep(id, { capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change });
const task = (id: string, change: Partial<PlannedStep> = {}): PlannedStep => aStep(id, { capability: 'agent.task', input: { role: 'clerk', task: 'x' }, timeoutMs: 600_000, ...change });
const parentOf = (step: string): Parent => ({ workflow: ROOT, step, task: `${ROOT}.${step}.1`, root: ROOT, chain: [LEADER] });
const child = (id: string, step: string, ...steps: readonly PlannedStep[]) => aWorkflow(steps, { workflow: id, agent: DELEGATE, parent: parentOf(step) });

/** A stand whose tasks are open until the test says what came of them, and whose undo waits for what a gateway would do first. */
class Delegating extends OrchestratorStand {
  constructor() {
    super();
    const others = this.adapter;
    this.adapter = command => (command.capability === 'agent.task' && command.kind === 'execute' ? null : others(command));
  }

  async done(step: string, index: number): Promise<this> {
    this.reported({ workflow: ROOT, step, index, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: { result: null, agent: 'delegate' }, actSequence: 1_000 + index });
    return this.run();
  }

  undone(): readonly string[] { return this.served.flatMap(command => (command.kind === 'undo' ? [`${command.workflow === ROOT ? 'root' : 'child'}/${command.step}`] : [])); }
}

describe.each(['locks of its own', 'shared locks'])('a workflow that works a task, with %s', kind => {
  const begun = async (...steps: readonly PlannedStep[]): Promise<Delegating> => {
    const stand = new Delegating();
    if (kind === 'shared locks') stand.lockLog = new MemoryLockLog({ epochOf: () => stand.log.epoch });
    await stand.start();
    await stand.submit(aWorkflow(steps, { workflow: ROOT })).pass(200);
    return stand;
  };

  it('touches what its root holds, and is asked about for everybody in the chain', async () => {
    const stand = await begun(file('before', 'f'), task('t', { after: [0] }));
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    expect(await stand.statuses(ROOT, CHILD)).toEqual(['running', 'completed']);
    const asked = stand.served.flatMap(command => (command.kind === 'decide' ? [[command.workflow, command.chain]] : []));
    expect(asked).toEqual([[ROOT, undefined], [CHILD, [LEADER]]]);
  });

  it('keeps what it has touched from others until it is released, also over a restart', async () => {
    const stand = await begun(task('t'));
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    await stand.submit(aWorkflow([file('x', 'f')], { workflow: YOUNGER })).pass(200);
    expect(await stand.statuses(CHILD, YOUNGER)).toEqual(['completed', 'pending']);
    expect(stand.orchestrator.locks(null).map(({ workflow, waiting }) => [workflow, waiting])).toEqual([[CHILD, [YOUNGER]]]);
    await (await stand.restart()).pass(200);
    expect(await stand.statuses(CHILD, YOUNGER)).toEqual(['completed', 'pending']);
    await stand.done('t', 0);
    expect(await stand.statuses(ROOT, YOUNGER)).toEqual(['completed', 'pending']);
    const released = stand.order(CHILD, { order: 'release' }, GATEWAY);
    await stand.pass(200);
    expect([(await released).sequence > 0, await stand.statuses(YOUNGER), stand.orchestrator.openWorkflows, await stand.facts(CHILD)]).toEqual([true, ['completed'], 0, expect.arrayContaining(['locks-lost'])]);
    const again = stand.order(CHILD, { order: 'release' }, GATEWAY);
    await stand.pass(200);
    expect((await again).sequence).toBe(0);
  });

  it('may build on what others of the family have left, and is kept from what one of them still works on', async () => {
    const stand = await begun(task('t'), task('u'));
    const others = stand.adapter;
    stand.adapter = command => (command.workflow === CHILD && command.step === 'slow' && command.kind === 'execute' ? null : others(command));
    await stand.submit(child(CHILD, 't', file('slow', 'f'))).pass(200);
    await stand.submit(child(SIBLING, 'u', file('b', 'f'))).pass(200);
    const { status, steps: [step] } = await stand.workflow(SIBLING);
    expect([status, step!.error!.code, step!.error!.detail]).toEqual(['rolledBack', 'LOCKED', expect.stringContaining(CHILD)]);
    stand.reported({ workflow: CHILD, step: 'slow', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: {}, actSequence: 5 });
    await stand.pass(200);
    const third = workflowId(6);
    await stand.submit(child(third, 'u', file('b', 'f'))).pass(200);
    expect(await stand.statuses(CHILD, third)).toEqual(['completed', 'completed']);
  });

  it('fails with LOCKED and does not begin again where an older workflow of others holds what it needs', async () => {
    const stand = await begun(task('t'));
    const others = stand.adapter;
    stand.adapter = command => (command.workflow === OLDER && command.kind === 'execute' ? null : others(command));
    await stand.submit(aWorkflow([file('x', 'f')], { workflow: OLDER })).pass(200);
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    expect([await stand.statuses(CHILD), (await stand.workflow(CHILD)).steps[0]!.error!.code, await stand.facts(CHILD)]).toEqual([['rolledBack'], 'LOCKED', expect.not.arrayContaining(['workflow-restarted'])]);
  });

  it('is taken back by the gateway when it has ended, and by nobody else', async () => {
    const stand = await begun(task('t'));
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    for (const by of [DELEGATE, LEADER, { ...LEADER, kind: 'person', id: 'admin' } as const]) {
      const refused = stand.order(CHILD, { order: 'rollback', reason: 'no' }, by).catch((error: unknown) => error);
      await stand.run();
      expect(await refused).toMatchObject({ problems: [{ code: 'WRONG_STATE', detail: expect.stringContaining(ROOT) as string }] });
    }
    const taken = stand.order(CHILD, { order: 'rollback', reason: 'the task is over' }, GATEWAY);
    await stand.pass(200);
    expect([(await taken).sequence > 0, await stand.statuses(CHILD), stand.standing(), stand.orchestrator.locks(null)]).toEqual([true, ['rolledBack'], [], []]);
  });

  it('is released by nobody but the gateway, and not before its end', async () => {
    const stand = await begun(task('t'));
    const others = stand.adapter;
    stand.adapter = command => (command.workflow === CHILD ? null : others(command));
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    const refusals = [stand.order(CHILD, { order: 'release' }, DELEGATE), stand.order(CHILD, { order: 'release' }, GATEWAY)].map(order => order.catch((error: unknown) => error));
    await stand.run();
    expect(await Promise.all(refusals)).toMatchObject([{ problems: [{ code: 'FORBIDDEN' }] }, { problems: [{ code: 'WRONG_STATE' }] }]);
  });

  it('obeys its agent and those on whose behalf it acts, and does not exist for others', async () => {
    const stand = await begun(task('t'));
    const others = stand.adapter;
    stand.adapter = command => (command.workflow === CHILD && command.kind === 'execute' ? null : others(command));
    await stand.submit(child(CHILD, 't', file('a', 'f'))).pass(200);
    const stranger = stand.order(CHILD, { order: 'pause' }, { ...DELEGATE, id: 'stranger' }).catch((error: unknown) => error);
    const leader = stand.order(CHILD, { order: 'pause' }, LEADER);
    await stand.run();
    expect(await stranger).toMatchObject({ problems: [{ code: 'NOT_FOUND' }] });
    expect([(await leader).sequence > 0, await stand.statuses(CHILD)]).toEqual([true, ['paused']]);
  });
});

describe('a rollback of a workflow that gave tasks', () => {
  const rolledBack = async (...acts: readonly ((stand: Delegating) => Promise<unknown>)[]): Promise<readonly string[]> => {
    const stand = await new Delegating().start();
    await stand.submit(aWorkflow([task('t'), file('a', 'f'), file('b', 'g', { hasReferences: false, after: [1] })], { workflow: ROOT })).pass(10);
    for (const act of acts) await act(stand);
    const order = stand.order(ROOT, { order: 'rollback', reason: 'no' });
    await stand.pass(60_000);
    await order;
    return stand.undone();
  };

  it('takes back what was done after a task has ended before the task, and what was done before it after it', async () => {
    const undone = await rolledBack(stand => stand.pass(1_000), stand => stand.done('t', 0));
    expect(undone).toEqual(['root/t', 'root/b', 'root/a']);
  });

  it('waits for a task that still runs before it takes anything back', async () => {
    const stand = await new Delegating().start();
    await stand.submit(aWorkflow([task('t'), file('a', 'f')], { workflow: ROOT })).pass(1_000);
    const order = stand.order(ROOT, { order: 'rollback', reason: 'no' });
    await stand.pass(1_000);
    await order;
    expect(stand.undone()).toEqual([]);
    await stand.done('t', 0);
    await stand.pass(1_000);
    expect([stand.undone(), await stand.statuses(ROOT)]).toEqual([['root/t', 'root/a'], ['rolledBack']]);
  });
});

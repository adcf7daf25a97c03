import { eventType, TOPICS, type PlannedStep } from '@aifirst/contracts';
import { ADMIN, aStep, aWorkflow, OrchestratorStand, TENANT, workflowId, type Outcome, type StepCommandSent } from '../testing';

const [A, B, Z] = [workflowId(1), workflowId(2), workflowId(9)] as const;
const chain = (count: number, change: Partial<PlannedStep> = {}) => Array.from({ length: count }, (_, i) => aStep(`s${i}`, { ...change, ...(i === 0 ? {} : { after: [i - 1] }) }));
const write = (id: string, path: string, change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const NO = { outcome: 'failed', error: { code: 'NO', detail: 'no', clean: true } } as const;
const failing = (...steps: readonly string[]) => ({ kind, step }: StepCommandSent): Outcome => (kind !== 'undo' && steps.includes(step) ? NO : { outcome: 'succeeded', verified: true, output: { value: step } });
const kinds = (stand: OrchestratorStand) => stand.served.map(({ kind }) => kind);

describe('workflows of a thousand steps', () => {
  // Why so much: shared machines. It takes half a second.
  const CPU_MS_MAX = 8_000;
  const cpuOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  it.each([
    ['a chain', chain(1_000)],
    ['a fan of files', Array.from({ length: 1_000 }, (_, i) => write(`s${i}`, `d${i % 7}/f${i}`))],
    ['many writers of one file', Array.from({ length: 300 }, (_, i) => write(`s${i}`, 'x'))],
  ])('complete in no time: %s', async (_, steps) => {
    const stand = await new OrchestratorStand().start();
    expect(await cpuOf(() => stand.submit(aWorkflow(steps, { workflow: A })).run())).toBeLessThan(CPU_MS_MAX);
    expect(await stand.statuses(A)).toEqual(['completed']);
    expect(stand.standing()).toHaveLength(steps.length);
    expect(stand.served).toHaveLength(steps.length + 1);
  });
  it('are rolled back in no time', async () => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = failing('s299');
    expect(await cpuOf(() => stand.submit(aWorkflow(chain(300), { workflow: A })).run())).toBeLessThan(CPU_MS_MAX);
    expect([await stand.statuses(A), stand.standing()]).toEqual([['rolledBack'], []]);
  });
});

describe('a workflow that was started before', () => {
  const ended = async () => (await (await new OrchestratorStand().start()).submit(aWorkflow([aStep('a')], { workflow: Z })).run()).restart();

  it('is not started again, alone, twice in a batch, or after its end is forgotten', async () => {
    const stand = await ended();
    const start = aWorkflow([aStep('a')], { workflow: Z });
    await stand.submit(start, start).run();
    await stand.submit(start).run();
    expect([stand.fatal, stand.rejected, (await stand.facts(Z)).filter(name => name === 'intent-submitted').length, stand.standing()]).toEqual([[], [], 1, [`${Z}/a`]]);
    expect(stand.orchestrator.openWorkflows).toBe(0);
  });
  it('costs nobody in the same batch a lock', async () => {
    const stand = await ended();
    stand.adapter = ({ workflow }) => (workflow === A ? null : { outcome: 'succeeded', output: null });
    await stand.submit(aWorkflow([write('a', 'x')], { workflow: A }), aWorkflow([write('b', 'x')], { workflow: B })).run();
    expect(await stand.statuses(A, B)).toEqual(['running', 'pending']);
    // Why in one: B gets its lock by the end of A, in the round that has to begin anew.
    stand.reported({ workflow: A, step: 'a', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: null, actSequence: 9 });
    await stand.submit(aWorkflow([aStep('a')], { workflow: Z })).run();
    expect(await stand.statuses(A, B, Z)).toEqual(['completed', 'completed', 'completed']);
    expect(stand.orchestrator.locks(null)).toEqual([]);
  });
  it('is known to an order in the same round', async () => {
    const stand = await ended();
    stand.submit(aWorkflow([aStep('a')], { workflow: Z }));
    const order = stand.order(Z, { order: 'rollback', reason: 'after all' });
    await stand.run();
    expect(await order).toEqual({ sequence: expect.any(Number) });
    expect(await stand.statuses(Z)).toEqual(['rolledBack']);
  });
});

describe('orders', () => {
  const completed = async () => (await new OrchestratorStand().start()).submit(aWorkflow([aStep('a')], { workflow: A })).run();

  it('given twice at once count once', async () => {
    const stand = await completed();
    const both = await Promise.allSettled([stand.order(A, { order: 'rollback', reason: '1' }), stand.order(A, { order: 'rollback', reason: '2' })]);
    expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'WRONG_STATE', extra: { status: 'rollingBack' } } }]);
  });
  it('are answered with the sequence of their last fact, once that is stored', async () => {
    const stand = await completed();
    const { sequence } = await stand.order(A, { order: 'rollback', reason: 'x' });
    expect((await stand.rows(A)).at(-1)!.messages.map(({ event }) => event.sequence)).toContain(sequence);
  });
  it('are for the workflow’s own tenant and agent', async () => {
    const stand = await completed();
    const refused = (order: Promise<unknown>) => expect(order).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await refused(stand.order(B, { order: 'pause' }));
    await refused(stand.order(A, { order: 'rollback', reason: 'x' }, { kind: 'agent', id: 'another', tenant: TENANT }));
    await refused(stand.orchestrator.order({ tenant: 'other', workflow: A, by: ADMIN, order: { order: 'rollback', reason: 'x' } }));
    await expect(stand.orchestrator.breakLock(null, 'nowhere', ADMIN, 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(stand.orchestrator.openWorkflows).toBe(0);
  });
});

describe('what the bus loses', () => {
  it.each(['decide', 'execute', 'undo'])('is sent again: the first %s', async lost => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = failing('s1');
    const seen = new Set<string>();
    stand.lose = what => typeof what === 'string' && what.startsWith(lost) && !seen.has(what) && seen.add(what).size > 0;
    await (await stand.submit(aWorkflow(chain(2), { workflow: A })).run()).settle(30_000);
    expect(await stand.statuses(A)).toEqual(['rolledBack']);
  });
  it('is sent again however busy the rest of the workflow is', async () => {
    const stand = await new OrchestratorStand().start();
    let isLost = false;
    stand.lose = what => what === `execute ${A}` && !isLost && (isLost = true);
    stand.adapter = ({ step, workflow, generation }) => {
      // Why: each step of the long branch takes two seconds.
      if (step !== 'lost') { stand.clock.after(2_000, () => { stand.reported({ workflow, step, index: Number(step.slice(1)) + 1, generation, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: null, actSequence: 1 }); }); return null; }
      return { outcome: 'succeeded', output: null };
    };
    await stand.submit(aWorkflow([aStep('lost'), ...chain(20).map((step, i) => (i === 0 ? step : { ...step, after: [i] }))], { workflow: A })).pass(12_000);
    expect((await stand.workflow(A)).steps[0]!.status).toBe('succeeded');
  });
  it('costs one row per pause, ever longer ones', async () => {
    const stand = await new OrchestratorStand().start();
    stand.policy = () => null;
    await stand.submit(aWorkflow([aStep('a')], { workflow: A, deadlineMs: 86_400_000 })).pass(600_000);
    expect(kinds(stand).length).toBeGreaterThan(8);
    expect(kinds(stand).length).toBeLessThan(15);
  });
});

describe('approval', () => {
  it('is waited for, and answered by a later decision', async () => {
    const stand = await new OrchestratorStand().start();
    stand.policy = () => step => (step === 's1' ? { outcome: 'approve' } : {});
    await stand.submit(aWorkflow(chain(2), { workflow: A })).pass(100_000);
    expect(await stand.statuses(A)).toEqual(['awaitingApproval']);
    expect((await stand.facts(A)).filter(name => name === 'policy-decided')).toHaveLength(1);
    const asked = stand.served.find(({ kind }) => kind === 'decide');
    stand.policy = () => () => ({});
    await stand.pass(100_000);
    expect(asked).toBeDefined();
    expect(await stand.statuses(A)).toEqual(['completed']);
  });
});

describe('time', () => {
  it('is looked at once a second where a workflow is overdue and waits for something else', async () => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = failing('a');
    await stand.submit(aWorkflow([aStep('a', { attemptsMax: 2 })], { workflow: A })).run();
    stand.held = { epoch: null, hold: null };
    const before = stand.fired;
    await stand.pass(10_000);
    expect(stand.fired - before).toBeLessThan(20);
    stand.held = { epoch: 1, hold: null };
    expect(await (await stand.pass(2_000)).statuses(A)).toEqual(['rolledBack']);
  });
  it('of a deadline in thirty days is waited for in pieces that a timer can wait', async () => {
    const stand = await new OrchestratorStand().start();
    stand.policy = () => step => (step === 'a' ? { outcome: 'defer', code: 'KILL_SWITCH' } : {});
    await stand.submit(aWorkflow([aStep('a')], { workflow: A, deadlineMs: 30 * 86_400_000 })).run();
    expect(stand.nextTimerAt - stand.now).toBeLessThanOrEqual(86_400_000);
    const before = stand.fired;
    await stand.pass(31 * 86_400_000);
    expect([stand.fired - before < 100, await stand.statuses(A)]).toEqual([true, ['rolledBack']]);
  });
  it('does not make it ask policy in circles whose leases are over when they come', async () => {
    const stand = await new OrchestratorStand().start();
    stand.policy = () => () => ({ lease: { policyVersion: '1', controlEpoch: 1, expiresAt: stand.now + 1_000, mac: 'mac' } });
    await stand.submit(aWorkflow([aStep('a')], { workflow: A })).pass(60_000);
    expect(kinds(stand).filter(kind => kind === 'decide').length).toBeLessThan(20);
    stand.policy = () => () => ({});
    expect(await (await stand.pass(15_000)).statuses(A)).toEqual(['completed']);
  });
  it('does not make it start in circles what its adapter refuses', async () => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = () => ({ outcome: 'refused', error: { code: 'LEASE_EXPIRED', detail: 'over', clean: true } });
    await stand.submit(aWorkflow([aStep('a')], { workflow: A })).pass(60_000);
    const starts = stand.served.filter((sent): sent is StepCommandSent => sent.kind === 'execute');
    expect(starts.length).toBeLessThan(20);
    expect(starts.map(({ generation }) => generation)).toEqual(starts.map((_, i) => i + 1));
    stand.adapter = failing();
    await stand.pass(15_000);
    expect([await stand.statuses(A), (await stand.workflow(A)).steps[0]!.failures]).toEqual([['completed'], 0]);
  });
});

describe('what can not be handled', () => {
  const REPORTED = eventType('execution', 'StepReported');

  it('is refused before anything of its batch is taken', async () => {
    const stand = await new OrchestratorStand().start();
    stand.post(TOPICS.stepEvents, REPORTED, A, { workflow: A, step: 'a' });
    await stand.submit(aWorkflow([aStep('a')], { workflow: 'no uuid' })).run();
    expect([stand.rejected, stand.log.head(), stand.fatal]).toMatchObject([[{ code: 'MALFORMED_MESSAGE', retryable: false }], 0, []]);
  });
  it('is given back to the bus, and the rest of its batch holds', async () => {
    const stand = await new OrchestratorStand().start();
    await stand.submit(aWorkflow([write('a', 'x', { resources: [{ uri: 5 as never, access: 'write' }] })], { workflow: A }), aWorkflow([aStep('b')], { workflow: B })).run();
    expect([stand.rejected.length, stand.defects.length, stand.fatal]).toEqual([1, 1, []]);
    expect(await stand.statuses(B)).toEqual(['completed']);
  });
  it('of a workflow whose history a later release wrote stays with that workflow, and its rows are kept', async () => {
    const stand = await new OrchestratorStand().start();
    await stand.submit(aWorkflow(chain(2), { workflow: A })).run();
    await stand.submit(aWorkflow([aStep('a')], { workflow: B })).run();
    const draft = { topic: TOPICS.workflowEvents, key: A, id: `${A}/99`, type: eventType('workflow', 'SomethingNew'), time: new Date(stand.now).toISOString(), subject: A, tenant: TENANT, data: {} };
    const { version, position } = (await stand.rows(A)).at(-1)!;
    await stand.log.commit({ appends: [{ tenant: TENANT, stream: A, version: version + 1, messages: [draft] }] });
    await stand.restart();
    expect(stand.defects).toHaveLength(1);
    await expect(stand.order(A, { order: 'rollback', reason: 'x' })).rejects.toMatchObject({ code: 'UNREADABLE_HISTORY' });
    stand.reported({ workflow: A, step: 's0', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded' });
    await stand.run();
    expect(stand.rejected).toMatchObject([{ code: 'UNREADABLE_HISTORY' }]);
    await stand.order(B, { order: 'rollback', reason: 'x' });
    await stand.pass(10_000);
    expect([await stand.statuses(B), stand.fatal, stand.log.lowWater() < position]).toEqual([['rolledBack'], [], true]);
  });
  it('is counted as late where its workflow has ended or moved on', async () => {
    const stand = await new OrchestratorStand().start();
    stand.repeat = () => true;
    await stand.submit(aWorkflow(chain(2), { workflow: A })).run();
    const late = { workflow: A, step: 's0', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'failed' } as const;
    await stand.reported(late).run();
    await (await stand.restart()).reported(late).run();
    expect(await stand.statuses(A)).toEqual(['completed']);
    expect([new Set(stand.ignored), stand.orchestrator.openWorkflows]).toEqual([new Set(['late']), 0]);
  });
});

describe('recovery', () => {
  it('carries on with a workflow that was rolled back after its end, start after start', async () => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = ({ kind }) => (kind === 'undo' ? { outcome: 'blocked' } : { outcome: 'succeeded', output: null });
    await stand.submit(aWorkflow([aStep('a')], { workflow: A })).pass(6_000);
    await stand.order(A, { order: 'rollback', reason: 'after all' });
    await stand.run();
    for (let starts = 1; starts <= 3; starts++) {
      await stand.restart();
      // Why: whatever moves the low-water mark, so that the next start reads from there.
      await stand.pass(6_000);
      await stand.order(A, { order: 'rollback', reason: 'again' });
      await stand.run();
    }
    expect([stand.fatal, stand.defects, await stand.statuses(A), stand.orchestrator.openWorkflows]).toEqual([[], [], ['rollbackBlocked'], 1]);
  });
  it('begins with a snapshot where the beginning lies far back, and needs none after the end', async () => {
    const stand = await new OrchestratorStand().start();
    stand.adapter = ({ step }) => (step === 's1' ? null : { outcome: 'succeeded', output: { value: 1 } });
    await stand.submit(aWorkflow(chain(3), { workflow: A, deadlineMs: 86_400_000 })).run();
    const blank = (number: number) => ({ tenant: TENANT, stream: workflowId(1_000 + number), version: 1, messages: [] });
    await stand.log.commit({ appends: Array.from({ length: 20_001 }, (_, i) => blank(i)) });
    const before = await stand.workflow(A);
    await stand.pass(20_000);
    expect(stand.log.lowWater()).toBeGreaterThan(20_000);
    expect(await stand.log.listDocuments('workflow-snapshot', null, { limit: 9 })).toHaveLength(1);
    await stand.restart();
    expect(stand.orchestrator.inUse({ tenant: TENANT, agent: 'agent' })).toEqual([A]);
    stand.adapter = failing();
    await stand.settle();
    expect([before.steps[1]!.status, await stand.statuses(A), await stand.log.listDocuments('workflow-snapshot', null, { limit: 9 })]).toEqual(['running', ['completed'], []]);
  });
});

import type { AddedStep, PlannedStep, WorkflowOrder } from '@aifirst/contracts';
import { OperationalError, Refusal, setCrashHook } from '@aifirst/kernel';
import { aStep, aWorkflow, drained, MemoryLockLog, OrchestratorStand, TENANT, workflowId, type Outcome } from '../testing';

const [A, B, C] = [workflowId(1), workflowId(2), workflowId(3)] as const;
const AGENT = { kind: 'agent', id: 'agent', tenant: TENANT } as const;
const IDLE_MS = 60_000;
const start = (workflow: string) => aWorkflow([], { workflow, interactive: { idleTimeoutMs: IDLE_MS }, deadlineMs: 86_400_000 });
const step = (id: string, change: Partial<PlannedStep> = {}): AddedStep => { const { after: _, ...rest } = aStep(id, change); return { digest: `sha256:${id}`, ...rest, restsOn: [] }; };
const file = (id: string, path: string): AddedStep => step(id, { capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }] });

const add = (stand: OrchestratorStand, workflow: string, added: AddedStep): Promise<{ sequence: number }> => stand.order(workflow, { order: 'addStep', step: added }, AGENT);
/** Answered, and everything that follows has happened. */
const done = async (stand: OrchestratorStand, workflow: string, added: AddedStep): Promise<void> => { const answer = add(stand, workflow, added); await stand.run(); await answer; await stand.run(); };
const commit = async (stand: OrchestratorStand, workflow: string): Promise<void> => { const answer = stand.order(workflow, { order: 'commit' }, AGENT); await stand.run(); await answer; await stand.run(); };
const begun = async (...workflows: readonly string[]): Promise<OrchestratorStand> => (await new OrchestratorStand().start()).submit(...workflows.map(start)).run();

const share = (stand: OrchestratorStand): void => {
  stand.lockLog = new MemoryLockLog({ epochOf: () => stand.log.epoch });
  stand.looks = { pollMs: 3_600_000, idleMs: 3_600_000 };
};
afterEach(() => { setCrashHook(undefined); });

describe('the driver of interactive transactions', () => {
  it('answers a step when it is durable, and a repeat of it with 0, also in the same commit', async () => {
    const stand = await begun(A);
    const answers = Promise.all([add(stand, A, step('a')), add(stand, A, step('a')), add(stand, A, { ...step('a'), digest: 'sha256:other' }).catch((error: Refusal) => error.problems[0].code)]);
    await stand.run();
    expect(await answers).toEqual([{ sequence: expect.any(Number) as number }, { sequence: 0 }, 'IDEMPOTENCY_CONFLICT']);
    expect((await answers)[0]).not.toEqual({ sequence: 0 });
    expect([(await stand.facts(A)).filter(name => name === 'step-added'), stand.standing()]).toEqual([['step-added'], [`${A}/a`]]);
    await commit(stand, A);
    expect([await stand.statuses(A), stand.orchestrator.openWorkflows]).toEqual([['completed'], 0]);
    // Also when it is over and forgotten.
    const late = add(stand, A, step('a'));
    await stand.run();
    expect(await late).toEqual({ sequence: 0 });
  });

  it('says to others that there is none', async () => {
    const stand = await begun(A);
    const order = stand.order(A, { order: 'commit' }, { ...AGENT, id: 'another' });
    await expect(order).rejects.toMatchObject({ problems: [{ code: 'NOT_FOUND' }] });
  });

  it('takes back what nobody speaks to, by the clock of its own commits', async () => {
    const stand = await begun(A);
    await done(stand, A, step('a'));
    await stand.pass(IDLE_MS - 1);
    expect(await stand.statuses(A)).toEqual(['running']);
    await stand.pass(2);
    expect([await stand.statuses(A), stand.standing(), (await stand.workflow(A)).rollback!.code]).toEqual([['rolledBack'], [], 'IDLE']);
  });

  it('goes on after a kill with every step that was answered, and counts idleness from then', async () => {
    const stand = await begun(A);
    await done(stand, A, step('a'));
    let isAway = true;
    stand.adapter = (): Outcome => (isAway ? null : { outcome: 'succeeded', verified: true, output: { value: 'b' } });
    await done(stand, A, step('b'));
    stand.now += 10 * IDLE_MS;
    await stand.restart();
    expect([await stand.statuses(A), (await stand.workflow(A)).start.steps.map(({ id }) => id)]).toEqual([['running'], ['a', 'b']]);
    isAway = false;
    await stand.pass(120_000);
    expect((await stand.workflow(A)).steps.map(({ status }) => status)).toEqual(['undone', 'undone']);
    // Idle from when the last step ended, and not before.
    const other = await begun(B);
    other.now += 10 * IDLE_MS;
    await other.restart();
    await other.pass(IDLE_MS - 1);
    expect(await other.statuses(B)).toEqual(['running']);
    await other.pass(2);
    expect(await other.statuses(B)).toEqual(['rolledBack']);
  });

  it.each([
    ['orchestrator.commit.before', 'own'], ['orchestrator.commit.after', 'own'], ['orchestrator.commit.before', 'shared'], ['orchestrator.commit.after', 'shared'],
  ] as const)('loses nothing and doubles nothing, killed at %s of each commit, its locks %s, as its client asks again', async (point, locks) => {
    let commits = Infinity;
    for (let kill = 1; kill <= commits; kill++) {
      const stand = new OrchestratorStand();
      if (locks === 'shared') share(stand);
      await stand.start();
      let seen = 0;
      setCrashHook(at => { if (at === point && (seen += 1) === kill) throw new OperationalError('CRASHED', 'killed'); });
      /** Until there is an answer. */
      const insist = async (order: WorkflowOrder): Promise<void> => {
        for (let tries = 0; ; tries++) {
          if (stand.fatal.length > 0) await stand.restart();
          const answer = stand.order(A, order, AGENT).then(() => true, (error: unknown) => { if (error instanceof Refusal && error.problems[0].code !== 'NOT_FOUND') throw error; return false; });
          await stand.run();
          if (await answer) return;
          if (tries > 20) throw new Error('nobody answers');
          await stand.pass(1_000);
        }
      };
      await stand.submit(start(A)).run();
      for (const added of [file('a', 'x'), step('b'), { ...file('c', 'y'), restsOn: [{ step: 'a', at: '' }] }]) await insist({ order: 'addStep', step: added });
      await insist({ order: 'commit' });
      for (let lives = 0; lives < 20 && (await stand.workflow(A)).endedAt === null; lives++) { if (stand.fatal.length > 0) await stand.restart(); await stand.settle(); }
      commits = seen < kill ? kill : Infinity;
      expect([kill, await stand.statuses(A), stand.standing(), stand.defects]).toEqual([kill, ['completed'], ['a', 'b', 'c'].map(id => `${A}/${id}`), []]);
      expect((await stand.facts(A)).filter(name => name === 'step-added' || name === 'workflow-committing')).toEqual(['step-added', 'step-added', 'step-added', 'workflow-committing']);
    }
    expect(commits).toBeGreaterThan(4);
  });

  it('lets the older one wait and refuses the younger one, which stands', async () => {
    const stand = await begun(A, B);
    await done(stand, A, file('a1', 'x'));
    await done(stand, B, file('b1', 'y'));
    await done(stand, A, file('a2', 'y'));
    await done(stand, B, file('b2', 'x'));
    const [older, younger] = [await stand.workflow(A), await stand.workflow(B)];
    expect([older.steps.map(({ status }) => status), younger.steps.map(({ status, error }) => [status, error?.code])]).toEqual([['succeeded', 'pending'], [['succeeded', undefined], ['failed', 'LOCKED']]]);
    expect([younger.status, younger.restarts]).toEqual(['running', 0]);
    await commit(stand, B);
    expect((await stand.workflow(A)).steps.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    // An ordinary one waits its turn, holding nothing.
    await stand.submit(aWorkflow([{ ...aStep('c'), capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path: 'x' }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }] }], { workflow: C })).run();
    expect(await stand.statuses(C)).toEqual(['pending']);
    await commit(stand, A);
    expect([await stand.statuses(A, B, C), stand.orchestrator.locks(null)]).toEqual([['completed', 'completed', 'completed'], []]);
  });

  it('does the same where shards share their locks', async () => {
    const stand = new OrchestratorStand();
    share(stand);
    await stand.start();
    await stand.submit(start(A), start(B)).run();
    for (const [workflow, added] of [[A, file('a1', 'x')], [B, file('b1', 'y')], [A, file('a2', 'y')], [B, file('b2', 'x')]] as const) { await done(stand, workflow, added); await stand.pass(20_000); }
    expect((await stand.workflow(B)).steps.map(({ status, error }) => [status, error?.code])).toEqual([['succeeded', undefined], ['failed', 'LOCKED']]);
    await commit(stand, B);
    await stand.pass(20_000);
    await commit(stand, A);
    await drained();
    expect(await stand.statuses(A, B)).toEqual(['completed', 'completed']);
  });
});


import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, ref, sleep, stepOf, type AgentClient } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

describe('what a person or an agent can do with a workflow', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });
  const order = (id: string, what: string, body?: object): Promise<Body> => world.stack.admin.must(202, 'POST', `/v1/workflows/${id}/${what}`, body === undefined ? {} : { body });
  const content = (path: string): string => readFileSync(join(agent.root, path), 'utf8');
  const has = (path: string): boolean => existsSync(join(agent.root, path));
  const started = (id: string, step: string): Promise<unknown> => until(`step ${step} has begun`, async () => ['running', 'succeeded'].includes(stepOf(await agent.workflow(id), step).status));

  describe('failures', () => {
    it('a clean one is tried again as often as asked, with growing pauses, and no oftener', async () => {
      const began = Date.now();
      const workflow = await agent.run([noop('flaky', { fail: 'clean' }, { retry: { attemptsMax: 4 } })]);
      expectStatus(workflow, 'rolledBack');
      expect(stepOf(workflow, 'flaky')).toMatchObject({ status: 'failed', attempts: 4, error: { clean: true } });
      // 200, 400 and 800 ms, less half of each at the least.
      expect(Date.now() - began).toBeGreaterThanOrEqual(700);
    });

    it('one that passes by itself succeeds at a later attempt', async () => {
      const id = await agent.start([agent.fs('read', 'read', { path: 'late.txt' }, { retry: { attemptsMax: 10 } })]);
      await until('it has failed once', async () => stepOf(await agent.workflow(id), 'read').attempts >= 2);
      writeFileSync(join(agent.root, 'late.txt'), 'here');
      const workflow = await agent.rest(id);
      expectStatus(workflow, 'completed');
      expect(stepOf(workflow, 'read').output.content).toBe('here');
    });

    it('a step that takes too long fails with TIMEOUT, and what was done is undone', async () => {
      const workflow = await agent.run([agent.fs('write', 'write', { path: 'w.txt', content: 'w' }), sleep('slow', 60_000, { ...after('write'), timeoutMs: 300 })]);
      expectStatus(workflow, 'rolledBack');
      expect(stepOf(workflow, 'slow')).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT' } });
      expect(has('w.txt')).toBe(false);
    });

    it('a workflow over its deadline fails with DEADLINE_EXCEEDED', async () => {
      const workflow = await agent.run([agent.fs('write', 'write', { path: 'w.txt', content: 'w' }), sleep('slow', 1_500, after('write')), noop('never', {}, after('slow'))], { deadlineMs: 500 });
      expectStatus(workflow, 'rolledBack');
      expect(JSON.stringify([workflow.statusReason, workflow.steps.map((step: Body) => step.error)])).toContain('DEADLINE_EXCEEDED');
      expect(stepOf(workflow, 'never').status).toBe('skipped');
      expect(has('w.txt')).toBe(false);
    });

    it('a reference that leads nowhere is a clean one', async () => {
      const workflow = await agent.run([noop('a', { value: { x: 1 } }), noop('b', { value: ref('a', '/value/y') })]);
      expectStatus(workflow, 'rolledBack');
      expect(stepOf(workflow, 'b')).toMatchObject({ status: 'failed', error: { code: 'REFERENCE_UNRESOLVED', clean: true } });
    });

    it('with `pause` waits for a person, who may have it tried again, skipped, or all undone', async () => {
      const steps = () => [agent.fs('write', 'write', { path: 'w.txt', content: 'w' }), agent.fs('read', 'read', { path: 'missing.txt' }, after('write')), noop('then', {}, after('read'))];
      const retried = await agent.run(steps(), { onFailure: 'pause' });
      expectStatus(retried, 'paused');
      expect(retried.statusReason.actions.map((action: Body) => JSON.stringify(action.body ?? null))).toEqual(expect.arrayContaining([JSON.stringify({ failedStep: 'retry' }), JSON.stringify({ failedStep: 'skip' })]));
      writeFileSync(join(agent.root, 'missing.txt'), 'now');
      await order(retried.id, 'resume', { failedStep: 'retry' });
      expectStatus(await agent.reaches(retried.id, ['completed', 'rolledBack']), 'completed');

      agent = await world.stack.agent();
      const skipped = await agent.run(steps(), { onFailure: 'pause' });
      await agent.must(202, 'POST', `/v1/workflows/${skipped.id}/resume`, { body: { failedStep: 'skip' } });
      const done = await agent.reaches(skipped.id, ['completed', 'rolledBack']);
      expectStatus(done, 'completed');
      expect(stepOf(done, 'read').status).toBe('skipped');

      agent = await world.stack.agent();
      const undone = await agent.run(steps(), { onFailure: 'pause' });
      await order(undone.id, 'rollback', { reason: 'enough' });
      expectStatus(await agent.reaches(undone.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
      expect(has('w.txt')).toBe(false);
    });

    it('with `keep` leaves what was done and says what stands', async () => {
      const workflow = await agent.run([agent.fs('write', 'write', { path: 'w.txt', content: 'w' }), noop('fail', { fail: 'clean' }, after('write')), noop('never', {}, after('fail'))], { onFailure: 'keep' });
      expectStatus(workflow, 'failed');
      expect(workflow.residue).toMatchObject([{ step: 'write', resource: `file://${agent.connection.name}/w.txt`, what: expect.any(String), why: expect.any(String), action: expect.any(String) }]);
      expect(stepOf(workflow, 'never').status).toBe('skipped');
      expect(content('w.txt')).toBe('w');
      await order(workflow.id, 'rollback', { reason: 'not after all' });
      expectStatus(await agent.reaches(workflow.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
      expect(has('w.txt')).toBe(false);
    });
  });

  describe('an unknown outcome', () => {
    it('is settled by a probe that knows: happened', async () => {
      const workflow = await agent.run([noop('a', { fail: 'unknown', probe: 'happened', value: 7 })]);
      expectStatus(workflow, 'completed');
      expect(stepOf(workflow, 'a')).toMatchObject({ status: 'succeeded', output: { value: 7 } });
    });

    it('is settled by a probe that knows: it did not happen, which is a clean failure and tried again as often as asked', async () => {
      const workflow = await agent.run([noop('a', { fail: 'unknown', probe: 'didNotHappen' }, { retry: { attemptsMax: 2 } })]);
      expectStatus(workflow, 'rolledBack');
      expect(stepOf(workflow, 'a')).toMatchObject({ status: 'failed', attempts: 2, error: { clean: true } });
      const facts = await agent.all(`/v1/workflows/${workflow.id}/events`);
      // Each attempt has a generation of its own, as it was proven that the one before had not happened.
      expect(facts.filter(({ type }) => type === 'aifirst.workflow.step-started.v1').map(({ data }) => data.generation)).toEqual([1, 2]);
    });

    it('that no probe can tell waits for a person, who says it happened', async () => {
      const paused = await agent.run([noop('a', { fail: 'unknown' }), noop('b', { value: ref('a', '/value') })]);
      expectStatus(paused, 'paused');
      expect(stepOf(paused, 'a').status).toBe('unknown');
      expect(paused.statusReason).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      expect(paused.statusReason.actions).toContainEqual(expect.objectContaining({ method: 'POST', path: `/v1/workflows/${paused.id}/steps/a/resolve` }));
      const byAgent = await agent.post(`/v1/workflows/${paused.id}/steps/a/resolve`, { outcome: 'succeeded', output: { value: 1 }, reason: 'I say so' });
      expect(byAgent.status).toBe(403);
      const without = await world.stack.admin.post(`/v1/workflows/${paused.id}/steps/a/resolve`, { outcome: 'succeeded' });
      expect([without.status, without.body.code, without.body.pointer]).toEqual([422, 'INVALID_FIELD', '/reason']);
      await order(paused.id, 'steps/a/resolve', { outcome: 'succeeded', output: { value: 5 }, reason: 'seen in the target' });
      const done = await agent.reaches(paused.id, ['completed', 'rolledBack']);
      expectStatus(done, 'completed');
      expect(stepOf(done, 'b').output).toEqual({ value: 5 });
      const again = await world.stack.admin.post(`/v1/workflows/${paused.id}/steps/a/resolve`, { outcome: 'didNotHappen', reason: 'no' });
      expect([again.status, again.body.code]).toEqual([409, 'WRONG_STATE']);
    });

    it('that no probe can tell waits for a person, who says it did not happen', async () => {
      const paused = await agent.run([agent.fs('write', 'w', { path: 'w.txt', content: 'w' }), noop('a', { fail: 'unknown' }, after('w'))]);
      expectStatus(paused, 'paused');
      await order(paused.id, 'steps/a/resolve', { outcome: 'didNotHappen', reason: 'nothing there' });
      expectStatus(await agent.reaches(paused.id, ['completed', 'rolledBack']), 'rolledBack');
      expect(has('w.txt')).toBe(false);
    });

    it('is no step at all where nobody has it: 404', async () => {
      const workflow = await agent.run([noop('a')]);
      const answer = await world.stack.admin.post(`/v1/workflows/${workflow.id}/steps/none/resolve`, { outcome: 'succeeded', reason: 'x' });
      expect(answer.status).toBe(404);
    });
  });

  describe('orders', () => {
    it('pause lets what runs end and starts nothing; resume goes on', async () => {
      const id = await agent.start([sleep('a', 600), agent.fs('write', 'b', { path: 'b.txt', content: 'b' }, after('a'))]);
      await started(id, 'a');
      const paused = await agent.must(202, 'POST', `/v1/workflows/${id}/pause`, { body: { reason: 'wait a moment' } });
      expectStatus(paused, 'paused');
      expect(paused.statusReason.detail).toContain('wait a moment');
      await until('what ran has ended', async () => stepOf(await agent.workflow(id), 'a').status === 'succeeded');
      expect(stepOf(await agent.workflow(id), 'b').status).toBe('pending');
      expect(has('b.txt')).toBe(false);
      await agent.must(202, 'POST', `/v1/workflows/${id}/resume`);
      expectStatus(await agent.reaches(id, ['completed', 'rolledBack']), 'completed');
      expect(content('b.txt')).toBe('b');
      for (const what of ['pause', 'resume', 'cancel']) {
        const late = await agent.post(`/v1/workflows/${id}/${what}`);
        expect([what, late.status, late.body.code]).toEqual([what, 409, 'WRONG_STATE']);
        expect(late.body.detail).toContain('completed');
      }
    });

    it('cancel before any effect ends it cancelled', async () => {
      const holder = await agent.start([agent.fs('append', 'hold', { path: 'f.log', content: 'x' }), sleep('while', 1_500, after('hold'))]);
      await until('the lock is held', async () => stepOf(await agent.workflow(holder), 'hold').status === 'succeeded');
      const id = await agent.start([agent.fs('append', 'wait', { path: 'f.log', content: 'y' })]);
      await agent.must(202, 'POST', `/v1/workflows/${id}/cancel`, { body: { reason: 'not needed' } });
      const cancelled = await agent.rest(id);
      expectStatus(cancelled, 'cancelled');
      expect(cancelled.endedAt).not.toBeNull();
      expect(stepOf(cancelled, 'wait').status).toBe('skipped');
      expectStatus(await agent.rest(holder), 'completed');
      expect(content('f.log')).toBe('x');
    });

    it('cancel after an effect undoes it', async () => {
      const id = await agent.start([agent.fs('write', 'w', { path: 'w.txt', content: 'w' }), sleep('while', 1_000, after('w')), noop('n', {}, after('while'))]);
      await started(id, 'while');
      await agent.must(202, 'POST', `/v1/workflows/${id}/cancel`);
      const workflow = await agent.reaches(id, ['rolledBack', 'cancelled', 'completed']);
      expectStatus(workflow, 'rolledBack');
      expect(has('w.txt')).toBe(false);
    });

    it('rollback while it runs undoes what was done', async () => {
      const id = await agent.start([agent.fs('write', 'w', { path: 'w.txt', content: 'w' }), sleep('while', 800, after('w')), agent.fs('write', 'never', { path: 'never.txt', content: 'n' }, after('while'))]);
      await started(id, 'while');
      await order(id, 'rollback', { reason: 'stop' });
      expectStatus(await agent.reaches(id, ['rolledBack', 'completed', 'rollbackBlocked']), 'rolledBack');
      expect([has('w.txt'), has('never.txt')]).toEqual([false, false]);
    });

    it('an agent rolls back only where its role permits `rollback`', async () => {
      const workflow = await agent.run([agent.fs('write', 'w', { path: 'w.txt', content: 'w' })]);
      const clerk = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.*'] });
      const own = await clerk.run([clerk.fs('write', 'w', { path: 'v.txt', content: 'v' })]);
      const denied = await clerk.post(`/v1/workflows/${own.id}/rollback`, { reason: 'mine' });
      expect(denied.status).toBe(403);
      expect((await clerk.post(`/v1/workflows/${workflow.id}/rollback`, { reason: 'not mine' })).status).toBe(404);
      const allowed = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.*', 'rollback'] });
      const theirs = await allowed.run([allowed.fs('write', 'w', { path: 'u.txt', content: 'u' })]);
      await allowed.must(202, 'POST', `/v1/workflows/${theirs.id}/rollback`, { body: { reason: 'mine' } });
      expectStatus(await allowed.reaches(theirs.id, ['rolledBack', 'rollbackBlocked', 'completed']), 'rolledBack');
      expect([has('u.txt'), has('v.txt'), has('w.txt')]).toEqual([false, true, true]);
    });
  });

  describe('holds', () => {
    const engage = (name: string, scope: object, more: object = {}): Promise<Body> => world.stack.admin.must(201, 'PUT', `/v1/controls/kill-switches/${name}`, { body: { scope, reason: 'a drill', ...more } });
    const lift = (name: string): Promise<Body> => world.stack.admin.must(204, 'DELETE', `/v1/controls/kill-switches/${name}`);
    const chain = () => [agent.fs('write', 'one', { path: 'one.txt', content: '1' }), sleep('while', 700, after('one')), agent.fs('write', 'two', { path: 'two.txt', content: '2' }, after('while'))];

    it('a kill switch for all holds new steps, intents are accepted and wait, and all goes on when it is lifted', async () => {
      const open = await agent.start(chain());
      await started(open, 'while');
      await engage('all', { kind: 'all' });
      const late = await agent.start([agent.fs('write', 'late', { path: 'late.txt', content: 'l' })]);
      const held = await agent.reaches(open, ['paused']);
      expect(held.statusReason).toMatchObject({ code: 'KILL_SWITCH', detail: expect.stringContaining('a drill') });
      expect((await agent.reaches(late, ['paused'])).statusReason.code).toBe('KILL_SWITCH');
      await until('what ran has ended', async () => stepOf(await agent.workflow(open), 'while').status === 'succeeded');
      await new Promise(resolve => setTimeout(resolve, 1_000)); // Why: that nothing starts can only be seen by waiting longer than it would take.
      expect([has('two.txt'), has('late.txt')]).toEqual([false, false]);
      await lift('all');
      expectStatus(await agent.reaches(open, ['completed', 'rolledBack']), 'completed');
      expectStatus(await agent.reaches(late, ['completed', 'rolledBack']), 'completed');
      expect([has('two.txt'), has('late.txt')]).toEqual([true, true]);
    });

    it('a kill switch for an agent holds that agent alone', async () => {
      const other = await world.stack.agent();
      await engage('one-agent', { kind: 'agent', id: agent.id });
      const held = await agent.start([noop('a')]);
      expectStatus(await other.run([noop('a')]), 'completed');
      expect((await agent.reaches(held, ['paused'])).statusReason.code).toBe('KILL_SWITCH');
      const list = await world.stack.admin.all('/v1/controls/kill-switches');
      expect(list).toMatchObject([{ id: 'one-agent', scope: { kind: 'agent', id: agent.id } }]);
      await lift('one-agent');
      expectStatus(await agent.reaches(held, ['completed']), 'completed');
    });

    it('a kill switch with `rollback` also undoes what is open', async () => {
      const open = await agent.start(chain());
      await started(open, 'while');
      await engage('back', { kind: 'agent', id: agent.id }, { rollback: true });
      expectStatus(await agent.reaches(open, ['rolledBack', 'completed', 'rollbackBlocked']), 'rolledBack');
      expect([has('one.txt'), has('two.txt')]).toEqual([false, false]);
      await lift('back');
    });

    it('undo goes on under a kill switch', async () => {
      const open = await agent.start([agent.fs('write', 'one', { path: 'one.txt', content: '1' }), sleep('while', 700, after('one')), noop('fail', {}, after('while'))]);
      await started(open, 'while');
      await engage('undo', { kind: 'agent', id: agent.id });
      await agent.reaches(open, ['paused']);
      await order(open, 'rollback', { reason: 'take it back' });
      expectStatus(await agent.reaches(open, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
      expect(has('one.txt')).toBe(false);
      await lift('undo');
    });

    it('a suspended agent is refused, its open workflows wait, and go on when it is resumed', async () => {
      const open = await agent.start(chain());
      await started(open, 'while');
      await world.stack.admin.must(200, 'POST', `/v1/agents/${agent.id}/suspend`, { body: { reason: 'under review' } });
      const refused = await agent.submit([noop('a')]);
      expect([refused.status, refused.body.code]).toEqual([403, 'AGENT_SUSPENDED']);
      const held = await until('it is held', async () => { const workflow = await world.stack.admin.must(200, 'GET', `/v1/workflows/${open}`); return workflow.status === 'paused' && workflow; });
      expect(held.statusReason.code).toBe('AGENT_SUSPENDED');
      expect(has('two.txt')).toBe(false);
      await world.stack.admin.must(200, 'POST', `/v1/agents/${agent.id}/resume`);
      expectStatus(await agent.reaches(open, ['completed', 'rolledBack']), 'completed');
      expect(has('two.txt')).toBe(true);
    });

    it('a role that shrinks holds for the next step', async () => {
      mkdirSync(join(agent.root, 'd'));
      const open = await agent.start(chain());
      await started(open, 'while');
      await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['fs.read', 'timer.sleep'], connections: [agent.connection.name] } });
      const workflow = await agent.reaches(open, ['rolledBack', 'completed']);
      expectStatus(workflow, 'rolledBack');
      expect(stepOf(workflow, 'two')).toMatchObject({ status: 'failed', error: { code: 'POLICY_DENIED', clean: true }, decision: { outcome: 'deny' } });
      expect([has('one.txt'), has('two.txt')]).toEqual([false, false]);
    });
  });
});

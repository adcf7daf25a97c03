import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, ref, stepOf, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import { sequenceFaults } from '../support/causality';
import type { Answer, Body } from '../support/http';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const problem = ({ status, body }: Answer): string => `${status} ${body.code}${body.pointer === undefined ? '' : ` ${body.pointer}`}`;

describe('a task for another agent', () => {
  const world = useStack();
  let leader: AgentClient;
  let clerk: AgentClient;
  beforeEach(async () => {
    leader = await world.stack.agent();
    clerk = await world.stack.agent({ connection: leader.connection });
  });

  const give = (input: object, more: object = {}): { id: string; capability: string; input: object } => ({ id: 't', capability: 'agent.task', input: { agent: clerk.id, task: { say: 'hello' }, ...input }, ...more });
  const claim = async (agent: AgentClient, waitMs = 20_000): Promise<Body> => {
    const answer = await agent.post('/v1/tasks/claim', { waitMs });
    if (answer.status !== 200) throw new Error(`no task: ${answer.status}`);
    return answer.body;
  };
  const complete = (agent: AgentClient, task: Body, result: unknown): Promise<Answer> => agent.post(`/v1/tasks/${task.id}/complete`, { result, token: task.token });
  const write = (agent: AgentClient, name: string, content = name) => agent.fs('write', `w-${name}`, { path: `${name}.txt`, content });
  const has = (name: string): boolean => existsSync(join(leader.root, `${name}.txt`));
  const readOf = (name: string): string => readFileSync(join(leader.root, `${name}.txt`), 'utf8');
  const taskReaches = (agent: AgentClient, id: string, status: string): Promise<Body> => until(`task ${id} is ${status}`, async () => {
    const { body } = await agent.get(`/v1/tasks/${id}`);
    return body.status === status ? body : undefined;
  });

  it('is claimed by whoever waits for it, worked in a workflow of the transaction, completed, and its result goes on', async () => {
    const waiting = claim(clerk);
    const id = await leader.start([write(leader, 'before'), give({ task: { secret: 'sesame' }, resultSchema: { type: 'object', required: ['answer'], properties: { answer: { type: 'integer' } } } }, after('w-before')), noop('n', { value: ref('t', '/result/answer') })], { goal: 'delegate' });
    const task = await waiting;
    expect(task).toMatchObject({ id: `${id}.t.1`, status: 'claimed', agent: clerk.id, role: null, from: leader.id, goal: 'delegate', workflow: id, step: 't', claim: 1, leaseMs: 60_000, task: { secret: 'sesame' }, token: expect.stringMatching(/^task_[A-Za-z0-9_-]{43}$/) as string });
    expect(task.resultSchema).toMatchObject({ required: ['answer'] });
    const child = await clerk.run([write(clerk, 'inside')], { parent: task.token });
    expectStatus(child, 'completed');
    expect(child.parent).toEqual({ workflow: id, step: 't', task: task.id, root: id, chain: [leader.id] });
    expect((await leader.get(`/v1/workflows/${child.id}`)).status).toBe(200);
    const refused = await complete(clerk, task, { answer: 'forty-two' });
    expect(problem(refused)).toBe('422 INVALID_FIELD /result/answer');
    expect(problem(await complete(clerk, task, {}))).toBe('422 INVALID_FIELD /result/answer');
    const beat = await clerk.must(200, 'POST', `/v1/tasks/${task.id}/heartbeat`, { body: {} });
    expect([beat.status, beat.token, beat.task, Date.parse(beat.leaseUntil) >= Date.parse(task.leaseUntil)]).toEqual(['claimed', undefined, undefined, true]);
    expect((await complete(clerk, task, { answer: 42 })).body).toMatchObject({ id: task.id, status: 'completed', claimedBy: clerk.id });
    expect((await complete(clerk, task, { answer: 42 })).body.status).toBe('completed');
    expect(problem(await complete(clerk, task, { answer: 43 }))).toBe('409 WRONG_STATE');
    const done = await leader.rest(id);
    expectStatus(done, 'completed');
    expect([stepOf(done, 't').output, stepOf(done, 'n').output]).toEqual([{ result: { answer: 42 }, agent: clerk.id }, { value: 42 }]);
    expect([has('before'), has('inside')]).toEqual([true, true]);
    expect((await leader.must(200, 'GET', `/v1/tasks/${task.id}`)).result).toEqual({ answer: 42 });
    expect(problem(await clerk.submit([noop('late')], { parent: task.token }))).toMatch(/^(409 WRONG_STATE|404 NOT_FOUND) \/parent$/);
    // A week later or now: rolled back as a whole, with what was done inside.
    await world.stack.admin.post(`/v1/workflows/${id}/rollback`, { reason: 'not wanted' });
    const gone = await leader.reaches(id, ['rolledBack', 'rollbackBlocked']);
    expectStatus(gone, 'rolledBack');
    expect(stepOf(gone, 't').undo).toMatchObject({ status: 'done', verified: true });
    expectStatus(await clerk.workflow(child.id), 'rolledBack');
    expect([has('before'), has('inside')]).toEqual([false, false]);
    const log = new AuditLog(world.stack.admin);
    const entries = await log.settled([id, child.id], 60_000);
    await log.verify(entries);
    const events = entries.map(({ event }) => event);
    expect(events.filter(({ type }) => type.startsWith('aifirst.task.')).map(({ type, data }) => (data['task'] === task.id ? type.slice('aifirst.task.'.length, -3) : '')).filter(Boolean)).toEqual(['offered', 'claimed', 'completed', 'undoing', 'undone']);
    expect(events.find(({ type, data }) => type === 'aifirst.intent.accepted.v1' && data['workflowId'] === child.id)!.data['parent']).toEqual({ workflow: id, step: 't', task: task.id });
    expect(JSON.stringify(events)).not.toContain('sesame');
    expect([...sequenceFaults([...events, ...(await new AuditLog(world.stack.admin, 'system').entries()).map(({ event }) => event)])]).toEqual([]);
  }, 120_000);

  it('that fails takes back all that was done for it, and its step fails with the reason', async () => {
    const id = await leader.start([write(leader, 'first'), give({}, after('w-first'))]);
    const task = await claim(clerk);
    const child = await clerk.run([write(clerk, 'tried')], { parent: task.token });
    expectStatus(child, 'completed');
    expect((await clerk.post(`/v1/tasks/${task.id}/fail`, { reason: 'no\u0007 way' })).status).toBe(200);
    const done = await leader.rest(id);
    expectStatus(done, 'rolledBack');
    expect(stepOf(done, 't').error).toMatchObject({ code: 'TASK_FAILED', detail: 'no way', clean: true });
    expectStatus(await clerk.workflow(child.id), 'rolledBack');
    expect([has('first'), has('tried')]).toEqual([false, false]);
    expect(problem(await clerk.post(`/v1/tasks/${task.id}/heartbeat`))).toMatch(/^(409 WRONG_STATE|404 NOT_FOUND)$/);
  }, 60_000);

  it('whose agent falls silent is taken back and handed over to another of the role', async () => {
    const role = clerk.role;
    const second = await world.stack.agent({ connection: leader.connection });
    await world.stack.admin.must(200, 'PUT', `/v1/agents/${second.id}`, { body: { name: 'second', owner: 'tests', roles: [second.role, role] } });
    const id = await leader.start([{ ...give({}), input: { role, task: 'x', leaseMs: 1_000 } }]);
    const lost = await claim(clerk);
    expect(lost).toMatchObject({ role, agent: null });
    expectStatus(await clerk.run([write(clerk, 'silent')], { parent: lost.token }), 'completed');
    const again = await claim(second);
    expect([again.id, again.claim, has('silent')]).toEqual([lost.id, 2, false]);
    expect(problem(await clerk.post(`/v1/tasks/${lost.id}/heartbeat`, { token: lost.token }))).toBe('409 WRONG_STATE');
    expect(problem(await clerk.submit([noop('n')], { parent: lost.token }))).toBe('409 WRONG_STATE /parent');
    expectStatus(await second.run([write(second, 'loud')], { parent: again.token }), 'completed');
    await complete(second, again, 'done');
    const done = await leader.rest(id);
    expectStatus(done, 'completed');
    expect(stepOf(done, 't').output).toEqual({ result: 'done', agent: second.id });
    expect([has('silent'), has('loud')]).toEqual([false, true]);
  }, 60_000);

  it.each(['cancel', 'rollback'])('is withdrawn and taken back by a %s of who gave it', async verb => {
    const id = await leader.start([write(leader, 'base'), give({}, after('w-base'))]);
    const task = await claim(clerk);
    const child = await clerk.run([write(clerk, 'built')], { parent: task.token });
    expectStatus(child, 'completed');
    await world.stack.admin.call('POST', `/v1/workflows/${id}/${verb}`, { body: verb === 'cancel' ? {} : { reason: 'no' } });
    const done = await leader.reaches(id, ['rolledBack', 'cancelled', 'rollbackBlocked']);
    expectStatus(done, 'rolledBack');
    expectStatus(await clerk.workflow(child.id), 'rolledBack');
    expect([has('base'), has('built')]).toEqual([false, false]);
    expect(problem(await complete(clerk, task, 1))).toBe('409 WRONG_STATE');
  }, 60_000);

  it('is worked in an interactive transaction that builds on what was done before it', async () => {
    const id = await leader.start([write(leader, 'shared', 'one'), give({}, after('w-shared'))]);
    const task = await claim(clerk);
    const begun = await clerk.post('/v1/workflows', { goal: 'think', parent: task.token });
    expect([begun.status, begun.body.parent.root]).toEqual([201, id]);
    const added = await clerk.post(`/v1/workflows/${begun.body.id}/steps?wait=30`, write(clerk, 'shared', 'two'));
    expect([added.status, added.body.status]).toEqual([200, 'succeeded']);
    const open = await complete(clerk, task, 1);
    expect([problem(open), open.body.detail.includes(begun.body.id)]).toEqual(['409 WRONG_STATE', true]);
    expectStatus((await clerk.post(`/v1/workflows/${begun.body.id}/commit?wait=30`)).body, 'completed');
    expect((await complete(clerk, task, 1)).status).toBe(200);
    expectStatus(await leader.rest(id), 'completed');
    expect(readOf('shared')).toBe('two');
    await world.stack.admin.call('POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'no' } });
    expectStatus(await leader.reaches(id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    expect(has('shared')).toBe(false);
  }, 60_000);

  it('does not exist for others, and its token is nobody else\'s', async () => {
    const id = await leader.start([give({})]);
    const stranger = await world.stack.agent();
    expect((await stranger.post('/v1/tasks/claim', {})).status).toBe(204);
    const task = await claim(clerk);
    for (const path of ['', '/heartbeat', '/complete', '/fail']) {
      const answer = path === '' ? await stranger.get(`/v1/tasks/${task.id}`) : await stranger.post(`/v1/tasks/${task.id}${path}`, path === '/complete' ? { result: 1 } : path === '/fail' ? { reason: 'x' } : {});
      expect(problem(answer)).toBe('404 NOT_FOUND');
    }
    expect(problem(await stranger.submit([noop('n')], { parent: task.token }))).toBe('403 FORBIDDEN /parent');
    expect(problem(await clerk.submit([noop('n')], { parent: 'task_nonsense' }))).toBe('404 NOT_FOUND /parent');
    expect(problem(await world.stack.admin.post('/v1/tasks/claim', {}))).toBe('403 FORBIDDEN');
    const list = (client: { must: AgentClient['must'] }): Promise<Body> => client.must(200, 'GET', `/v1/tasks?workflow=${id}`);
    expect(await Promise.all([leader, clerk, stranger, world.stack.admin].map(async client => (await list(client)).items.length))).toEqual([1, 1, 0, 1]);
    expect((await complete(clerk, task, null)).status).toBe(200);
    expectStatus(await leader.rest(id), 'completed');
  }, 60_000);

  it('goes on where it was when everything is killed, at each of its turns', async () => {
    const { stack } = world;
    const id = await leader.start([write(leader, 'kept'), give({ leaseMs: 30_000 }, after('w-kept'))]);
    const task = await claim(clerk);
    await stack.kill9();
    await stack.launch();
    await stack.ready();
    expect((await clerk.must(200, 'POST', `/v1/tasks/${task.id}/heartbeat`)).status).toBe('claimed');
    const started = await clerk.start([write(clerk, 'through')], { parent: task.token });
    await stack.kill9();
    await stack.launch();
    await stack.ready();
    expectStatus(await clerk.rest(started), 'completed');
    const completing = complete(clerk, task, 'all').catch(() => undefined);
    await stack.kill9();
    await completing;
    await stack.launch();
    await stack.ready();
    await until('the task is complete', async () => (await complete(clerk, task, 'all')).status === 200);
    const done = await leader.rest(id);
    expectStatus(done, 'completed');
    expect(stepOf(done, 't').output).toEqual({ result: 'all', agent: clerk.id });
    expect([has('kept'), has('through')]).toEqual([true, true]);
  }, 180_000);

  it('is failed by its step at once where it can be nobody\'s', async () => {
    for (const input of [{ agent: 'nobody', task: 1 }, { role: 'no-such-role', task: 1 }, { agent: clerk.id, task: 1, resultSchema: { $literal: { $ref: 'https://example.org/schema' } } }, { agent: clerk.id, task: 1, resultSchema: { type: 'nonsense' } }]) {
      const done = await leader.run([{ id: 't', capability: 'agent.task', input }]);
      expect([done.status, stepOf(done, 't').error?.code]).toEqual(['rolledBack', 'INVALID_INPUT']);
    }
    for (const input of [{ task: 1 }, { agent: 'a', role: 'b', task: 1 }, { agent: 'a' }, { agent: 'a', task: 1, leaseMs: 999 }]) expect((await leader.submit([{ id: 't', capability: 'agent.task', input }])).status).toBe(422);
  }, 60_000);

  it('that nobody does in its time fails, whether anybody has claimed it or not', async () => {
    const unclaimed = await leader.start([give({}, { timeoutMs: 500 })]);
    const missed = await leader.rest(unclaimed);
    expect([missed.status, stepOf(missed, 't').error?.code]).toEqual(['rolledBack', 'TIMEOUT']);
    const id = await leader.start([give({}, { timeoutMs: 3_000 })]);
    const task = await claim(clerk);
    expectStatus(await clerk.run([write(clerk, 'slow')], { parent: task.token }), 'completed');
    const done = await leader.rest(id);
    expect([done.status, stepOf(done, 't').error?.code, has('slow')]).toEqual(['rolledBack', 'TIMEOUT', false]);
    await taskReaches(clerk, task.id, 'withdrawn').catch(async () => taskReaches(clerk, task.id, 'failed'));
  }, 60_000);
});

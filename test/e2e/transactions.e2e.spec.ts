import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, ref, sleep, stepOf, type AgentClient, type Step } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import { causalityFaults, sequenceFaults } from '../support/causality';
import type { Answer, Body } from '../support/http';
import { Stack, useStack } from '../support/stack';
import { treeOf } from '../support/tree';
import { pause, until } from '../support/wait';

const IDLE_MS = 1_500;

const begin = (agent: AgentClient, more: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<Answer> => agent.post('/v1/workflows', { goal: 'think and act', ...more }, headers);
const begun = async (agent: AgentClient, more: object = {}): Promise<string> => {
  const answer = await begin(agent, more);
  expect(answer.status).toBe(201);
  return answer.body.id;
};
const add = (agent: AgentClient, id: string, step: Step | object, wait = 30): Promise<Answer> => agent.post(`/v1/workflows/${id}/steps?wait=${wait}`, step);
const commit = (agent: AgentClient, id: string, wait = 30): Promise<Answer> => agent.post(`/v1/workflows/${id}/commit?wait=${wait}`);
const shown = ({ status, body }: Answer): string => `${status} ${body.code ?? body.status}${body.error ? ` ${body.error.code}` : ''}`;
const problem = ({ status, body }: Answer): string => `${status} ${body.code}${body.pointer === undefined ? '' : ` ${body.pointer}`}`;

describe('an interactive transaction', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });
  const file = (name: string): string => join(agent.root, name);

  it('begins running and empty, acts at once, reads its own writes, survives a step that fails, and commits', async () => {
    const answer = await begin(agent, { labels: { team: 'credit' }, idleTimeoutMs: 60_000 });
    expect(answer.body).toMatchObject({ status: 'running', steps: [], goal: 'think and act', labels: { team: 'credit' }, mode: 'saga', interactive: { idleTimeoutMs: 60_000, committing: false }, endedAt: null });
    const { id } = answer.body;
    expect(answer.headers['location']).toBe(`/v1/workflows/${id}`);
    const written = await add(agent, id, agent.fs('write', 'w', { path: 'a.txt', content: 'first thought' }));
    expect(shown(written)).toBe('200 succeeded');
    expect(readFileSync(file('a.txt'), 'utf8')).toBe('first thought');
    const read = await add(agent, id, agent.fs('read', 'r', { path: 'a.txt' }));
    expect([read.body.id, read.body.status, read.body.output.content]).toEqual(['r', 'succeeded', 'first thought']);
    const failed = await add(agent, id, agent.fs('read', 'missing', { path: 'nope.txt' }));
    expect(failed.body).toMatchObject({ status: 'failed', error: { clean: true } });
    expectStatus(await agent.workflow(id), 'running');
    const copied = await add(agent, id, agent.fs('write', 'copy', { path: 'b.txt', content: ref('r', '/content') }));
    expect(shown(copied)).toBe('200 succeeded');
    const done = await commit(agent, id);
    expect([done.status, done.body.status, done.body.statusReason.code]).toEqual([200, 'completed', 'STEPS_FAILED']);
    expect(done.body.statusReason.detail).toContain('`missing`');
    expect(done.body.endedAt).not.toBeNull();
    expect(readFileSync(file('b.txt'), 'utf8')).toBe('first thought');
    // Over is over; said again it is the same.
    expect(shown(await commit(agent, id))).toBe('200 completed');
    expect(problem(await add(agent, id, noop('late')))).toBe('409 WRONG_STATE');
    expect(shown(await add(agent, id, agent.fs('read', 'r', { path: 'a.txt' })))).toBe('200 succeeded');
    const { items } = await agent.must(200, 'GET', `/v1/workflows/${id}/events?limit=200`);
    const types = items.map(({ type }: Body) => type.slice('aifirst.workflow.'.length, -3));
    expect(types.filter((type: string) => ['intent-submitted', 'step-added', 'workflow-committing', 'workflow-ended'].includes(type))).toEqual(['intent-submitted', ...Array(4).fill('step-added'), 'workflow-committing', 'workflow-ended']);
    const intent = await agent.must(200, 'GET', `/v1/intents/${answer.body.intentId}`);
    expect(intent.intent).toMatchObject({ goal: 'think and act', steps: [], interactive: { idleTimeoutMs: 60_000 } });
  });

  it('without steps commits at once, and without steps that failed gives no reason', async () => {
    const id = await begun(agent);
    const done = await commit(agent, id);
    expect([shown(done), done.body.statusReason]).toEqual(['200 completed', null]);
  });

  it('taken back has undone all, verified; the agent itself may cancel it, and roll it back where its role says so', async () => {
    const before = (writeFileSync(file('kept.txt'), 'as it was'), treeOf(agent.root));
    const write = async (id: string): Promise<void> => {
      expect(shown(await add(agent, id, agent.fs('write', 'a', { path: 'kept.txt', content: 'changed' })))).toBe('200 succeeded');
      expect(shown(await add(agent, id, agent.fs('write', 'b', { path: 'deep/new.txt', content: 'new' })))).toBe('200 succeeded');
      expect(shown(await add(agent, id, agent.fs('append', 'c', { path: 'deep/new.txt', content: ' and more' }, after('b'))))).toBe('200 succeeded');
    };
    const one = await begun(agent);
    await write(one);
    expect((await agent.post(`/v1/workflows/${one}/cancel`, { reason: 'changed my mind' })).status).toBe(202);
    const cancelled = await agent.rest(one);
    expectStatus(cancelled, 'rolledBack');
    expect(cancelled.steps.map(({ undo }: Body) => undo)).toEqual(Array(3).fill(expect.objectContaining({ status: 'done', verified: true })));
    expect(treeOf(agent.root)).toEqual(before);
    const two = await begun(agent);
    await write(two);
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${two}/rollback`, { body: { reason: 'no' } });
    expectStatus(await agent.rest(two), 'rolledBack');
    expect(treeOf(agent.root)).toEqual(before);
    expect(problem(await commit(agent, two))).toBe('409 WRONG_STATE');
    const three = await begun(agent);
    await write(three);
    expect(shown(await commit(agent, three))).toBe('200 completed');
    const preview = await world.stack.admin.must(200, 'POST', `/v1/workflows/${three}/rollback`, { body: { reason: 'long after', preview: true } });
    expect(preview.steps.map(({ id }: Body) => id)).toEqual(expect.arrayContaining(['a', 'b', 'c']));
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${three}/rollback`, { body: { reason: 'long after', digest: preview.digest } });
    expectStatus(await agent.rest(three), 'rolledBack');
    expect(treeOf(agent.root)).toEqual(before);
    const modest = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.*'] });
    const four = await begun(modest);
    expect(shown(await add(modest, four, modest.fs('write', 'a', { path: 'four.txt', content: 'x' })))).toBe('200 succeeded');
    expect(problem(await modest.post(`/v1/workflows/${four}/rollback`, { reason: 'I may not' }))).toBe('403 FORBIDDEN');
    expect((await modest.post(`/v1/workflows/${four}/cancel`)).status).toBe(202);
    expectStatus(await modest.rest(four), 'rolledBack');
    const trusted = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.*', 'rollback'] });
    const five = await begun(trusted);
    expect(shown(await add(trusted, five, trusted.fs('write', 'a', { path: 'five.txt', content: 'x' })))).toBe('200 succeeded');
    expect((await trusted.post(`/v1/workflows/${five}/rollback`, { reason: 'I may' })).status).toBe(202);
    expectStatus(await trusted.rest(five), 'rolledBack');
    expect(treeOf(agent.root)).toEqual(before);
  });

  it('to which nobody speaks any more takes itself back, but not while something of it runs', async () => {
    const id = await begun(agent, { idleTimeoutMs: IDLE_MS });
    expect(shown(await add(agent, id, agent.fs('write', 'a', { path: 'idle.txt', content: 'x' })))).toBe('200 succeeded');
    const slow = await add(agent, id, sleep('slow', 2 * IDLE_MS), 0);
    expect([slow.status, slow.body.id]).toEqual([202, 'slow']);
    await until('the slow step has ended', async () => stepOf(await agent.workflow(id), 'slow').status === 'succeeded', 20_000);
    expect((await agent.workflow(id)).status).toBe('running');
    const ended = await agent.rest(id);
    expectStatus(ended, 'rolledBack');
    expect(ended.statusReason).toMatchObject({ code: 'IDLE', detail: expect.stringContaining(`${IDLE_MS} ms`) });
    expect(Date.parse(ended.endedAt) - Date.parse(stepOf(ended, 'slow').endedAt)).toBeGreaterThanOrEqual(IDLE_MS - 50);
    expect([existsSync(file('idle.txt')), stepOf(ended, 'a').undo.verified]).toEqual([false, true]);
    expect(problem(await add(agent, id, noop('late')))).toBe('409 WRONG_STATE');
    // Never spoken to at all.
    const never = await agent.rest(await begun(agent, { idleTimeoutMs: 1_000 }));
    expect([never.status, never.statusReason.code]).toEqual(['rolledBack', 'IDLE']);
  });

  it('does not count the time of a kill switch', async () => {
    const id = await begun(agent, { idleTimeoutMs: IDLE_MS });
    await add(agent, id, agent.fs('write', 'a', { path: 'held.txt', content: 'x' }));
    await world.stack.admin.must(201, 'PUT', '/v1/controls/kill-switches/idle', { body: { scope: { kind: 'agent', id: agent.id }, reason: 'look', rollback: false, includeUndo: false } });
    expect((await agent.reaches(id, ['paused'])).statusReason.code).toBe('KILL_SWITCH');
    expect(problem(await add(agent, id, noop('b')))).toBe('409 WRONG_STATE');
    await pause(2 * IDLE_MS);
    expect((await agent.workflow(id)).status).toBe('paused');
    await world.stack.admin.call('DELETE', '/v1/controls/kill-switches/idle');
    await agent.reaches(id, ['running']);
    expect(shown(await add(agent, id, noop('b')))).toBe('200 succeeded');
    expect(shown(await commit(agent, id))).toBe('200 completed');
  });

  it('whose client hangs up in the middle of a step has it once, and goes on', async () => {
    const id = await begun(agent);
    const gone = fetch(`${world.stack.url}/v1/workflows/${id}/steps?wait=30`, {
      method: 'POST', headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' }, body: JSON.stringify(sleep('slow', 1_000)), signal: AbortSignal.timeout(300),
    }).catch(() => null);
    expect(await gone).toBeNull();
    const again = await add(agent, id, sleep('slow', 1_000));
    expect([shown(again), again.headers['idempotent-replayed'], again.body.attempts]).toEqual(['200 succeeded', 'true', 1]);
    expect(shown(await commit(agent, id))).toBe('200 completed');
  });

  it('does a step once however often and from wherever it is sent; the id with another content is a conflict', async () => {
    const id = await begun(agent);
    const line = agent.fs('append', 'line', { path: 'once.log', content: 'once\n' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => add(agent, id, line)));
    expect([...new Set(answers.map(shown))]).toEqual(['200 succeeded']);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    expect(problem(await add(agent, id, agent.fs('append', 'line', { path: 'once.log', content: 'twice\n' })))).toBe('409 IDEMPOTENCY_CONFLICT /id');
    expect(problem(await add(agent, id, agent.fs('append', 'line', { path: 'once.log', content: 'once\n' }, { timeoutMs: 1_000 })))).toBe('409 IDEMPOTENCY_CONFLICT /id');
    // Two clients of one agent, each with its own steps, side by side.
    const parallel = await Promise.all(Array.from({ length: 10 }, (_, n) => add(agent, id, agent.fs('append', `p${n}`, { path: `p${n % 3}.log`, content: `${n}\n` }))));
    expect([...new Set(parallel.map(shown))]).toEqual(['200 succeeded']);
    expect(shown(await commit(agent, id))).toBe('200 completed');
    expect(readFileSync(file('once.log'), 'utf8')).toBe('once\n');
    expect([0, 1, 2].flatMap(n => readFileSync(file(`p${n}.log`), 'utf8').trimEnd().split('\n')).sort()).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });

  it('is begun once under a key', async () => {
    const first = await begin(agent, { labels: { a: 'b' } }, { 'idempotency-key': 'tx' });
    const again = await begin(agent, { labels: { a: 'b' } }, { 'idempotency-key': 'tx' });
    expect([again.status, again.body.id, again.headers['idempotent-replayed'], first.headers['idempotent-replayed']]).toEqual([201, first.body.id, 'true', undefined]);
    expect(problem(await begin(agent, { labels: { a: 'c' } }, { 'idempotency-key': 'tx' }))).toBe('409 IDEMPOTENCY_CONFLICT');
    expect(problem(await agent.submit([noop('a')], {}, { 'idempotency-key': 'tx' }))).toBe('409 IDEMPOTENCY_CONFLICT');
  });

  it("is its agent's alone: another agent does not see it, and the administrator does not act in it", async () => {
    const id = await begun(agent);
    const other = await world.stack.agent();
    for (const answer of [await add(other, id, noop('a')), await commit(other, id), await other.post(`/v1/workflows/${id}/cancel`), await other.get(`/v1/workflows/${id}`)]) expect(problem(answer)).toBe('404 NOT_FOUND');
    const admin = world.stack.admin;
    expect(problem(await admin.post(`/v1/workflows/${id}/steps`, noop('a')))).toBe('403 FORBIDDEN');
    expect(problem(await admin.post(`/v1/workflows/${id}/commit`))).toBe('403 FORBIDDEN');
    expect((await agent.workflow(id)).steps).toEqual([]);
    expectStatus(await agent.run([noop('a')]), 'completed');
    const batch = await agent.run([noop('a')]);
    expect(problem(await add(agent, batch.id, noop('b')))).toBe('409 WRONG_STATE');
    expect(problem(await commit(agent, batch.id))).toBe('409 WRONG_STATE');
  });

  it('shows a step that policy denies as failed with the decision, and stands', async () => {
    const narrow = await world.stack.agent({ capabilities: ['fs.read', 'noop'] });
    const id = await begun(narrow);
    const denied = await add(narrow, id, narrow.fs('write', 'w', { path: 'x.txt', content: 'x' }));
    expect(denied.body).toMatchObject({ status: 'failed', attempts: 0, error: { code: 'POLICY_DENIED', clean: true }, decision: { outcome: 'deny' } });
    expect(shown(await add(narrow, id, noop('b', { value: ref('w', '/digest') })))).toBe('200 skipped');
    expect(shown(await add(narrow, id, noop('c')))).toBe('200 succeeded');
    const done = await commit(narrow, id);
    expect([done.body.status, done.body.statusReason.code]).toEqual(['completed', 'STEPS_FAILED']);
  });

  it('asks what nobody knows, and waits for a person where nobody can tell', async () => {
    const id = await begun(agent, { idleTimeoutMs: IDLE_MS });
    expect(shown(await add(agent, id, noop('happened', { fail: 'unknown', probe: 'happened' })))).toBe('200 succeeded');
    expect((await add(agent, id, noop('not', { fail: 'unknown', probe: 'didNotHappen' }))).body).toMatchObject({ status: 'failed', error: { clean: true } });
    const open = await add(agent, id, noop('dark', { fail: 'unknown' }));
    expect(open.body).toMatchObject({ status: 'unknown', statusReason: { code: 'OUTCOME_UNKNOWN' } });
    const paused = await agent.reaches(id, ['paused']);
    expect(paused.statusReason.code).toBe('OUTCOME_UNKNOWN');
    await pause(2 * IDLE_MS);
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${id}/steps/dark/resolve`, { body: { outcome: 'succeeded', output: { value: 1 }, reason: 'I looked' } });
    expect(shown(await add(agent, id, noop('on', { value: ref('dark', '/value') })))).toBe('200 succeeded');
    expect(shown(await commit(agent, id))).toBe('200 completed');
  });

  it('never yields what it did: the younger one\'s step is refused with LOCKED, the older one waits', async () => {
    const [older, younger] = [await begun(agent), await begun(agent)];
    const append = (id: string, step: string, name: string, wait = 30): Promise<Answer> => add(agent, id, agent.fs('append', step, { path: name, content: `${step}\n` }), wait);
    expect(shown(await append(older, 'o1', 'x.log'))).toBe('200 succeeded');
    expect(shown(await append(younger, 'y1', 'y.log'))).toBe('200 succeeded');
    const locked = await append(younger, 'y2', 'x.log');
    expect([shown(locked), locked.body.error.detail]).toEqual(['200 failed LOCKED', expect.stringContaining(older)]);
    expectStatus(await agent.workflow(younger), 'running');
    const waiting = await append(older, 'o2', 'y.log', 1);
    expect([waiting.status, waiting.body.status]).toEqual([202, 'pending']);
    expect(shown(await commit(agent, younger))).toBe('200 completed');
    expect(shown(await append(older, 'o2', 'y.log'))).toBe('200 succeeded');
    // An ordinary workflow waits for it, and it for an ordinary one.
    const batch = await agent.start([agent.fs('append', 'b', { path: 'x.log', content: 'b\n' })]);
    await pause(300);
    expect((await agent.workflow(batch)).status).toBe('pending');
    expect(shown(await commit(agent, older))).toBe('200 completed');
    expectStatus(await agent.rest(batch), 'completed');
    expect([readFileSync(file('x.log'), 'utf8'), readFileSync(file('y.log'), 'utf8')]).toEqual(['o1\nb\n', 'y1\no2\n']);
    await until('no lock is held', async () => (await world.stack.admin.all('/v1/locks')).length === 0);
  });

  it('commits when its last step has ended, and takes none more meanwhile', async () => {
    const id = await begun(agent);
    await add(agent, id, sleep('slow', 1_500), 0);
    const waiting = await commit(agent, id, 0);
    expect([waiting.status, waiting.body.status, waiting.body.interactive.committing]).toEqual([202, 'committing', true]);
    expect(problem(await add(agent, id, noop('late')))).toBe('409 WRONG_STATE');
    expect(shown(await commit(agent, id))).toBe('200 completed');
  });

  it('pauses and goes on', async () => {
    const id = await begun(agent);
    await agent.must(202, 'POST', `/v1/workflows/${id}/pause`);
    const refused = await add(agent, id, noop('a'));
    expect([problem(refused), refused.body.workflowStatus]).toEqual(['409 WRONG_STATE', 'paused']);
    await agent.must(202, 'POST', `/v1/workflows/${id}/resume`);
    expect(shown(await add(agent, id, noop('a')))).toBe('200 succeeded');
    expect(shown(await commit(agent, id))).toBe('200 completed');
  });

  it('refuses what is not well made, with pointers, and nothing of it is remembered', async () => {
    for (const [body, what] of [
      [{}, '422 INVALID_FIELD /goal'], [{ goal: 'g', steps: [noop('a')] }, '422 UNKNOWN_FIELD /steps'], [{ goal: 'g', mode: 'atomic' }, '422 INVALID_FIELD /mode'], [{ goal: 'g', idleTimeoutMs: 999 }, '422 INVALID_FIELD /idleTimeoutMs'],
      [{ goal: 'g', idleTimeoutMs: 86_400_001 }, '422 INVALID_FIELD /idleTimeoutMs'], [{ goal: 'g', deadlineMs: 0 }, '422 INVALID_FIELD /deadlineMs'], [{ goal: 'g', tenant: 'other' }, '403 TENANT_MISMATCH /tenant'], [{ planId: 'p' }, '422 UNKNOWN_FIELD /planId'],
    ] as const) expect(problem(await agent.post('/v1/workflows', body))).toBe(what);
    const id = await begun(agent);
    for (const [step, what] of [
      [{ id: 'a' }, '422 INVALID_FIELD /capability'], [{ id: 'a b', capability: 'noop' }, '422 INVALID_FIELD /id'], [{ id: 'a', capability: 'nope' }, '422 UNKNOWN_CAPABILITY /capability'], [{ ...noop('a'), more: 1 }, '422 UNKNOWN_FIELD /more'],
      [noop('a', { fail: 'sometimes' }), '422 INVALID_INPUT /input/fail'], [noop('a', {}, after('b')), '422 UNKNOWN_STEP /dependsOn/0'], [noop('a', { value: ref('b') }), '422 UNKNOWN_STEP /input/value'], [noop('a', {}, after('a')), '422 CYCLE /dependsOn/0'],
      [agent.fs('write', 'a', { path: '../x', content: 'x' }), '422 INVALID_PATH /input/path'], [{ id: 'a', capability: 'fs.read', input: { connection: 'none', path: 'x' } }, '422 UNKNOWN_CONNECTION /input/connection'],
    ] as const) expect([step, problem(await add(agent, id, step))]).toEqual([step, what]);
    expect(problem(await agent.call('POST', `/v1/workflows/${id}/steps`, { raw: '{"id":"a","id":"b"}' }))).toMatch(/^400 DUPLICATE_KEY/);
    expect(problem(await agent.post(`/v1/workflows/${id}/steps?wait=61`, noop('a')))).toBe('422 INVALID_FIELD');
    expect(problem(await agent.post('/v1/workflows/01900000-0000-7000-8000-000000000000/steps', noop('a')))).toBe('404 NOT_FOUND');
    expect((await agent.workflow(id)).steps).toEqual([]);
    expect(shown(await add(agent, id, noop('a')))).toBe('200 succeeded');
  });
});

describe('a transaction, with everything killed in between,', () => {
  let stack: Stack;
  afterEach(async () => { await stack?.stop(); });

  it('goes on where it was: what was done stands once, and it is still committed, taken back, or left alone', async () => {
    stack = await Stack.start({ env: { LOG_LEVEL: 'warn' } });
    const agent = await stack.agent();
    const [kept, back, idle] = [await begun(agent), await begun(agent), await begun(agent, { idleTimeoutMs: 4_000 })];
    for (const id of [kept, back, idle]) expect(shown(await add(agent, id, agent.fs('append', 'one', { path: `${id}.log`, content: 'one\n' })))).toBe('200 succeeded');
    const slow = await add(agent, kept, sleep('slow', 1_000), 0);
    expect(slow.status).toBe(202);
    await stack.kill9();
    await stack.launch();
    await stack.ready();
    const one = await add(agent, kept, agent.fs('append', 'one', { path: `${kept}.log`, content: 'one\n' }));
    expect([shown(one), one.headers['idempotent-replayed']]).toEqual(['200 succeeded', 'true']);
    expect(shown(await add(agent, kept, agent.fs('append', 'two', { path: `${kept}.log`, content: 'two\n' })))).toBe('200 succeeded');
    expect(shown(await add(agent, kept, sleep('slow', 1_000), 60))).toBe('200 succeeded');
    expect(shown(await commit(agent, kept))).toBe('200 completed');
    expect(readFileSync(join(agent.root, `${kept}.log`), 'utf8')).toBe('one\ntwo\n');
    expect((await agent.post(`/v1/workflows/${back}/cancel`)).status).toBe(202);
    expectStatus(await agent.rest(back), 'rolledBack');
    const left = await agent.rest(idle);
    expect([left.status, left.statusReason.code]).toEqual(['rolledBack', 'IDLE']);
    expect([back, idle].map(id => existsSync(join(agent.root, `${id}.log`)))).toEqual([false, false]);
    const log = new AuditLog(stack.admin);
    const entries = await log.settled([kept, back, idle], 60_000);
    await log.verify(entries);
    const events = entries.map(({ event }) => event);
    // Why of one: what a person or the clock takes back rests on their word, not on an outcome.
    expect([...causalityFaults(events.filter(({ subject }) => subject === kept)), ...sequenceFaults([...events, ...(await new AuditLog(stack.admin, 'system').entries()).map(({ event }) => event)])]).toEqual([]);
  }, 120_000);
});

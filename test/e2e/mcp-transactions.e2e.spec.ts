import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { stepOf, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';
import { until } from '../support/wait';

const OLD = '2025-11-25';
const NEW = '2026-07-28';
const META = 'io.aifirst/';
const ERROR = `${META}error`;
const IDLE_MS = 1_500;

describe('transactions by MCP', () => {
  const world = useStack();
  const open: Client[] = [];
  afterEach(async () => { for (const client of open.splice(0)) await client.close().catch(() => undefined); });

  const connect = async (agent: AgentClient, revision: string): Promise<Client> => {
    const client = new Client({ name: 'e2e-framework', version: '1.0.0' }, { versionNegotiation: { mode: revision === NEW ? { pin: NEW } : 'legacy' } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.stack.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${agent.token}` } } }));
    open.push(client);
    // Why: from then on the client holds every output against its schema.
    await client.listTools();
    return client;
  };
  const textOf = (answer: Body): string => answer.content.map(({ text }: Body) => text).join('\n');
  const errorOf = (answer: Body): Body => { if (answer.isError !== true) throw new Error(`no error: ${textOf(answer).slice(0, 500)}`); return answer._meta[ERROR]; };
  const done = (answer: Body): Body => { if (answer.isError === true) throw new Error(textOf(answer)); return answer; };
  const call = (client: Client, name: string, input: object = {}, meta?: object): Promise<Body> => client.callTool({ name, arguments: { ...input }, ...(meta === undefined ? {} : { _meta: { ...meta } }) });
  const begin = async (client: Client, more: object = {}): Promise<string> => done(await call(client, 'begin_transaction', { goal: 'think and act', ...more })).structuredContent.transaction;
  const fs = (agent: AgentClient, client: Client, verb: string, transaction: string | null, input: object, meta?: object): Promise<Body> =>
    call(client, `fs_${verb}`, { connection: agent.connection.name, ...(transaction === null ? {} : { transaction }), ...input }, meta);
  const file = (agent: AgentClient, name: string): string => join(agent.root, name);
  const setWindow = async (agent: AgentClient, repeatWindowMs: number): Promise<void> => {
    const { name, owner, roles } = await world.stack.admin.must(200, 'GET', `/v1/agents/${agent.id}`);
    await world.stack.admin.must(200, 'PUT', `/v1/agents/${agent.id}`, { body: { name, owner, roles, repeatWindowMs } });
  };

  describe.each([[OLD], [NEW]])('revision %s', revision => {
    let agent: AgentClient;
    let client: Client;
    beforeEach(async () => {
      agent = await world.stack.agent({ capabilities: ['fs.*', 'noop', 'timer.sleep'] });
      client = await connect(agent, revision);
    });

    it('begin, act, read what they wrote, survive a call that fails, and are committed', async () => {
      const begun = done(await call(client, 'begin_transaction', { goal: 'think and act', idleTimeoutMs: 60_000, labels: { team: 'credit' } }));
      const { transaction } = begun.structuredContent;
      expect(begun).toMatchObject({ structuredContent: { id: transaction, status: 'running', steps: [], labels: { via: 'mcp', team: 'credit' } }, _meta: { [`${META}workflowId`]: transaction } });
      const written = done(await fs(agent, client, 'write', transaction, { path: 'a.txt', content: 'first thought' }));
      expect(written).toMatchObject({ structuredContent: { path: 'a.txt', created: true }, _meta: { [`${META}workflowId`]: transaction, [`${META}stepId`]: expect.any(String) } });
      expect(done(await fs(agent, client, 'read', null, { path: 'a.txt' }, { [`${META}transaction`]: transaction })).structuredContent.content).toBe('first thought');
      const failed = await fs(agent, client, 'read', transaction, { path: 'missing.txt' });
      expect(errorOf(failed)).toMatchObject({ code: 'NOT_FOUND', clean: true, workflowId: transaction, status: 'running', stepStatus: 'failed' });
      expect(textOf(failed)).toMatch(/The step had no effect\.\nThe transaction still stands[^]*commit_transaction[^]*rollback_transaction/);
      const wrong = await fs(agent, client, 'write', transaction, { path: '../out.txt', content: 7 });
      expect(textOf(wrong)).toMatch(/argument `\/path`[^]*argument `\/content`[^]*The transaction still stands/);
      done(await call(client, 'call_capability', { capability: 'fs.append', arguments: { connection: agent.connection.name, path: 'a.txt', content: ', second' }, transaction }));
      expect((await agent.workflow(transaction)).status).toBe('running');
      const committed = done(await call(client, 'commit_transaction', { transaction }));
      expect(committed.structuredContent).toMatchObject({ id: transaction, status: 'completed', statusReason: { code: 'STEPS_FAILED' }, steps: [{ capability: 'fs.write' }, { capability: 'fs.read' }, { status: 'failed' }, { capability: 'fs.append' }] });
      expect(readFileSync(file(agent, 'a.txt'), 'utf8')).toBe('first thought, second');
      expect(done(await call(client, 'commit_transaction', { transaction })).structuredContent.status).toBe('completed');
      const late = await fs(agent, client, 'write', transaction, { path: 'late.txt', content: 'x' });
      expect(errorOf(late)).toMatchObject({ code: 'WRONG_STATE', status: 'completed' });
      expect(textOf(late)).toContain('is committed: what it did stands');
      expect([existsSync(file(agent, 'late.txt')), (await agent.all('/v1/workflows')).length]).toEqual([false, 1]);
    });

    it('are rolled back, verified, by an agent that has no right to roll back; one that is committed is not', async () => {
      writeFileSync(file(agent, 'kept.txt'), 'as it was');
      const before = treeOf(agent.root);
      const transaction = await begin(client);
      done(await fs(agent, client, 'write', transaction, { path: 'kept.txt', content: 'changed' }));
      done(await fs(agent, client, 'write', transaction, { path: 'deep/new.txt', content: 'new' }));
      const back = done(await call(client, 'rollback_transaction', { transaction, reason: 'a better idea' }));
      expect(back.structuredContent).toMatchObject({ status: 'rolledBack', steps: Array(2).fill({ status: 'undone', undo: { status: 'done', verified: true } }) });
      expect(textOf(back)).toMatch(/^Taken back\. What it had done was undone, and the targets were read again to verify that\./);
      expect(treeOf(agent.root)).toEqual(before);
      expect(done(await call(client, 'rollback_transaction', { transaction })).structuredContent.status).toBe('rolledBack');
      expect(errorOf(await fs(agent, client, 'write', transaction, { path: 'a', content: 'x' }))).toMatchObject({ code: 'WRONG_STATE', status: 'rolledBack' });
      expect(errorOf(await call(client, 'commit_transaction', { transaction })).code).toBe('WRONG_STATE');
      const empty = await begin(client);
      expect(done(await call(client, 'rollback_transaction', { transaction: empty })).structuredContent.status).toBe('cancelled');
      const kept = await begin(client);
      done(await fs(agent, client, 'write', kept, { path: 'kept.txt', content: 'changed' }));
      done(await call(client, 'commit_transaction', { transaction: kept }));
      expect(errorOf(await call(client, 'rollback_transaction', { transaction: kept })).code).toBe('FORBIDDEN');
      await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['fs.*', 'rollback'], connections: [agent.connection.name] } });
      expect(done(await call(client, 'rollback_transaction', { transaction: kept })).structuredContent.status).toBe('rolledBack');
      expect(treeOf(agent.root)).toEqual(before);
    });

    it('are shared by clients of one agent, and are not there for another agent', async () => {
      const second = await connect(agent, revision === NEW ? OLD : NEW);
      const transaction = await begin(client);
      const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => fs(agent, n % 2 === 0 ? client : second, 'append', transaction, { path: `${n % 2}.log`, content: `${n}\n` })));
      answers.forEach(done);
      expect(new Set(answers.map(({ _meta }) => _meta[`${META}stepId`])).size).toBe(8);
      const other = await world.stack.agent({ connection: agent.connection });
      const stranger = await connect(other, revision);
      for (const refused of [await fs(other, stranger, 'write', transaction, { path: 'x', content: 'x' }), await call(stranger, 'commit_transaction', { transaction }), await call(stranger, 'rollback_transaction', { transaction }), await fs(other, stranger, 'write', 'made-up', { path: 'x', content: 'x' })]) {
        expect(errorOf(refused).code).toBe('NOT_FOUND');
        expect(textOf(refused)).toContain('begin_transaction');
      }
      expect(done(await call(second, 'commit_transaction', { transaction })).structuredContent.steps).toHaveLength(8);
      expect([0, 1].map(at => readFileSync(file(agent, `${at}.log`), 'utf8').trimEnd().split('\n').map(Number).sort((a, b) => a - b))).toEqual([[0, 2, 4, 6], [1, 3, 5, 7]]);
    });

    it('are taken back by themselves when their client dies between two calls, verified', async () => {
      const transaction = await begin(client, { idleTimeoutMs: IDLE_MS });
      done(await fs(agent, client, 'write', transaction, { path: 'half.txt', content: 'x' }));
      expect(existsSync(file(agent, 'half.txt'))).toBe(true);
      await open.splice(0)[0]!.close();
      await agent.reaches(transaction, ['rolledBack']);
      const [shown] = (await agent.get('/v1/workflows?status=rolledBack')).body.items;
      expect(shown).toMatchObject({ id: transaction, statusReason: { code: 'IDLE' }, steps: [{ status: 'undone', undo: { status: 'done', verified: true } }] });
      expect(existsSync(file(agent, 'half.txt'))).toBe(false);
      const late = await fs(agent, await connect(agent, revision), 'write', transaction, { path: 'late.txt', content: 'x' });
      expect(errorOf(late)).toMatchObject({ code: 'WRONG_STATE', status: 'rolledBack', reason: 'IDLE' });
    });

    it('do not go back because a client goes in the middle of a call: it is done once, and found under its key', async () => {
      const transaction = await begin(client);
      const left = new AbortController();
      const meta = { [`${META}idempotencyKey`]: 'a long sleep' };
      const calling = client.callTool({ name: 'timer_sleep', arguments: { ms: 1_500, transaction }, _meta: meta }, { signal: left.signal }).catch(() => undefined);
      await until('the call runs', async () => (await agent.workflow(transaction)).steps[0]?.status === 'running');
      left.abort();
      await calling;
      const found = done(await call(client, 'timer_sleep', { ms: 1_500, transaction }, meta));
      expect(found._meta).toMatchObject({ deduplicated: true });
      expect(errorOf(await call(client, 'timer_sleep', { ms: 1, transaction }, meta)).code).toBe('IDEMPOTENCY_CONFLICT');
      expect(done(await call(client, 'commit_transaction', { transaction })).structuredContent.steps).toMatchObject([{ status: 'succeeded', attempts: 1 }]);
    });

    it('say that a call still runs, and tell progress of it meanwhile; a commit waits for it', async () => {
      const transaction = await begin(client);
      const told: string[] = [];
      const running = await client.callTool({ name: 'timer_sleep', arguments: { ms: 2_500, transaction }, _meta: { [`${META}waitMs`]: 1_200 } }, { onprogress: ({ message }) => { told.push(message ?? ''); } }) as Body;
      expect(errorOf(running)).toMatchObject({ code: 'STILL_RUNNING', stepStatus: 'running' });
      expect(told[0]).toContain(`of transaction ${transaction} is running`);
      expect(textOf(await call(client, 'commit_transaction', { transaction }, { [`${META}waitMs`]: 0 }))).toContain('STILL_RUNNING');
      expect(done(await call(client, 'commit_transaction', { transaction })).structuredContent.status).toBe('completed');
      const timed = await begin(client);
      expect(errorOf(await call(client, 'timer_sleep', { ms: 5_000, transaction: timed }, { [`${META}timeoutMs`]: 100 }))).toMatchObject({ code: 'TIMEOUT', status: 'running' });
    });
  });

  it('do an identical call once within `repeatWindowMs`, inside of a transaction and outside, and again once that is over', async () => {
    const agent = await world.stack.agent();
    await setWindow(agent, 3_600_000);
    // Why a client for each: that is what a framework does which takes an answer for lost and calls again.
    const append = async (transaction: string | null, content: string): Promise<Body> => fs(agent, await connect(agent, OLD), 'append', transaction, { path: 'log.txt', content });
    const transaction = await begin(await connect(agent, OLD));
    const first = done(await append(transaction, 'in\n'));
    const again = await Promise.all([append(transaction, 'in\n'), append(transaction, 'in\n')]);
    for (const one of again) expect(one).toMatchObject({ structuredContent: first.structuredContent, _meta: { deduplicated: true, [`${META}stepId`]: first._meta[`${META}stepId`] } });
    done(await append(transaction, 'other\n'));
    const missing = async (): Promise<Body> => fs(agent, await connect(agent, OLD), 'delete', transaction, { path: 'late.txt' });
    expect(errorOf(await missing()).code).toBe('NOT_FOUND');
    done(await fs(agent, await connect(agent, OLD), 'write', transaction, { path: 'late.txt', content: 'x' }));
    // Why not the failure again: it had no effect, so that nothing is done twice.
    done(await missing());
    await world.stack.restart();
    expect(done(await append(transaction, 'in\n'))._meta).toMatchObject({ deduplicated: true });
    await setWindow(agent, 1);
    expect(done(await append(transaction, 'in\n'))._meta).not.toHaveProperty('deduplicated');
    done(await call(await connect(agent, OLD), 'commit_transaction', { transaction }));
    expect(readFileSync(file(agent, 'log.txt'), 'utf8')).toBe('in\nother\nin\n');
    await setWindow(agent, 3_600_000);
    const outside = done(await append(null, 'out\n'));
    expect(done(await append(null, 'out\n'))).toMatchObject({ structuredContent: outside.structuredContent, _meta: { deduplicated: true } });
    expect(readFileSync(file(agent, 'log.txt'), 'utf8')).toBe('in\nother\nin\nout\n');
  });

  it('that two agents fight over are told who holds what, and the younger one goes on without', async () => {
    const [older, younger] = [await world.stack.agent(), await world.stack.agent()];
    for (const agent of [older, younger]) await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['*'], connections: [older.connection.name] } });
    const [first, second] = [await connect(older, NEW), await connect(younger, OLD)];
    const [one, two] = [await begin(first), await begin(second)];
    done(await fs(older, first, 'write', one, { path: 'x.txt', content: 'x' }));
    done(await fs(older, second, 'write', two, { path: 'y.txt', content: 'y' }));
    const locked = await fs(older, second, 'write', two, { path: 'x.txt', content: 'z' });
    expect(errorOf(locked)).toMatchObject({ code: 'LOCKED', status: 'running' });
    expect(textOf(locked)).toMatch(new RegExp(`${one}[^]*still stands[^]*Call again when`));
    done(await call(first, 'commit_transaction', { transaction: one }));
    done(await fs(older, second, 'write', two, { path: 'x.txt', content: 'z' }));
    done(await call(second, 'commit_transaction', { transaction: two }));
    expect(readFileSync(file(older, 'x.txt'), 'utf8')).toBe('z');
  });

  it('wait for a person where nobody can tell what a call did', async () => {
    const agent = await world.stack.agent();
    const client = await connect(agent, NEW);
    const transaction = await begin(client);
    const dark = await call(client, 'noop', { fail: 'unknown', transaction }, { [`${META}idempotencyKey`]: 'dark' });
    expect(errorOf(dark).code).toBe('OUTCOME_UNKNOWN');
    await agent.reaches(transaction, ['paused']);
    expect(errorOf(await call(client, 'noop', { value: 1, transaction }))).toMatchObject({ code: 'WRONG_STATE', status: 'paused', reason: 'OUTCOME_UNKNOWN' });
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${transaction}/steps/dark/resolve`, { body: { outcome: 'succeeded', output: { value: 1 }, reason: 'I looked' } });
    expect(done(await call(client, 'noop', { fail: 'unknown', transaction }, { [`${META}idempotencyKey`]: 'dark' })).structuredContent).toEqual({ value: 1 });
    done(await call(client, 'commit_transaction', { transaction }));
  });

  it('are held by a kill switch, which says so, and go on when it is lifted; what policy denies leaves them standing', async () => {
    const agent = await world.stack.agent({ capabilities: ['fs.read', 'noop'] });
    const client = await connect(agent, NEW);
    const transaction = await begin(client);
    const denied = await fs(agent, client, 'write', transaction, { path: 'x.txt', content: 'x' });
    expect(errorOf(denied)).toMatchObject({ code: 'POLICY_DENIED', status: 'running' });
    expect(textOf(denied)).toMatch(/Permitted now: fs_read on [^]*still stands/);
    await world.stack.admin.must(201, 'PUT', `/v1/controls/kill-switches/${agent.role}`, { body: { scope: { kind: 'agent', id: agent.id }, reason: 'look', rollback: false, includeUndo: false } });
    await agent.reaches(transaction, ['paused']);
    const held = await call(client, 'noop', { value: 1, transaction });
    expect(errorOf(held)).toMatchObject({ code: 'WRONG_STATE', status: 'paused', reason: 'KILL_SWITCH' });
    expect(textOf(held)).toMatch(/is held and takes no calls \(KILL_SWITCH[^]*until it is `running`/);
    await world.stack.admin.call('DELETE', `/v1/controls/kill-switches/${agent.role}`);
    await agent.reaches(transaction, ['running']);
    done(await call(client, 'noop', { value: 1, transaction }));
    done(await call(client, 'commit_transaction', { transaction }));
  });

  it('say what is in the way where something can not be undone', async () => {
    const agent = await world.stack.agent();
    const client = await connect(agent, OLD);
    const transaction = await begin(client);
    done(await fs(agent, client, 'write', transaction, { path: 'mine.txt', content: 'mine' }));
    done(await fs(agent, client, 'write', transaction, { path: 'other.txt', content: 'other' }));
    writeFileSync(file(agent, 'mine.txt'), 'changed by somebody else');
    const blocked = await call(client, 'rollback_transaction', { transaction });
    expect(blocked).toMatchObject({ structuredContent: { status: 'rollbackBlocked' } });
    expect(errorOf(blocked).code).toBe('TARGET_CHANGED');
    expect(textOf(blocked)).toMatch(/Not all of it could be undone[^]*\(fs\.write\): undoBlocked, undo blocked: /);
    expect([existsSync(file(agent, 'other.txt')), readFileSync(file(agent, 'mine.txt'), 'utf8')]).toEqual([false, 'changed by somebody else']);
  });

  it('are answered when the runtime is told to end, and go on at the next start', async () => {
    const agent = await world.stack.agent();
    const client = await connect(agent, NEW);
    const transaction = await begin(client);
    done(await fs(agent, client, 'append', transaction, { path: 'log.txt', content: 'one\n' }));
    const calling = call(client, 'timer_sleep', { ms: 3_000, transaction }, { [`${META}idempotencyKey`]: 'slow' });
    await until('it runs', async () => (await agent.workflow(transaction)).steps[1]?.status === 'running');
    expect(await world.stack.terminate()).toEqual({ code: 0, signal: null });
    expect(errorOf(await calling).code).toBe('STILL_RUNNING');
    await world.stack.restart();
    const again = await connect(agent, NEW);
    done(await call(again, 'timer_sleep', { ms: 3_000, transaction }, { [`${META}idempotencyKey`]: 'slow' }));
    expect(stepOf(await agent.workflow(transaction), 'slow').attempts).toBeGreaterThan(0);
    done(await fs(agent, again, 'append', transaction, { path: 'log.txt', content: 'two\n' }));
    done(await call(again, 'commit_transaction', { transaction }));
    expect(readFileSync(file(agent, 'log.txt'), 'utf8')).toBe('one\ntwo\n');
    const log = new AuditLog(world.stack.admin);
    await log.verify(await log.settled([transaction], 60_000));
  });
});

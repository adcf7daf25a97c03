import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport, type ClientOptions } from '@modelcontextprotocol/client';
import type { AgentClient } from '../support/agent';
import { servicesOf } from '../support/havoc';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const OLD = '2025-11-25';
const NEW = '2026-07-28';
const META = 'io.aifirst/';
/** Of a service's second copy. */
const NEXT_COPY = 10;
/** A lease that nobody gave back lasts 10 s. */
const TAKEN_OVER_MS_MAX = 60_000;

describe('two copies of the gateway, for agents by MCP,', () => {
  const running = useStack({ env: { COPIES: '1,gateway=2', LOG_LEVEL: 'warn' } });
  const open: Client[] = [];
  let agent: AgentClient;
  beforeAll(async () => { agent = await running.stack.agent(); });
  afterEach(async () => { for (const client of open.splice(0)) await client.close().catch(() => undefined); });

  const ports = (): readonly number[] => { const first = Number(new URL(running.stack.url).port); return [first, first + NEXT_COPY]; };
  const isActive = async (port: number): Promise<boolean> => {
    const page = await fetch(`http://127.0.0.1:${port}/metrics`).then(answer => answer.text(), () => '');
    return /^aifirst_active_writer\{[^}]*log="gateway"[^}]*\} 1$/m.test(page);
  };
  const roles = (): Promise<{ readonly active: number; readonly standby: number }> => until('one copy is active and the other there', async () => {
    const said = await Promise.all(ports().map(isActive));
    const live = await Promise.all(ports().map(port => fetch(`http://127.0.0.1:${port}/health/ready`).then(({ ok }) => ok, () => false)));
    return said.filter(Boolean).length === 1 && live.every(Boolean) ? { active: ports()[said.indexOf(true)]!, standby: ports()[said.indexOf(false)]! } : undefined;
  }, TAKEN_OVER_MS_MAX, 100);
  const connect = async (port: number, revision: string, options: ClientOptions = {}): Promise<Client> => {
    const client = new Client({ name: 'a-framework', version: '1.0.0' }, { versionNegotiation: { mode: revision === NEW ? { pin: NEW } : 'legacy' }, ...options });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`), { requestInit: { headers: { authorization: `Bearer ${agent.token}` } } }));
    open.push(client);
    return client;
  };
  const call = (client: Client, name: string, input: object = {}, meta?: object): Promise<Body> => client.callTool({ name, arguments: { ...input }, ...(meta === undefined ? {} : { _meta: { ...meta } }) });
  const done = (answer: Body): Body => { if (answer.isError === true) throw new Error(answer.content.map(({ text }: Body) => text).join('\n')); return answer; };
  const append = (client: Client, path: string, content: string, transaction?: string, key?: string): Promise<Body> =>
    call(client, 'fs_append', { connection: agent.connection.name, path, content, ...(transaction === undefined ? {} : { transaction }) }, key === undefined ? undefined : { [`${META}idempotencyKey`]: key });
  const contentOf = (path: string): string => readFileSync(join(agent.root, path), 'utf8');

  it.each([[OLD], [NEW]])('answer tools, and act in one transaction, whichever is called: revision %s', async revision => {
    const { active, standby } = await roles();
    const [one, other] = [await connect(standby, revision), await connect(active, revision)];
    expect((await one.listTools()).tools).toEqual((await other.listTools()).tools);
    const path = `shared-${revision}.log`;
    const transaction = done(await call(one, 'begin_transaction', { goal: 'by either' })).structuredContent.transaction;
    done(await append(one, path, 'one\n', transaction));
    done(await append(other, path, 'two\n', transaction));
    expect(done(await call(one, 'fs_read', { connection: agent.connection.name, path, transaction })).structuredContent.content).toBe('one\ntwo\n');
    expect(await call(one, 'fs_read', { connection: agent.connection.name, path: 'missing', transaction })).toMatchObject({ isError: true });
    expect(done(await call(one, 'commit_transaction', { transaction })).structuredContent).toMatchObject({ status: 'completed', steps: { length: 4 } });
    const back = done(await call(one, 'begin_transaction', { goal: 'to go back' })).structuredContent.transaction;
    done(await append(one, 'back.log', 'x', back));
    expect(done(await call(one, 'rollback_transaction', { transaction: back })).structuredContent).toMatchObject({ status: 'rolledBack', steps: [{ undo: { verified: true } }] });
    expect([contentOf(path), existsSync(join(agent.root, 'back.log'))]).toEqual(['one\ntwo\n', false]);
  }, 120_000);

  it('stream by the one that stands by what the active one streams: progress, changes of tools, and that a client goes', async () => {
    const { standby } = await roles();
    for (const revision of [OLD, NEW]) {
      const told: string[] = [];
      const client = await connect(standby, revision);
      const slept = await client.callTool({ name: 'timer_sleep', arguments: { ms: 2_000 } }, { onprogress: ({ message }) => { told.push(message ?? ''); } }) as Body;
      expect([slept.isError, told[0]]).toEqual([undefined, expect.stringContaining('0 of 1 steps have ended')]);
    }
    let changes = 0;
    await connect(standby, NEW, { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => { changes++; } } } });
    await until('it is told', async () => {
      await running.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['*'], connections: [agent.connection.name] } });
      return changes > 0;
    });
    const left = new AbortController();
    const client = await connect(standby, NEW);
    const calling = client.callTool({ name: 'timer_sleep', arguments: { ms: 4_000 } }, { signal: left.signal }).catch(() => undefined);
    const id = await until('the call runs', async () => (await agent.get('/v1/workflows?status=running')).body.items[0]?.id);
    left.abort();
    await calling;
    expect(['cancelled', 'rolledBack']).toContain((await agent.rest(id)).status);
  }, 120_000);

  it('go on with a transaction when the active one is killed: what was called is done once, under its key', async () => {
    const { active, standby } = await roles();
    const [first, second] = [await connect(active, NEW), await connect(standby, OLD)];
    const transaction = done(await call(first, 'begin_transaction', { goal: 'to outlive', idleTimeoutMs: 300_000 })).structuredContent.transaction;
    done(await append(first, 'outlives.log', 'one\n', transaction));
    const under = [first, second].map((client, at) => call(client, 'timer_sleep', { ms: 3_000, transaction }, { [`${META}idempotencyKey`]: `slow-${at}` }).then(() => 'answered', () => 'lost'));
    await until('both run', async () => (await agent.workflow(transaction)).steps.filter(({ status }: Body) => status === 'running').length === 2);
    // As often as it comes back: else it may be the one that takes over.
    await until('the other takes over', async () => {
      const pid = listenerOf(active);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      return isActive(standby);
    }, TAKEN_OVER_MS_MAX, 100);
    expect(await Promise.all(under)).toEqual(['lost', 'lost']);
    await roles();
    const again = await connect(standby, NEW);
    const found = await Promise.all([0, 1].map(at => call(again, 'timer_sleep', { ms: 3_000, transaction }, { [`${META}idempotencyKey`]: `slow-${at}` })));
    for (const one of found) expect(done(one)._meta).toMatchObject({ deduplicated: true });
    // By the one that was killed and now stands by.
    const back = await connect(active, OLD);
    done(await append(back, 'outlives.log', 'two\n', transaction, 'line'));
    done(await append(again, 'outlives.log', 'two\n', transaction, 'line'));
    const ended = done(await call(back, 'commit_transaction', { transaction })).structuredContent;
    expect([ended.status, ended.statusReason, ended.steps.length]).toEqual(['completed', null, 4]);
    expect(contentOf('outlives.log')).toBe('one\ntwo\n');
  }, 180_000);

  /** The gateway that was told to listen there. */
  function listenerOf(port: number): number | undefined {
    return servicesOf(running.stack.dataDir).find(({ pid }) => { try { return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`PORT=${port}`); } catch { return false; } })?.pid;
  }
});

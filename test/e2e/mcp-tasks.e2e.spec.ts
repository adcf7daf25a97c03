import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expectStatus, type AgentClient } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';

const OLD = '2025-11-25';
const NEW = '2026-07-28';
const META = 'io.aifirst/';
const TASK_MS = 60_000;

describe('a task of another agent, worked by MCP', () => {
  const world = useStack();
  const open: Client[] = [];
  let leader: AgentClient;
  let clerk: AgentClient;
  beforeEach(async () => {
    leader = await world.stack.agent();
    clerk = await world.stack.agent({ connection: leader.connection });
  });
  afterEach(async () => { for (const client of open.splice(0)) await client.close().catch(() => undefined); });

  const connect = async (agent: AgentClient, revision: string): Promise<Client> => {
    const client = new Client({ name: 'e2e-framework', version: '1.0.0' }, { versionNegotiation: { mode: revision === NEW ? { pin: NEW } : 'legacy' } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.stack.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${agent.token}` } } }));
    open.push(client);
    await client.listTools();
    return client;
  };
  const textOf = (answer: Body): string => answer.content.map(({ text }: Body) => text).join('\n');
  const done = (answer: Body): Body => { if (answer.isError === true) throw new Error(textOf(answer)); return answer; };
  const call = (client: Client, name: string, input: object = {}, meta?: object): Promise<Body> => client.callTool({ name, arguments: { ...input }, ...(meta === undefined ? {} : { _meta: { ...meta } }) });
  const has = (name: string): boolean => existsSync(join(leader.root, name));

  it.each([[OLD], [NEW]])('makes calls, intents and transactions part of the one that gave it, and goes back with that: revision %s', async revision => {
    const given = await connect(leader, revision);
    const transaction = done(await call(given, 'begin_transaction', { goal: 'delegate' })).structuredContent.transaction;
    const input = { connection: leader.connection.name, content: 'x\n' };
    done(await call(given, 'fs_write', { ...input, path: 'leader.txt', transaction }));
    const giving = call(given, 'agent_task', { agent: clerk.id, task: 'write it down', transaction }, { [`${META}timeoutMs`]: TASK_MS });
    const task = await clerk.must(200, 'POST', '/v1/tasks/claim', { body: { waitMs: 20_000 } });

    const worker = await connect(clerk, revision);
    const inside = done(await call(worker, 'fs_write', { ...input, path: 'argument.txt', transaction: task.token }));
    done(await call(worker, 'fs_append', { ...input, path: 'argument.txt' }, { [`${META}transaction`]: task.token }));
    const steps = [clerk.fs('write', 'a', { path: 'intent.txt', content: 'x' })];
    done(await call(worker, 'submit_intent', { goal: 'in a task', steps }, { [`${META}transaction`]: task.token }));
    const own = done(await call(worker, 'begin_transaction', { goal: 'in a task', parent: task.token })).structuredContent;
    done(await call(worker, 'fs_write', { ...input, path: 'grown.txt', transaction: own.transaction }));
    done(await call(worker, 'commit_transaction', { transaction: own.transaction }));
    const shown = await clerk.workflow(inside._meta[`${META}workflowId`]);
    expect(shown).toMatchObject({ status: 'completed', labels: { via: 'mcp' }, parent: { workflow: transaction, task: task.id, root: transaction, chain: [leader.id] } });
    expect(own.parent).toMatchObject({ workflow: transaction, task: task.id });
    expect(readFileSync(join(leader.root, 'argument.txt'), 'utf8')).toBe('x\nx\n');
    // The giver's transaction is the giver's alone.
    expect((await call(worker, 'fs_write', { ...input, path: 'x.txt', transaction }))._meta[`${META}error`].code).toBe('NOT_FOUND');

    await clerk.must(200, 'POST', `/v1/tasks/${task.id}/complete`, { body: { result: 'done', token: task.token } });
    expect(done(await giving).structuredContent).toEqual({ result: 'done', agent: clerk.id });
    const late = await call(worker, 'fs_write', { ...input, path: 'late.txt', transaction: task.token });
    expect(late.isError).toBe(true);
    expect(textOf(late)).toMatch(/^(WRONG_STATE|NOT_FOUND): [^]*nothing was done/);
    expect(textOf(late)).not.toContain(task.token);

    const names = ['leader.txt', 'argument.txt', 'intent.txt', 'grown.txt'];
    expect(names.map(has)).toEqual([true, true, true, true]);
    expect(done(await call(given, 'rollback_transaction', { transaction })).structuredContent.status).toBe('rolledBack');
    expect([...names, 'late.txt'].map(has)).toEqual([false, false, false, false, false]);
    expectStatus(await clerk.workflow(own.transaction), 'rolledBack');
  });

  it('is not worked with a token that was made up', async () => {
    const worker = await connect(clerk, OLD);
    const refused = await call(worker, 'fs_write', { connection: leader.connection.name, path: 'x.txt', content: 'x', transaction: 'task_made-up' });
    expect(refused).toMatchObject({ isError: true, _meta: { [`${META}error`]: { code: 'NOT_FOUND' } } });
    expect([has('x.txt'), await clerk.all('/v1/workflows')]).toEqual([false, []]);
  });
});

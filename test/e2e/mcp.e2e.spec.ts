import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport, type ClientOptions } from '@modelcontextprotocol/client';
import type { AgentClient } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const OLD = '2025-11-25';
const NEW = '2026-07-28';
const KEY = 'io.aifirst/idempotencyKey';
const ERROR = 'io.aifirst/error';
const WORKFLOW_ID = 'io.aifirst/workflowId';

describe('agents by MCP', () => {
  const world = useStack();
  const open: Client[] = [];
  afterEach(async () => { for (const client of open.splice(0)) await client.close().catch(() => undefined); });

  const connect = async (token: string | null, revision: string, options: ClientOptions = {}): Promise<Client> => {
    const client = new Client({ name: 'e2e-framework', version: '1.0.0' }, { versionNegotiation: { mode: revision === NEW ? { pin: NEW } : 'legacy' }, ...options });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.stack.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
    open.push(client);
    return client;
  };
  const textOf = (answer: Body): string => answer.content.map(({ text }: Body) => text).join('\n');
  const workflows = async (agent: AgentClient): Promise<Body[]> => agent.all('/v1/workflows');

  describe.each([[OLD], [NEW]])('revision %s', revision => {
    let agent: AgentClient;
    let client: Client;
    beforeEach(async () => {
      agent = await world.stack.agent({ capabilities: ['fs.*', 'noop', 'timer.sleep'] });
      client = await connect(agent.token, revision);
      // Why: from then on the client holds every output against its schema.
      await client.listTools();
    });
    const call = (name: string, input: object = {}, meta?: object): Promise<Body> => client.callTool({ name, arguments: { ...input }, ...(meta === undefined ? {} : { _meta: { ...meta } }) });
    const fs = (name: string, input: object, meta?: object): Promise<Body> => call(name, { connection: agent.connection.name, ...input }, meta);

    it('lists what the agent may reach, with schemas and what each can do', async () => {
      expect(client.getNegotiatedProtocolVersion()).toBe(revision);
      const { tools } = await client.listTools();
      const named = Object.fromEntries(tools.map(tool => [tool.name, tool]));
      expect(Object.keys(named)).toEqual(expect.arrayContaining(['fs_read', 'fs_write', 'fs_delete', 'noop', 'timer_sleep', 'plan_intent', 'submit_intent', 'get_workflow', 'begin_transaction', 'commit_transaction', 'rollback_transaction']));
      for (const name of Object.keys(named)) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      for (const absent of ['sql_execute', 'find_capabilities']) expect(named).not.toHaveProperty(absent);
      expect(named['fs_write']).toMatchObject({
        description: expect.stringContaining('Writes a file'), annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
        inputSchema: { type: 'object', required: ['connection', 'path', 'content'], properties: { connection: { enum: [agent.connection.name] }, transaction: { type: 'string' } } }, outputSchema: { type: 'object', properties: { digest: {} } },
      });
      expect(named['fs_read']).toMatchObject({ annotations: { readOnlyHint: true, idempotentHint: true } });
      expect(JSON.stringify(tools)).not.toMatch(/"x-|\$schema/);
    });

    it('lists something else as soon as policy has changed', async () => {
      await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['fs.read'], connections: [agent.connection.name] } });
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['fs_read', 'plan_intent', 'submit_intent', 'get_workflow', 'begin_transaction', 'commit_transaction', 'rollback_transaction']);
      const denied = await fs('fs_write', { path: 'a.txt', content: 'x' });
      expect(denied).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'POLICY_DENIED', status: 'rejected' } } });
      expect(textOf(denied)).toMatch(/nothing permits `fs\.write`[^]*Permitted now: fs_read on /);
      expect(existsSync(join(agent.root, 'a.txt'))).toBe(false);
    });

    it('writes and reads, each as a workflow that is recorded and can be rolled back', async () => {
      const written = await fs('fs_write', { path: 'a.txt', content: 'from a tool' });
      expect(written).toMatchObject({ structuredContent: { path: 'a.txt', created: true }, _meta: { [WORKFLOW_ID]: expect.any(String) } });
      expect(written.isError).toBeFalsy();
      expect(JSON.parse(textOf(written))).toEqual(written.structuredContent);
      expect(await fs('fs_read', { path: 'a.txt' })).toMatchObject({ structuredContent: { content: 'from a tool', encoding: 'utf8' } });
      const id = written._meta[WORKFLOW_ID];
      expect(await agent.workflow(id)).toMatchObject({ status: 'completed', goal: 'tool call of fs.write', labels: { via: 'mcp', ...(revision === NEW ? { client: 'e2e-framework' } : {}) }, steps: [{ capability: 'fs.write' }] });
      expect(await call('get_workflow', { workflowId: id })).toMatchObject({ structuredContent: { id, status: 'completed' } });
      await world.stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: {} });
      await agent.reaches(id, ['rolledBack']);
      expect(existsSync(join(agent.root, 'a.txt'))).toBe(false);
    });

    it('refuses wrong arguments with what is wrong with which, and what is taken', async () => {
      const refused = await fs('fs_write', { path: '../out.txt', content: 7, colour: 'red' });
      expect(refused).toMatchObject({ isError: true });
      const said = textOf(refused);
      for (const expected of ['argument `/path`', 'argument `/content`', 'argument `/colour`', 'nothing was done', '`path` (required']) expect(said).toContain(expected);
      expect(textOf(await call('fs_write', { connection: 'nobodys', path: 'a', content: '' }))).toContain('UNKNOWN_CONNECTION');
      await expect(call('fs_format_disk')).rejects.toThrow('there is no tool');
      expect(await workflows(agent)).toEqual([]);
    });

    it('says what the target said', async () => {
      const failed = await fs('fs_read', { path: 'missing.txt' });
      expect(failed).toMatchObject({ isError: true, _meta: { [ERROR]: { code: expect.any(String), clean: true } } });
      expect(textOf(failed)).toMatch(/^NOT_FOUND: there is nothing at that path\nNothing of it stands\./);
    });

    it('takes what looks like a reference for the data it is', async () => {
      expect(await call('noop', { value: { $ref: '#/steps/other/output', deep: [{ $literal: 1 }] } })).toMatchObject({ structuredContent: { value: { $ref: '#/steps/other/output', deep: [{ $literal: 1 }] } } });
    });

    it('acts once under one key, however often it is called', async () => {
      const once = { [KEY]: 'letter-42' };
      const [first, ...others] = await Promise.all([1, 2, 3].map(() => fs('fs_append', { path: 'log.txt', content: 'line\n' }, once)));
      const again = await fs('fs_append', { path: 'log.txt', content: 'line\n' }, once);
      for (const other of [...others, again]) expect(other).toMatchObject({ structuredContent: first.structuredContent, _meta: { [WORKFLOW_ID]: first._meta[WORKFLOW_ID] } });
      expect(again._meta).toMatchObject({ deduplicated: true });
      expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('line\n');
      expect(await fs('fs_append', { path: 'log.txt', content: 'other\n' }, once)).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'IDEMPOTENCY_CONFLICT' } } });
      const byRest = await agent.submit([{ id: 'x', capability: 'noop', input: {} }], {}, { 'idempotency-key': 'letter-42' });
      expect([byRest.status, byRest.body.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
    });

    it('plans and runs several steps as one transaction, undone as one', async () => {
      const steps = [agent.fs('write', 'one', { path: 'one.txt', content: '1' }), agent.fs('read', 'two', { path: 'missing.txt' }, { dependsOn: ['one'] })];
      const failed = await call('submit_intent', { goal: 'two files', steps });
      expect(failed).toMatchObject({ isError: true, structuredContent: { status: 'rolledBack' } });
      expect(textOf(failed)).toMatch(/undone[^]*step `one` \(fs\.write\): undone, undo done and verified/);
      expect(existsSync(join(agent.root, 'one.txt'))).toBe(false);
      const planned = await call('plan_intent', { goal: 'a file', steps: [steps[0]] });
      expect(planned).toMatchObject({ structuredContent: { planId: expect.any(String), steps: [{ id: 'one', decision: { outcome: 'allow' } }] } });
      expect(existsSync(join(agent.root, 'one.txt'))).toBe(false);
      expect(await call('submit_intent', { planId: planned.structuredContent.planId })).toMatchObject({ structuredContent: { status: 'completed' } });
      expect(readFileSync(join(agent.root, 'one.txt'), 'utf8')).toBe('1');
    });

    it('says that it still runs and how to ask for it, and tells progress meanwhile', async () => {
      const told: string[] = [];
      const running = await client.callTool({ name: 'timer_sleep', arguments: { ms: 2_500 }, _meta: { 'io.aifirst/waitMs': 1_200 } }, { onprogress: ({ message }) => { told.push(message ?? ''); } }) as Body;
      expect(running).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'STILL_RUNNING' } } });
      expect(textOf(running)).toContain('get_workflow');
      expect(told[0]).toContain('0 of 1 steps have ended');
      const id = running._meta[WORKFLOW_ID];
      expect(await call('get_workflow', { workflowId: id })).toMatchObject({ structuredContent: { status: 'running' } });
      await agent.reaches(id, ['completed']);
    });

    it('does not show what is another agent\'s', async () => {
      const other = await world.stack.agent();
      const id = await other.start([{ id: 'a', capability: 'noop', input: {} }]);
      expect(await call('get_workflow', { workflowId: id })).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'NOT_FOUND' } } });
    });
  });

  it('answers an identical call within `repeatWindowMs` with the first result, also after a restart, and acts anew later', async () => {
    const agent = await world.stack.agent();
    const { name, owner, roles } = await world.stack.admin.must(200, 'GET', `/v1/agents/${agent.id}`);
    const setWindow = (repeatWindowMs: number) => world.stack.admin.must(200, 'PUT', `/v1/agents/${agent.id}`, { body: { name, owner, roles, repeatWindowMs } });
    await setWindow(3_600_000);
    const append = async (content: string): Promise<Body> => (await connect(agent.token, OLD)).callTool({ name: 'fs_append', arguments: { connection: agent.connection.name, path: 'log.txt', content } });
    const first = await append('a\n');
    expect(first._meta).not.toHaveProperty('deduplicated');
    const again = await append('a\n');
    expect(again).toMatchObject({ structuredContent: first.structuredContent, _meta: { [WORKFLOW_ID]: first._meta[WORKFLOW_ID], deduplicated: true } });
    await append('b\n');
    await world.stack.restart();
    expect((await append('a\n'))._meta).toMatchObject({ [WORKFLOW_ID]: first._meta[WORKFLOW_ID], deduplicated: true });
    expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('a\nb\n');
    await setWindow(1);
    expect((await append('a\n'))._meta).not.toHaveProperty('deduplicated');
    expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('a\nb\na\n');
    writeFileSync(join(agent.root, 'log.txt'), 'changed');
    await setWindow(3_600_000);
    const read = async (): Promise<Body> => (await connect(agent.token, OLD)).callTool({ name: 'fs_read', arguments: { connection: agent.connection.name, path: 'log.txt' } });
    expect((await read()).structuredContent.content).toBe('changed');
    writeFileSync(join(agent.root, 'log.txt'), 'changed again');
    expect((await read()).structuredContent.content).toBe('changed again');
  });

  it('cancels the workflow of a client that goes, in the revision where that is what it means', async () => {
    const agent = await world.stack.agent();
    const leave = async (revision: string, meta: object): Promise<string> => {
      const before = (await workflows(agent)).length;
      const client = await connect(agent.token, revision);
      const left = new AbortController();
      const calling = client.callTool({ name: 'timer_sleep', arguments: { ms: 3_000 }, _meta: { ...meta } }, { signal: left.signal }).catch(() => undefined);
      const id = await until('the call runs', async () => { const all = await workflows(agent); return all.length > before && all[0].status === 'running' ? all[0].id : undefined; });
      left.abort();
      await calling;
      return id;
    };
    const ids = [await leave(NEW, {}), await leave(NEW, { [KEY]: 'kept' }), await leave(OLD, {})] as const;
    expect((await agent.rest(ids[0])).status).not.toBe('completed');
    for (const id of ids.slice(1)) expect((await agent.rest(id)).status).toBe('completed');
  });

  it('answers calls under way when the runtime is told to end, and carries them out at the next start', async () => {
    const agent = await world.stack.agent();
    await connect(agent.token, NEW, { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => undefined } } });
    const calling: Promise<Body>[] = [];
    for (const revision of [OLD, NEW]) calling.push((await connect(agent.token, revision)).callTool({ name: 'timer_sleep', arguments: { ms: 4_000 } }));
    await until('both run', async () => (await workflows(agent)).filter(({ status }) => status === 'running').length === 2);
    const beganMs = Date.now();
    expect(await world.stack.terminate()).toEqual({ code: 0, signal: null });
    expect(Date.now() - beganMs).toBeLessThan(10_000);
    const answers = await Promise.all(calling);
    for (const answer of answers) expect(answer).toMatchObject({ isError: true, _meta: { [ERROR]: { code: 'STILL_RUNNING' } } });
    await world.stack.restart();
    for (const answer of answers) expect(await agent.rest(answer._meta[WORKFLOW_ID])).toMatchObject({ status: 'completed' });
  });

  it('shuts out an agent that is suspended', async () => {
    const agent = await world.stack.agent();
    const client = await connect(agent.token, OLD);
    await world.stack.admin.must(200, 'POST', `/v1/agents/${agent.id}/suspend`, { body: {} });
    await expect(client.listTools()).rejects.toThrow(/AGENT_SUSPENDED|403/);
  });

  it('tells a client that listens that its tools have changed', async () => {
    const agent = await world.stack.agent();
    let changes = 0;
    await connect(agent.token, NEW, { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => { changes++; } } } });
    await until('it is told', async () => {
      await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['fs.read'], connections: ['*'] } });
      return changes > 0;
    });
  });

  describe('the door', () => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': OLD };
    it('is shut without a valid token', async () => {
      for (const token of [null, 'aifirst_000000000000000000000000_0000000000000000000000000000000000000000000']) {
        const answer = await world.stack.as(token).call('POST', '/mcp', { body: message, headers });
        expect([answer.status, answer.headers['www-authenticate'], answer.body.code]).toEqual([401, 'Bearer realm="aifirst"', 'UNAUTHENTICATED']);
      }
    });

    it('is shut to pages from elsewhere and open to this machine\'s', async () => {
      const agent = await world.stack.agent();
      const from = async (origin: string) => (await agent.call('POST', '/mcp', { body: message, headers: { ...headers, origin } })).status;
      expect([await from('http://evil.example'), await from('null'), await from('http://localhost:5173')]).toEqual([403, 403, 200]);
    });

    it('takes one message of JSON-RPC, of at most a megabyte, by POST', async () => {
      const agent = await world.stack.agent();
      const post = async (raw: string, more: object = {}) => { const { status, body } = await agent.call('POST', '/mcp', { raw, headers: { ...headers, 'content-type': 'application/json', ...more } }); return [status, body.error?.code ?? body.code]; };
      expect(await post('{')).toEqual([400, -32_700]);
      expect(await post('{"jsonrpc":"2.0","jsonrpc":"2.0"}')).toEqual([400, -32_700]);
      expect(await post(JSON.stringify([message]))).toEqual([400, -32_600]);
      expect(await post(JSON.stringify({ ...message, params: { x: 'x'.repeat(1_100_000) } }))).toEqual([413, 'TOO_LARGE']);
      expect(await post(JSON.stringify(message), { 'content-type': 'text/plain' })).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
      for (const method of ['GET', 'DELETE']) expect((await agent.call(method, '/mcp')).status).toBe(405);
    });

    it('writes no arguments into the log', async () => {
      const agent = await world.stack.agent();
      const client = await connect(agent.token, OLD);
      await client.callTool({ name: 'fs_write', arguments: { connection: agent.connection.name, path: 'a.txt', content: 'a-very-secret-argument' } });
      await client.callTool({ name: 'fs_write', arguments: { connection: 'a-very-secret-argument', path: 7 } });
      expect(world.stack.output).not.toContain('a-very-secret-argument');
    });
  });
});

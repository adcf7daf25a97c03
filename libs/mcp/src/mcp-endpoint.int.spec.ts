import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpEndpoint } from './mcp-endpoint';
import { FixtureHost, aCaller } from './testing';

const OLD = '2025-11-25';
const NEW = '2026-07-28';

describe.each([[OLD], [NEW]])('MCP over HTTP, revision %s', revision => {
  let host: FixtureHost;
  let endpoint: McpEndpoint;
  let server: Server;
  let url: URL;
  const unexpected: unknown[] = [];
  beforeEach(async () => {
    host = new FixtureHost();
    endpoint = new McpEndpoint({ host, version: '0.0.0', instructions: 'be kind', onUnexpected: error => { unexpected.push(error); return 'the id'; } });
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
        if (request.method !== 'POST') { response.writeHead(405).end(); return; }
        void endpoint.answer({ body: JSON.parse(Buffer.concat(parts).toString()), headers: request.headers, caller: aCaller() }, response);
      });
    });
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  });
  afterEach(async () => { await endpoint.close(); server.closeAllConnections(); await new Promise(resolve => { server.close(resolve); }); });

  const connected = async (): Promise<Client> => {
    const client = new Client({ name: 'a-test', version: '1' }, { versionNegotiation: { mode: revision === NEW ? { pin: NEW } : 'legacy' } });
    await client.connect(new StreamableHTTPClientTransport(url));
    return client;
  };

  it('tells who it is, lists tools and calls them', async () => {
    const client = await connected();
    expect(client.getNegotiatedProtocolVersion()).toBe(revision);
    expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: revision === NEW } });
    expect(client.getInstructions()).toBe('be kind');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_simple_text');
    expect(await client.callTool({ name: 'test_simple_text', arguments: { a: 1 }, _meta: { 'io.aifirst/idempotencyKey': 'k' } })).toMatchObject({ content: [{ type: 'text' }] });
    expect(host.calls).toEqual([expect.objectContaining({ input: { a: 1 }, meta: expect.objectContaining({ 'io.aifirst/idempotencyKey': 'k' }), client: revision === NEW ? 'a-test' : null, goneIsCancelled: revision === NEW })]);
    await client.close();
  });

  it('says an error of a tool, a tool that is not there, and nothing of what goes wrong here', async () => {
    const client = await connected();
    expect(await client.callTool({ name: 'test_error_handling' })).toMatchObject({ isError: true });
    await expect(client.callTool({ name: 'made_up' })).rejects.toMatchObject({ code: -32_602, message: expect.stringContaining('made_up') });
    await expect(client.callTool({ name: 'fails' })).rejects.toMatchObject({ code: -32_603, message: expect.not.stringContaining('secret') });
    expect(unexpected.at(-1)).toMatchObject({ message: 'a secret' });
    await client.close();
  });

  it('tells progress to who asks for it', async () => {
    const client = await connected();
    const told: number[] = [];
    await client.callTool({ name: 'test_tool_with_progress' }, { onprogress: ({ progress }) => { told.push(progress); } });
    expect(told).toEqual([0, 50, 100]);
    await client.callTool({ name: 'test_tool_with_progress' });
    expect(host.calls[1]!.progress).toBeUndefined();
    await client.close();
  });

  it('knows when a client has gone', async () => {
    const client = await connected();
    const left = new AbortController();
    const calling = client.callTool({ name: 'slow' }, { signal: left.signal }).catch((error: unknown) => error);
    while (host.calls.length === 0) await new Promise(setImmediate);
    left.abort();
    await calling;
    await client.close();
    // Why: in the older revision a client says so in a message of its own, and its going means nothing.
    if (revision === NEW) { while (!host.calls[0]!.signal.aborted) await new Promise(setImmediate); }
    else expect(host.calls[0]!.goneIsCancelled).toBe(false);
  });

  it('answers what is under way before it ends', async () => {
    const client = await connected();
    const calling = client.callTool({ name: 'slow' });
    while (host.calls.length === 0) await new Promise(setImmediate);
    await endpoint.close();
    expect(await calling).toMatchObject({ content: [{ text: 'slow' }] });
    await client.close().catch(() => undefined);
  });

  if (revision === NEW) {
    it('tells who listens that tools have changed, until it ends', async () => {
      let changes = 0;
      const client = new Client({ name: 'a-test', version: '1' }, { versionNegotiation: { mode: { pin: NEW } }, listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => { changes++; } } } });
      await client.connect(new StreamableHTTPClientTransport(url));
      while (changes === 0) { endpoint.toolsChanged(); await new Promise(resolve => { setTimeout(resolve, 20); }); }
      await endpoint.close();
      await client.close();
    });
  }
});

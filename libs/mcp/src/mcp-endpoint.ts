import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import {
  CLIENT_INFO_META_KEY, InMemoryServerEventBus, ProtocolError, ProtocolErrorCode, Server, createMcpHandler, type CallToolResult, type ListToolsResult, type McpHttpHandler, type McpRequestContext, type ServerContext, type jsonSchemaValidator,
} from '@modelcontextprotocol/server';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { NotListed, UnknownTool, type ToolCall, type ToolHost } from './governed-tools';
import type { McpCaller } from './governance';

export interface McpEndpointOptions {
  readonly host: ToolHost;
  readonly version: string;
  /** Told to every client as it connects. */
  readonly instructions: string;
  /** An error that nobody expected. @returns an id under which the log has it */
  readonly onUnexpected: (error: unknown) => string;
}
export interface McpRequest { readonly body: Json; readonly headers: IncomingHttpHeaders; readonly caller: McpCaller }

const NAME = 'aifirst-runtime';
const TITLE = 'AI-First Runtime';
/** Proxies close what is silent for longer than half a minute. */
const KEEP_ALIVE_MS = 15_000;
/** Streams that only wait for the list of tools to change. */
const SUBSCRIPTIONS_MAX = 1_024;
/** An endpoint that is closed waits so long for answers under way. */
const CLOSING_MS_MAX = 3_000;

/**
 * MCP over Streamable HTTP, revisions 2025-11-25 and 2026-07-28, without sessions: every request stands for itself, so any
 * copy behind a balancer can answer it. Who calls is settled before a request comes here.
 */
export class McpEndpoint {
  protected readonly handler: McpHttpHandler;
  private readonly busy = new Set<Promise<void>>();

  constructor(private readonly options: McpEndpointOptions) {
    this.handler = createMcpHandler(context => this.serverFor(context), {
      keepAliveMs: KEEP_ALIVE_MS, maxSubscriptions: SUBSCRIPTIONS_MAX, bus: new InMemoryServerEventBus(),
      // Why silent: what clients send wrongly is answered, and could hold what they sent; what fails here is told by whoever fails.
      onerror: () => undefined,
    });
  }

  /** What any principal may call may have changed: whoever listens asks anew. */
  toolsChanged(): void { this.handler.notify.toolsChanged(); }

  /** Writes the whole answer. Resolves when it is written or nobody reads it any more. */
  answer(request: McpRequest, response: ServerResponse): Promise<void> {
    const answering = this.respond(request, response).catch((error: unknown) => {
      this.options.onUnexpected(error);
      if (response.headersSent) response.destroy(); else response.writeHead(500).end();
    });
    this.busy.add(answering);
    return answering.finally(() => { this.busy.delete(answering); });
  }

  /** Ends the streams that wait for changes, after calls under way have been answered: that is up to the host. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    // Why not all that are busy: streams that wait for changes end only by this.
    const late = new Promise<void>(resolve => { timer = setTimeout(resolve, CLOSING_MS_MAX); });
    await Promise.race([this.calls === 0 ? Promise.resolve() : new Promise<void>(resolve => { this.onIdle = resolve; }), late]);
    clearTimeout(timer);
    await this.handler.close();
    await Promise.race([Promise.allSettled([...this.busy]), late]);
  }
  private calls = 0;
  private onIdle: () => void = () => undefined;

  private async respond({ body, headers, caller }: McpRequest, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once('close', () => { if (!response.writableFinished) left.abort(); });
    const asked = new Request('http://mcp/', { method: 'POST', headers: passedOn(headers), signal: left.signal });
    // Why no token: what is done here is done as whom it stood for.
    const answer = await this.handler.fetch(asked, { parsedBody: body, authInfo: { token: '', clientId: caller.principal.id, scopes: [], extra: { caller } } });
    if (response.destroyed) { await answer.body?.cancel(); return; }
    response.writeHead(answer.status, { ...Object.fromEntries([...answer.headers].filter(([name]) => name !== 'connection')), 'cache-control': 'no-store' });
    if (answer.body === null) { response.end(); return; }
    const reader = answer.body.getReader();
    left.signal.addEventListener('abort', () => { void reader.cancel().catch(() => undefined); });
    for (let part = await reader.read(); !part.done; part = await reader.read()) if (!response.write(part.value)) await drained(response);
    response.end();
  }

  protected serverFor({ era, authInfo }: McpRequestContext): Server {
    const { caller } = authInfo!.extra as unknown as { readonly caller: McpCaller };
    const { host, version, instructions } = this.options;
    // Why only then: without sessions the older revision has no way to tell a client of a change.
    const tools = { listChanged: era === 'modern' };
    const server = new Server({ name: NAME, title: TITLE, version }, { capabilities: { tools }, instructions, jsonSchemaValidator: NOTHING_ELICITED });
    server.setRequestHandler('tools/list', () => this.counted(async () => ({ tools: await host.list(caller) }) as unknown as ListToolsResult));
    server.setRequestHandler('tools/call', ({ params }, context) => this.counted(async () => await host.call(caller, callOf(params, context, era)) as unknown as CallToolResult));
    return server;
  }

  /** Runs what answers a request. What goes wrong unexpectedly is told under an id alone. */
  private async counted<T>(work: () => Promise<T>): Promise<T> {
    this.calls++;
    try {
      return await work();
    } catch (error) {
      if (error instanceof UnknownTool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
      if (error instanceof NotListed) throw new ProtocolError(ProtocolErrorCode.InternalError, error.message);
      throw new ProtocolError(ProtocolErrorCode.InternalError, `something went wrong here; the log has it under \`${this.options.onUnexpected(error)}\``);
    } finally {
      this.calls--;
      if (this.calls === 0) setImmediate(() => { if (this.calls === 0) this.onIdle(); });
    }
  }
}

function callOf({ name, arguments: input }: { readonly name: string; readonly arguments?: Record<string, unknown> | undefined }, { mcpReq }: ServerContext, era: McpRequestContext['era']): ToolCall {
  const meta = (mcpReq._meta ?? {}) as JsonObject;
  const progressToken = mcpReq._meta?.progressToken;
  const clientInfo = (mcpReq.envelope as JsonObject | undefined)?.[CLIENT_INFO_META_KEY] as { readonly name?: unknown } | undefined;
  return {
    name, input: isObject(input) ? input : {}, meta, client: typeof clientInfo?.name === 'string' ? clientInfo.name : null, signal: mcpReq.signal, goneIsCancelled: era === 'modern',
    ...(progressToken === undefined ? {} : { progress: report => mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...report } }) }),
  };
}

/** Why given: the default would be made anew for every request, and nobody is asked anything here. */
const NOTHING_ELICITED: jsonSchemaValidator = { getValidator: () => () => ({ valid: false, data: undefined, errorMessage: 'nothing is asked of clients' }) };

/** What the protocol looks at. Nothing that could name who calls. */
const PASSED_ON = ['accept', 'content-type', 'mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id', 'last-event-id'];

function passedOn(headers: IncomingHttpHeaders): Headers {
  const kept = new Headers();
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string' && (PASSED_ON.includes(name) || name.startsWith('mcp-param-'))) kept.set(name, value);
  return kept;
}

const drained = (response: ServerResponse): Promise<void> => new Promise(resolve => {
  const done = (): void => { response.off('drain', done); response.off('close', done); resolve(); };
  response.on('drain', done);
  response.on('close', done);
});

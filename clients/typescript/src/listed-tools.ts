import { documentOf, type Answer, type Connection } from './connection';
import { AiFirstError } from './errors';
import { isObject, type JsonObject } from './json';
import { refused, request, unreadable } from './request';
import { SseParser } from './sse';
import type { Capability } from './types';

/** A capability as the server shows it to models. */
export interface ListedTool {
  readonly name: string;
  /** The capability's name. */
  readonly title: string;
  readonly description?: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly annotations?: { readonly readOnlyHint?: boolean; readonly destructiveHint?: boolean };
}

const REVISION = '2025-11-25';
const ID = 1;

/** The capabilities that policy does not rule out for this token, as the server's MCP endpoint lists them. @param capabilities all that there are */
export async function listedTools(connection: Connection, capabilities: Promise<readonly Capability[]>, signal: AbortSignal | undefined): Promise<ListedTool[]> {
  // Why: among the tools stand also those for intents, which are no capabilities. A capability's title is its name.
  const names = new Set((await capabilities).map(({ name }) => name));
  const items: ListedTool[] = [];
  for (let cursor: unknown = undefined; ;) {
    const answer = await request(connection, 'POST', '/mcp', {
      body: { jsonrpc: '2.0', id: ID, method: 'tools/list', params: cursor === undefined ? {} : { cursor } }, signal,
      headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': REVISION },
    });
    if (answer.status !== 200) throw refused(answer);
    const { result, error } = messageOf(answer);
    if (!isObject(result) || !Array.isArray(result['tools'])) throw isObject(error) ? new AiFirstError('NO_TOOLS', String(error['message']), { status: 200 }) : unreadable(200);
    items.push(...(result['tools'] as ListedTool[]).filter(({ title }) => names.has(title)));
    cursor = result['nextCursor'] ?? undefined;
    if (cursor === undefined) return items;
  }
}

/** The answer comes as JSON or as a stream of one message, as the server likes. */
function messageOf(answer: Answer): { readonly result?: unknown; readonly error?: unknown } {
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) return documentOf(answer);
  for (const { data } of new SseParser().feed(new TextEncoder().encode(answer.text))) {
    const message: unknown = JSON.parse(data);
    if (isObject(message) && message['id'] === ID) return message;
  }
  return {};
}

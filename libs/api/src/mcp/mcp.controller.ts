import { Controller } from '@nestjs/common';
import { parseStrictJson } from '@aifirst/admission';
import { isObject, type Json } from '@aifirst/kernel';
import { refuse } from '../http/problem';
import { Route, STREAMED, type Call, type Reply } from '../http/route';
import { traceparentOf, type Traced } from '../http/traceparent';
import { GatewayIds } from '../routes/gateway-ids';
import { McpService } from './mcp-service';

/** JSON-RPC 2.0. */
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const MESSAGE = { type: 'object', properties: { jsonrpc: { const: '2.0' } }, required: ['jsonrpc'] };

@Controller()
export class McpController {
  constructor(private readonly mcp: McpService, private readonly ids: GatewayIds) {}

  @Route({
    method: 'POST', path: '/mcp', id: 'callMcp', tag: 'MCP', access: 'principal',
    summary: 'The Model Context Protocol over Streamable HTTP, revisions 2025-11-25 and 2026-07-28, without sessions: capabilities as tools.',
    headers: { 'MCP-Protocol-Version': 'the revision that the client speaks', traceparent: 'W3C trace context; `_meta.traceparent` of the message goes before it' },
    body: { schema: MESSAGE, checkedBy: 'handler' },
    answers: {
      200: { description: 'the answer; as `text/event-stream` where notifications may go before it', schema: MESSAGE, orAs: 'text/event-stream' }, 202: { description: 'a notification was taken' },
      400: { description: 'not a message of JSON-RPC, or not one of this protocol', schema: MESSAGE }, 404: { description: 'there is no such method', schema: MESSAGE }, 406: { description: '`Accept` lacks `application/json` or `text/event-stream`', schema: MESSAGE },
    },
    refusals: ['TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async call(call: Call): Promise<Reply | typeof STREAMED> {
    const { request, reply, raw, caller } = call;
    if (!this.mcp.isAllowed(request)) throw refuse('FORBIDDEN', 'a page of this `Origin` may not call this server');
    const parsed = parseStrictJson(raw);
    if (!parsed.ok) return refused(PARSE_ERROR, `${parsed.problem.code}: ${parsed.problem.detail}`);
    // Why no batches: neither revision has them, and many calls would count for one.
    if (!isObject(parsed.value)) return refused(INVALID_REQUEST, 'a request is one JSON-RPC message, an object');
    const given = traceOf(parsed.value) ?? call.headers['traceparent'];
    const traceparent = traceparentOf(given, this.ids);
    (request as Traced).trace = { own: traceparent, parent: given };
    reply.hijack();
    await this.mcp.answer(caller, traceparent, parsed.value, request, reply.raw);
    return STREAMED;
  }
}

const refused = (code: number, message: string): Reply => ({ status: 400, body: { jsonrpc: '2.0', id: null, error: { code, message } } });

function traceOf({ params }: { readonly [name: string]: Json | undefined }): string | undefined {
  const meta = isObject(params) ? params['_meta'] : undefined;
  return isObject(meta) && typeof meta['traceparent'] === 'string' ? meta['traceparent'] : undefined;
}

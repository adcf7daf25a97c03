import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BODY_BYTES_MAX } from '@aifirst/admission';
import type { Edge } from './edge';
import { notFound, refuse } from './problem';
import type { RouteDefinition } from './route';

const KEEP_ALIVE_MS = 72_000;
/** A request must have come in whole by then; how long its answer takes is another matter. */
const REQUEST_MS_MAX = 60_000;
const PARAMETER_CHARS_MAX = 300;

/** Nest on Fastify with our own way in and out: no parsers, filters or pipes but the edge's. */
export class GatewayHttpAdapter extends FastifyAdapter {
  constructor(private readonly edge: Edge, private readonly table: readonly RouteDefinition[], trustsForwarded: boolean) {
    super({
      logger: false, bodyLimit: BODY_BYTES_MAX, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS_MAX, forceCloseConnections: 'idle', skipMiddie: true, trustProxy: trustsForwarded,
      routerOptions: { maxParamLength: PARAMETER_CHARS_MAX },
      frameworkErrors: (_error: unknown, request: unknown, reply: unknown) => edge.refuse(request as FastifyRequest, reply as FastifyReply, notFound('such path')),
      clientErrorHandler: answerGarbage,
    } as never);
    const fastify: FastifyInstance = this.getInstance();
    fastify.decorate('edge', edge);
    fastify.decorateRequest('admitted', undefined as never);
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    fastify.addHook('onRequest', edge.enter as never);
  }

  /** Nest's own would render its own documents. */
  override setErrorHandler(): never {
    return this.getInstance().setErrorHandler((error: unknown, request, reply) => this.edge.refuse(request, reply, readable(error))) as never;
  }

  override setNotFoundHandler(): never {
    return this.getInstance().setNotFoundHandler((request, reply) => {
      const path = request.raw.url!.split('?')[0]!;
      const methods = [...new Set(this.table.filter(route => matches(route.path, path)).map(route => route.method))];
      this.edge.refuse(request, reply, methods.length === 0 ? notFound('such path') : refuse('METHOD_NOT_ALLOWED', `this path takes ${methods.join(', ')}`, { allow: methods.join(', ') }));
    }) as never;
  }

  /** Nest's parsers would come before ours. */
  override registerParserMiddleware(): void {}
}

function matches(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const parts = path.split('/');
  if (pattern.endsWith('*') ? parts.length < expected.length : parts.length !== expected.length) return false;
  return expected.every((part, at) => part === '*' || (part.startsWith(':') ? parts[at] !== '' : part === parts[at]));
}

/** Fastify's own refusals in our words. */
function readable(error: unknown): unknown {
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return refuse('TOO_LARGE', `the body has more than ${BODY_BYTES_MAX} bytes`);
  if (statusCode === 415) return refuse('UNSUPPORTED_MEDIA_TYPE', 'send `Content-Type: application/json`');
  if (statusCode === 400) return refuse('BAD_REQUEST', 'the body does not have the length that was announced');
  return error;
}

/** What is no HTTP at all never gets to a handler. */
function answerGarbage(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) { socket.destroy(); return; }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const code = tooLarge ? 'HEADERS_TOO_LARGE' : 'BAD_REQUEST';
  const status = tooLarge ? 431 : 400;
  const detail = tooLarge ? 'the headers are too large' : 'this is not HTTP';
  const body = JSON.stringify({ type: `urn:aifirst:problem:${code.toLowerCase().replaceAll('_', '-')}`, title: 'Bad request', status, code, detail, errors: [{ code, detail }] });
  socket.end(`HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

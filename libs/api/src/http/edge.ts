import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseStrictJson } from '@aifirst/admission';
import type { Caller, Identity } from '@aifirst/identity';
import { SYSTEM_TENANT } from '@aifirst/identity';
import { OperationalError, Refusal, messageOf, type Clock, type Ids, type Json } from '@aifirst/kernel';
import { checkBody } from './body-schema';
import { notFound, notImplemented, refuse, refuseParameter, refusedBy } from './problem';
import { RateLimits } from './rate-limits';
import type { Traced } from './traceparent';
import { STREAMED, type Call, type Handler, type Reply, type RouteDefinition, type Serves } from './route';

/** One line of the log; fields never hold payloads, tokens or secrets. */
export interface GatewayLogger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface EdgeOptions { readonly identity: Identity; readonly clock: Clock; readonly ids: Ids; readonly logger: GatewayLogger }

interface Admitted { caller: Caller; tenant: string }
type Incoming = FastifyRequest & { admitted?: Admitted };

const EMPTY = Buffer.alloc(0);

/**
 * What every request passes on its way in and out: credential, tenant, right to call, pace, query and body on the way in;
 * a problem document on the way out if any of it, or the handler, refuses.
 */
export class Edge implements Serves {
  private readonly rates: RateLimits;

  constructor(private readonly options: EdgeOptions) { this.rates = new RateLimits(options.clock); }

  /** Before the body is read, so that strangers can't make us read one. */
  readonly enter = (request: Incoming, reply: FastifyReply, done: () => void): void => {
    const definition = definitionOf(request);
    if (definition === undefined || definition.access === 'public') { done(); return; }
    try {
      request.admitted = this.admit(definition, request);
      done();
    } catch (error) {
      this.refuse(request, reply, error);
    }
  };

  async serve(definition: RouteDefinition, handler: Handler, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      if (definition.instead !== undefined) throw notImplemented(`this is not there yet: ${definition.instead}`);
      const answer = await handler(callOf(definition, request, reply) as Call<never>);
      if (answer !== STREAMED) send(reply, answer);
    } catch (error) {
      this.refuse(request, reply, error);
    }
  }

  refuse(request: Incoming, reply: FastifyReply, error: unknown): void {
    const { document, headers, unexpected } = refusedBy(error, () => this.options.ids.uuid());
    const route = `${request.method} ${definitionOf(request)?.path ?? 'unknown route'}`;
    const traceparent = (request as Traced).trace?.own;
    if (unexpected) this.options.logger.error('a request failed', { id: document['id'], route, traceparent, error: error instanceof Error ? error.stack : String(error) });
    else if (document.status === 503) this.options.logger.warn('a request could not be served', { route, traceparent, code: error instanceof OperationalError ? error.code : document.code, error: messageOf(error) });
    if (document.status === 401) this.options.identity.refusals.record({ kind: 'credential', tenant: SYSTEM_TENANT, source: request.ip, code: document.code, detail: route });
    if (document.status === 403) {
      const { tenant, principal } = request.admitted === undefined ? { tenant: SYSTEM_TENANT, principal: { id: request.ip } } : { tenant: request.admitted.tenant, principal: request.admitted.caller.principal };
      this.options.identity.refusals.record({ kind: 'access', tenant, source: principal.id, code: document.code, detail: route });
    }
    if (reply.sent) return;
    // Why bytes: to a text Fastify would add a charset, which this media type does not have.
    void reply.code(document.status).headers(headers).header('content-type', 'application/problem+json').send(Buffer.from(JSON.stringify(document)));
  }

  private admit(definition: RouteDefinition, request: Incoming): Admitted {
    const { identity } = this.options;
    const caller = identity.principals.authenticate(request.headers.authorization);
    if (caller === null) throw refuse('UNAUTHENTICATED', 'send a valid token as `Authorization: Bearer …`');
    // Why: known from here on, so that what is refused below is recorded under its name.
    request.admitted = { caller, tenant: caller.principal.tenant };
    const picked = (request.query as Record<string, unknown>)['tenant'];
    if (caller.agent !== null) {
      if (picked !== undefined && picked !== caller.principal.tenant) throw refuse('TENANT_MISMATCH', 'the credential decides the tenant');
      if (caller.agent.data.suspended) throw refuse('AGENT_SUSPENDED', 'this agent is suspended: an administrator can resume it');
      const perMinute = caller.agent.data.limits.requestsPerMinute;
      const retryAfterS = perMinute === undefined ? 0 : this.rates.take(caller.principal.id, perMinute);
      if (retryAfterS > 0) throw refuse('RATE_LIMITED', `this agent may send ${perMinute} requests a minute`, { retryAfterS });
      if (definition.access === 'admin') throw refuse('FORBIDDEN', 'only an administrator may do this');
      return request.admitted;
    }
    if (picked === undefined) return request.admitted;
    if (typeof picked !== 'string') throw refuseParameter('tenant', 'stands once');
    if (!identity.tenants.has(picked)) throw notFound(`tenant \`${picked.slice(0, 64)}\``);
    return { caller: { ...caller, principal: { ...caller.principal, tenant: picked } }, tenant: picked };
  }
}

export const definitionOf = (request: FastifyRequest): RouteDefinition | undefined =>
  (request.routeOptions.config as { definition?: RouteDefinition } | undefined)?.definition;

const NOBODY = { principal: { kind: 'person', id: '', tenant: '' }, agent: null } as const;

function callOf(definition: RouteDefinition, request: Incoming, reply: FastifyReply): Call {
  const admitted = request.admitted;
  const query = request.query as Record<string, string>;
  const params = request.params as Record<string, string>;
  // Why: PostgreSQL's text holds no NUL, so nothing can be named by one.
  for (const name in params) if (params[name]!.includes('\0')) throw notFound('such thing');
  if (definition.access !== 'public') checkQuery(definition, query);
  const raw = Buffer.isBuffer(request.body) ? request.body : EMPTY;
  return {
    caller: admitted?.caller ?? NOBODY, tenant: admitted?.tenant ?? '', params, query,
    headers: request.headers as Record<string, string | undefined>, body: definition.body === undefined ? null : bodyOf(definition.body, raw), raw, request, reply,
  };
}

function checkQuery(definition: RouteDefinition, query: Readonly<Record<string, unknown>>): void {
  for (const name in definition.query) if (definition.query[name]!.required === true && query[name] === undefined) throw refuseParameter(name, 'is required');
  for (const name in query) {
    if (name !== 'tenant' && (definition.query === undefined || !Object.hasOwn(definition.query, name))) throw refuseParameter(name, 'is not known here', 'UNKNOWN_FIELD');
    if (typeof query[name] !== 'string' && definition.query?.[name]?.repeats !== true) throw refuseParameter(name, 'stands once');
    if (String(query[name]).includes('\0')) throw refuseParameter(name, 'holds a NUL');
  }
}

/** @throws Refusal of strict JSON or of the route's schema */
function bodyOf({ schema, optional, checkedBy, later }: NonNullable<RouteDefinition['body']>, raw: Buffer): Json {
  if (checkedBy === 'handler') return null;
  if (raw.length === 0) {
    if (optional === true) return {};
    throw refuse('MALFORMED_JSON', 'a JSON body is expected');
  }
  const parsed = parseStrictJson(raw);
  if (!parsed.ok) throw new Refusal(parsed.problem);
  const body = later === undefined ? parsed.value : later(parsed.value);
  checkBody(schema, body);
  return body;
}

function send(reply: FastifyReply, { status, body, type, headers }: Reply): void {
  if (headers !== undefined) reply.headers(headers);
  void reply.code(status);
  if (body === undefined) { void reply.send(); return; }
  void reply.header('content-type', type ?? 'application/json; charset=utf-8').send(type === undefined ? JSON.stringify(body) : body);
}

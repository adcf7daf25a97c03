import type { JsonObject } from '@aifirst/kernel';
import { codesOf, statusOf } from '../http/problem';
import type { Answer, QueryParameter, RouteDefinition } from '../http/route';
import { COMPONENTS, component } from './schemas';

const PROBLEM = 'application/problem+json';
/** What every route but the public ones may answer; `NOT_FOUND` where the tenant that was picked is not there. */
const ALWAYS = ['UNAUTHENTICATED', 'FORBIDDEN', 'AGENT_SUSPENDED', 'TENANT_MISMATCH', 'NOT_FOUND', 'RATE_LIMITED', 'INTERNAL', 'UNAVAILABLE'];
const WITH_BODY = ['MALFORMED_JSON', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

/** OpenAPI 3.1 of what is served: rendered from the same definitions that requests are checked with. */
export function openapi(routes: readonly RouteDefinition[], version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes.filter(({ instead }) => instead === undefined)) {
    const path = documentedPath(route);
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AI-First Runtime', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: 'The transactional control plane for AI agents: every accepted intent ends committed, undone, or parked with a reason that a person can act on.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [...new Set(routes.filter(({ instead }) => instead === undefined).map(({ tag }) => tag))].map(name => ({ name })),
    paths,
    components: { schemas: COMPONENTS as unknown as JsonObject, securitySchemes: { token: { type: 'http', scheme: 'bearer', description: "an agent's token or the administrator's" } } },
  };
}

const ETAG = { ETag: { description: 'the one that was sent', schema: { type: 'string' } } };
/** A read that answers with an ETag knows `If-None-Match`. */
const isConditional = ({ method, answers }: RouteDefinition): boolean => method === 'GET' && answers[200]?.headers?.['ETag'] !== undefined;

const documentedPath = ({ path, documented }: RouteDefinition): string => documented?.path ?? path.replaceAll(/:([A-Za-z]+)/g, '{$1}');

function operation(route: RouteDefinition): JsonObject {
  const { id, tag, summary, access, body, answers, query, headers } = route;
  return {
    operationId: id, tags: [tag], summary, description: access === 'admin' ? 'For the administrator.' : access === 'public' ? 'Needs no token.' : 'For agents and the administrator.',
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [
      ...pathParameters(route), ...Object.entries(query ?? {}).map(([name, parameter]) => queryParameter(name, parameter)),
      ...(access === 'public' ? [] : [queryParameter('tenant', { description: 'the administrator picks another tenant than `default`', schema: { type: 'string' } })]),
      ...Object.entries({ ...(isConditional(route) ? { 'If-None-Match': 'the ETag that was seen: 304 if it is still that' } : {}), ...headers }).map(([name, description]) => ({ name, in: 'header', required: false, description, schema: { type: 'string' } })),
    ],
    ...(body === undefined ? {} : { requestBody: { required: body.optional !== true, content: { 'application/json': { schema: body.schema } } } }),
    responses: { ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, response(answer)])), ...(isConditional(route) ? { 304: { description: 'it has not changed', headers: ETAG } } : {}), ...problems(route) },
  };
}

function pathParameters({ path, documented }: RouteDefinition): JsonObject[] {
  const described = documented?.parameters ?? Object.fromEntries([...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => [name!, '']));
  return Object.entries(described).map(([name, description]) => ({ name, in: 'path', required: true, ...(description === '' ? {} : { description }), schema: { type: 'string' } }));
}

const queryParameter = (name: string, { description, schema, required, repeats }: QueryParameter): JsonObject =>
  ({ name, in: 'query', required: required === true, description, schema: repeats === true ? { type: 'array', items: schema } : schema, ...(repeats === true ? { style: 'form', explode: true } : {}) });

const response = ({ description, schema, type, orAs, headers }: Answer): JsonObject => ({
  description,
  ...(headers === undefined ? {} : { headers: Object.fromEntries(Object.entries(headers).map(([name, meaning]) => [name, { description: meaning, schema: { type: 'string' } }])) }),
  ...(schema === undefined ? {} : { content: { [type ?? 'application/json']: { schema }, ...(orAs === undefined ? {} : { [orAs]: { schema: { type: 'string' } } }) } }),
});

function problems({ access, body, refusals, answers }: RouteDefinition): Record<string, JsonObject> {
  const codes = new Set([...(refusals ?? []), ...(access === 'public' ? ['INTERNAL'] : ALWAYS), ...(body === undefined ? [] : WITH_BODY)]);
  const statuses = [...new Set([...codes].map(statusOf))].filter(status => answers[status] === undefined).sort((a, b) => a - b);
  return Object.fromEntries(statuses.map(status => {
    const possible = codesOf(status).filter(code => codes.has(code));
    const retry = status === 429 || status === 503 ? { 'Retry-After': { description: 'seconds', schema: { type: 'integer' } } } : undefined;
    const challenge = status === 401 ? { 'WWW-Authenticate': { description: '`Bearer`', schema: { type: 'string' } } } : undefined;
    return [status, { description: possible.join(', '), ...(retry === undefined && challenge === undefined ? {} : { headers: { ...retry, ...challenge } }), content: { [PROBLEM]: { schema: component('Problem') } } }];
  }));
}

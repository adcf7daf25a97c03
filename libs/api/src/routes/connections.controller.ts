import { Controller } from '@nestjs/common';
import { Identity, type ConnectionEntry, type ConnectionSettings } from '@aifirst/identity';
import { component, pageOfA, shape, text, textMap } from '../documents/schemas';
import { expectedRevision } from '../http/etag';
import { nameFor, putReply, shown } from '../http/named';
import { PAGE_QUERY, pageOf } from '../http/page';
import { refuseParameter } from '../http/problem';
import { Route, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Connections', access: 'admin' };
const ONE = { description: 'the connection', schema: component('Connection'), headers: { ETag: 'its revision' } };
const SETTINGS = shape({ adapter: text(), config: { type: 'object', description: 'os: `{ root }`' }, secretRefs: { ...textMap, description: '`env:NAME`, `file:/path` or `vault:path#field` per name' }, labels: textMap }, ['secretRefs', 'labels']);

@Controller()
export class ConnectionsController {
  constructor(private readonly identity: Identity) {}

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/connections', id: 'listConnections', summary: 'The connections of the tenant.', query: { ...PAGE_QUERY, adapter: { description: 'of this adapter', schema: text() } },
    answers: { 200: { description: 'a page', schema: pageOfA('Connection') } }, refusals: ['INVALID_FIELD'],
  })
  list({ tenant, query }: Call): Reply {
    const { adapter } = query;
    return ok(pageOf(this.identity.connections.list(tenant).map(shownConnection).filter(one => adapter === undefined || one.adapter === adapter), one => one.name, query));
  }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/connections/:name', id: 'getConnection', summary: 'A connection.', answers: { 200: ONE }, refusals: ['NOT_FOUND'] })
  get(call: Call): Reply {
    const connection = this.identity.connections.get(call.tenant, call.params['name']!);
    return shown(call, connection.revision, shownConnection(connection));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/connections/:name', id: 'putConnection', summary: 'Makes or changes a connection; its target is looked at first.',
    query: { probe: { description: '`false`: do not look at the target', schema: { type: 'boolean', default: true } } }, headers: { 'If-Match': 'the ETag that was seen', 'If-None-Match': '`*`: must be new' },
    body: { schema: SETTINGS }, answers: { 200: ONE, 201: { ...ONE, headers: { ...ONE.headers, Location: 'the connection' } } },
    refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD', 'SECRET_IN_CONFIG', 'PROBE_FAILED', 'PRECONDITION_FAILED'],
  })
  async put(call: Call<Pick<ConnectionSettings, 'adapter' | 'config'> & Partial<ConnectionSettings>>): Promise<Reply> {
    const name = nameFor(call);
    const { probe } = call.query;
    if (probe !== undefined && probe !== 'true' && probe !== 'false') throw refuseParameter('probe', 'is `true` or `false`');
    const { connections } = this.identity;
    const expected = await expectedRevision(call.headers, () => connections.find(call.tenant, name)?.revision ?? null);
    const { adapter, config, secretRefs, labels } = call.body;
    const { created, connection } = await connections.put(call.tenant, name, { adapter, config, secretRefs: secretRefs ?? {}, labels: labels ?? {} }, probe !== 'false', call.caller.principal, expected);
    return putReply(created, `/v1/connections/${name}`, connection.revision, shownConnection(connection));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/connections/:name', id: 'deleteConnection', summary: 'Deletes a connection that no open workflow needs.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND', 'IN_USE', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const { connections } = this.identity;
    const { id, revision } = connections.get(call.tenant, call.params['name']!);
    await connections.remove(call.tenant, id, call.caller.principal, await expectedRevision(call.headers, () => revision));
    return noContent;
  }
}

const shownConnection = ({ id, revision, data: { adapter, config, secretRefs, labels, limitations, digest, createdAt, updatedAt } }: ConnectionEntry) =>
  ({ name: id, adapter, config, secretRefs, labels, limitations, digest, createdAt, updatedAt, revision });

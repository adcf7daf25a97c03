import { Controller } from '@nestjs/common';
import type { Named, Role } from '@aifirst/contracts';
import { Identity } from '@aifirst/identity';
import { component, listOf, pageOfA, shape, text } from '../documents/schemas';
import { expectedRevision } from '../http/etag';
import { nameFor, putReply, shown } from '../http/named';
import { PAGE_QUERY, filteredPage } from '../http/page';
import { notFound } from '../http/problem';
import { Route, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Policy', access: 'admin' };
const ONE = { description: 'the role', schema: component('Role'), headers: { ETag: 'its revision' } };

@Controller()
export class RolesController {
  constructor(private readonly identity: Identity) {}

  @Route({ ...ADMIN, method: 'GET', path: '/v1/roles', id: 'listRoles', summary: 'The roles of the tenant.', query: PAGE_QUERY, answers: { 200: { description: 'a page', schema: pageOfA('Role') } }, refusals: ['INVALID_FIELD'] })
  async list({ tenant, query }: Call): Promise<Reply> {
    const page = await filteredPage(async (limit, after) => (await this.identity.neighbours.ask('policy', 'listRoles', { tenant, limit, ...(after === undefined ? {} : { after }) })).items, role => role.name, () => true, query);
    return ok({ items: page.items.map(shownRole), next: page.next });
  }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/roles/:name', id: 'getRole', summary: 'A role.', answers: { 200: ONE }, refusals: ['NOT_FOUND'] })
  async get(call: Call): Promise<Reply> {
    const role = await this.find(call);
    if (role === null) throw notFound(`role \`${call.params['name']!}\``);
    return shown(call, role.revision, shownRole(role));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/roles/:name', id: 'putRole', summary: 'Makes or changes a role; in force for the next decision.', headers: { 'If-Match': 'the ETag that was seen', 'If-None-Match': '`*`: must be new' },
    body: { schema: shape({ capabilities: { ...listOf(text('a name, a group like `fs.*`, `rollback`, or `*`')), uniqueItems: true }, connections: { ...listOf(text('a name, or `*`')), uniqueItems: true } }, ['connections']) },
    answers: { 200: ONE, 201: { ...ONE, headers: { ...ONE.headers, Location: 'the role' } } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD', 'PRECONDITION_FAILED'],
  })
  async put(call: Call<{ capabilities: string[]; connections?: string[] }>): Promise<Reply> {
    const name = nameFor(call);
    const expected = await expectedRevision(call.headers, async () => (await this.find(call))?.revision ?? null);
    const { capabilities, connections } = call.body;
    const { created, role } = await this.identity.neighbours.ask('policy', 'putRole', { tenant: call.tenant, name, value: { capabilities, connections: connections ?? [] }, by: call.caller.principal, ...(expected === undefined ? {} : { expectedRevision: expected }) });
    return putReply(created, `/v1/roles/${name}`, role.revision, shownRole(role));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/roles/:name', id: 'deleteRole', summary: 'Deletes a role; who had it loses what it permits.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND', 'IN_USE', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const expected = await expectedRevision(call.headers, async () => (await this.find(call))?.revision ?? null);
    const { deleted } = await this.identity.neighbours.ask('policy', 'deleteRole', { tenant: call.tenant, name: call.params['name']!, by: call.caller.principal, ...(expected === undefined ? {} : { expectedRevision: expected }) });
    if (!deleted) throw notFound(`role \`${call.params['name']!}\``);
    return noContent;
  }

  private find({ tenant, params }: Pick<Call, 'tenant' | 'params'>): Promise<Named<Role> | null> { return this.identity.neighbours.ask('policy', 'getRole', { tenant, name: params['name']! }); }
}

const shownRole = ({ name, revision, value: { capabilities, connections }, createdAt, updatedAt }: Named<Role>) => ({ name, capabilities, connections, createdAt, updatedAt, revision });

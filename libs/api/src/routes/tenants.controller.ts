import { Controller } from '@nestjs/common';
import { Identity, type TenantEntry } from '@aifirst/identity';
import { component, pageOfA, shape, text, textMap } from '../documents/schemas';
import { expectedRevision } from '../http/etag';
import { nameFor, putReply, shown } from '../http/named';
import { PAGE_QUERY, pageOf } from '../http/page';
import { Route, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Tenants', access: 'admin' };
const ONE = { description: 'the tenant', schema: component('Tenant'), headers: { ETag: 'its revision' } };

@Controller()
export class TenantsController {
  constructor(private readonly identity: Identity) {}

  @Route({ ...ADMIN, method: 'GET', path: '/v1/tenants', id: 'listTenants', summary: 'All tenants.', query: PAGE_QUERY, answers: { 200: { description: 'a page', schema: pageOfA('Tenant') } }, refusals: ['INVALID_FIELD'] })
  list({ query }: Call): Reply { return ok(pageOf(this.identity.tenants.list().map(shownTenant), tenant => tenant.id, query)); }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/tenants/:name', id: 'getTenant', summary: 'A tenant.', answers: { 200: ONE }, refusals: ['NOT_FOUND'] })
  get(call: Call): Reply {
    const tenant = this.identity.tenants.get(call.params['name']!);
    return shown(call, tenant.revision, shownTenant(tenant));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/tenants/:name', id: 'putTenant', summary: 'Makes or changes a tenant.', headers: { 'If-Match': 'the ETag that was seen', 'If-None-Match': '`*`: must be new' },
    body: { schema: shape({ name: text('for people', { minLength: 1, maxLength: 200 }), labels: textMap }, ['name', 'labels']), optional: true },
    answers: { 200: ONE, 201: { ...ONE, headers: { ...ONE.headers, Location: 'the tenant' } } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD', 'PRECONDITION_FAILED'],
  })
  async put(call: Call<{ name?: string; labels?: Record<string, string> }>): Promise<Reply> {
    const id = nameFor(call);
    const { tenants } = this.identity;
    const expected = await expectedRevision(call.headers, () => tenants.find(id)?.revision ?? null);
    const { created, tenant } = await tenants.put(id, { name: call.body.name ?? id, labels: call.body.labels ?? {} }, call.caller.principal, expected);
    return putReply(created, `/v1/tenants/${id}`, tenant.revision, shownTenant(tenant));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/tenants/:name', id: 'deleteTenant', summary: 'Deletes a tenant that has no agents and connections any more.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND', 'IN_USE', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const { tenants } = this.identity;
    const { id, revision } = tenants.get(call.params['name']!);
    await tenants.remove(id, this.identity.isInhabited(id), call.caller.principal, await expectedRevision(call.headers, () => revision));
    return noContent;
  }
}

const shownTenant = ({ id, revision, data: { name, labels, createdAt, updatedAt } }: TenantEntry) => ({ id, name, labels, createdAt, updatedAt, revision });

import { Controller } from '@nestjs/common';
import type { Named, PolicyText } from '@aifirst/contracts';
import { Identity } from '@aifirst/identity';
import type { JsonObject } from '@aifirst/kernel';
import { component, pageOfA, shape, text, whole } from '../documents/schemas';
import { etagOf, expectedRevision } from '../http/etag';
import { nameFor, putReply, shown } from '../http/named';
import { PAGE_QUERY, filteredPage, integerOf } from '../http/page';
import { notFound, refuseField } from '../http/problem';
import { Route, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Policy', access: 'admin' };
const ONE = { description: 'the policy', schema: component('Policy'), headers: { ETag: 'its revision' } };
/** Paths of their own beneath `/policies`. */
const RESERVED = ['schema', 'validate', 'activate', 'simulate'];
const CEDAR = text('Cedar policies', { maxLength: 262_144 });

@Controller()
export class PoliciesController {
  constructor(private readonly identity: Identity) {}

  @Route({ ...ADMIN, method: 'GET', path: '/v1/policies', id: 'listPolicies', summary: 'The policies of the tenant.', query: PAGE_QUERY, answers: { 200: { description: 'a page', schema: pageOfA('Policy') } }, refusals: ['INVALID_FIELD'] })
  async list({ tenant, query }: Call): Promise<Reply> {
    const page = await filteredPage(async (limit, after) => (await this.identity.neighbours.ask('policy', 'listPolicies', { tenant, limit, ...(after === undefined ? {} : { after }) })).items, policy => policy.name, () => true, query);
    return ok({ items: page.items.map(shownPolicy), next: page.next });
  }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/policies/schema', id: 'getPolicySchema', summary: "Cedar's schema with the tenant's roles, connections and capabilities in it.", answers: { 200: { description: 'the schema', schema: { type: 'object' } } } })
  async schema({ tenant }: Call): Promise<Reply> { return ok(await this.identity.neighbours.ask('policy', 'policySchema', { tenant })); }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/policies/validate', id: 'validatePolicy', summary: 'Parses a policy and checks it against schema and annotations.',
    body: { schema: shape({ cedar: CEDAR, name: text(), version: whole(1) }, ['cedar', 'name', 'version']) }, answers: { 200: { description: 'it is valid', schema: component('Validation') } },
    refusals: ['POLICY_INVALID', 'NOT_FOUND', 'INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async validate({ tenant, body: { cedar, name, version } }: Call<{ cedar?: string; name?: string; version?: number }>): Promise<Reply> {
    if ((cedar === undefined) === (name === undefined)) throw refuseField('/cedar', 'either `cedar`, or `name` and perhaps `version`');
    return ok(await this.identity.neighbours.ask('policy', 'validatePolicy', cedar !== undefined ? { tenant, cedar } : { tenant, name: name!, ...(version === undefined ? {} : { version }) }));
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/policies/activate', id: 'activatePolicy', summary: 'Puts a stored version in force for the next decision.',
    body: { schema: shape({ name: text(), version: whole(1) }) }, answers: { 200: ONE }, refusals: ['POLICY_INVALID', 'NOT_FOUND', 'INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async activate({ tenant, caller, body: { name, version } }: Call<{ name: string; version: number }>): Promise<Reply> {
    const policy = await this.identity.neighbours.ask('policy', 'activatePolicy', { tenant, name, version, by: caller.principal });
    return ok(shownPolicy(policy), { etag: etagOf(policy.revision) });
  }

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/policies/:name', id: 'getPolicy', summary: 'A policy, its newest version unless another is asked for.', query: { version: { description: 'this version', schema: whole(1) } },
    answers: { 200: ONE }, refusals: ['NOT_FOUND', 'INVALID_FIELD'],
  })
  async get(call: Call): Promise<Reply> {
    const policy = await this.find(call, integerOf(call.query, 'version', 1));
    if (policy === null) throw notFound(`policy \`${call.params['name']!}\` in this version`);
    return shown(call, policy.revision, shownPolicy(policy));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/policies/:name', id: 'putPolicy', summary: 'Stores a new version, not in force until it is activated.', headers: { 'If-Match': 'the ETag that was seen', 'If-None-Match': '`*`: must be new' },
    body: { schema: shape({ cedar: CEDAR }) }, answers: { 200: ONE, 201: { ...ONE, headers: { ...ONE.headers, Location: 'the policy' } } }, refusals: ['POLICY_INVALID', 'INVALID_FIELD', 'UNKNOWN_FIELD', 'PRECONDITION_FAILED'],
  })
  async put(call: Call<{ cedar: string }>): Promise<Reply> {
    const name = nameFor(call, RESERVED);
    const expected = await this.expected(call);
    const { created, policy } = await this.identity.neighbours.ask('policy', 'putPolicy', { tenant: call.tenant, name, value: { cedar: call.body.cedar }, by: call.caller.principal, ...expected });
    return putReply(created, `/v1/policies/${name}`, policy.revision, shownPolicy(policy));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/policies/:name', id: 'deletePolicy', summary: 'Deletes a policy with all its versions; it is in force no longer.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const expected = await this.expected(call);
    const { deleted } = await this.identity.neighbours.ask('policy', 'deletePolicy', { tenant: call.tenant, name: call.params['name']!, by: call.caller.principal, ...expected });
    if (!deleted) throw notFound(`policy \`${call.params['name']!}\``);
    return noContent;
  }

  private async expected(call: Call<unknown>): Promise<{ expectedRevision?: number }> {
    const revision = await expectedRevision(call.headers, async () => (await this.find(call))?.revision ?? null);
    return revision === undefined ? {} : { expectedRevision: revision };
  }

  private find({ tenant, params }: Pick<Call, 'tenant' | 'params'>, version?: number): Promise<Named<PolicyText> | null> {
    return this.identity.neighbours.ask('policy', 'getPolicy', { tenant, name: params['name']!, ...(version === undefined ? {} : { version }) });
  }
}

const shownPolicy = ({ name, revision, value: { cedar, version, active }, createdAt, updatedAt }: Named<PolicyText>): JsonObject => ({ name, cedar, version, active, createdAt, updatedAt, revision });

import { Controller } from '@nestjs/common';
import { Identity, type AgentEntry, type AgentSettings, type StoredKey } from '@aifirst/identity';
import type { Json, JsonObject } from '@aifirst/kernel';
import { JWK, LIMITS, REPEAT_WINDOW, component, listOf, open, orNull, pageOfA, shape, text, whole } from '../documents/schemas';
import { etagOf, expectedRevision } from '../http/etag';
import { shown } from '../http/named';
import { PAGE_QUERY, pageOf } from '../http/page';
import { notFound, refuseParameter } from '../http/problem';
import { Route, created, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Agents', access: 'admin' };
const NAME_CHARS_MAX = 200;
const TTL_DAYS_MAX = 3_650;
const ROLES_MAX = 100;

const settings = {
  name: text(undefined, { minLength: 1, maxLength: NAME_CHARS_MAX }), owner: text('who answers for it', { minLength: 1, maxLength: NAME_CHARS_MAX }),
  roles: { ...listOf(text()), maxItems: ROLES_MAX, uniqueItems: true }, limits: LIMITS, repeatWindowMs: REPEAT_WINDOW,
};
const SETTINGS = shape(settings, ['limits', 'repeatWindowMs']);
const NEW_AGENT = shape({ ...settings, publicKey: JWK }, ['limits', 'repeatWindowMs', 'publicKey']);
const ONE = { 200: { description: 'the agent', schema: component('Agent'), headers: { ETag: 'its revision' } } };

type Settings = Pick<AgentSettings, 'name' | 'owner' | 'roles'> & Partial<Pick<AgentSettings, 'limits' | 'repeatWindowMs'>>;

@Controller()
export class AgentsController {
  constructor(private readonly identity: Identity) {}

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/agents', id: 'createAgent', summary: 'Makes an agent; its token is shown this once.',
    body: { schema: NEW_AGENT },
    answers: { 201: { description: 'the agent with its token', schema: { allOf: [component('Agent'), component('AgentWithToken')] }, headers: { Location: 'the agent', ETag: 'its revision' } } },
    refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD', 'MALFORMED_JSON'],
  })
  async create({ tenant, caller, body }: Call<Settings & { publicKey?: Json }>): Promise<Reply> {
    const { publicKey, ...rest } = body;
    const { agent, tokenId, token } = await this.identity.principals.create(tenant, settingsOf(rest), publicKey, caller.principal);
    return created(`/v1/agents/${agent.id}`, { ...this.shown(agent), tokenId, token }, { etag: etagOf(agent.revision), 'cache-control': 'no-store' });
  }

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/agents', id: 'listAgents', summary: 'The agents of the tenant.',
    query: { ...PAGE_QUERY, name: filter('name'), owner: filter('owner'), status: filter('status'), role: { description: 'with this role', schema: text() } },
    answers: { 200: { description: 'a page', schema: pageOfA('Agent') } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  list({ tenant, query }: Call): Reply {
    const { name, owner, role, status } = query;
    if (status !== undefined && status !== 'active' && status !== 'suspended') throw refuseParameter('status', 'is `active` or `suspended`');
    const agents = this.identity.principals.list(tenant).map(agent => this.shown(agent)).filter(agent =>
      (name === undefined || agent.name === name) && (owner === undefined || agent.owner === owner) && (status === undefined || agent.status === status) && (role === undefined || agent.roles.includes(role)));
    return ok(pageOf(agents, agent => agent.id, query));
  }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/agents/:id', id: 'getAgent', summary: 'An agent.', answers: ONE, refusals: ['NOT_FOUND'] })
  get(call: Call): Reply {
    const agent = this.agent(call);
    return shown(call, agent.revision, this.shown(agent));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/agents/:id', id: 'putAgent', summary: 'Changes an agent; what is put is in force for its next call.',
    headers: { 'If-Match': 'the ETag that was seen' }, body: { schema: SETTINGS }, answers: ONE, refusals: ['NOT_FOUND', 'INVALID_FIELD', 'UNKNOWN_FIELD', 'PRECONDITION_FAILED'],
  })
  async put(call: Call<Settings>): Promise<Reply> {
    const { id } = this.agent(call);
    const expected = await this.expected(call);
    return this.answer(await this.identity.principals.replace(call.tenant, id, settingsOf(call.body), call.caller.principal, expected));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/agents/:id', id: 'deleteAgent', summary: 'Deletes an agent and its credentials.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND', 'IN_USE', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const { id } = this.agent(call);
    await this.identity.principals.remove(call.tenant, id, call.caller.principal, await this.expected(call));
    return noContent;
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/agents/:id/suspend', id: 'suspendAgent', summary: 'Holds its workflows and refuses its calls until it is resumed; undo goes on.',
    body: { schema: shape({ reason: text(undefined, { maxLength: 1_000 }) }, ['reason']), optional: true }, answers: ONE, refusals: ['NOT_FOUND', 'UNKNOWN_FIELD'],
  })
  async suspend(call: Call<{ reason?: string }>): Promise<Reply> {
    return this.answer(await this.identity.principals.setSuspended(call.tenant, this.agent(call).id, true, call.body.reason ?? null, call.caller.principal));
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/agents/:id/resume', id: 'resumeAgent', summary: 'Lifts a suspension.',
    body: { schema: shape({ reason: text(undefined, { maxLength: 1_000 }) }, ['reason']), optional: true }, answers: ONE, refusals: ['NOT_FOUND', 'UNKNOWN_FIELD'],
  })
  async resume(call: Call<{ reason?: string }>): Promise<Reply> {
    return this.answer(await this.identity.principals.setSuspended(call.tenant, this.agent(call).id, false, call.body.reason ?? null, call.caller.principal));
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/agents/:id/tokens', id: 'issueToken', summary: 'Issues a further token, shown this once.',
    body: { schema: shape({ ttlDays: whole(1, { maximum: TTL_DAYS_MAX }) }, ['ttlDays']), optional: true },
    answers: { 201: { description: 'the token', schema: component('Token'), headers: { Location: 'the token' } } }, refusals: ['NOT_FOUND', 'INVALID_FIELD', 'UNKNOWN_FIELD', 'WRONG_STATE'],
  })
  async issueToken(call: Call<{ ttlDays?: number }>): Promise<Reply> {
    const { id } = this.agent(call);
    const issued = await this.identity.principals.issueToken(call.tenant, id, call.body.ttlDays ?? null, call.caller.principal);
    return created(`/v1/agents/${id}/tokens/${issued.tokenId}`, issued, { 'cache-control': 'no-store' });
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/agents/:id/tokens/:tokenId', id: 'revokeToken', summary: 'Revokes a token at once.', answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND'],
  })
  async revokeToken(call: Call): Promise<Reply> {
    await this.identity.principals.revokeToken(call.tenant, this.agent(call).id, call.params['tokenId']!, call.caller.principal);
    return noContent;
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/agents/:id/keys', id: 'registerKey', summary: 'Registers a public key that the agent signs intents with.',
    body: { schema: shape({ kid: text(undefined, { minLength: 1, maxLength: 128 }), jwk: JWK }) },
    answers: { 201: { description: 'the key', schema: component('Key'), headers: { Location: 'the key' } } }, refusals: ['NOT_FOUND', 'INVALID_FIELD', 'UNKNOWN_FIELD', 'WRONG_STATE'],
  })
  async registerKey(call: Call<{ kid: string; jwk: JsonObject }>): Promise<Reply> {
    const { id } = this.agent(call);
    const key = await this.identity.principals.registerKey(call.tenant, id, call.body.kid, call.body.jwk, call.caller.principal);
    return created(`/v1/agents/${id}/keys/${encodeURIComponent(key.kid)}`, this.shownKey(id, key));
  }

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/agents/:id/keys', id: 'listKeys', summary: 'The keys that it may sign intents with, and those that were revoked.',
    answers: { 200: { description: 'its keys; when they were used last is known to the hour', schema: open({ items: listOf(component('Key')), revoked: listOf(component('RevokedKey')), next: orNull(text()) }) } }, refusals: ['NOT_FOUND'],
  })
  listKeys(call: Call): Reply {
    const { id, data: { keys, revokedKeys = [] } } = this.agent(call);
    const revoked = revokedKeys.map(key => ({ ...key, lastUsedAt: this.identity.keyUses.lastUsedAt(id, key.kid) }));
    return ok({ items: keys.map(key => this.shownKey(id, key)), revoked, next: null });
  }

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/agents/:id/keys/:kid', id: 'getKey', summary: 'A key.', answers: { 200: { description: 'the key', schema: component('Key') } }, refusals: ['NOT_FOUND'],
  })
  getKey(call: Call): Reply {
    const { id, data } = this.agent(call);
    const key = data.keys.find(({ kid }) => kid === call.params['kid']);
    if (key === undefined) throw notFound(`key \`${call.params['kid']!.slice(0, 128)}\``);
    return ok(this.shownKey(id, key));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/agents/:id/keys/:kid', id: 'removeKey', summary: 'Revokes a key: nothing that it signed is taken in any more.', answers: { 204: { description: 'it is gone' } }, refusals: ['NOT_FOUND'],
  })
  async removeKey(call: Call): Promise<Reply> {
    await this.identity.principals.removeKey(call.tenant, this.agent(call).id, call.params['kid']!, call.caller.principal);
    return noContent;
  }

  private shownKey(agent: string, { kid, jwk, createdAt }: StoredKey) { return { kid, jwk, createdAt, lastUsedAt: this.identity.keyUses.lastUsedAt(agent, kid) }; }
  private shown({ id, revision, data: { name, owner, roles, limits, repeatWindowMs, suspended, tokens, keys, createdAt, updatedAt } }: AgentEntry) {
    return {
      id, name, owner, roles, limits, repeatWindowMs, status: suspended ? 'suspended' : 'active',
      tokens: tokens.map(token => ({ id: token.id, createdAt: token.createdAt, expiresAt: token.expiresAt })), keys: keys.map(key => this.shownKey(id, key)), createdAt, updatedAt, revision,
    };
  }
  private agent({ tenant, params }: Pick<Call, 'tenant' | 'params'>): AgentEntry { return this.identity.principals.get(tenant, params['id']!); }
  private expected(call: Call<unknown>): Promise<number | undefined> { return expectedRevision(call.headers, () => this.agent(call).revision); }
  private answer(agent: AgentEntry): Reply { return ok(this.shown(agent), { etag: etagOf(agent.revision) }); }
}

function filter(field: string) { return { description: `with this \`${field}\``, schema: text() }; }

const settingsOf = ({ name, owner, roles, limits, repeatWindowMs }: Settings): AgentSettings => ({ name, owner, roles, limits: limits ?? {}, repeatWindowMs: repeatWindowMs ?? null });

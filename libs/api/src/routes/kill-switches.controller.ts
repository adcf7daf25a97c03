import { Controller } from '@nestjs/common';
import type { KillSwitch, Named } from '@aifirst/contracts';
import { Identity } from '@aifirst/identity';
import { isObject, type Json } from '@aifirst/kernel';
import { component, flag, oneOf, pageOfA, shape, text } from '../documents/schemas';
import { expectedRevision } from '../http/etag';
import { nameFor, putReply, shown } from '../http/named';
import { PAGE_QUERY, filteredPage } from '../http/page';
import { notFound, notImplemented, refuseField } from '../http/problem';
import { Route, noContent, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Controls', access: 'admin' };
const ONE = { description: 'the kill switch', schema: component('KillSwitch'), headers: { ETag: 'its revision' } };
const LATER_KINDS = ['tenant', 'capability', 'connection'];

@Controller()
export class KillSwitchesController {
  constructor(private readonly identity: Identity) {}

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/controls/kill-switches', id: 'listKillSwitches', summary: 'The kill switches that are engaged.', query: PAGE_QUERY,
    answers: { 200: { description: 'a page', schema: pageOfA('KillSwitch') } }, refusals: ['INVALID_FIELD'],
  })
  async list({ tenant, query }: Call): Promise<Reply> {
    const page = await filteredPage(async (limit, after) => (await this.identity.neighbours.ask('policy', 'listKillSwitches', { tenant, limit, ...(after === undefined ? {} : { after }) })).items, one => one.name, () => true, query);
    return ok({ items: page.items.map(shownSwitch), next: page.next });
  }

  @Route({ ...ADMIN, method: 'GET', path: '/v1/controls/kill-switches/:name', id: 'getKillSwitch', summary: 'A kill switch.', answers: { 200: ONE }, refusals: ['NOT_FOUND'] })
  async get(call: Call): Promise<Reply> {
    const found = await this.find(call);
    if (found === null) throw notFound(`kill switch \`${call.params['name']!}\``);
    return shown(call, found.revision, shownSwitch(found));
  }

  @Route({
    ...ADMIN, method: 'PUT', path: '/v1/controls/kill-switches/:name', id: 'engageKillSwitch', summary: 'Engages a kill switch: no new step within a second; running ones end, undo goes on.',
    headers: { 'If-Match': 'the ETag that was seen', 'If-None-Match': '`*`: must be new' },
    body: {
      schema: shape({ scope: shape({ kind: oneOf('all', 'agent'), id: text('of the agent', { minLength: 1 }) }, ['id']), reason: text(undefined, { minLength: 1, maxLength: 1_000 }), rollback: flag, includeUndo: flag }, ['rollback', 'includeUndo']),
      later: withoutLaterScopes,
    },
    answers: { 200: ONE, 201: { ...ONE, headers: { ...ONE.headers, Location: 'the kill switch' } } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD', 'PRECONDITION_FAILED', 'NOT_IMPLEMENTED'],
  })
  async put(call: Call<{ scope: KillSwitch['scope']; reason: string; rollback?: boolean; includeUndo?: boolean }>): Promise<Reply> {
    const name = nameFor(call);
    const { scope, reason, rollback, includeUndo } = call.body;
    if (scope.kind === 'agent' && scope.id === undefined) throw refuseField('/scope/id', 'names the agent');
    if (scope.kind === 'all' && scope.id !== undefined) throw refuseField('/scope/id', 'stands only with `agent`');
    if (scope.id !== undefined && this.identity.principals.find(scope.id)?.tenant !== call.tenant) throw refuseField('/scope/id', 'there is no such agent');
    const { created, killSwitch } = await this.identity.neighbours.ask('policy', 'putKillSwitch', {
      tenant: call.tenant, name, value: { scope, reason, rollback: rollback ?? false, includeUndo: includeUndo ?? false }, by: call.caller.principal, ...await this.expected(call),
    });
    return putReply(created, `/v1/controls/kill-switches/${name}`, killSwitch.revision, shownSwitch(killSwitch));
  }

  @Route({
    ...ADMIN, method: 'DELETE', path: '/v1/controls/kill-switches/:name', id: 'liftKillSwitch', summary: 'Lifts a kill switch: what it held goes on by itself.', headers: { 'If-Match': 'the ETag that was seen' },
    answers: { 204: { description: 'it is lifted' } }, refusals: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  })
  async remove(call: Call): Promise<Reply> {
    const { deleted } = await this.identity.neighbours.ask('policy', 'deleteKillSwitch', { tenant: call.tenant, name: call.params['name']!, by: call.caller.principal, ...await this.expected(call) });
    if (!deleted) throw notFound(`kill switch \`${call.params['name']!}\``);
    return noContent;
  }

  private async expected(call: Call<unknown>): Promise<{ expectedRevision?: number }> {
    const revision = await expectedRevision(call.headers, async () => (await this.find(call))?.revision ?? null);
    return revision === undefined ? {} : { expectedRevision: revision };
  }

  private find({ tenant, params }: Pick<Call, 'tenant' | 'params'>): Promise<Named<KillSwitch> | null> { return this.identity.neighbours.ask('policy', 'getKillSwitch', { tenant, name: params['name']! }); }
}

function withoutLaterScopes(body: Json): Json {
  const scope = isObject(body) ? body['scope'] : undefined;
  const kind = isObject(scope) ? scope['kind'] : undefined;
  if (typeof kind === 'string' && LATER_KINDS.includes(kind)) throw notImplemented(`a kill switch of kind \`${kind}\` is not there yet: take \`all\` or \`agent\``, '/scope/kind');
  return body;
}

const shownSwitch = ({ name, revision, value: { scope, reason, rollback, includeUndo }, createdAt, updatedAt }: Named<KillSwitch>) =>
  ({ id: name, scope, reason, rollback, includeUndo, createdAt, updatedAt, revision });

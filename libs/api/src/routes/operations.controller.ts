import { Controller } from '@nestjs/common';
import { ADAPTER_HOSTS, type ServiceName, type ServiceQuery } from '@aifirst/contracts';
import { Identity } from '@aifirst/identity';
import { OperationalError, isObject, type JsonObject } from '@aifirst/kernel';
import { component, oneOf, pageOfA, shape, text } from '../documents/schemas';
import { LIMIT_MAX, PAGE_QUERY, cut, filteredPage, limitOf, placeOf } from '../http/page';
import { notFound } from '../http/problem';
import { Route, ok, type Call, type Reply, type RouteDefinition } from '../http/route';

const ADMIN: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Operations', access: 'admin' };
/** Services that consume, and so may have parked something. */
const CONSUMERS: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', 'audit', ...ADAPTER_HOSTS];
/** `<service>~<the service's own id>`: each keeps its own. */
const LETTER_ID = /^([a-z-]+)~(.+)$/;

interface LetterPlace { readonly service: number; readonly after: string | null }
const isLetterPlace = (value: unknown): value is LetterPlace =>
  isObject(value) && Number.isInteger(value['service']) && CONSUMERS[value['service'] as number] !== undefined && (value['after'] === null || typeof value['after'] === 'string');

/** `ServiceQuery` as a provider: Nest injects classes. */
export class DeadLetterOffices {
  constructor(private readonly query: ServiceQuery) {}

  ask(service: ServiceName, question: 'replayDeadLetter' | 'discardDeadLetter', body: unknown): Promise<JsonObject> { return this.query.ask(service, question, body); }

  /** A service that parks nothing answers nothing. */
  async list(service: ServiceName, body: unknown): Promise<readonly JsonObject[]> {
    try {
      return (await this.query.ask<{ items: JsonObject[] }>(service, 'deadLetters', body)).items;
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'UNKNOWN_QUESTION') return [];
      throw error;
    }
  }
}

@Controller()
export class OperationsController {
  constructor(private readonly identity: Identity, private readonly offices: DeadLetterOffices) {}

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/locks', id: 'listLocks', summary: 'Locks that are held, and who waits for them.',
    query: { ...PAGE_QUERY, workflow: { description: 'held by this workflow', schema: text() }, resource: { description: 'on this resource', schema: text() } },
    answers: { 200: { description: 'a page', schema: pageOfA('Lock') } }, refusals: ['INVALID_FIELD'],
  })
  async locks({ tenant, query }: Call): Promise<Reply> {
    const { workflow, resource } = query;
    return ok(await filteredPage(async (limit, after) => (await this.identity.neighbours.ask('orchestrator', 'locks', { tenant, limit, ...(after === undefined ? {} : { after }) })).items,
      lock => lock.id, lock => (workflow === undefined || lock.workflow === workflow) && (resource === undefined || lock.resource === resource), query));
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/locks/:id/break', id: 'breakLock', summary: 'Takes a lock from the workflow that holds it; recorded.', body: { schema: shape({ reason: text('why', { minLength: 1, maxLength: 1_000 }) }) },
    answers: { 200: { description: 'the lock as it was', schema: component('Lock') } }, refusals: ['NOT_FOUND', 'WRONG_STATE', 'INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async breakLock({ tenant, caller, params, body }: Call<{ reason: string }>): Promise<Reply> {
    return ok(await this.identity.neighbours.ask('orchestrator', 'breakLock', { tenant, id: params['id']!, by: caller.principal, reason: body.reason }));
  }

  @Route({
    ...ADMIN, method: 'GET', path: '/v1/dead-letters', id: 'listDeadLetters', summary: 'Messages that could not be handled, with what waits behind them.',
    query: { ...PAGE_QUERY, status: { description: 'with this status', schema: oneOf('parked', 'replayed', 'discarded') }, service: { description: 'of this service', schema: oneOf(...CONSUMERS) } },
    answers: { 200: { description: 'a page', schema: pageOfA('DeadLetter') } }, refusals: ['INVALID_FIELD'],
  })
  async deadLetters({ tenant, query }: Call): Promise<Reply> {
    const limit = limitOf(query);
    const from = placeOf(query, isLetterPlace) ?? { service: 0, after: null };
    const found: { readonly service: number; readonly own: string; readonly letter: JsonObject }[] = [];
    let after = from.after;
    for (let at = from.service; at < CONSUMERS.length && found.length <= limit; at++, after = null) {
      const service = CONSUMERS[at]!;
      if (query['service'] !== undefined && query['service'] !== service) continue;
      const items = await this.offices.list(service, { tenant, limit: Math.min(limit + 1, LIMIT_MAX + 1), ...(after === null ? {} : { after }), ...(query['status'] === undefined ? {} : { status: query['status'] }) });
      found.push(...items.map(letter => ({ service: at, own: String(letter['id']), letter: shownLetter(service, letter) })));
    }
    const page = cut(found, limit, ({ service, own }): LetterPlace => ({ service, after: own }));
    return ok({ items: page.items.map(({ letter }) => letter), next: page.next });
  }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/dead-letters/:id/replay', id: 'replayDeadLetter', summary: 'Hands it over once more, and what waits behind it.', body: { schema: shape({}), optional: true },
    answers: { 200: { description: 'what came of it', schema: { type: 'object' } } }, refusals: ['NOT_FOUND', 'WRONG_STATE'],
  })
  replay(call: Call): Promise<Reply> { return this.settle(call, 'replayDeadLetter'); }

  @Route({
    ...ADMIN, method: 'POST', path: '/v1/dead-letters/:id/discard', id: 'discardDeadLetter', summary: 'Gives it up; what waits behind it stays.', body: { schema: shape({}), optional: true },
    answers: { 200: { description: 'what came of it', schema: { type: 'object' } } }, refusals: ['NOT_FOUND', 'WRONG_STATE'],
  })
  discard(call: Call): Promise<Reply> { return this.settle(call, 'discardDeadLetter'); }

  private async settle({ tenant, caller, params }: Call, question: 'replayDeadLetter' | 'discardDeadLetter'): Promise<Reply> {
    const found = LETTER_ID.exec(params['id']!);
    const service = CONSUMERS.find(name => name === found?.[1]);
    if (found === null || service === undefined) throw notFound(`dead letter \`${params['id']!}\``);
    const answer = await this.offices.ask(service, question, { tenant, id: found[2]!, by: caller.principal });
    return ok(isObject(answer['letter']) ? { ...answer, letter: shownLetter(service, answer['letter']) } : shownLetter(service, answer));
  }
}

const shownLetter = (service: ServiceName, letter: JsonObject): JsonObject => ({ ...letter, id: `${service}~${String(letter['id'])}`, service });

import { Controller } from '@nestjs/common';
import { TASK_STATUSES, type PrincipalRef, type TaskStatus } from '@aifirst/contracts';
import type { Caller } from '@aifirst/identity';
import { isUuid, type Json, type JsonObject } from '@aifirst/kernel';
import { component, flag, pageOfA, shape, text, whole } from '../documents/schemas';
import { PAGE_QUERY, cut, isText, limitOf, placeOf } from '../http/page';
import { refuse, refuseParameter } from '../http/problem';
import { Route, noContent, ok, type Call, type Reply } from '../http/route';
import { Tasks } from '../tasks/tasks';

const WAIT_MS_MAX = 60_000;
const REASON_CHARS_MAX = 4_000;
const TOKEN = text('of the claim: one that another process of the same agent has is not taken for it', { minLength: 1, maxLength: 200 });
const OF_CLAIM = ['NOT_FOUND', 'WRONG_STATE', 'INVALID_FIELD', 'UNKNOWN_FIELD'];
const ENDED = 'the task as it is now';

/** Work that a step of a workflow gives to another agent. */
@Controller()
export class TasksController {
  constructor(private readonly tasks: Tasks) {}

  @Route({
    method: 'POST', path: '/v1/tasks/claim', id: 'claimTask', tag: 'Tasks', access: 'principal',
    summary: 'Takes the oldest task that the agent may work, or waits for one. Its `token` is shown this once.',
    body: { schema: shape({ waitMs: whole(0, { maximum: WAIT_MS_MAX, default: 0, description: 'how long to wait for one' }) }, ['waitMs']), optional: true },
    answers: { 200: { description: 'the task, claimed: a heartbeat keeps it', schema: component('ClaimedTask') }, 204: { description: 'none came in that time' } },
    refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async claim({ caller, body, request, reply }: Call<JsonObject>): Promise<Reply> {
    const agent = agentOf(caller);
    const gone = new AbortController();
    const leave = (): void => { gone.abort(); };
    reply.raw.once('close', leave);
    try {
      if (request.raw.socket.destroyed) gone.abort();
      const claimed = await this.tasks.claims.claim(agent, (body['waitMs'] as number | undefined) ?? 0, gone.signal);
      return claimed === null ? noContent : ok(claimed);
    } finally {
      reply.raw.removeListener('close', leave);
    }
  }

  @Route({
    method: 'POST', path: '/v1/tasks/:id/heartbeat', id: 'keepTask', tag: 'Tasks', access: 'principal', summary: 'Says that the task is being worked. Without it for `leaseMs` the claim is lost and what was done is taken back.',
    body: { schema: shape({ token: TOKEN }, ['token']), optional: true },
    answers: { 200: { description: 'the task, with a new `leaseUntil`', schema: component('Task') } }, refusals: OF_CLAIM,
  })
  async heartbeat({ caller, params, body }: Call<JsonObject>): Promise<Reply> {
    return ok(await this.tasks.claims.heartbeat(agentOf(caller), params['id']!, tokenOf(body)));
  }

  @Route({
    method: 'POST', path: '/v1/tasks/:id/complete', id: 'completeTask', tag: 'Tasks', access: 'principal', summary: 'Ends the task with its result, which has to fit `resultSchema`. Every workflow of the task has ended by then.',
    body: { schema: shape({ result: { description: 'any JSON' }, token: TOKEN }, ['token']) },
    answers: { 200: { description: ENDED, schema: component('Task') } }, refusals: OF_CLAIM,
  })
  async complete({ caller, params, body }: Call<JsonObject>): Promise<Reply> {
    return ok(await this.tasks.claims.complete(agentOf(caller), params['id']!, tokenOf(body), body['result'] as Json));
  }

  @Route({
    method: 'POST', path: '/v1/tasks/:id/fail', id: 'failTask', tag: 'Tasks', access: 'principal', summary: 'Gives the task up: what was done for it is taken back, and its step fails, or it is offered to another.',
    body: { schema: shape({ reason: text('for whoever gave the task', { minLength: 1, maxLength: REASON_CHARS_MAX }), handOver: flag, token: TOKEN }, ['handOver', 'token']) },
    answers: { 200: { description: ENDED, schema: component('Task') } }, refusals: OF_CLAIM,
  })
  async fail({ caller, params, body }: Call<JsonObject>): Promise<Reply> {
    return ok(await this.tasks.claims.fail(agentOf(caller), params['id']!, tokenOf(body), body['reason'] as string, body['handOver'] === true));
  }

  @Route({
    method: 'GET', path: '/v1/tasks', id: 'listTasks', tag: 'Tasks', access: 'principal', summary: 'Tasks that the agent may claim, has claimed, or has given; all of the tenant for the administrator.',
    query: { status: { description: 'only those', schema: { enum: [...TASK_STATUSES] } }, workflow: { description: 'given by a step of this workflow', schema: { type: 'string', format: 'uuid' } }, ...PAGE_QUERY },
    answers: { 200: { description: 'one page, by id', schema: pageOfA('Task') } }, refusals: ['INVALID_FIELD'],
  })
  async list({ caller, query }: Call): Promise<Reply> {
    const { status, workflow } = query;
    if (status !== undefined && !(TASK_STATUSES as readonly string[]).includes(status)) throw refuseParameter('status', `is one of ${TASK_STATUSES.join(', ')}`);
    if (workflow !== undefined && !isUuid(workflow.toLowerCase())) throw refuseParameter('workflow', 'is the id of a workflow');
    const limit = limitOf(query);
    const items = await this.tasks.claims.page(caller.principal, { ...(status === undefined ? {} : { status: status as TaskStatus }), ...(workflow === undefined ? {} : { workflow: workflow.toLowerCase() }) }, limit + 1, placeOf(query, isText));
    return ok(cut(items, limit, ({ id }) => id));
  }

  @Route({
    method: 'GET', path: '/v1/tasks/:id', id: 'getTask', tag: 'Tasks', access: 'principal', summary: 'A task with what it is about, and what came of it.',
    answers: { 200: { description: 'the task', schema: component('WholeTask') } }, refusals: ['NOT_FOUND'],
  })
  async get({ caller, params }: Call): Promise<Reply> { return ok(await this.tasks.claims.find(caller.principal, params['id']!)); }
}

const tokenOf = (body: JsonObject): string | undefined => body['token'] as string | undefined;

function agentOf({ principal, agent }: Caller): PrincipalRef {
  if (agent === null) throw refuse('FORBIDDEN', 'tasks are worked by agents, with their own tokens: the administrator\'s has none');
  return principal;
}

import { Controller } from '@nestjs/common';
import { WORKFLOW_STATUSES, type WorkflowOrder, type WorkflowStatus, type WorkflowView } from '@aifirst/contracts';
import { isObject, isUuid, type Json } from '@aifirst/kernel';
import { component, flag, oneOf, open, listOf, orNull, pageOfA, shape, text, any } from '../documents/schemas';
import { PAGE_QUERY, cursorOf, cut, limitOf, placeOf, timeOf } from '../http/page';
import { notFound, notImplemented, refuse, refuseField, refuseParameter } from '../http/problem';
import { Route, STREAMED, accepted, ok, valuesOf, type Call, type Reply, type RouteDefinition } from '../http/route';
import { Identity } from '@aifirst/identity';
import type { OnConflict } from '../rollbacks/judged-steps';
import { isRollbackDigest } from '../rollbacks/rollback-digest';
import { Rollbacks } from '../rollbacks/rollbacks';
import { WorkflowProjection } from '../views/workflow-projection';
import type { ViewPlace } from '../views/workflow-views';
import { EventStreams, shownEvent } from './event-streams';
import { Unsealing } from './unsealing';

/** How long an answer waits for the view to have caught up with what the orchestrator has already stored. */
const CATCH_UP_MS = 5_000;

const ORDER: Pick<RouteDefinition, 'tag' | 'access' | 'method'> = { tag: 'Workflows', access: 'principal', method: 'POST' };
const ORDERED = { 202: { description: 'ordered: the workflow', schema: component('Workflow'), headers: { Location: 'the workflow' } } };
const ORDER_REFUSALS = ['NOT_FOUND', 'WRONG_STATE', 'UNKNOWN_FIELD', 'INVALID_FIELD', 'MALFORMED_JSON'];
const REASON = shape({ reason: text('why, for the record', { maxLength: 1_000 }) }, ['reason']);
const ROLLBACK = shape({
  reason: text('why, for the record', { maxLength: 1_000 }), preview: { ...flag, description: 'answers with what it would do, and does nothing' },
  onConflict: { ...oneOf('block', 'skip'), default: 'block', description: 'what becomes of a step in whose place somebody else has changed something: it waits for a person, or is left standing' },
  digest: text('of a preview: exactly what that showed is done, or nothing'),
}, ['reason', 'preview', 'onConflict', 'digest']);
interface RollbackBody { readonly reason?: string; readonly preview?: boolean; readonly onConflict?: OnConflict; readonly digest?: string }

@Controller()
export class WorkflowsController {
  constructor(private readonly projection: WorkflowProjection, private readonly identity: Identity, private readonly unsealing: Unsealing, private readonly streams: EventStreams, private readonly rollbacks: Rollbacks) {}

  @Route({
    method: 'GET', path: '/v1/workflows', id: 'listWorkflows', tag: 'Workflows', access: 'principal', summary: 'Workflows, newest first. An agent sees its own.',
    query: {
      ...PAGE_QUERY, status: { description: 'with this status', schema: oneOf(...WORKFLOW_STATUSES) }, agent: { description: 'of this agent', schema: text() },
      label: { description: '`name=value`; more than one: all of them', schema: text(), repeats: true },
      createdFrom: { description: 'created at or after', schema: text() }, createdTo: { description: 'created before', schema: text() },
    },
    answers: { 200: { description: 'a page', schema: pageOfA('Workflow') } }, refusals: ['INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async list(call: Call): Promise<Reply> {
    const { caller, tenant, query } = call;
    const limit = limitOf(query);
    const status = query['status'];
    if (status !== undefined && !(WORKFLOW_STATUSES as readonly string[]).includes(status)) throw refuseParameter('status', `is one of ${WORKFLOW_STATUSES.join(', ')}`);
    const own = caller.agent === null ? query['agent'] : caller.principal.id;
    if (caller.agent !== null && query['agent'] !== undefined && query['agent'] !== own) return ok({ items: [], next: null });
    const after = placeOf(query, isPlace);
    const [createdFrom, createdTo] = [timeOf(query, 'createdFrom'), timeOf(query, 'createdTo')];
    const labels = Object.fromEntries(valuesOf(call, 'label').map(labelOf));
    const found = await this.projection.list({
      tenant, limit: limit + 1, ...(own === undefined ? {} : { agent: own }), ...(status === undefined ? {} : { status: status as WorkflowStatus }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }), ...(createdFrom === undefined ? {} : { createdFrom }), ...(createdTo === undefined ? {} : { createdTo }), ...(after === undefined ? {} : { after }),
    });
    const page = cut(found, limit, ({ createdAt, id }) => ({ createdAt, id }));
    return ok({ items: await Promise.all(page.items.map(view => this.unsealing.view(view))), next: page.next });
  }

  @Route({
    method: 'GET', path: '/v1/workflows/:id', id: 'getWorkflow', tag: 'Workflows', access: 'principal', summary: 'A workflow with its steps.',
    answers: { 200: { description: 'the workflow', schema: component('Workflow') } }, refusals: ['NOT_FOUND'],
  })
  async get(call: Call): Promise<Reply> { return ok(await this.unsealing.view(await this.visible(call))); }

  @Route({
    method: 'GET', path: '/v1/workflows/:id/events', id: 'listWorkflowEvents', tag: 'Workflows', access: 'principal',
    summary: 'The facts of a workflow in order; with `Accept: text/event-stream` live until it ends.',
    query: PAGE_QUERY,
    headers: { 'Last-Event-ID': 'live: only what came after this `id`' },
    answers: {
      200: { description: 'a page of CloudEvents; or live `id` the sequence, `event` the type, `data` the CloudEvent', schema: open({ items: listOf(component('CloudEvent')), next: orNull(text()) }) },
      204: { description: 'live: it has ended and there is nothing after `Last-Event-ID`' },
    },
    refusals: ['NOT_FOUND', 'INVALID_FIELD'],
  })
  async events(call: Call): Promise<Reply | typeof STREAMED> {
    const view = await this.visible(call);
    if (call.headers['accept']?.includes('text/event-stream') === true) return this.streams.serve(call, view);
    const limit = limitOf(call.query);
    const after = placeOf(call.query, isSequence) ?? 0;
    const { items } = await this.identity.neighbours.ask('orchestrator', 'facts', { tenant: call.tenant, workflow: view.id, after, limit });
    return ok({ items: items.map(shownEvent), next: items.length < limit ? null : cursorOf(items[items.length - 1]!.sequence) });
  }

  @Route({
    ...ORDER, path: '/v1/workflows/:id/rollback', id: 'rollbackWorkflow',
    summary: 'Takes everything back, running or long finished. On `rollbackBlocked` it tries again what is left. `preview` shows what it would do; of what has ended, `IN_USE` names the later workflows that build on it.',
    body: { schema: ROLLBACK, optional: true, later: withoutLaterOptions },
    answers: { 200: { description: '`preview`: what it would do', schema: component('RollbackPreview') }, ...ORDERED },
    refusals: [...ORDER_REFUSALS, 'FORBIDDEN', 'NOT_IMPLEMENTED', 'IN_USE', 'PLAN_STALE', 'ERASED', 'OVERLOADED'],
  })
  async rollback(call: Call<RollbackBody>): Promise<Reply> {
    const { caller: { principal }, body: { reason = 'requested', preview = false, onConflict = 'block', digest } } = call;
    if (digest !== undefined && (preview || !isRollbackDigest(digest))) throw refuseField('/digest', preview ? 'is of a preview that was made before: leave `preview` out' : 'is not one that a preview of a rollback has answered with');
    const view = await this.visible(call);
    if (preview) return ok(await this.unsealing.json(call.tenant, view.id, await this.rollbacks.preview(view, principal, onConflict)));
    const facts = await this.rollbacks.check(view, principal, digest);
    return this.order(call, { order: 'rollback', reason, ...(onConflict === 'skip' ? { onConflict } : {}), ...(facts === undefined ? {} : { facts }) });
  }

  @Route({
    ...ORDER, path: '/v1/workflows/:id/cancel', id: 'cancelWorkflow', summary: 'Before any effect ends it `cancelled`; later it acts as `onFailure` says.',
    body: { schema: REASON, optional: true }, answers: ORDERED, refusals: ORDER_REFUSALS,
  })
  cancel(call: Call<{ reason?: string }>): Promise<Reply> { return this.order(call, { order: 'cancel', ...call.body }); }

  @Route({
    ...ORDER, path: '/v1/workflows/:id/pause', id: 'pauseWorkflow', summary: 'Starts no further step; what runs, ends.',
    body: { schema: REASON, optional: true }, answers: ORDERED, refusals: ORDER_REFUSALS,
  })
  pause(call: Call<{ reason?: string }>): Promise<Reply> { return this.order(call, { order: 'pause', ...call.body }); }

  @Route({
    ...ORDER, path: '/v1/workflows/:id/resume', id: 'resumeWorkflow', summary: 'Goes on; `failedStep` says what becomes of a step that failed.',
    body: { schema: shape({ failedStep: oneOf('retry', 'skip') }, ['failedStep']), optional: true }, answers: ORDERED, refusals: ORDER_REFUSALS,
  })
  resume(call: Call<{ failedStep?: 'retry' | 'skip' }>): Promise<Reply> { return this.order(call, { order: 'resume', ...call.body }); }

  @Route({
    ...ORDER, access: 'admin', path: '/v1/workflows/:id/steps/:step/resolve', id: 'resolveStep', summary: 'Settles an outcome that nobody but a person can tell.',
    body: { schema: shape({ outcome: oneOf('succeeded', 'didNotHappen'), output: any, reason: text('how you know', { minLength: 1, maxLength: 1_000 }) }, ['output']) }, answers: ORDERED, refusals: [...ORDER_REFUSALS, 'UNKNOWN_STEP'],
  })
  async resolve(call: Call<{ outcome: 'succeeded' | 'didNotHappen'; output?: Json; reason: string }>): Promise<Reply> {
    const view = await this.visible(call);
    const step = call.params['step']!;
    if (!view.steps.some(({ id }) => id === step)) throw notFound(`step \`${step}\` in this workflow`);
    return this.order(call, { order: 'resolve', step, ...call.body });
  }

  private async order(call: Call<unknown>, order: WorkflowOrder): Promise<Reply> {
    const { id } = await this.visible(call);
    const { tenant, caller } = call;
    const view = await this.projection.ordered(tenant, id, () => this.identity.neighbours.ask('orchestrator', 'order', { tenant, workflow: id, by: caller.principal, order }), CATCH_UP_MS);
    if (view === null) throw notFound(`workflow \`${id}\``);
    return accepted(`/v1/workflows/${id}`, await this.unsealing.view(view));
  }

  private async visible({ caller, tenant, params }: Pick<Call, 'caller' | 'tenant' | 'params'>): Promise<WorkflowView> {
    const view = await this.projection.visibleTo(caller.principal, tenant, params['id']!);
    if (view === null) throw notFound(`workflow \`${params['id']!}\``);
    return view;
  }
}

const isPlace = (value: unknown): value is ViewPlace => isObject(value) && typeof value['createdAt'] === 'string' && !Number.isNaN(Date.parse(value['createdAt'])) && typeof value['id'] === 'string' && isUuid(value['id']);
const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function labelOf(label: string): [string, string] {
  const cut = label.search(/[=:]/);
  if (cut < 1) throw refuseParameter('label', 'is `name=value`');
  return [label.slice(0, cut), label.slice(cut + 1)];
}

/** Options of roll-back that are not there yet. */
function withoutLaterOptions(body: Json): Json {
  if (!isObject(body)) throw refuse('INVALID_FIELD', 'a body is an object');
  const { cascade, ...rest } = body;
  if (cascade !== undefined && typeof cascade !== 'boolean') throw refuseField('/cascade', 'is `true` or `false`');
  if (cascade === true) throw notImplemented('`cascade` is not there yet: roll the dependents back one by one, the latest first; `{ "preview": true }` names them', '/cascade');
  if (body['onConflict'] === 'force') throw notImplemented('`onConflict: force` is not there yet, as it needs approval: `skip` leaves standing what others have changed; put that right at the target', '/onConflict');
  return rest as Json;
}

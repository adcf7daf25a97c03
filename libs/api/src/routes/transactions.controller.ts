import { Controller } from '@nestjs/common';
import { TRANSACTION, STEP, component } from '../documents/schemas';
import { integerOf } from '../http/page';
import { WAIT_S_MAX } from '../http/prefer';
import { Route, accepted, created, ok, type Call, type Reply } from '../http/route';
import { traceparentOf, type Traced } from '../http/traceparent';
import { Transactions } from '../transactions/transactions';
import { isAtRest } from '../views/facts';
import { GatewayIds } from './gateway-ids';
import { Unsealing } from './unsealing';

const WAIT_S = 30;
const WAIT_QUERY = { wait: { description: `for so many seconds at most, ${WAIT_S} unless given`, schema: { type: 'integer', minimum: 0, maximum: WAIT_S_MAX, default: WAIT_S } } };
const OF_BODY = ['MALFORMED_JSON', 'DUPLICATE_KEY', 'TOO_DEEP', 'INVALID_UNICODE', 'FORBIDDEN_KEY', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'INVALID_FIELD', 'UNKNOWN_FIELD', 'OVERLOADED'];

/** Interactive transactions: a workflow whose agent adds steps as it reasons. */
@Controller()
export class TransactionsController {
  constructor(private readonly transactions: Transactions, private readonly unsealing: Unsealing, private readonly ids: GatewayIds) {}

  @Route({
    method: 'POST', path: '/v1/workflows', id: 'beginTransaction', tag: 'Transactions', access: 'principal',
    summary: 'Begins an interactive transaction: a workflow whose steps are added one by one. Nobody speaking to it for `idleTimeoutMs` while nothing is pending, it takes itself back.',
    headers: {
      'Idempotency-Key': '1 to 255 printable ASCII characters: the same key and body are answered with the same transaction, marked `Idempotent-Replayed: true`',
      traceparent: 'W3C trace context, carried on to the acts',
    },
    body: { schema: TRANSACTION, checkedBy: 'handler' },
    answers: { 201: { description: 'the workflow, running and without steps', schema: component('Workflow'), headers: { Location: 'the workflow', 'Idempotent-Replayed': '`true` for a repeat' } } },
    refusals: [...OF_BODY, 'IDEMPOTENCY_CONFLICT'],
  })
  async begin(call: Call): Promise<Reply> {
    const { headers, raw, caller } = call;
    const traceparent = traceparentOf(headers['traceparent'], this.ids);
    (call.request as Traced).trace = { own: traceparent, parent: headers['traceparent'] };
    const { view, replayed } = await this.transactions.begin({ principal: caller.principal, raw, idempotencyKey: headers['idempotency-key'], traceparent });
    return created(`/v1/workflows/${view.id}`, await this.unsealing.view(view), replayed ? { 'idempotent-replayed': 'true' } : {});
  }

  @Route({
    method: 'POST', path: '/v1/workflows/:id/steps', id: 'addStep', tag: 'Transactions', access: 'principal',
    summary: 'Adds a step to an interactive transaction. It runs at once under policy; its `id` is its idempotency key. One that fails had no effect and leaves the transaction standing.',
    query: WAIT_QUERY,
    body: { schema: STEP, checkedBy: 'handler' },
    answers: {
      200: { description: 'the step, which has ended or waits for a person', schema: component('Step'), headers: { 'Idempotent-Replayed': '`true` for a repeat' } },
      202: { description: 'the step, still under way', schema: component('Step'), headers: { Location: 'the workflow', 'Idempotent-Replayed': '`true` for a repeat' } },
    },
    refusals: [...OF_BODY, 'NOT_FOUND', 'FORBIDDEN', 'WRONG_STATE', 'IDEMPOTENCY_CONFLICT', 'UNKNOWN_CAPABILITY', 'UNKNOWN_CONNECTION', 'UNKNOWN_STEP', 'CYCLE', 'INVALID_REFERENCE', 'INVALID_INPUT', 'INVALID_PATH', 'INVALID_SQL'],
  })
  async addStep({ caller, params, query, raw }: Call): Promise<Reply> {
    const { view, step, replayed, isAnswered } = await this.transactions.addStep(caller.principal, params['id']!, raw, waitMsOf(query));
    const marked = replayed ? { 'idempotent-replayed': 'true' } : {};
    const { steps: [shown] } = await this.unsealing.view({ ...view, steps: [step] });
    return isAnswered ? ok(shown, marked) : accepted(`/v1/workflows/${view.id}`, shown, marked);
  }

  @Route({
    method: 'POST', path: '/v1/workflows/:id/commit', id: 'commitTransaction', tag: 'Transactions', access: 'principal',
    summary: 'Ends an interactive transaction: no step follows, and what runs is waited for. Steps that failed had no effect and are named in `statusReason`.',
    query: WAIT_QUERY,
    body: { schema: { type: 'object', additionalProperties: false }, optional: true },
    answers: {
      200: { description: 'it has ended, or waits for a person: the workflow', schema: component('Workflow') },
      202: { description: 'the workflow, which waits for its last steps', schema: component('Workflow'), headers: { Location: 'the workflow' } },
    },
    refusals: ['NOT_FOUND', 'FORBIDDEN', 'WRONG_STATE', 'INVALID_FIELD', 'UNKNOWN_FIELD'],
  })
  async commit({ caller, params, query }: Call): Promise<Reply> {
    const view = await this.unsealing.view(await this.transactions.commit(caller.principal, params['id']!, waitMsOf(query)));
    return isAtRest(view.status) ? ok(view) : accepted(`/v1/workflows/${view.id}`, view);
  }
}

const waitMsOf = (query: Readonly<Record<string, string>>): number => (integerOf(query, 'wait', 0, WAIT_S_MAX) ?? WAIT_S) * 1000;

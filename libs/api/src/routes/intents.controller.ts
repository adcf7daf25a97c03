import { Controller } from '@nestjs/common';
import { isUuid } from '@aifirst/kernel';
import { INTENT, PLANNED_INTENT, component } from '../documents/schemas';
import { notFound } from '../http/problem';
import { WAIT_S_MAX, waitOf } from '../http/prefer';
import { Route, accepted, ok, type Call, type Reply } from '../http/route';
import { traceparentOf, type Traced } from '../http/traceparent';
import { IntentIntake } from '../intake/intent-intake';
import { isAtRest } from '../views/facts';
import { WorkflowProjection } from '../views/workflow-projection';
import { GatewayIds } from './gateway-ids';
import { Unsealing } from './unsealing';

@Controller()
export class IntentsController {
  constructor(private readonly intake: IntentIntake, private readonly projection: WorkflowProjection, private readonly unsealing: Unsealing, private readonly ids: GatewayIds) {}

  @Route({
    method: 'POST', path: '/v1/intents', id: 'submitIntent', tag: 'Intents', access: 'principal',
    summary: 'Hands in an intent. Refused at once and whole, or accepted durably and carried out as a workflow.',
    headers: {
      'Idempotency-Key': '1 to 255 printable ASCII characters: the same key and intent are answered with the same ids, marked `Idempotent-Replayed: true`',
      Prefer: `\`wait=<seconds>\` (RFC 7240, at most ${WAIT_S_MAX}): answers with the workflow once it has ended or waits for somebody`,
      traceparent: 'W3C trace context, carried on to the act',
    },
    body: { schema: { anyOf: [INTENT, PLANNED_INTENT] }, checkedBy: 'handler' },
    answers: {
      200: { description: 'it ended or parked in time: the workflow', schema: component('Workflow') },
      202: { description: 'accepted', schema: component('Submitted'), headers: { Location: 'the workflow', 'Idempotent-Replayed': '`true` for a repeat' } },
    },
    refusals: ['MALFORMED_JSON', 'DUPLICATE_KEY', 'TOO_DEEP', 'INVALID_UNICODE', 'FORBIDDEN_KEY', 'IDEMPOTENCY_CONFLICT', 'PLAN_STALE', 'WRONG_STATE', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'INVALID_FIELD', 'UNKNOWN_FIELD',
      'UNKNOWN_CAPABILITY', 'UNKNOWN_CONNECTION', 'UNKNOWN_STEP', 'DUPLICATE_STEP', 'CYCLE', 'INVALID_REFERENCE', 'INVALID_INPUT', 'INVALID_PATH', 'INVALID_SQL', 'NOT_IMPLEMENTED', 'OVERLOADED'],
  })
  async submit(call: Call): Promise<Reply> {
    const { headers, raw, caller, tenant } = call;
    const traceparent = traceparentOf(headers['traceparent'], this.ids);
    (call.request as Traced).trace = { own: traceparent, parent: headers['traceparent'] };
    const { intentId, workflowId, replayed } = await this.intake.submit({
      principal: caller.principal, raw, idempotencyKey: headers['idempotency-key'], traceparent,
    });
    const location = `/v1/workflows/${workflowId}`;
    const marked = replayed ? { 'idempotent-replayed': 'true' } : {};
    const waitS = waitOf(headers['prefer']);
    if (waitS === 0) return accepted(location, { intentId, workflowId }, marked);
    const applied = { ...marked, 'preference-applied': `wait=${waitS}` };
    const view = await this.projection.waitFor(tenant, workflowId, ({ status }) => isAtRest(status), waitS * 1000);
    if (view === null || !isAtRest(view.status)) return accepted(location, { intentId, workflowId }, applied);
    return ok(await this.unsealing.view(view), { ...applied, location });
  }

  @Route({
    method: 'GET', path: '/v1/intents/:id', id: 'getIntent', tag: 'Intents', access: 'principal', summary: 'An intent as it was admitted.',
    answers: { 200: { description: 'the intent', schema: component('Intent') } }, refusals: ['NOT_FOUND'],
  })
  async get({ caller, tenant, params }: Call): Promise<Reply> {
    const id = params['id']!.toLowerCase();
    const record = isUuid(id) ? await this.intake.find(tenant, id) : null;
    if (record === null || (caller.agent !== null && record.agent !== caller.principal.id)) throw notFound(`intent \`${params['id']!}\``);
    const { workflow: workflowId, digest, agent, createdAt } = record;
    const intent = await this.unsealing.json(tenant, workflowId, record.intent);
    return ok({ id, workflowId, intent, digest, agent, createdAt });
  }
}

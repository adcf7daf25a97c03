import { Controller } from '@nestjs/common';
import type { Caller } from '@aifirst/identity';
import type { JsonObject } from '@aifirst/kernel';
import { INTENT, component } from '../documents/schemas';
import { notFound } from '../http/problem';
import { Route, accepted, ok, type Call, type Reply, type RouteDefinition } from '../http/route';
import { traceparentOf, type Traced } from '../http/traceparent';
import { PLAN_WAIT_MS, Plans, type FoundPlan } from '../plans/plans';
import { GatewayIds } from './gateway-ids';
import { Unsealing } from './unsealing';

const PLANS: Pick<RouteDefinition, 'tag' | 'access'> = { tag: 'Plans', access: 'principal' };
const ANSWERS: RouteDefinition['answers'] = {
  200: { description: 'the plan', schema: component('Plan'), headers: { Location: 'the plan' } },
  202: { description: 'it is still being made', schema: component('PlanInTheMaking'), headers: { Location: 'where it will be' } },
};

@Controller()
export class PlansController {
  constructor(private readonly plans: Plans, private readonly unsealing: Unsealing, private readonly ids: GatewayIds) {}

  @Route({
    ...PLANS, method: 'POST', path: '/v1/plans', id: 'makePlan',
    summary: `What an intent would do, without doing it: order, decision, risk, preview and undo of each step. Waits up to ${PLAN_WAIT_MS / 1_000} s. Kept for a day; \`POST /v1/intents\` with its \`planId\` runs exactly this.`,
    headers: { traceparent: 'W3C trace context' },
    body: { schema: INTENT, checkedBy: 'handler' }, answers: ANSWERS,
    refusals: ['MALFORMED_JSON', 'DUPLICATE_KEY', 'TOO_DEEP', 'INVALID_UNICODE', 'FORBIDDEN_KEY', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'INVALID_FIELD', 'UNKNOWN_FIELD',
      'UNKNOWN_CAPABILITY', 'UNKNOWN_CONNECTION', 'UNKNOWN_STEP', 'DUPLICATE_STEP', 'CYCLE', 'INVALID_REFERENCE', 'INVALID_INPUT', 'INVALID_PATH', 'INVALID_SQL', 'NOT_IMPLEMENTED', 'OVERLOADED'],
  })
  async make(call: Call): Promise<Reply> {
    return this.reply(call.tenant, await this.plans.make(call.caller.principal, call.raw, this.traceOf(call)));
  }

  @Route({ ...PLANS, method: 'GET', path: '/v1/plans/:id', id: 'getPlan', summary: 'A plan, for the agent that asked for it and the administrator.', answers: ANSWERS, refusals: ['NOT_FOUND', 'PLAN_STALE'] })
  async get(call: Call): Promise<Reply> {
    const { caller, tenant, params } = call;
    const found = await this.plans.find(tenant, params['id']!.toLowerCase());
    if (found === null || !maySee(caller, found)) throw notFound(`plan \`${params['id']!}\``);
    await this.plans.goOn(found, this.traceOf(call));
    return this.reply(tenant, found);
  }

  private async reply(tenant: string, { id, record: { made, createdAt, expiresAt } }: FoundPlan): Promise<Reply> {
    const location = `/v1/plans/${id}`;
    if (made === null) return accepted(location, { planId: id, status: 'making', createdAt, expiresAt });
    const { digest, steps, pointOfNoReturn } = made;
    return ok(await this.unsealing.json(tenant, id, { planId: id, digest, steps, pointOfNoReturn, createdAt, expiresAt }) as JsonObject, { location });
  }

  private traceOf({ headers, request }: Call): string {
    const traceparent = traceparentOf(headers['traceparent'], this.ids);
    (request as Traced).trace = { own: traceparent, parent: headers['traceparent'] };
    return traceparent;
  }
}

const maySee = ({ agent, principal }: Caller, { record }: FoundPlan): boolean => agent === null || (record.principal.kind === principal.kind && record.principal.id === principal.id);

import { ENDED, type CapabilityDescriptor, type WorkflowOrder, type WorkflowView } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import type { Clock, Ids, Json, JsonObject } from '@aifirst/kernel';
import type { Explained, Governance, McpCaller, McpSubmission, Reachable, TransactionStep } from '@aifirst/mcp';
import type { Vault } from '@aifirst/vault';
import type { GatewayLogger } from '../http/edge';
import { notFound, refuse, refusedBy } from '../http/problem';
import type { Capabilities } from '../intake/capabilities';
import type { IntentIntake } from '../intake/intent-intake';
import type { FoundPlan, Plans } from '../plans/plans';
import { isLeftStanding } from '../rollbacks/dependents';
import type { Rollbacks } from '../rollbacks/rollbacks';
import type { Unsealing } from '../routes/unsealing';
import type { AddedAnswer, Transactions } from '../transactions/transactions';
import { isAtRest } from '../views/facts';
import type { WorkflowProjection } from '../views/workflow-projection';
import { Reach } from './reach';

export interface GovernanceParts {
  readonly identity: Identity;
  readonly capabilities: Capabilities;
  readonly intake: IntentIntake;
  readonly plans: Plans;
  readonly projection: WorkflowProjection;
  readonly transactions: Transactions;
  readonly rollbacks: Rollbacks;
  readonly unsealing: Unsealing;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: GatewayLogger;
}

/** How long what was ordered may take to show. */
const ORDER_SHOWS_MS = 5_000;
/** There is nothing to be taken back, or it is being done. */
const IS_BACK: readonly WorkflowView['status'][] = ['cancelled', 'rejected', 'rollingBack'];

/** What tools ask of the gateway: the very parts that serve REST. */
export class GatewayGovernance implements Governance {
  private readonly reach: Reach;
  private last: readonly CapabilityDescriptor[] = [];

  constructor(private readonly parts: GovernanceParts) { this.reach = new Reach(parts); }

  capabilities(): readonly CapabilityDescriptor[] {
    const now = this.parts.capabilities.list();
    if (now.length !== this.last.length || now.some((capability, index) => capability !== this.last[index])) this.last = now;
    return this.last;
  }

  find(name: string): CapabilityDescriptor | undefined { return this.parts.capabilities.find(name); }

  reachable({ principal }: McpCaller): Promise<readonly Reachable[]> { return this.reach.of(principal, this.capabilities()); }

  submit({ principal, traceparent }: McpCaller, { body, idempotencyKey, repeatWithinMs }: McpSubmission): Promise<{ workflowId: string; replayed: boolean }> {
    return this.parts.intake.submit({ principal, raw: Buffer.from(JSON.stringify(body)), idempotencyKey, traceparent, ...(repeatWithinMs === undefined ? {} : { repeatWithinMs }) });
  }

  async waitFor({ principal: { tenant } }: McpCaller, workflowId: string, timeoutMs: number): Promise<WorkflowView | null> {
    const view = await this.parts.projection.waitFor(tenant, workflowId, ({ status }) => isAtRest(status), timeoutMs);
    return view === null ? null : this.parts.unsealing.view(view);
  }

  async workflow(caller: McpCaller, workflowId: string): Promise<WorkflowView> { return this.parts.unsealing.view(await this.glance(caller, workflowId)); }

  async glance({ principal }: McpCaller, workflowId: string): Promise<WorkflowView> {
    const view = await this.parts.projection.visibleTo(principal, principal.tenant, workflowId);
    if (view === null) throw notFound(`workflow \`${workflowId.slice(0, 64)}\``);
    return view;
  }

  watch(workflowId: string, listener: () => void): () => void { return this.parts.projection.watch(workflowId, listener); }

  async plan({ principal, traceparent }: McpCaller, body: JsonObject): Promise<Json> {
    return this.shown(principal.tenant, await this.parts.plans.make(principal, Buffer.from(JSON.stringify(body)), traceparent));
  }

  async planOf({ principal, traceparent }: McpCaller, planId: string): Promise<Json> {
    const found = await this.parts.plans.find(principal.tenant, planId.toLowerCase());
    const isOwn = found !== null && found.record.principal.kind === principal.kind && found.record.principal.id === principal.id;
    if (found === null || !(isOwn || principal.kind === 'person')) throw notFound(`plan \`${planId.slice(0, 64)}\``);
    await this.parts.plans.goOn(found, traceparent);
    return this.shown(principal.tenant, found);
  }

  async begin({ principal, traceparent }: McpCaller, { body, idempotencyKey }: McpSubmission): Promise<{ view: WorkflowView; replayed: boolean }> {
    return this.parts.transactions.begin({ principal, raw: Buffer.from(JSON.stringify(body)), idempotencyKey, traceparent });
  }

  async addStep({ principal }: McpCaller, workflowId: string, step: JsonObject, waitMs: number): Promise<TransactionStep> {
    const { replayed, ...added } = await this.parts.transactions.add(principal, workflowId, Buffer.from(JSON.stringify(step)), waitMs);
    return { ...await this.clear(added), replayed };
  }

  async waitForStep({ principal }: McpCaller, workflowId: string, stepId: string, waitMs: number): Promise<Omit<TransactionStep, 'replayed'>> {
    return this.clear(await this.parts.transactions.waitForStep(principal, workflowId, stepId, waitMs));
  }

  async commit({ principal }: McpCaller, workflowId: string): Promise<WorkflowView> {
    return this.parts.unsealing.view(await this.parts.transactions.commit(principal, workflowId, 0));
  }

  async rollBack(caller: McpCaller, workflowId: string, reason: string): Promise<WorkflowView> {
    const { rollbacks, unsealing } = this.parts;
    const view = await this.glance(caller, workflowId);
    if (IS_BACK.includes(view.status) || (view.status === 'rolledBack' && !view.steps.some(isLeftStanding))) return unsealing.view(view);
    if (await this.mayRollBack(caller, view)) {
      const facts = await rollbacks.check(view, caller.principal, undefined);
      return this.order(caller, view.id, { order: 'rollback', reason, ...(facts === undefined ? {} : { facts }) });
    }
    if (ENDED.includes(view.status) || view.status === 'rollbackBlocked') throw refuse('FORBIDDEN', `a workflow that is \`${view.status}\` is rolled back by an administrator, or by its agent where a role permits \`rollback\``, { status: view.status });
    return this.order(caller, view.id, { order: 'cancel', reason });
  }

  async cancel(caller: McpCaller, workflowId: string, reason: string): Promise<void> { await this.order(caller, workflowId, { order: 'cancel', reason }); }

  /** Why keyed with a key of the agent's own: a plain digest would tell what was called to whoever can guess it. */
  async repeatKey({ principal: { tenant, id } }: McpCaller, called: Json): Promise<string> {
    return `mcp-repeat:${await this.parts.vault.keyedDigest({ tenant, workflow: id }, called)}`;
  }

  explain(error: unknown): Explained {
    const { logger, ids } = this.parts;
    const { document: { type: _type, title: _title, status, code, detail, pointer: _pointer, errors, ...extra }, unexpected } = refusedBy(error, () => ids.uuid());
    if (unexpected) logger.error('a tool call failed', { id: extra['id'], error: error instanceof Error ? error.stack : String(error) });
    return { code, detail, problems: errors, extra: extra as JsonObject, passes: status === 503 && code !== 'OVERLOADED' };
  }

  private async clear({ view, step, isAnswered }: Omit<AddedAnswer, 'replayed'>): Promise<Omit<TransactionStep, 'replayed'>> {
    // Why the step alone: what else a transaction has put out is not looked at here.
    const { steps: [shown = null] } = await this.parts.unsealing.view({ ...view, steps: step === null ? [] : [step] });
    return { view, step: shown, isAnswered };
  }

  private async mayRollBack({ principal }: McpCaller, { tenant, id }: WorkflowView): Promise<boolean> {
    if (principal.kind !== 'agent') return true;
    return (await this.parts.identity.neighbours.ask('policy', 'decideRollback', { tenant, workflow: id, by: principal })).outcome === 'allow';
  }

  private async order({ principal }: McpCaller, workflow: string, order: WorkflowOrder): Promise<WorkflowView> {
    const { projection, identity, unsealing } = this.parts;
    const { tenant } = principal;
    const view = await projection.ordered(tenant, workflow, () => identity.neighbours.ask('orchestrator', 'order', { tenant, workflow, by: principal, order }), ORDER_SHOWS_MS);
    if (view === null) throw notFound(`workflow \`${workflow.slice(0, 64)}\``);
    return unsealing.view(view);
  }

  private async shown(tenant: string, { id, record: { made, createdAt, expiresAt } }: FoundPlan): Promise<Json> {
    if (made === null) return { planId: id, status: 'making', createdAt, expiresAt };
    const { digest, steps, pointOfNoReturn } = made;
    return this.parts.unsealing.json(tenant, id, { planId: id, digest, steps, pointOfNoReturn, createdAt, expiresAt });
  }
}

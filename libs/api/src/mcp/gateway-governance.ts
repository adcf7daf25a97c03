import { type CapabilityDescriptor, type WorkflowView } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import type { Clock, Ids, Json, JsonObject } from '@aifirst/kernel';
import type { Explained, Governance, McpCaller, McpSubmission, Reachable } from '@aifirst/mcp';
import type { Vault } from '@aifirst/vault';
import type { GatewayLogger } from '../http/edge';
import { notFound, refusedBy } from '../http/problem';
import type { Capabilities } from '../intake/capabilities';
import type { IntentIntake } from '../intake/intent-intake';
import type { FoundPlan, Plans } from '../plans/plans';
import type { Unsealing } from '../routes/unsealing';
import { isAtRest } from '../views/facts';
import type { WorkflowProjection } from '../views/workflow-projection';
import { Reach } from './reach';

export interface GovernanceParts {
  readonly identity: Identity;
  readonly capabilities: Capabilities;
  readonly intake: IntentIntake;
  readonly plans: Plans;
  readonly projection: WorkflowProjection;
  readonly unsealing: Unsealing;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: GatewayLogger;
}

/** How long a cancelled call's workflow may take to show it. */
const CANCEL_SHOWS_MS = 5_000;

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

  async workflow({ principal }: McpCaller, workflowId: string): Promise<WorkflowView> {
    const view = await this.parts.projection.visibleTo(principal, principal.tenant, workflowId);
    if (view === null) throw notFound(`workflow \`${workflowId.slice(0, 64)}\``);
    return this.parts.unsealing.view(view);
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

  async cancel({ principal }: McpCaller, workflowId: string, reason: string): Promise<void> {
    const { projection, identity } = this.parts;
    const { tenant } = principal;
    await projection.ordered(tenant, workflowId, () => identity.neighbours.ask('orchestrator', 'order', { tenant, workflow: workflowId, by: principal, order: { order: 'cancel', reason } }), CANCEL_SHOWS_MS);
  }

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

  private async shown(tenant: string, { id, record: { made, createdAt, expiresAt } }: FoundPlan): Promise<Json> {
    if (made === null) return { planId: id, status: 'making', createdAt, expiresAt };
    const { digest, steps, pointOfNoReturn } = made;
    return this.parts.unsealing.json(tenant, id, { planId: id, digest, steps, pointOfNoReturn, createdAt, expiresAt });
  }
}

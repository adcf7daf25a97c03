import { TOPICS, eventType, type Intent, type PlannedStep, type PrincipalRef } from '@aifirst/contracts';
import type { LogWriter } from '@aifirst/identity';
import { OperationalError, Refusal, isUuid, messageOf, type Clock, type Ids, type Json, type JsonObject, type Problem } from '@aifirst/kernel';
import { VersionConflict } from '@aifirst/store';
import { ERASED } from '@aifirst/vault';
import type { GatewayLogger } from '../http/edge';
import { notFound, refuse } from '../http/problem';
import { assess, assessAgain, type AssessingMeans, type Planned } from './assess';
import { PLAN_KEPT_MS, type MadePlan, type PlanRecord } from './plan-record';
import { movedBetween, noLongerAdmitted, stale } from './stale';

export const PLANNED = eventType('intent', 'Planned');

/** How long a caller waits for a plan. */
export const PLAN_WAIT_MS = 30_000;
/** How long a plan may be in the making; what has not been shown by then is not. */
const MAKING_MS_MAX = 300_000;
/** How long it is looked whether a plan still holds, while its caller waits. */
const CHECKING_MS_MAX = 30_000;
/** In the making at once: each asks adapters and holds an intent in memory. */
const MAKING_MAX = 32;
/** Of one principal: it must not keep the others waiting. */
const OWN_MAKING_MAX = 8;
const FORGOTTEN_AT_ONCE = 20;
const KIND = 'plan';

/** What the intake does for a plan. */
export interface PlanIntake {
  /** @throws Refusal of admission */
  admitPlan(principal: PrincipalRef, raw: Buffer): { readonly intent: Intent; readonly plan: readonly PlannedStep[] };
  /** An intent that was admitted before, as things are now. */
  admitAgain(principal: PrincipalRef, intent: Intent): { readonly plan: readonly PlannedStep[] } | { readonly problems: readonly [Problem, ...Problem[]] };
  seal(tenant: string, scope: string, plan: readonly PlannedStep[]): Promise<{ readonly steps: readonly PlannedStep[] }>;
}

export interface PlansOptions extends AssessingMeans {
  readonly writer: LogWriter;
  readonly intake: () => PlanIntake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: GatewayLogger;
}

export interface FoundPlan { readonly id: string; readonly record: PlanRecord }
/** A plan that is to be run. `check` holds it against what is now. */
export interface RunnablePlan { readonly planId: string; readonly intent: Intent; /** @throws Refusal PLAN_STALE */ check(): Promise<readonly PlannedStep[]> }

/** Plans: made on request, kept for a day, run at most as they were shown. */
export class Plans {
  /** By id, whose they are. */
  private readonly making = new Map<string, string>();

  constructor(private readonly options: PlansOptions) {}

  /** @returns once it is made, or when the caller has waited long enough @throws Refusal of admission, OVERLOADED */
  async make(principal: PrincipalRef, raw: Buffer, traceparent: string): Promise<FoundPlan> {
    const { ids, clock, vault } = this.options;
    const { intent, plan } = this.options.intake().admitPlan(principal, raw);
    if (this.isFull(principal)) throw refuse('OVERLOADED', 'more plans are being made than can be: ask again later');
    const id = ids.uuid();
    const now = clock.now();
    const sealed = await vault.seal({ tenant: principal.tenant, workflow: id }, 'intent', intent as unknown as Json);
    const record: PlanRecord = { principal, intent: sealed, createdAt: new Date(now).toISOString(), expiresAt: new Date(now + PLAN_KEPT_MS).toISOString(), made: null };
    const made = await this.within(PLAN_WAIT_MS, this.begin(id, record, intent, plan, traceparent));
    if (made !== null) return { id, record: { ...record, made } };
    // Why only now: what nobody was told of need not be found after a crash.
    await this.options.writer.commit({ documents: [{ kind: KIND, tenant: principal.tenant, id, data: record as unknown as JsonObject, expectedRevision: 0 }] })
      .catch((error: unknown) => { if (!(error instanceof VersionConflict)) throw error; });
    return { id, record };
  }

  /** @returns null where the tenant has no such plan (any more) */
  async find(tenant: string, id: string): Promise<FoundPlan | null> {
    const document = isUuid(id) ? await this.options.writer.log.getDocument(KIND, tenant, id) : null;
    if (document === null) return null;
    const record = document.data as unknown as PlanRecord;
    return Date.parse(record.expiresAt) <= this.options.clock.now() ? null : { id, record };
  }

  /** One that nobody is making any more, since the process was stopped, is made again: that changes nothing. @throws Refusal PLAN_STALE */
  async goOn({ id, record }: FoundPlan, traceparent: string): Promise<void> {
    if (record.made !== null || this.making.has(id) || this.isFull(record.principal)) return;
    const intent = await this.intentOf(id, record);
    if (this.making.has(id)) return;
    const admission = this.options.intake().admitAgain(record.principal, intent);
    if ('problems' in admission) throw stale(id, admission.problems.map(noLongerAdmitted));
    this.begin(id, record, intent, admission.plan, traceparent).catch(() => undefined);
  }

  /** @throws Refusal NOT_FOUND (also where it is another's), WRONG_STATE */
  async runnable(principal: PrincipalRef, id: string): Promise<RunnablePlan> {
    const found = await this.find(principal.tenant, id.toLowerCase());
    if (found === null || found.record.principal.kind !== principal.kind || found.record.principal.id !== principal.id) throw notFound(`plan \`${id.slice(0, 64)}\``);
    const { made } = found.record;
    if (made === null) throw refuse('WRONG_STATE', 'the plan is still being made: GET it, and run it when it is there', { status: 'making' });
    const intent = await this.intentOf(found.id, found.record);
    return { planId: found.id, intent, check: () => this.check(found, made, intent) };
  }

  /** Nothing grows for ever. */
  async forget(): Promise<void> {
    const { writer, identity, vault, clock } = this.options;
    for (const { id: tenant } of identity.tenants.list()) {
      for (let more = true; more;) {
        // Why the first: their ids are in the order of time.
        const oldest = await writer.log.listDocuments(KIND, tenant, { limit: FORGOTTEN_AT_ONCE });
        const old = oldest.filter(({ data }) => Date.parse((data as unknown as PlanRecord).expiresAt) <= clock.now());
        for (const { id } of old) await vault.erase({ tenant, workflow: id });
        if (old.length > 0) await writer.commit({ documents: old.map(({ id }) => ({ kind: KIND, tenant, id, data: null })) });
        more = old.length === FORGOTTEN_AT_ONCE;
      }
    }
  }

  /** Resolves when it is made and stored. */
  private begin(id: string, record: PlanRecord, intent: Intent, plan: readonly PlannedStep[], traceparent: string): Promise<MadePlan> {
    const making = this.madeOf(id, record, intent, plan, traceparent).finally(() => { this.making.delete(id); });
    this.making.set(id, ownerOf(record.principal));
    making.catch((error: unknown) => { if (!(error instanceof Refusal)) this.options.logger.warn('a plan could not be made', { plan: id, error: nameOf(error) }); });
    return making;
  }

  private isFull(principal: PrincipalRef): boolean {
    const owner = ownerOf(principal);
    return this.making.size >= MAKING_MAX || [...this.making.values()].filter(other => other === owner).length >= OWN_MAKING_MAX;
  }

  private async madeOf(id: string, record: PlanRecord, intent: Intent, plan: readonly PlannedStep[], traceparent: string): Promise<MadePlan> {
    const { principal } = record;
    const { writer, clock, ids } = this.options;
    const planned = await this.planned(id, principal, intent, plan);
    const made = await assess(this.options, planned, clock.now() + MAKING_MS_MAX);
    const outcomes = made.steps.map(({ decision }) => decision.outcome);
    await writer.commit({
      documents: [{ kind: KIND, tenant: principal.tenant, id, data: { ...record, made } as unknown as JsonObject }],
      appends: [{
        tenant: principal.tenant, stream: id, version: 1, messages: [{
          topic: TOPICS.intentEvents, key: principal.id, id: ids.uuid(), type: PLANNED, time: new Date(clock.now()).toISOString(), subject: id, tenant: principal.tenant, traceparent, intentsource: principal.id,
          data: { planId: id, agent: principal.id, digest: made.digest, policyVersion: made.basis.policyVersion, steps: made.steps.map(({ id: step, capability, preview }, index) => ({ step, capability, outcome: outcomes[index]!, previewed: preview !== null })) },
        }],
      }],
    });
    return made;
  }

  private async planned(id: string, principal: PrincipalRef, intent: Intent, plan: readonly PlannedStep[]): Promise<Planned> {
    const { steps } = await this.options.intake().seal(principal.tenant, id, plan);
    return { plan: id, principal, intent, steps };
  }

  private async check({ id, record: { principal } }: FoundPlan, made: MadePlan, intent: Intent): Promise<readonly PlannedStep[]> {
    const admission = this.options.intake().admitAgain(principal, intent);
    if ('problems' in admission) throw stale(id, admission.problems.map(noLongerAdmitted));
    const { now, passing } = await assessAgain(this.options, await this.planned(id, principal, intent, admission.plan), made, this.options.clock.now() + CHECKING_MS_MAX);
    if (passing) throw new OperationalError('PLAN_NOT_CHECKED', `whether plan \`${id}\` still holds can't be told right now`, { retryable: true });
    const moved = movedBetween(made.basis, now, admission.plan);
    if (moved.length > 0) throw stale(id, moved);
    return admission.plan.map((step, index) => { const { reach } = made.basis.steps[index]!; return reach === null ? step : { ...step, reach }; });
  }

  private async intentOf(id: string, { principal, intent }: PlanRecord): Promise<Intent> {
    try {
      return await this.options.vault.unsealAll({ tenant: principal.tenant, workflow: id }, intent as unknown as Json) as unknown as Intent;
    } catch (error) {
      if ((error as { code?: string }).code === ERASED) throw notFound(`plan \`${id}\``);
      throw error;
    }
  }

  /** @returns null when the time is over first */
  private within<T>(ms: number, work: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const cancel = this.options.clock.after(ms, () => { resolve(null); });
      work.then(resolve, reject).finally(cancel);
    });
  }
}

const ownerOf = ({ tenant, kind, id }: PrincipalRef): string => `${tenant}/${kind}/${id}`;

/** Why no message of others: what went wrong may have been holding what was planned. */
const nameOf = (error: unknown): string => (error instanceof OperationalError ? messageOf(error) : error instanceof Error ? error.name : 'unknown');

import { messageOf, OperationalError } from '@aifirst/kernel';
import type { Ids, JsonObject } from '@aifirst/kernel';
import { crashPoint } from '@aifirst/kernel';
import type { Draft, KillSwitch, PolicyPrincipal } from '@aifirst/contracts';
import { eventType, TOPICS } from '@aifirst/contracts';
import type { Append, DocumentPut, Log, StoredDocument, StoredRow, Unit } from '@aifirst/store';
import type { CedarEngine } from '../domain/cedar-engine';
import { compilePolicies, parsePolicyText } from '../domain/policy-text';
import type { CompiledPolicy } from '../domain/policy-text';
import type { Digest } from '../domain/projection';
import { cedarOfRole } from '../domain/role';
import type { EngagedSwitch } from '../domain/tenant-policy';
import type { Evaluator } from '../domain/evaluator';
import { KINDS, versionId } from './records';
import type { ControlRecord, KillSwitchRecord, PolicyRecord, PolicyVersionRecord, RoleRecord, UsesRecord } from './records';
import { TenantState } from './tenant-state';

const PAGE = 500;
/** How often a commit of unknown fate is repeated before whoever waits is told; each try waits for the database by itself. */
const COMMIT_TRIES = 3;

export type ControlFact = 'RolePut' | 'RoleDeleted' | 'PolicyPut' | 'PolicyActivated' | 'PolicyDeleted' | 'KillSwitchEngaged' | 'KillSwitchLifted' | 'PrincipalApplied' | 'ControlEpochMoved';

/** What an administrative write does: documents, facts and what changes in memory once they are stored. */
export interface Change {
  readonly tenant: TenantState;
  readonly documents: readonly Omit<DocumentPut, 'tenant'>[];
  readonly fact: { readonly name: ControlFact; readonly subject: string; readonly data: JsonObject };
  /** Leave that was given may be too much, or what waited may go on: every lease of these tenants is asked for anew. */
  readonly moves: readonly TenantState[];
  /** Roles or policies in force are others. */
  readonly activates: boolean;
  /** Must not fail. */
  apply(): void;
}

/** All tenants in memory, the log they are stored in, and the one queue through which both change. */
export class PolicyStore {
  private readonly tenants = new Map<string, TenantState>();
  private engagedForAll: readonly EngagedSwitch[] = [];
  private tail: Promise<unknown> = Promise.resolve();
  private stale = true;

  constructor(
    readonly log: Log, readonly engine: CedarEngine, private readonly evaluator: Evaluator, private readonly digest: Digest,
    private readonly ids: Pick<Ids, 'uuid'>, readonly now: () => number,
  ) {}

  /** One at a time, in order; what is in memory is what is stored when `work` begins. */
  serially<A>(work: () => Promise<A>): Promise<A> {
    const result = this.tail.then(async () => {
      if (this.stale) await this.load();
      return work();
    });
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when all that was begun has ended. */
  async idle(): Promise<void> { await this.tail; }

  /** Reads what is in memory; first anew from what is stored, where that may have gone ahead. */
  async fresh<A>(read: () => A): Promise<A> {
    return this.stale ? this.serially(async () => read()) : read();
  }

  tenant(name: string): TenantState {
    let state = this.tenants.get(name);
    if (state === undefined) this.tenants.set(name, state = new TenantState(name, this.digest));
    return state;
  }
  all(): TenantState[] { return [...this.tenants.values()].sort((a, b) => (a.tenant < b.tenant ? -1 : 1)); }
  /** Kill switches of scope `all`: they hold every tenant. */
  forAll(): readonly EngagedSwitch[] { return this.engagedForAll; }

  uuid(): string { return this.ids.uuid(); }
  at(): string { return new Date(this.now()).toISOString(); }

  /** Stores the change with its facts, then takes it over. In force when this resolves. */
  async change(change: Change): Promise<void> {
    const { tenant, moves, activates } = change;
    const at = this.at();
    const counted = new Map([...moves, ...(activates ? [tenant] : [])].map(state => [state, {
      epoch: state.epoch + (moves.includes(state) ? 1 : 0), activations: state.activations + (activates && state === tenant ? 1 : 0),
    } satisfies ControlRecord]));
    const draft = (state: TenantState, name: ControlFact, subject: string, data: JsonObject, causationid?: string): Draft => ({
      topic: TOPICS.controlEvents, key: state.tenant, id: this.uuid(), type: eventType('policy', name), time: at, subject, tenant: state.tenant, causationid, data,
    });
    const first = draft(tenant, change.fact.name, change.fact.subject, change.fact.data);
    const row = (state: TenantState, messages: readonly Draft[]): Append => ({ tenant: state.tenant, stream: this.uuid(), version: 1, messages });
    const moved = (state: TenantState): Draft[] =>
      (moves.includes(state) ? [draft(state, 'ControlEpochMoved', state.tenant, { epoch: counted.get(state)!.epoch, because: change.fact.name }, first.id)] : []);
    await this.commit({
      documents: [
        ...change.documents.map(put => ({ ...put, tenant: tenant.tenant })),
        ...[...counted].map(([state, record]) => ({ kind: KINDS.control, tenant: state.tenant, id: 'control', data: { ...record } })),
      ],
      appends: [row(tenant, [first, ...moved(tenant)]), ...moves.filter(state => state !== tenant).map(state => row(state, moved(state)))],
    });
    change.apply();
    for (const [state, record] of counted) Object.assign(state, record);
    if (activates) this.evaluator.forget(tenant.rebuild());
    this.refreshEngagedForAll();
  }

  /**
   * @throws what the log throws. Unless nothing was stored for certain, memory is read anew before anything else is done.
   */
  async commit(given: Unit): Promise<readonly StoredRow[]> {
    // Why the mark: what is in memory is read from documents; of rows only the answers to questions are looked up.
    const unit: Unit = { ...given, lowWater: this.log.head() };
    for (let tried = 1; ; tried++) {
      try {
        crashPoint('policy.commit.before');
        const rows = await this.log.commit(unit);
        crashPoint('policy.commit.after');
        return rows;
      } catch (error) {
        const code = error instanceof OperationalError ? error.code : '';
        // Why: the very same unit again is stored once, so that its fate comes out.
        if (code === 'COMMIT_UNKNOWN' && tried < COMMIT_TRIES) continue;
        if (code !== 'VERSION_CONFLICT' && code !== 'STORE_UNAVAILABLE') this.stale = true;
        throw error;
      }
    }
  }

  async policyVersion(tenant: string, name: string, version: number): Promise<PolicyVersionRecord | null> {
    const document = await this.log.getDocument(KINDS.policyVersion, tenant, versionId(name, version));
    return document === null ? null : document.data as unknown as PolicyVersionRecord;
  }

  compileRole(name: string, role: RoleRecord): readonly CompiledPolicy[] {
    const cedar = cedarOfRole(name, role);
    if (role.deleted || cedar === '') return [];
    const parsed = this.engine.parse(cedar);
    if ('findings' in parsed) throw new OperationalError('POLICY_UNREADABLE', `role \`${name}\` does not parse: ${parsed.findings[0]?.message ?? ''}`);
    return compilePolicies(`role/${name}`, role.revision, parsed.policies);
  }

  private async load(): Promise<void> {
    for (const state of this.tenants.values()) this.evaluator.forget(state.active);
    this.tenants.clear();
    await this.each(KINDS.control, ({ tenant, data }) => { Object.assign(this.tenant(tenant), data as unknown as ControlRecord); });
    await this.each(KINDS.principal, ({ tenant, id, data }) => { this.tenant(tenant).principals.set(id, data as unknown as PolicyPrincipal); });
    await this.each(KINDS.killSwitch, ({ tenant, id, data }) => { this.tenant(tenant).killSwitches.set(id, data as unknown as KillSwitchRecord); });
    await this.each(KINDS.uses, ({ tenant, id, data }) => { this.tenant(tenant).uses.set(id, new Set((data as unknown as UsesRecord).pairs)); });
    await this.each(KINDS.role, ({ tenant, id, data }) => {
      const role = data as unknown as RoleRecord;
      this.tenant(tenant).roles.set(id, role);
      this.tenant(tenant).compiledRoles.set(id, this.compileRole(id, role));
    });
    await this.each(KINDS.policy, ({ tenant, id, data }) => { this.tenant(tenant).policies.set(id, data as unknown as PolicyRecord); });
    for (const state of this.tenants.values()) {
      for (const [name, { active }] of state.policies) if (active !== null) state.compiledPolicies.set(name, await this.activeVersion(state.tenant, name, active));
      state.rebuild();
    }
    this.refreshEngagedForAll();
    this.stale = false;
  }

  /** Why it throws: a `forbid` that can't be read must not be taken for none. */
  private async activeVersion(tenant: string, name: string, version: number): Promise<readonly CompiledPolicy[]> {
    const stored = await this.policyVersion(tenant, name, version);
    const parsed = stored === null ? null : parsePolicyText(this.engine, stored.cedar);
    if (parsed === null || 'problems' in parsed) {
      throw new OperationalError('POLICY_UNREADABLE', `active policy \`${name}@${version}\` can't be read${parsed === null ? '' : `: ${messageOf(parsed.problems[0].detail)}`}`);
    }
    return compilePolicies(name, version, parsed.policies);
  }

  private async each(kind: string, visit: (document: StoredDocument) => void): Promise<void> {
    for (let after: string | undefined; ;) {
      const page = await this.log.listDocuments(kind, null, after === undefined ? { limit: PAGE } : { limit: PAGE, after });
      page.forEach(visit);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      after = `${last.tenant}/${last.id}`;
    }
  }

  private refreshEngagedForAll(): void {
    this.engagedForAll = this.all().flatMap(state => state.switches().filter(({ scope }: { readonly scope: KillSwitch['scope'] }) => scope.kind === 'all'));
  }
}

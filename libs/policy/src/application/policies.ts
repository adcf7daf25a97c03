import type { CapabilityDescriptor, Named, PolicyQuestions, PolicyText } from '@aifirst/contracts';
import type { JsonObject, Problem } from '@aifirst/kernel';
import { invariant, Refusal } from '@aifirst/kernel';
import type { ParsedPolicy } from '../domain/cedar-engine';
import { BUILT_IN_CONNECTION } from '../domain/entity-names';
import { compilePolicies, parsePolicyText } from '../domain/policy-text';
import type { CompiledPolicy } from '../domain/policy-text';
import { schemaOf } from '../domain/schema';
import type { Digest } from '../domain/projection';
import { checkPolicies, rolesNamedBy } from '../domain/validation';
import type { PolicyStore } from './policy-store';
import { documentOf, KINDS, namedPolicy, versionId } from './records';
import type { PolicyRecord, PolicyVersionRecord } from './records';
import { checkName, checkRevision, invalidField, notFound, pageOf, refuseIfAny } from './refusals';
import type { TenantState } from './tenant-state';

type Questions = PolicyQuestions;
/** Longer texts are named in facts by their digest alone. Why: a fact must fit into a leaf of the audit log. */
const FACT_CEDAR_MAX = 16 * 1024;

/** Policies in Cedar: versions are stored and kept, one of them is in force once it is activated. */
export class Policies {
  constructor(private readonly store: PolicyStore, private readonly capabilities: () => readonly CapabilityDescriptor[], private readonly digest: Digest) {}

  async put(asked: Questions['putPolicy'][0]): Promise<Questions['putPolicy'][1]> {
    const { name, value: { cedar }, by, expectedRevision } = asked;
    checkName(name);
    this.parse(cedar);
    return this.store.serially(async () => {
      const tenant = this.store.tenant(asked.tenant);
      const before = tenant.policies.get(name);
      const live = tenant.livePolicy(name);
      checkRevision(expectedRevision, live?.revision ?? null);
      const at = this.store.at();
      const policy: PolicyRecord = {
        revision: (before?.revision ?? 0) + 1, version: (before?.version ?? 0) + 1, active: live?.active ?? null, createdAt: live?.createdAt ?? at, updatedAt: at, deleted: false,
      };
      const stored: PolicyVersionRecord = { cedar, by: by.id, createdAt: at };
      await this.store.change({
        tenant,
        documents: [
          { kind: KINDS.policyVersion, id: versionId(name, policy.version), data: documentOf(stored) },
          { kind: KINDS.policy, id: name, data: documentOf(policy) },
        ],
        fact: { name: 'PolicyPut', subject: name, data: { name, version: policy.version, digest: this.digest(cedar), ...shownInFact(cedar), by: by.id } }, moves: [], activates: false,
        apply: () => { tenant.policies.set(name, policy); },
      });
      return { created: live === undefined, policy: namedPolicy(name, policy, cedar) };
    });
  }

  async get({ tenant, name, version }: Questions['getPolicy'][0]): Promise<Named<PolicyText> | null> {
    const policy = await this.store.fresh(() => this.store.tenant(tenant).livePolicy(name));
    if (policy === undefined) return null;
    const shown = version ?? policy.version;
    const stored = await this.store.policyVersion(tenant, name, shown);
    return stored === null ? null : namedPolicy(name, { ...policy, version: shown }, stored.cedar);
  }

  async list(page: Questions['listPolicies'][0]): Promise<Questions['listPolicies'][1]> {
    const found = await this.store.fresh(() => pageOf([...this.store.tenant(page.tenant).policies].filter(([, policy]) => !policy.deleted), page));
    const items = await Promise.all(found.map(async ([name, policy]) => {
      const stored = await this.store.policyVersion(page.tenant, name, policy.version);
      invariant(stored !== null, `version ${policy.version} of policy \`${name}\` is not stored`);
      return namedPolicy(name, policy, stored.cedar);
    }));
    return { items };
  }

  delete({ tenant: tenantName, name, by, expectedRevision }: Questions['deletePolicy'][0]): Promise<Questions['deletePolicy'][1]> {
    return this.store.serially(async () => {
      const tenant = this.store.tenant(tenantName);
      const live = tenant.livePolicy(name);
      checkRevision(expectedRevision, live?.revision ?? null);
      if (live === undefined) return { deleted: false };
      const inForce = live.active !== null;
      // Why the versions stay: decisions name them.
      const policy: PolicyRecord = { ...live, revision: live.revision + 1, active: null, updatedAt: this.store.at(), deleted: true };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.policy, id: name, data: documentOf(policy) }],
        fact: { name: 'PolicyDeleted', subject: name, data: { name, version: live.version, active: live.active, by: by.id } },
        moves: inForce ? [tenant] : [], activates: inForce,
        apply: () => { tenant.policies.set(name, policy); tenant.compiledPolicies.delete(name); },
      });
      return { deleted: true };
    });
  }

  async validate(asked: Questions['validatePolicy'][0]): Promise<Questions['validatePolicy'][1]> {
    const tenant = await this.store.fresh(() => this.store.tenant(asked.tenant));
    const cedar = 'cedar' in asked ? asked.cedar : (await this.version(tenant, asked.name, asked.version)).cedar;
    const name = 'cedar' in asked ? null : asked.name;
    return { valid: true, warnings: this.check(tenant, name, this.parse(cedar)).warnings };
  }

  async activate({ tenant: tenantName, name, version, by }: Questions['activatePolicy'][0]): Promise<Named<PolicyText>> {
    if (!Number.isSafeInteger(version) || version < 1) throw new Refusal(invalidField('/version', 'a version is a whole number from 1'));
    return this.store.serially(async () => {
      const tenant = this.store.tenant(tenantName);
      const { cedar } = await this.version(tenant, name, version);
      const { compiled } = this.check(tenant, name, this.parse(cedar), version);
      const policy: PolicyRecord = { ...tenant.livePolicy(name)!, active: version, updatedAt: this.store.at() };
      const next = { ...policy, revision: policy.revision + 1 };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.policy, id: name, data: documentOf(next) }],
        fact: { name: 'PolicyActivated', subject: name, data: { name, version, digest: this.digest(cedar), by: by.id } }, moves: [tenant], activates: true,
        apply: () => { tenant.policies.set(name, next); tenant.compiledPolicies.set(name, compiled); },
      });
      return namedPolicy(name, next, await this.newest(tenant, name, next));
    });
  }

  schema({ tenant }: Questions['policySchema'][0]): Promise<JsonObject> {
    return this.store.fresh(() => {
      const roles = [...this.store.tenant(tenant).roles].filter(([, role]) => !role.deleted);
      const connections = new Set([BUILT_IN_CONNECTION, ...roles.flatMap(([, role]) => role.connections).filter(name => name !== '*')]);
      return schemaOf(this.capabilities(), { roles: roles.map(([name]) => name), connections: [...connections] }) as JsonObject;
    });
  }

  /** @throws Refusal POLICY_INVALID */
  private parse(cedar: unknown): readonly ParsedPolicy[] {
    if (typeof cedar !== 'string') throw new Refusal(invalidField('/cedar', 'Cedar text is needed'));
    const parsed = parsePolicyText(this.store.engine, cedar);
    if ('problems' in parsed) throw new Refusal(parsed.problems);
    return parsed.policies;
  }

  /** @throws Refusal POLICY_INVALID with one problem per finding */
  private check(tenant: TenantState, name: string | null, policies: readonly ParsedPolicy[], version = 0): { readonly warnings: string[]; readonly compiled: readonly CompiledPolicy[] } {
    const compiled = compilePolicies(name ?? 'policy', version, policies);
    const { problems, warnings } = checkPolicies(this.store.engine, policies, compiled, this.capabilities());
    refuseIfAny([...problems, ...(name === null ? [] : this.idsTakenElsewhere(tenant, name, compiled))]);
    const unknownRoles = rolesNamedBy(policies).filter(role => tenant.liveRole(role) === undefined).map(role => `there is no role \`${role}\` (yet)`);
    return { warnings: [...warnings, ...unknownRoles], compiled };
  }

  /** Why: decisions name policies by `@id`, so an id in force must be one policy's. */
  private idsTakenElsewhere(tenant: TenantState, name: string, compiled: readonly CompiledPolicy[]): Problem[] {
    return [...tenant.compiledPolicies].filter(([other]) => other !== name).flatMap(([other, theirs]) =>
      compiled.filter(({ id }) => theirs.some(policy => policy.id === id))
        .map(({ id }) => ({ code: 'POLICY_INVALID', detail: `\`@id("${id}")\` is in force already, in policy \`${other}\``, pointer: '/cedar' })));
  }

  /** @throws Refusal NOT_FOUND */
  private async version(tenant: TenantState, name: string, version?: number): Promise<PolicyVersionRecord> {
    const live = tenant.livePolicy(name);
    if (live === undefined) throw notFound('policy', name);
    const stored = await this.store.policyVersion(tenant.tenant, name, version ?? live.version);
    if (stored === null) throw new Refusal({ code: 'NOT_FOUND', detail: `policy \`${name}\` has no version ${version}: its newest is ${live.version}` });
    return stored;
  }

  private async newest(tenant: TenantState, name: string, policy: PolicyRecord): Promise<string> {
    return (await this.store.policyVersion(tenant.tenant, name, policy.version))?.cedar ?? '';
  }
}

const shownInFact = (cedar: string): { readonly cedar?: string } => (cedar.length <= FACT_CEDAR_MAX ? { cedar } : {});

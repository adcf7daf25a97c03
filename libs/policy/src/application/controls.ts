import type { KillSwitch, Named, PolicyPrincipal, PolicyQuestions } from '@aifirst/contracts';
import type { Problem } from '@aifirst/kernel';
import { isObject, Refusal } from '@aifirst/kernel';
import type { PolicyStore } from './policy-store';
import { documentOf, KINDS, namedSwitch, principalId } from './records';
import type { KillSwitchRecord } from './records';
import { checkName, checkRevision, invalidField, pageOf, refuseIfAny } from './refusals';
import type { TenantState } from './tenant-state';

type Questions = PolicyQuestions;
const REASON_MAX = 1000;
const LATER_SCOPES = ['tenant', 'capability', 'connection'];

/** Kill switches, principals, and what of them holds right now. */
export class Controls {
  constructor(private readonly store: PolicyStore) {}

  /** Scope `all` holds every tenant of the deployment, `agent` one agent of the tenant. */
  async putSwitch(asked: Questions['putKillSwitch'][0]): Promise<Questions['putKillSwitch'][1]> {
    const { name, by, expectedRevision } = asked;
    checkName(name);
    const value = checkedSwitch(asked.value);
    return this.store.serially(async () => {
      const tenant = this.store.tenant(asked.tenant);
      const before = tenant.killSwitches.get(name);
      checkRevision(expectedRevision, before?.revision ?? null);
      // Why: a switch for nobody, by a slip of the pen, would look like safety.
      if (value.scope.kind === 'agent' && !isAgentThere(tenant, value.scope.id)) throw new Refusal(invalidField('/scope/id', 'there is no such agent'));
      const at = this.store.at();
      const engaged: KillSwitchRecord = { ...value, revision: tenant.epoch + 1, createdAt: before?.createdAt ?? at, updatedAt: at };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.killSwitch, id: name, data: documentOf(engaged) }],
        fact: { name: 'KillSwitchEngaged', subject: name, data: { name, ...value, scope: { ...value.scope }, by: by.id } },
        moves: this.reach(tenant, [value, before]), activates: false,
        apply: () => { tenant.killSwitches.set(name, engaged); },
      });
      return { created: before === undefined, killSwitch: namedSwitch(name, engaged) };
    });
  }

  getSwitch({ tenant, name }: Questions['getKillSwitch'][0]): Promise<Named<KillSwitch> | null> {
    return this.store.fresh(() => {
      const engaged = this.store.tenant(tenant).killSwitches.get(name);
      return engaged === undefined ? null : namedSwitch(name, engaged);
    });
  }

  listSwitches(page: Questions['listKillSwitches'][0]): Promise<Questions['listKillSwitches'][1]> {
    return this.store.fresh(() => ({ items: pageOf(this.store.tenant(page.tenant).killSwitches, page).map(([name, engaged]) => namedSwitch(name, engaged)) }));
  }

  liftSwitch({ tenant: tenantName, name, by, expectedRevision }: Questions['deleteKillSwitch'][0]): Promise<Questions['deleteKillSwitch'][1]> {
    return this.store.serially(async () => {
      const tenant = this.store.tenant(tenantName);
      const before = tenant.killSwitches.get(name);
      checkRevision(expectedRevision, before?.revision ?? null);
      if (before === undefined) return { deleted: false };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.killSwitch, id: name, data: null }],
        fact: { name: 'KillSwitchLifted', subject: name, data: { name, scope: { ...before.scope }, by: by.id } },
        // Why: what waited is asked again because the epoch moved.
        moves: this.reach(tenant, [before]), activates: false,
        apply: () => { tenant.killSwitches.delete(name); },
      });
      return { deleted: true };
    });
  }

  applyPrincipal(given: PolicyPrincipal): Promise<Questions['applyPrincipal'][1]> {
    return this.store.serially(async () => {
      const tenant = this.store.tenant(given.tenant);
      const id = principalId(given);
      const before = tenant.principals.get(id);
      if (before !== undefined && before.revision >= given.revision) return { controlEpoch: tenant.epoch };
      const { kind, name, roles, suspended, deleted, revision } = given;
      const principal: PolicyPrincipal = { tenant: tenant.tenant, kind, id: given.id, name, roles: [...new Set(roles)], suspended, deleted, revision };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.principal, id, data: documentOf(principal) }, ...(deleted && tenant.uses.has(id) ? [{ kind: KINDS.uses, id, data: null }] : [])],
        fact: { name: 'PrincipalApplied', subject: given.id, data: { kind, id: given.id, roles: principal.roles, suspended, deleted, revision } },
        moves: before !== undefined && mustBeAskedAnew(before, principal) ? [tenant] : [], activates: false,
        apply: () => { tenant.principals.set(id, principal); if (deleted) tenant.uses.delete(id); },
      });
      return { controlEpoch: tenant.epoch };
    });
  }

  state({ tenant }: Questions['controlState'][0]): Promise<Questions['controlState'][1]> {
    return this.store.fresh(() => {
      const forAll = this.store.forAll();
      const states = tenant === null ? this.store.all() : [this.store.tenant(tenant)];
      return { at: this.store.now(), tenants: states.map(state => state.control(forAll)) };
    });
  }

  private reach(tenant: TenantState, switches: readonly (KillSwitch | undefined)[]): TenantState[] {
    return switches.some(one => one?.scope.kind === 'all') ? this.store.all() : [tenant];
  }
}

const isAgentThere = (tenant: TenantState, id: string | undefined): boolean =>
  id !== undefined && tenant.principals.get(principalId({ kind: 'agent', id }))?.deleted === false;

/** Suspended, deleted or with a role less; or free again, so that what waits goes on. */
const mustBeAskedAnew = (before: PolicyPrincipal, after: PolicyPrincipal): boolean =>
  before.suspended !== after.suspended || before.deleted !== after.deleted || before.roles.some(role => !after.roles.includes(role));

/** @throws Refusal INVALID_FIELD, NOT_IMPLEMENTED */
function checkedSwitch(value: Partial<KillSwitch> & { readonly scope?: unknown }): KillSwitch {
  const { scope, reason, rollback = false, includeUndo = false } = value as { scope: unknown; reason: unknown; rollback?: unknown; includeUndo?: unknown };
  const kind = isObject(scope) ? scope['kind'] : undefined;
  if (typeof kind === 'string' && LATER_SCOPES.includes(kind)) {
    throw new Refusal({ code: 'NOT_IMPLEMENTED', detail: `kill switches of scope \`${kind}\` are not there yet: use \`all\`, or \`agent\` with an agent's id`, pointer: '/scope/kind' });
  }
  const id = isObject(scope) ? scope['id'] : undefined;
  const problems: Problem[] = [];
  if (kind !== 'all' && kind !== 'agent') problems.push(invalidField('/scope/kind', 'one of `all`, `agent`'));
  if (kind === 'agent' && (typeof id !== 'string' || id === '')) problems.push(invalidField('/scope/id', 'the agent\'s id is needed'));
  if (kind === 'all' && id !== undefined && id !== null) problems.push(invalidField('/scope/id', 'scope `all` takes no id'));
  if (typeof reason !== 'string' || reason === '' || reason.length > REASON_MAX) problems.push(invalidField('/reason', `a reason of 1 to ${REASON_MAX} characters is needed`));
  if (typeof rollback !== 'boolean') problems.push(invalidField('/rollback', 'true or false'));
  if (typeof includeUndo !== 'boolean') problems.push(invalidField('/includeUndo', 'true or false'));
  refuseIfAny(problems);
  return { scope: kind === 'agent' ? { kind, id: id as string } : { kind: 'all' }, reason: reason as string, rollback: rollback as boolean, includeUndo: includeUndo as boolean };
}

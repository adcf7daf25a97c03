import type { ControlState, PolicyPrincipal } from '@aifirst/contracts';
import type { ActiveSet } from '../domain/active-set';
import { activeSet } from '../domain/active-set';
import type { CompiledPolicy } from '../domain/policy-text';
import type { EngagedSwitch, TenantPolicy } from '../domain/tenant-policy';
import type { Digest } from '../domain/projection';
import type { KillSwitchRecord, PolicyRecord, RoleRecord } from './records';
import { pairOf, principalId } from './records';

/** A tenant as it holds now: a mirror of what is stored, changed only after it was stored. */
export class TenantState {
  readonly roles = new Map<string, RoleRecord>();
  readonly policies = new Map<string, PolicyRecord>();
  readonly principals = new Map<string, PolicyPrincipal>();
  readonly killSwitches = new Map<string, KillSwitchRecord>();
  /** By `principalId`: what it was allowed before. */
  readonly uses = new Map<string, ReadonlySet<string>>();
  /** What each role, and each active policy, is in Cedar. */
  readonly compiledRoles = new Map<string, readonly CompiledPolicy[]>();
  readonly compiledPolicies = new Map<string, readonly CompiledPolicy[]>();
  epoch = 0;
  activations = 0;
  active: ActiveSet;

  constructor(readonly tenant: string, private readonly digest: Digest) { this.active = activeSet(0, [], digest); }

  /** @returns the set that was in force until now */
  rebuild(): ActiveSet {
    const before = this.active;
    this.active = activeSet(this.activations, [...this.compiledRoles.values(), ...this.compiledPolicies.values()].flat(), this.digest);
    return before;
  }

  liveRole(name: string): RoleRecord | undefined { const role = this.roles.get(name); return role?.deleted === false ? role : undefined; }
  livePolicy(name: string): PolicyRecord | undefined { const policy = this.policies.get(name); return policy?.deleted === false ? policy : undefined; }
  holdersOf(role: string): PolicyPrincipal[] { return [...this.principals.values()].filter(({ deleted, roles }) => !deleted && roles.includes(role)); }

  /** As decisions look at it. */
  view(engagedForAll: readonly EngagedSwitch[]): TenantPolicy {
    return {
      tenant: this.tenant, epoch: this.epoch, active: this.active, killSwitches: this.engaged(engagedForAll),
      principal: (kind, id) => this.principals.get(principalId({ kind, id })),
      role: name => this.liveRole(name),
      hasUsed: (principal, step) => this.uses.get(principalId(principal))?.has(pairOf(step)) === true,
    };
  }

  control(engagedForAll: readonly EngagedSwitch[]): ControlState {
    return {
      tenant: this.tenant, epoch: this.epoch,
      killSwitches: this.engaged(engagedForAll).map(({ id, scope, reason, includeUndo, rollback }) =>
        ({ id, kind: scope.kind, target: scope.id ?? null, reason, includeUndo, rollback })),
      suspendedAgents: [...this.principals.values()].filter(({ kind, suspended, deleted }) => kind === 'agent' && suspended && !deleted).map(({ id }) => id).sort(),
    };
  }

  switches(): EngagedSwitch[] {
    return [...this.killSwitches].map(([id, { scope, reason, rollback, includeUndo }]) => ({ tenant: this.tenant, id, scope, reason, rollback, includeUndo }));
  }

  private engaged(forAll: readonly EngagedSwitch[]): EngagedSwitch[] {
    return [...forAll, ...this.switches().filter(({ scope }) => scope.kind !== 'all')];
  }
}

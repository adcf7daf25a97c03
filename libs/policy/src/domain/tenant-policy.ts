import type { KillSwitch, PolicyPrincipal, PrincipalRef, Role } from '@aifirst/contracts';
import type { ActiveSet } from './active-set';
import { ADMINISTRATOR } from './entity-names';

/** Everything that a decision looks at besides the question. */
export interface TenantPolicy {
  readonly tenant: string;
  readonly epoch: number;
  readonly active: ActiveSet;
  /** Was the principal allowed this capability on this connection before? Absent: nobody knows, and nothing counts as new. */
  hasUsed?(principal: Pick<PrincipalRef, 'kind' | 'id'>, step: { readonly capability: string; readonly connection: string | null }): boolean;
  principal(kind: PolicyPrincipal['kind'], id: string): PolicyPrincipal | undefined;
  role(name: string): Role | undefined;
  /** Those of the tenant, and those of scope `all` of any tenant. */
  readonly killSwitches: readonly EngagedSwitch[];
}
export interface EngagedSwitch extends KillSwitch { readonly tenant: string; readonly id: string }

/** The administrator is there from the start, without roles. Services never ask for themselves. */
export function principalOf(policy: TenantPolicy, { kind, id }: PrincipalRef): PolicyPrincipal | undefined {
  if (kind === 'service') return undefined;
  const known = policy.principal(kind, id);
  if (known !== undefined || kind !== 'person' || id !== ADMINISTRATOR) return known?.deleted === true ? undefined : known;
  return { tenant: policy.tenant, kind, id, name: id, roles: [], suspended: false, deleted: false, revision: 0 };
}

/** The switch that holds this principal, if any. */
export const switchThatHolds = (policy: TenantPolicy, { kind, id }: PrincipalRef): EngagedSwitch | undefined =>
  policy.killSwitches.find(({ scope }) => scope.kind === 'all' || (kind === 'agent' && scope.id === id));

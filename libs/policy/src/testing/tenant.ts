import type { PolicyPrincipal, Role } from '@aifirst/contracts';
import { sealLease } from '@aifirst/vault';
import { activeSet } from '../domain/active-set';
import type { CedarEngine } from '../domain/cedar-engine';
import type { Means } from '../domain/decide-plan';
import type { Evaluator } from '../domain/evaluator';
import { compilePolicies } from '../domain/policy-text';
import { cedarOfRole } from '../domain/role';
import type { EngagedSwitch, TenantPolicy } from '../domain/tenant-policy';
import { digestForTests } from './builders';

export interface GivenTenant {
  readonly roles?: Readonly<Record<string, Role>>;
  readonly policies?: Readonly<Record<string, string>>;
  readonly principals?: readonly PolicyPrincipal[];
  readonly killSwitches?: readonly EngagedSwitch[];
  readonly epoch?: number;
}

/** What decisions look at, put together without a store. Roles are at revision 1, policies active in version 1. */
export function aTenant(engine: CedarEngine, given: GivenTenant): TenantPolicy {
  const compiled = (name: string, cedar: string) => {
    if (cedar === '') return [];
    const parsed = engine.parse(cedar);
    if ('findings' in parsed) throw new Error(parsed.findings[0]?.message);
    return compilePolicies(name, 1, parsed.policies);
  };
  const roles = given.roles ?? {};
  const all = [
    ...Object.entries(roles).flatMap(([name, role]) => compiled(`role/${name}`, cedarOfRole(name, role))),
    ...Object.entries(given.policies ?? {}).flatMap(([name, cedar]) => compiled(name, cedar)),
  ];
  return {
    tenant: 'acme', epoch: given.epoch ?? 5, active: activeSet(3, all, digestForTests), killSwitches: given.killSwitches ?? [],
    principal: (kind, id) => given.principals?.find(principal => principal.kind === kind && principal.id === id),
    role: name => roles[name],
  };
}

export const SERVICE_KEY = Buffer.from('a service key for tests');
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
export const meansWith = (evaluator: Evaluator, now = NOW): Means => ({ evaluator, now, digest: digestForTests, seal: fields => sealLease(SERVICE_KEY, fields) });

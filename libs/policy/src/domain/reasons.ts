import type { PolicyPrincipal } from '@aifirst/contracts';
import type { TenantPolicy } from './tenant-policy';
import type { Verdict } from './active-set';

const ITEMS_MAX = 20;
const MESSAGE_MAX = 300;

const listed = (items: readonly string[]): string =>
  items.length <= ITEMS_MAX ? items.join(', ') : `${items.slice(0, ITEMS_MAX).join(', ')} and ${items.length - ITEMS_MAX} more`;

export const whyAllowed = (policies: readonly string[]): string => `permitted by ${listed(policies)}`;
export const whyForbidden = (policies: readonly string[]): string => `forbidden by ${listed(policies)}`;
export const whyErred = (errors: Verdict['errors']): string =>
  `${listed([...new Set(errors.map(error => error.policy))])} failed while being evaluated, which is a deny: ${errors[0]!.message.slice(0, MESSAGE_MAX)}`;

/** Says what would be allowed: the roles' capabilities and connections, names only. */
export function whyNothingPermits(policy: TenantPolicy, principal: PolicyPrincipal, capability: string, connection: string): string {
  const asked = `nothing permits \`${capability}\` on connection \`${connection}\``;
  const permits = principal.roles.flatMap(name => {
    const role = policy.role(name);
    if (role === undefined || role.capabilities.length === 0) return [];
    const connections = role.connections.includes('*') ? 'every connection' : role.connections.length === 0 ? 'built-ins only' : listed(role.connections);
    return [`role \`${name}\` permits ${listed(role.capabilities)} on ${connections}`];
  });
  if (permits.length > 0) return `${asked}; ${listed(permits)}`;
  return principal.roles.length === 0 ? `${asked}; the ${principal.kind} has no role` : `${asked}; its roles permit nothing`;
}

import type { EntityUid, PolicyJson, Scope } from './cedar-engine';
import { sameUid } from './entity-names';

/** False only where the scope certainly excludes the entity (with all the groups it is in). */
export function mayApply(scope: Scope, entity: EntityUid, groups: readonly EntityUid[]): boolean {
  const isIn = (target: EntityUid): boolean => sameUid(target, entity) || groups.some(group => sameUid(group, target));
  switch (scope.op) {
    case '==': return scope.entity === undefined || sameUid(scope.entity, entity);
    case 'in': return scope.entity !== undefined ? isIn(scope.entity) : scope.entities === undefined || scope.entities.some(isIn);
    case 'is': return scope.entity_type === undefined || (scope.entity_type === entity.type && (scope.in === undefined || isIn(scope.in.entity)));
    default: return true;
  }
}

/** The single principal that a scope names, where it names one: what it decides can't be kept for a role. */
export function namedPrincipal(policy: PolicyJson): EntityUid | null {
  const { op, entity, in: within } = policy.principal;
  const named = op === '==' || op === 'in' ? entity : op === 'is' ? within?.entity : undefined;
  return named !== undefined && (named.type === 'AiFirst::Agent' || named.type === 'AiFirst::Person') ? named : null;
}

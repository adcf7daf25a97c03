import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { CedarSchema, Expr, PolicyJson } from './cedar-engine';
import { contextPath, operatorOf } from './expressions';
import { actionUid, groupsOf } from './entity-names';
import { inputTypeOf, isOpen } from './schema';
import { mayApply } from './scope';

/** An attribute of `context` that stands, in validation alone, for "true or false, we can't tell". Its name is no identifier. */
const HOLE = '(open)';
const HOLE_EXPR: Expr = { '.': { left: { Var: 'context' }, attr: HOLE } };

const TESTS = new Set(['==', '!=', '<', '<=', '>', '>=', 'like', 'contains', 'containsAll', 'containsAny', 'isEmpty', 'has', 'hasTag', 'in', 'is']);

/**
 * Strict validation needs a type for all that a policy looks at; parts of an input have none (`isOpen`). Replaces each
 * smallest test that looks at such a part by an unknown Boolean, so that the rest of the policy is checked strictly.
 * @returns null where nothing had to be replaced
 */
export function withoutOpenInput(policy: PolicyJson, capabilities: readonly CapabilityDescriptor[]): PolicyJson | null {
  const inputs = capabilities.filter(({ name, reversibility }) => mayApply(policy.action, actionUid(name), groupsOf(name, reversibility).map(actionUid)))
    .map(({ inputSchema }) => inputTypeOf(inputSchema));
  const isOpenAccess = (expr: Expr): boolean => {
    const path = contextPath(expr);
    return path !== null && path.length > 1 && path[0] === 'input' && inputs.some(input => isOpen(input, path.slice(1)));
  };
  let replaced = false;
  const hole = (): Expr => { replaced = true; return HOLE_EXPR; };
  /** null: looks at an open part, so that the operator around it has to go as well. */
  const visit = (expr: Expr): Expr | null => {
    const [operator, operands] = operatorOf(expr);
    if (operator === 'Value' || operator === 'Var' || operator === 'Slot') return expr;
    if (isOpenAccess(expr)) return operator === 'has' ? hole() : null;
    if (Array.isArray(operands)) {
      const items = (operands as Expr[]).map(visit);
      return items.includes(null) ? null : { [operator]: items };
    }
    const parts = operands as Readonly<Record<string, unknown>>;
    const isPart = (name: string) => operator === 'Record' || ['left', 'right', 'arg', 'if', 'then', 'else', 'in'].includes(name);
    const isBoolean = (name: string) => operator === '&&' || operator === '||' || operator === '!' || name === 'if';
    let open = false;
    const rest = Object.entries(parts).map(([name, part]) => {
      if (!isPart(name) || typeof part !== 'object' || part === null) return [name, part];
      const visited = visit(part as Expr) ?? (isBoolean(name) ? hole() : null);
      if (visited === null) open = true;
      return [name, visited];
    });
    if (open) return TESTS.has(operator) ? hole() : null;
    return { [operator]: Object.fromEntries(rest) };
  };
  const conditions = policy.conditions.map(clause => ({ ...clause, body: visit(clause.body) ?? hole() }));
  return replaced ? { ...policy, conditions } : null;
}

/** The schema with the hole in every action's context. Never shown. */
export function schemaWithHole(schema: CedarSchema): CedarSchema {
  const namespace = schema['AiFirst'] as { readonly entityTypes: unknown; readonly actions: Readonly<Record<string, Action>> };
  const actions = Object.entries(namespace.actions).map(([name, action]) => {
    if (action.appliesTo === undefined) return [name, action];
    const { context } = action.appliesTo;
    return [name, { ...action, appliesTo: { ...action.appliesTo, context: { ...context, attributes: { ...context.attributes, [HOLE]: { type: 'Boolean' } } } } }];
  });
  return { AiFirst: { ...namespace, actions: Object.fromEntries(actions) } };
}
interface Action { readonly appliesTo?: { readonly context: { readonly attributes: Readonly<Record<string, unknown>> } } }

import type { Expr, PolicyJson } from './cedar-engine';

/** Operators nested deeper than this are refused. Why: beyond, the engine overflows its stack instead of saying so (measured: from 59 on). */
export const EXPRESSION_DEPTH_MAX = 48;

/** What a policy's conditions look at in `context`: names of its attributes, or all of it where that can't be told. */
export type ContextReads = 'all' | ReadonlySet<string>;

const isNode = (value: unknown): value is Expr => typeof value === 'object' && value !== null && !Array.isArray(value);

export function operatorOf(expr: Expr): [operator: string, operands: unknown] {
  const operator = Object.keys(expr)[0]!;
  return [operator, expr[operator]];
}
const isContext = (expr: unknown): boolean => isNode(expr) && expr['Var'] === 'context';

/** The parts of an operator's operands that are expressions themselves. Values, variables and patterns have none. */
export function childrenOf(operator: string, operands: unknown): Expr[] {
  if (operator === 'Value' || operator === 'Var' || operator === 'Slot') return [];
  if (Array.isArray(operands)) return operands.filter(isNode);
  if (!isNode(operands)) return [];
  if (operator === 'Record') return Object.values(operands).filter(isNode);
  return ['left', 'right', 'arg', 'if', 'then', 'else', 'in'].map(name => operands[name]).filter(isNode);
}

/** How deep operators nest in a policy's conditions. Stops counting past the limit. */
export function expressionDepth(policy: PolicyJson): number {
  const depth = (expr: Expr, at: number): number => {
    if (at > EXPRESSION_DEPTH_MAX) return at;
    let deepest = at;
    for (const child of childrenOf(...operatorOf(expr))) deepest = Math.max(deepest, depth(child, at + 1));
    return deepest;
  };
  return policy.conditions.reduce((deepest, clause) => Math.max(deepest, depth(clause.body, 1)), 0);
}

/** The names that follow `context` in an access: `context.input.a` and `context.input has a` → `['input', 'a']`; null for anything else. */
export function contextPath(expr: Expr): string[] | null {
  const [operator, operands] = operatorOf(expr);
  if (operator === 'Var') return operands === 'context' ? [] : null;
  if ((operator !== '.' && operator !== 'has') || !isNode(operands) || !isNode(operands['left'])) return null;
  const left = contextPath(operands['left']);
  if (left === null) return null;
  const attribute = operands['attr'];
  return [...left, ...(Array.isArray(attribute) ? attribute.map(String) : [String(attribute)])];
}

/** An over-estimate, by syntax alone: an attribute that is not named here can't change the outcome. */
export function contextReads(policy: PolicyJson): ContextReads {
  const names = new Set<string>();
  const visit = (expr: Expr): boolean => {
    const [operator, operands] = operatorOf(expr);
    if (operator === 'Var') return operands !== 'context';
    if ((operator === '.' || operator === 'has') && isNode(operands) && isContext(operands['left'])) {
      const attribute = operands['attr'];
      names.add(String(Array.isArray(attribute) ? attribute[0] : attribute));
      return true;
    }
    return childrenOf(operator, operands).every(visit);
  };
  return policy.conditions.every(clause => visit(clause.body)) ? names : 'all';
}

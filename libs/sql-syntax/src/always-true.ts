import type { A_Expr, Node } from '@pgsql/types';

/** What a condition does to the rows it is asked about: lets all of them pass, none, or some. */
export type Reach = 'all' | 'none' | 'some';

/**
 * A condition that no column takes part in is true of all rows or of none: which, matters only where it is plainly false.
 * What is true by a longer reasoning (`a > 1 or a <= 1`) counts as `some`.
 */
export function reachOf(condition: Node | undefined): Reach {
  if (condition === undefined) return 'all';
  if ('BoolExpr' in condition) return reachOfBoolean(condition.BoolExpr.boolop, (condition.BoolExpr.args ?? []).map(reachOf));
  if ('TypeCast' in condition && condition.TypeCast.arg !== undefined && 'A_Const' in condition.TypeCast.arg) {
    return /^\s*(f|fa|fal|fals|false|n|no|of|off|0)\s*$/i.test(condition.TypeCast.arg.A_Const.sval?.sval ?? '') ? 'none' : reachOf(condition.TypeCast.arg);
  }
  if ('A_Const' in condition) return condition.A_Const.isnull === true || (condition.A_Const.boolval !== undefined && condition.A_Const.boolval.boolval !== true) ? 'none' : 'all';
  if ('BooleanTest' in condition) {
    const reach = reachOf(condition.BooleanTest.arg);
    if (condition.BooleanTest.booltesttype === 'IS_TRUE' || condition.BooleanTest.booltesttype === 'IS_NOT_FALSE') return reach;
    if (condition.BooleanTest.booltesttype === 'IS_FALSE' || condition.BooleanTest.booltesttype === 'IS_NOT_TRUE') return reachOfBoolean('NOT_EXPR', [reach]);
  }
  if ('A_Expr' in condition) {
    const reach = reachOfComparison(condition.A_Expr);
    if (reach !== undefined) return reach;
  }
  return hasColumn(condition) ? 'some' : 'all';
}

function reachOfBoolean(kind: string | undefined, reaches: readonly Reach[]): Reach {
  if (kind === 'NOT_EXPR') return reaches[0] === 'all' ? 'none' : reaches[0] === 'none' ? 'all' : 'some';
  const [one, every] = kind === 'AND_EXPR' ? (['none', 'all'] as const) : (['all', 'none'] as const);
  if (reaches.includes(one)) return one;
  return reaches.every(reach => reach === every) ? every : 'some';
}

const TRUE_OF_EQUALS: ReadonlySet<string> = new Set(['=', '<=', '>=']);

function reachOfComparison({ kind, name, lexpr, rexpr }: A_Expr): Reach | undefined {
  const operator = name?.[0] !== undefined && 'String' in name[0] ? name[0].String.sval ?? '' : '';
  // Why as if never null: a column compared with itself is there to let every row pass.
  if (kind === 'AEXPR_OP' && TRUE_OF_EQUALS.has(operator) && lexpr !== undefined && bareText(lexpr) === bareText(rexpr)) return 'all';
  if (kind === 'AEXPR_NOT_DISTINCT' && bareText(lexpr) === bareText(rexpr)) return 'all';
  if ((kind === 'AEXPR_LIKE' || kind === 'AEXPR_ILIKE') && operator.startsWith('~~') && /^%+$/.test(textOf(rexpr) ?? '')) return 'all';
  if (kind !== 'AEXPR_OP') return undefined;
  const [left, right] = [valueOf(lexpr), valueOf(rexpr)];
  if (left === undefined || right === undefined || typeof left !== typeof right) return undefined;
  switch (operator) {
    case '=': return left === right ? 'all' : 'none';
    case '<>': return left === right ? 'none' : 'all';
    case '<': return numbers(left, right, (a, b) => a < b);
    case '>': return numbers(left, right, (a, b) => a > b);
    case '<=': return numbers(left, right, (a, b) => a <= b);
    case '>=': return numbers(left, right, (a, b) => a >= b);
    default: return undefined;
  }
}

const numbers = (left: number | string, right: number | string, holds: (a: number, b: number) => boolean): Reach | undefined =>
  typeof left === 'number' && typeof right === 'number' ? (holds(left, right) ? 'all' : 'none') : undefined;

/** Two nodes that say the same at different places. */
const bareText = (node: Node | undefined) => JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value));

const textOf = (node: Node | undefined) => (node !== undefined && 'A_Const' in node ? node.A_Const.sval?.sval : undefined);

function valueOf(node: Node | undefined): number | string | undefined {
  if (node === undefined || !('A_Const' in node)) return undefined;
  const { ival, fval, sval } = node.A_Const;
  return ival !== undefined ? ival.ival ?? 0 : fval !== undefined ? Number(fval.fval) : sval !== undefined ? sval.sval ?? '' : undefined;
}

function hasColumn(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (Array.isArray(node)) return node.some(hasColumn);
  return Object.entries(node).some(([key, value]) => key === 'ColumnRef' || key === 'CurrentOfExpr' || hasColumn(value));
}

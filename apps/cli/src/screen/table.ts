import { bold, joined, Shown, shownOf, type Cell } from './shown';
import { cut, padded, widthOf } from './width';

export interface Column { readonly title: string; readonly align?: 'left' | 'right'; /** May be cut where the terminal is too narrow. */ readonly flexible?: boolean }

const GAP = '  ';
const FLEXIBLE_MIN = 8;

/** @param width of the terminal; null: nothing is cut */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number | null): readonly Shown[] {
  const cells = rows.map(row => row.map(shownOf));
  const widths = columns.map(({ title }, index) => cells.reduce((widest, row) => Math.max(widest, widthOf(row[index]!.plain)), widthOf(title)));
  if (width !== null) shrink(columns, widths, width);
  const rowOf = (row: readonly Shown[]): Shown => withoutEnd(joined(row.map((cell, index) => padded(cut(cell, widths[index]!), widths[index]!, columns[index]!.align)), GAP));
  return [rowOf(columns.map(({ title }) => bold(title))), ...cells.map(rowOf)];
}

/** Nobody needs the spaces at the end of a line. */
function withoutEnd({ spans }: Shown): Shown {
  const last = spans.findLastIndex(({ text }) => text.trimEnd() !== '');
  return new Shown(spans.slice(0, last + 1).map((span, index) => (index === last ? { ...span, text: span.text.trimEnd() } : span)));
}

/** Takes from the widest flexible column until it fits, or none can give any more. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  let over = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1) - width;
  while (over > 0) {
    const widest = columns.reduce((found, { flexible }, index) => (flexible === true && widths[index]! > Math.max(FLEXIBLE_MIN, found < 0 ? 0 : widths[found]!) ? index : found), -1);
    if (widest < 0) return;
    const next = columns.reduce((second, { flexible }, index) => (flexible === true && index !== widest ? Math.max(second, Math.min(widths[index]!, widths[widest]! - 1)) : second), FLEXIBLE_MIN);
    const given = Math.min(over, widths[widest]! - next);
    widths[widest]! -= given;
    over -= given;
  }
}

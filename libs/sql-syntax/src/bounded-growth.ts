import type { FuncCall, Node } from '@pgsql/types';

/** Rows that `generate_series` may make, times what `repeat` makes longer, over a whole statement: about a megabyte of text or a million rows. */
export const GROWTH_MAX = 1_000_000;
/** Characters that one `repeat`, `lpad` or `rpad` may make. */
export const LENGTH_MAX = 100_000;

/** What a call multiplies rows or text by; a string says what is wrong with its arguments. */
export function growthOf(name: string, call: FuncCall): number | string {
  const args = call.args ?? [];
  switch (name) {
    case 'lpad': case 'rpad': return lengthOf(name, args[1], 1) ?? `the length of \`${name}\` must be a constant of at most ${LENGTH_MAX}`;
    case 'repeat': {
      const text = textOf(args[0]);
      const length = lengthOf(name, args[1], text?.length ?? 1);
      if (length === undefined) return `\`repeat\` needs a constant number of times and a result of at most ${LENGTH_MAX} characters`;
      return text === undefined ? Math.max(integerOf(args[1]) ?? 1, 1) : 1;
    }
    case 'generate_series': {
      const rows = rowsOf(args);
      return rows ?? `\`generate_series\` needs constant bounds (whole numbers, or dates with a constant step) and at most ${GROWTH_MAX} rows`;
    }
    case 'format': return isPlainFormat(textOf(args[0])) ? 1 : '`format` needs a constant pattern without `*` and with widths below 10,000';
    default: return 1;
  }
}

const lengthOf = (name: string, node: Node | undefined, unit: number): number | undefined => {
  const count = integerOf(node);
  return count === undefined || count * unit > LENGTH_MAX ? undefined : 1;
};

const isPlainFormat = (pattern: string | undefined) => pattern !== undefined && /^(?:[^%]|%%|%(?:\d{1,4}\$)?-?\d{0,4}[sIL])*$/.test(pattern);

function rowsOf([first, last, step]: readonly Node[]): number | undefined {
  const from = integerOf(first);
  const to = integerOf(last);
  const by = step === undefined ? 1 : integerOf(step);
  const rows = from !== undefined && to !== undefined && by !== undefined ? (to - from) / by : (timeOf(last) - timeOf(first)) / durationOf(step);
  return Number.isFinite(rows) && rows < GROWTH_MAX ? Math.max(Math.ceil(rows) + 1, 1) : undefined;
}

const bare = (node: Node | undefined): Node | undefined => (node !== undefined && 'TypeCast' in node ? bare(node.TypeCast.arg) : node);

function integerOf(node: Node | undefined): number | undefined {
  const value = bare(node);
  if (value === undefined || !('A_Const' in value) || value.A_Const.ival === undefined) return undefined;
  return value.A_Const.ival.ival ?? 0;
}

function textOf(node: Node | undefined): string | undefined {
  const value = bare(node);
  return value !== undefined && 'A_Const' in value && value.A_Const.sval !== undefined ? value.A_Const.sval.sval ?? '' : undefined;
}

const timeOf = (node: Node | undefined): number => {
  const day = /^\d{4}-\d\d-\d\d(?![\d-])/.exec(textOf(node) ?? '');
  return day === null ? Number.NaN : Date.parse(day[0]);
};

const SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3_600, day: 86_400, week: 604_800, month: 2_419_200, year: 31_536_000 };

const durationOf = (node: Node | undefined): number => {
  const [, count, unit] = /^(\d{1,6}) (minute|hour|day|week|month|year)s?$/.exec(textOf(node) ?? '') ?? [];
  return Number(count) * (SECONDS[unit ?? ''] ?? Number.NaN) * 1_000;
};

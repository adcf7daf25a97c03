import type { Json, JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';
import { colouredDiff } from '../screen/diff';
import { bold, dim, green, joined, line, red, shownOf, styled, yellow, type Cell, type Shown, type Style } from '../screen/shown';
import { table } from '../screen/table';
import { widthOf } from '../screen/width';
import { listOf, objectOf, textOf } from './plan';

/** A table of rows that is wider is shown row by row. */
const WIDTH_DEFAULT = 120;
const CELL_CHARS_MAX = 60;

const ACTIONS: Readonly<Record<string, Style>> = { create: 'green', delete: 'red' };

/** What a step would do to its target. @param width of the terminal, if it is one */
export function shownChange(change: JsonObject, width: number | null): readonly Shown[] {
  return change['kind'] === 'rows' ? shownRows(change, width) : shownFile(change);
}

function shownFile({ resource, action, diff, before, after }: JsonObject): readonly Shown[] {
  const verb = textOf(action);
  const [was, becomes] = [stateOf(before), stateOf(after)];
  const states = was === null ? becomes : becomes === null || was === becomes ? was : `${was} → ${becomes}`;
  const head = line`${styled(verb, ACTIONS[verb] ?? 'yellow')} ${bold(textOf(resource))}${states === null ? '' : dim(`  ${states}`)}`;
  if (typeof diff === 'string') return [head, ...colouredDiff(diff)];
  if (isSealed(diff)) return [head, dim(sealedText(diff))];
  return verb === 'change' ? [head, dim('no text to compare')] : [head];
}

function stateOf(state: Json | undefined): string | null {
  const { type, size, mode, digest } = objectOf(state) ?? {};
  if (type === undefined) return null;
  return [type === 'directory' ? 'directory' : `${textOf(size)} B`, textOf(mode), typeof digest === 'string' ? digest.slice(0, 19) : ''].filter(part => part !== '').join(' ');
}

function shownRows({ resource, inserted, updated, deleted, rows }: JsonObject, width: number | null): readonly Shown[] {
  const counts = [[inserted, 'inserted', green], [updated, 'updated', yellow], [deleted, 'deleted', red]] as const;
  const told = counts.flatMap(([count, word, colour]) => (typeof count === 'number' && count > 0 ? [colour(`${count} ${word}`)] : []));
  const head = line`${bold(textOf(resource))}  ${told.length === 0 ? dim('no row changes') : joined(told, ', ')}`;
  if (isSealed(rows)) return [head, dim(sealedText(rows))];
  const pairs = listOf(rows).filter(isObject).map(row => ({ before: objectOf(row['before']), after: objectOf(row['after']) }));
  if (pairs.length === 0) return [head];
  const asTable = tableOf(pairs);
  const isNarrow = asTable.every(one => widthOf(one.plain) <= (width ?? WIDTH_DEFAULT));
  return [head, ...(isNarrow ? asTable : pairs.flatMap(recordOf))];
}

interface Pair { readonly before: JsonObject | null; readonly after: JsonObject | null }

/** `-` what was, `+` what would be; of a changed row what stays the same is dim. */
function tableOf(pairs: readonly Pair[]): readonly Shown[] {
  const names = [...new Set(pairs.flatMap(({ before, after }) => [...Object.keys(before ?? {}), ...Object.keys(after ?? {})]))];
  const rowOf = (sign: '-' | '+', row: JsonObject | null, other: JsonObject | null): Cell[][] => (row === null ? [] : [[
    styled(sign, sign === '-' ? 'red' : 'green'),
    ...names.map(name => (isSame(row, other, name) && other !== null ? dim(valueOf(row[name])) : styled(valueOf(row[name]), sign === '-' ? 'red' : 'green'))),
  ]]);
  return table([{ title: ' ' }, ...names.map(title => ({ title }))], pairs.flatMap(({ before, after }) => [...rowOf('-', before, after), ...rowOf('+', after, before)]), null);
}

/** A row of many columns: of a changed one, what changes and what may tell which it is. */
function recordOf({ before, after }: Pair): readonly Shown[] {
  const row = after ?? before ?? {};
  const sign = before === null ? green('+') : after === null ? red('-') : yellow('~');
  const isUpdate = before !== null && after !== null;
  const names = Object.keys(row);
  const shown = isUpdate ? names.filter((name, index) => index === 0 || !isSame(before, after, name)) : names;
  return shown.map((name, index) => {
    const value = isUpdate && !isSame(before, after, name) ? line`${red(valueOf(before[name]))} → ${green(valueOf(after[name]))}` : shownOf(valueOf(row[name]));
    return line`${index === 0 ? sign : ' '} ${dim(`${name}:`)} ${value}`;
  });
}

const isSame = (row: JsonObject, other: JsonObject | null, name: string): boolean => JSON.stringify(row[name]) === JSON.stringify(other?.[name]);

export function valueOf(value: Json | undefined): string {
  if (value === undefined) return '';
  if (value === null) return 'NULL';
  if (isSealed(value)) return sealedText(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const characters = [...text];
  return characters.length > CELL_CHARS_MAX ? `${characters.slice(0, CELL_CHARS_MAX).join('')}…` : text;
}

export const isSealed = (value: Json | undefined): value is JsonObject => isObject(value) && (typeof value['$sealed'] === 'string' || (value['sealed'] === true && 'class' in value));
export const sealedText = (value: JsonObject): string => `sealed${typeof value['class'] === 'string' ? ` (${value['class']})` : ''}`;

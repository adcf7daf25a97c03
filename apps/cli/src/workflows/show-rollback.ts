import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { listOf, objectOf, textOf } from '../plan/plan';
import { isSealed, sealedText, valueOf } from '../plan/show-preview';
import { bold, contentLine, cyan, dim, joined, line, red, shownOf, styled, yellow, type Cell, type Shown, type Style } from '../screen/shown';
import { table } from '../screen/table';
import { widthOf } from '../screen/width';
import { shownDependents } from './dependents';
import { statusText } from './show-fact';

const OUTCOMES: Readonly<Record<string, readonly [string, ...Style[]]>> = {
  wouldUndo: ['would be undone', 'green'], wouldBlock: ['would be blocked', 'red', 'bold'], nothingToDo: ['nothing to do', 'dim'],
  irreversible: ['can not be undone', 'red', 'bold'], cannotTell: ['can\'t be told before', 'yellow'],
};
const SIDES = [['before', 'before'], ['after', 'after'], ['current', 'now']] as const;
const INDENT = '     ';
/** Of each side of a file. */
const CONTENT_LINES_MAX = 20;
/** Of others that stand in the way, so many are named as commands. */
const FIRST_MAX = 5;
/** A table of rows that is wider is shown column by column. */
const WIDTH_DEFAULT = 120;

/**
 * What taking a workflow back would do, in the order the server would do it in: each step, what stands in its way with its
 * three sides, and what others have built on it.
 * @param asked what the preview was asked with, for the command that runs exactly that
 * @returns null for what is no preview of a rollback
 */
export function shownRollback(id: string, body: JsonObject, asked: JsonObject, width: number | null): readonly Shown[] | null {
  if (!Array.isArray(body['steps'])) return null;
  const steps = listOf(body['steps']).filter(isObject);
  const dependents = listOf(body['dependents']).filter(isObject);
  return [
    line`rollback of workflow ${bold(id)}  ${statusText(textOf(body['status']))}  ${dim(textOf(body['digest']))}`,
    ...steps.flatMap(step => [line``, ...shownStep(step, width)]),
    ...(dependents.length === 0 ? [] : [line``, shownOf('what others have built on it:'), ...shownDependents(dependents).map(one => line`  ${one}`), ...(body['dependentsTruncated'] === true ? [dim('  … and more that are not named')] : [])]),
    line``, summary(steps), ...whatNext(id, body, asked, steps, dependents),
  ];
}

const outcomeText = (outcome: string): Shown => { const [text, ...styles] = OUTCOMES[outcome] ?? [outcome === '' ? 'not known' : outcome, 'yellow' as const]; return styled(text, ...styles); };

function shownStep({ order, id, capability, outcome, summary: does, conflicts, reason, truncated }: JsonObject, width: number | null): readonly Shown[] {
  const row = (title: string, value: Shown): Shown => line`${INDENT}${dim(title.padEnd(9))}${value}`;
  return [
    line`${textOf(order).padStart(3)}  ${bold(textOf(id))}  ${cyan(textOf(capability))}  ${outcomeText(textOf(outcome))}`,
    ...(textOf(does) === '' ? [] : [row('undo', shownOf(textOf(does)))]),
    ...(reason === does ? [] : reasonOf(reason)).map(one => row('because', one)),
    ...(isSealed(conflicts) ? [row('conflict', dim(sealedText(conflicts)))] : listOf(conflicts).filter(isObject).flatMap(one => shownConflict(one, width))),
    ...(truncated === true ? [line`${INDENT}${dim('… and more that is not shown')}`] : []),
  ];
}

function reasonOf(reason: Json | undefined): readonly Shown[] {
  if (!isObject(reason)) return textOf(reason) === '' ? [] : [yellow(textOf(reason))];
  return [line`${yellow(textOf(reason['detail']))} ${dim(textOf(reason['code']))}`];
}

function shownConflict(conflict: JsonObject, width: number | null): readonly Shown[] {
  const head = line`${INDENT}${red('conflict')} ${bold(textOf(conflict['resource']))}: ${textOf(conflict['what'])}`;
  const sides = SIDES.map(([name, title]) => ({ title, side: conflict[name] ?? null }));
  const isKnown = sides.some(({ side }) => side !== null);
  if (!isKnown) return [head, ...(['expected', 'found'] as const).filter(name => textOf(conflict[name]) !== '').map(name => line`${INDENT}  ${dim(name.padEnd(9))}${textOf(conflict[name])}`)];
  const isRows = sides.every(({ side }) => side === null || (isObject(side) && side['content'] === undefined && !isSealed(side)));
  const shown = isRows ? shownRows(sides.map(({ title, side }) => ({ title, row: objectOf(side) })), width) : sides.flatMap(({ title, side }) => shownFile(title, side));
  return [head, ...shown.map(one => line`${INDENT}  ${one}`)];
}

function shownFile(title: string, side: Json): readonly Shown[] {
  const head = (text: Cell): Shown => line`${dim(title.padEnd(9))}${text}`;
  if (side === null) return [head(dim('nothing there'))];
  if (isSealed(side)) return [head(dim(sealedText(side)))];
  if (!isObject(side)) return [head(textOf(side))];
  const { type, size, mode, digest, content } = side;
  const state = joined([type === 'file' ? `${textOf(size)} B` : textOf(type), textOf(mode), typeof digest === 'string' ? digest.slice(0, 19) : ''].filter(part => part !== ''));
  if (typeof content !== 'string') return [head(type === 'file' ? line`${state} ${dim('(no text to show)')}` : state)];
  const lines = content.replace(/\n$/, '').split('\n');
  const more = lines.length - CONTENT_LINES_MAX;
  return [head(state), ...(content === '' ? [] : lines.slice(0, CONTENT_LINES_MAX).map(text => line`  ${dim('|')} ${contentLine(text)}`)), ...(more > 0 ? [dim(`  | … ${more} more lines`)] : [])];
}

interface Side { readonly title: string; readonly row: JsonObject | null }

/** What stays the same on all sides is dim. */
function shownRows(sides: readonly Side[], width: number | null): readonly Shown[] {
  const names = [...new Set(sides.flatMap(({ row }) => Object.keys(row ?? {})))];
  const differs = (name: string): boolean => new Set(sides.flatMap(({ row }) => (row === null ? [] : [JSON.stringify(row[name])]))).size > 1;
  const asTable = table([{ title: '' }, ...names.map(title => ({ title }))], sides.map(({ title, row }) => [
    dim(title), ...names.map((name, index) => (row === null ? (index === 0 ? dim('no row') : '') : differs(name) ? yellow(valueOf(row[name])) : dim(valueOf(row[name])))),
  ]), null);
  if (asTable.every(one => widthOf(one.plain) <= (width ?? WIDTH_DEFAULT) - INDENT.length - 2)) return asTable;
  const absent = sides.filter(({ row }) => row === null).map(({ title }) => line`${dim(title.padEnd(9))}${dim('no row')}`);
  return [...absent, ...names.filter((name, index) => index === 0 || differs(name)).map(name =>
    line`${dim(`${name}:`)} ${joined(sides.filter(({ row }) => row !== null).map(({ title, row }) => line`${dim(title)} ${differs(name) ? yellow(valueOf(row![name])) : valueOf(row![name])}`), ', ')}`)];
}

function summary(steps: readonly JsonObject[]): Shown {
  const counts = new Map<string, number>();
  for (const { outcome } of steps) counts.set(textOf(outcome), (counts.get(textOf(outcome)) ?? 0) + 1);
  if (steps.length === 0) return shownOf('there is nothing to take back');
  return line`${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${joined([...counts].map(([outcome, count]) => line`${count} ${outcomeText(outcome)}`), ', ')}`;
}

function whatNext(id: string, { digest }: JsonObject, asked: JsonObject, steps: readonly JsonObject[], dependents: readonly JsonObject[]): readonly Shown[] {
  const isBlocked = steps.some(({ outcome }) => outcome === 'wouldBlock');
  const inTheWay = asked['cascade'] === true ? [] : [...new Set(dependents.filter(({ blocks }) => blocks === true).map(({ workflow }) => textOf(workflow)))].reverse();
  const flags = [...(asked['cascade'] === true ? ['--cascade'] : []), ...(typeof asked['onConflict'] === 'string' ? [`--on-conflict ${asked['onConflict']}`] : [])];
  const exactly = ['aifirst rollback', id, ...flags, ...(typeof digest === 'string' ? [`--digest ${digest}`] : [])].join(' ');
  return [
    ...inTheWay.slice(0, FIRST_MAX).map(workflow => line`${dim('take back first:')} aifirst rollback ${workflow} --preview`), ...(inTheWay.length > FIRST_MAX ? [dim(`… and ${inTheWay.length - FIRST_MAX} more`)] : []),
    ...(steps.some(({ outcome }) => outcome !== 'nothingToDo') ? [line`${dim(inTheWay.length === 0 ? 'run exactly this:' : 'run exactly this regardless:')} ${exactly}`] : []),
    ...(isBlocked && asked['onConflict'] !== 'skip' ? [line`${dim('leave out what others have changed:')} aifirst rollback ${id} --on-conflict skip --preview`] : []),
  ];
}

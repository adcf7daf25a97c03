import { isObject, listOf, textOf, type Json, type JsonObject } from '../json';
import { clean, cleanLine } from './clean';

/** Of what one change holds: the rest is told by number, and `aifirst get plan` shows it. */
const CHANGE_LINES_MAX = 200;
const ROWS_MAX = 20;
const FOOTPRINT_MAX = 20;
const INPUT_CHARS_MAX = 4_000;
const LEVELS = ['low', 'medium', 'high', 'critical'];

export interface ShownProposal {
  readonly goal: string;
  readonly understood: string;
  readonly plan: JsonObject;
  /** As they were sent. */
  readonly steps: readonly { readonly id: string; readonly input: JsonObject; readonly dependsOn: readonly string[] }[];
}

/**
 * A proposal as a person reads it before saying yes: steps in order, whether they are permitted, how risky they are, what
 * they change, how each is taken back. Lines without line ends, in which nothing drives a terminal.
 */
export function planLines({ goal, understood, plan, steps }: ShownProposal): readonly string[] {
  const shown = listOf(plan['steps']).filter(isObject);
  const point = pointOfNoReturn(plan['pointOfNoReturn']);
  return [
    `goal      ${clean(goal)}`,
    ...(understood === '' ? [] : [`the model says that this does: ${clean(understood)}`]),
    `plan      ${clean(textOf(plan['planId']))}`,
    ...shown.flatMap(step => {
      const sent = steps.find(({ id }) => id === step['id']);
      return ['', ...stepLines(step, sent?.input ?? {}, sent?.dependsOn ?? []), ...(point !== null && step['id'] === point ? ['', `---- point of no return: after \`${clean(point)}\` not everything can be undone ----`] : [])];
    }),
    '', summaryLine(shown, point),
  ];
}

function stepLines({ order, id, capability, decision, risk, approvals, preview, previewError, undo }: JsonObject, input: JsonObject, dependsOn: readonly string[]): readonly string[] {
  const row = (title: string, text: string): string => `     ${title.padEnd(10)}${text}`;
  const outcome = outcomeOf(decision);
  const reason = isObject(decision) ? textOf(decision['reason']) : '';
  const needed = listOf(approvals);
  return [
    `${textOf(order).padStart(3)}  ${clean(textOf(id))}  ${clean(textOf(capability))}  ${clean(outcome)}  risk ${riskOf(risk)}`,
    ...(dependsOn.length === 0 ? [] : [row('after', dependsOn.map(one => clean(one)).join(', '))]),
    ...(outcome === 'allow' || reason === '' ? [] : [row('because', clean(reason))]),
    ...needed.map(one => row('approval', clean(textOf(one)))),
    row('does', isObject(preview) ? clean(textOf(preview['summary'])) : `can't be shown before: ${whyNotShown(previewError)}`),
    row('undo', undoOf(undo)),
    row('input', clean(JSON.stringify(input), INPUT_CHARS_MAX)),
    ...(isObject(preview) ? previewLines(preview).map(one => `     ${one}`) : []),
  ];
}

function previewLines({ footprint, changes, truncated }: JsonObject): readonly string[] {
  const all = listOf(changes).filter(isObject);
  const changed = new Set(all.map(({ resource }) => textOf(resource)));
  const others = listOf(footprint).map(textOf).filter(resource => !changed.has(resource));
  const more = others.length - FOOTPRINT_MAX;
  return [
    ...others.slice(0, FOOTPRINT_MAX).map(one => `touches   ${clean(one)}`), ...(more > 0 ? [`touches   ${more} more`] : []),
    ...all.flatMap(changeLines),
    ...(isObject(changes) ? ['what changes is sealed'] : []),
    ...(truncated === true ? ['… there is more that is not shown here'] : []),
  ];
}

function changeLines(change: JsonObject): readonly string[] {
  const resource = clean(textOf(change['resource']));
  if (change['kind'] !== 'rows') {
    const { diff } = change;
    return [`${clean(textOf(change['action']))} ${resource}`, ...(typeof diff === 'string' ? cut(diff.replace(/\n$/, '').split('\n').map(one => cleanLine(one)), CHANGE_LINES_MAX) : [])];
  }
  const counts = ['inserted', 'updated', 'deleted'].flatMap(name => (typeof change[name] === 'number' && change[name] > 0 ? [`${change[name]} ${name}`] : []));
  const rows = listOf(change['rows']).filter(isObject);
  const lines = rows.slice(0, ROWS_MAX).flatMap(({ before, after }) => [...rowLine('-', before), ...rowLine('+', after)]);
  return [`${resource}: ${counts.length === 0 ? 'no row changes' : counts.join(', ')}`, ...lines, ...(rows.length > ROWS_MAX ? [`… ${rows.length - ROWS_MAX} more rows`] : [])];
}

const rowLine = (sign: string, row: Json | undefined): readonly string[] => (isObject(row) ? [`${sign} ${cleanLine(JSON.stringify(row))}`] : []);
const cut = (lines: readonly string[], max: number): readonly string[] => (lines.length <= max ? lines : [...lines.slice(0, max), `… ${lines.length - max} more lines`]);

const outcomeOf = (decision: Json | undefined): string => (isObject(decision) ? textOf(decision['outcome']) : textOf(decision)) || 'undecided';
const riskOf = (risk: Json | undefined): string => (isObject(risk) ? clean(`${textOf(risk['level'])}${risk['score'] === undefined ? '' : ` (${textOf(risk['score'])})`}`) : 'unknown');
const whyNotShown = (error: Json | undefined): string => (isObject(error) ? clean(`${textOf(error['detail'])} (${textOf(error['code'])})`) : 'nobody says why');

function undoOf(undo: Json | undefined): string {
  if (!isObject(undo)) return 'unknown';
  const how = textOf(undo['how']);
  const detail = textOf(undo['detail']);
  return clean(`${how === 'none' ? 'not possible' : how}${detail === '' ? '' : `: ${detail}`}`);
}

/** By the step's id, or as an object that names it. */
const pointOfNoReturn = (value: Json | undefined): string | null => (isObject(value) ? textOf(value['step'] ?? value['id']) : typeof value === 'string' ? value : null);

function summaryLine(steps: readonly JsonObject[], point: string | null): string {
  const counts = new Map<string, number>();
  for (const { decision } of steps) counts.set(outcomeOf(decision), (counts.get(outcomeOf(decision)) ?? 0) + 1);
  const highest = LEVELS.findLast(level => steps.some(({ risk }) => isObject(risk) && risk['level'] === level));
  return `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${[...counts].map(([outcome, count]) => `${count} ${clean(outcome)}`).join(', ')}${highest === undefined ? '' : `; highest risk ${highest}`}; ${point === null ? 'everything can be undone' : 'NOT EVERYTHING CAN BE UNDONE'}`;
}

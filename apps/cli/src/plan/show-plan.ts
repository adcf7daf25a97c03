import type { Json, JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';
import { bold, cyan, dim, joined, line, red, shownOf, styled, yellow, type Shown, type Style } from '../screen/shown';
import { listOf, objectOf, outcomeOf, textOf, type Plan, type PlanStep } from './plan';
import { shownChange } from './show-preview';

const DECISIONS: Readonly<Record<string, readonly Style[]>> = { allow: ['green'], deny: ['red', 'bold'], modify: ['cyan'], approve: ['yellow'], defer: ['yellow'] };
const RISKS: Readonly<Record<string, readonly Style[]>> = { low: ['green'], medium: ['yellow'], high: ['red'], critical: ['red', 'bold'] };
const UNDOS: Readonly<Record<string, readonly Style[]>> = { exact: ['green'], compensating: ['yellow'], none: ['red', 'bold'] };
const LEVELS = ['low', 'medium', 'high', 'critical'];
const FOOTPRINT_MAX = 12;
const INDENT = '     ';

export const riskText = (level: string): Shown => styled(level, ...(RISKS[level] ?? []));
export const decisionText = (outcome: string): Shown => styled(outcome, ...(DECISIONS[outcome] ?? []));

/** A plan as people read it: what would happen in which order, and how each step would be taken back. */
export function shownPlan(plan: Plan, width: number | null): readonly Shown[] {
  return [
    line`plan ${bold(plan.planId)}  ${dim(plan.digest)}`,
    ...plan.steps.flatMap(step => [line``, ...shownStep(step, width), ...(isPointOfNoReturn(plan, step) ? [line``, pointOfNoReturn(step.id)] : [])]),
    line``, summary(plan), ...whatNext(plan),
  ];
}

function shownStep({ order, id, capability, decision, risk, approvals, preview, previewError, undo }: PlanStep, width: number | null): readonly Shown[] {
  const outcome = outcomeOf(decision);
  const row = (title: string, value: Shown): Shown => line`${INDENT}${dim(title.padEnd(9))}${value}`;
  return [
    line`${String(order).padStart(3)}  ${bold(id)}  ${cyan(capability)}  ${decisionText(outcome === '' ? 'undecided' : outcome)}  risk ${riskShown(risk)}`,
    ...whyOf(decision, outcome).map(one => row('because', one)),
    ...approvalsOf(approvals).map(one => row('approval', yellow(one))),
    row('does', preview === null ? notShown(previewError) : shownOf(textOf(preview['summary']))),
    row('undo', undoText(undo)),
    ...factorsOf(risk).map(one => row('risk', one)),
    ...(preview === null ? [] : [...footprintOf(preview).map(one => row('touches', one)), ...changesOf(preview, width).map(one => line`${INDENT}${one}`)]),
  ];
}

function notShown(error: JsonObject | null): Shown {
  const [code, detail] = [textOf(error?.['code']), textOf(error?.['detail'])];
  return code === '' && detail === '' ? dim('can\'t be shown before') : line`${yellow('can\'t be shown before:')} ${detail}${code === '' ? '' : dim(` (${code})`)}`;
}

function changesOf(preview: JsonObject, width: number | null): readonly Shown[] {
  const changes = listOf(preview['changes']).filter(isObject).flatMap(change => shownChange(change, width === null ? null : width - INDENT.length));
  return preview['truncated'] === true ? [...changes, dim('… and more that is not shown')] : changes;
}

/** What is touched beside what is shown to change. */
function footprintOf(preview: JsonObject): readonly Shown[] {
  const changed = new Set(listOf(preview['changes']).filter(isObject).map(change => textOf(change['resource'])));
  const others = listOf(preview['footprint']).map(textOf).filter(resource => !changed.has(resource));
  const more = others.length - FOOTPRINT_MAX;
  return [...others.slice(0, FOOTPRINT_MAX).map(shownOf), ...(more > 0 ? [dim(`and ${more} more`)] : [])];
}

function riskShown(risk: JsonObject | null): Shown {
  if (risk === null) return dim('unknown');
  const level = riskText(textOf(risk['level']));
  return risk['score'] === undefined ? level : line`${level} ${dim(`(${textOf(risk['score'])})`)}`;
}

function factorsOf(risk: JsonObject | null): readonly Shown[] {
  return listOf(risk?.['factors']).filter(isObject).map(({ factor, weight, value }) => line`${textOf(factor)} ${textOf(value)}${weight === undefined ? '' : dim(` × ${textOf(weight)}`)}`);
}

function whyOf(decision: Json, outcome: string): readonly Shown[] {
  const { reason, policies } = objectOf(decision) ?? {};
  const parts = [outcome === 'allow' ? '' : textOf(reason), listOf(policies).map(textOf).join(', ')].filter(part => part !== '');
  return parts.length === 0 ? [] : [joined(parts, '  ')];
}

function approvalsOf(approvals: Json): readonly string[] {
  const all = Array.isArray(approvals) ? approvals as readonly Json[] : approvals === null || approvals === 0 || approvals === '' ? [] : [approvals];
  return all.map(one => (isObject(one) ? Object.entries(one).map(([name, value]) => `${name} ${textOf(value)}`).join(', ') : textOf(one)));
}

function undoText(undo: JsonObject | null): Shown {
  const how = textOf(undo?.['how']);
  const detail = textOf(undo?.['detail']);
  if (undo === null || how === '') return dim('unknown');
  return line`${styled(how === 'none' ? 'not possible' : how, ...(UNDOS[how] ?? []))}${detail === '' ? '' : `: ${detail}`}`;
}

const isPointOfNoReturn = ({ pointOfNoReturn: point }: Plan, { id, order }: PlanStep): boolean => point !== null && (isObject(point) ? point['step'] === id || point['id'] === id : point === id || point === order);
const pointOfNoReturn = (id: string): Shown => line`${red('──── point of no return:')} after ${bold(id)} not everything can be undone ${red('────')}`;

function summary({ steps, pointOfNoReturn: point }: Plan): Shown {
  const counts = new Map<string, number>();
  for (const { decision } of steps) { const outcome = outcomeOf(decision); counts.set(outcome, (counts.get(outcome) ?? 0) + 1); }
  const highest = LEVELS.findLast(level => steps.some(({ risk }) => risk?.['level'] === level));
  return line`${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${joined([...counts].map(([outcome, count]) => line`${count} ${decisionText(outcome === '' ? 'undecided' : outcome)}`), ', ')}${highest === undefined ? '' : line`; highest risk ${riskText(highest)}`}; ${point === null ? 'everything can be undone' : yellow('not everything can be undone')}`;
}

function whatNext({ planId, steps }: Plan): readonly Shown[] {
  if (steps.some(({ decision }) => outcomeOf(decision) === 'deny')) return [red('policy denies a step: applied, this would be rejected')];
  return [line`${dim('run exactly this:')} aifirst apply --plan ${planId}`];
}

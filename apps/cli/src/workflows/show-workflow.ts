import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { listOf, objectOf, outcomeOf, textOf } from '../plan/plan';
import { decisionText, riskText } from '../plan/show-plan';
import { bold, dim, green, joined, line, red, shownOf, yellow, type Cell, type Shown } from '../screen/shown';
import { table } from '../screen/table';
import { errorText, statusText } from './show-fact';

/** A workflow with its steps, and what a person can do about it. */
export function shownWorkflow(workflow: JsonObject, width: number | null): readonly Shown[] {
  const rows: readonly (readonly [string, Cell])[] = [
    ['goal', textOf(workflow['goal'])], ['agent', textOf(workflow['agent'])], ['mode', textOf(workflow['mode'])],
    ['labels', Object.entries(objectOf(workflow['labels']) ?? {}).map(([name, value]) => `${name}=${textOf(value)}`).join(' ')],
    ['created', textOf(workflow['createdAt'])], ['ended', textOf(workflow['endedAt'])],
  ];
  return [
    line`workflow ${bold(textOf(workflow['id']))}  ${statusText(textOf(workflow['status']))}`,
    ...rows.filter(([, value]) => value !== '').map(([title, value]) => line`  ${dim(title.padEnd(8))} ${value}`),
    ...shownSteps(workflow, width), ...whyAndWhatNext(workflow),
  ];
}

export function shownSteps(workflow: JsonObject, width: number | null): readonly Shown[] {
  const steps = listOf(workflow['steps']).filter(isObject);
  if (steps.length === 0) return [];
  const columns = [{ title: 'STEP' }, { title: 'CAPABILITY' }, { title: 'STATUS' }, { title: 'DECISION' }, { title: 'RISK' }, { title: 'UNDO' }, { title: 'DETAIL', flexible: true }];
  return table(columns, steps.map(step => [
    textOf(step['id']), textOf(step['capability']), statusText(textOf(step['status'])), decisionText(outcomeOf(step['decision'] ?? null)), riskText(textOf(objectOf(step['risk'])?.['level'])), undoText(objectOf(step['undo'])), detailOf(step),
  ]), width);
}

function undoText(undo: JsonObject | null): Shown {
  if (undo === null) return line``;
  const status = textOf(undo['status']);
  if (status !== 'done') return status === 'blocked' ? red(status) : shownOf(status);
  return undo['verified'] === true ? green('done, verified') : yellow('done, not verified');
}

function detailOf(step: JsonObject): Shown {
  const [error, reason] = [objectOf(step['error']), objectOf(step['statusReason'])];
  if (error !== null) return errorText(error);
  if (reason !== null) return line`${textOf(reason['code'])}: ${textOf(reason['detail'])}`;
  return dim(listOf(step['resources']).map(textOf).join(' '));
}

/** Why it is where it is, what it leaves behind, and what can be done. */
export function whyAndWhatNext(workflow: JsonObject): readonly Shown[] {
  const reason = objectOf(workflow['statusReason']);
  const residue = listOf(workflow['residue']).filter(isObject);
  const actions = listOf(reason?.['actions']).filter(isObject);
  return [
    ...(reason === null ? [] : [line`${bold(textOf(reason['code']))}: ${textOf(reason['detail'])}`]),
    ...residue.map(one => line`${red('left:')} ${textOf(one['resource'])} ${textOf(one['what'])} (${textOf(one['step'])}): ${textOf(one['why'])}; ${textOf(one['action'])}`),
    ...(actions.length === 0 ? [] : [shownOf('what can be done:'), ...actions.map(action => line`  ${actionText(textOf(workflow['id']), action)}  ${dim(`by ${textOf(action['by'])}`)}`)]),
  ];
}

/** As a command where there is one. */
function actionText(workflow: string, { method, path, body }: JsonObject): Shown {
  const verb = /^\/v1\/workflows\/[^/]+\/(rollback|cancel|pause|resume)$/.exec(textOf(path))?.[1];
  if (method !== 'POST' || verb === undefined) return joined([textOf(method), textOf(path), ...(body === undefined ? [] : [textOf(body as Json)])]);
  const failedStep = objectOf(body)?.['failedStep'];
  return joined(['aifirst', verb, workflow, ...(verb === 'rollback' ? ['--reason …'] : []), ...(failedStep === undefined ? [] : [`--failed-step ${textOf(failedStep)}`])]);
}

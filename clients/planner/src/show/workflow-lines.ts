import { isObject, listOf, textOf, type Json, type JsonObject } from '../json';
import { clean } from './clean';

/** What came of it: how it ended, what failed, what was undone, what stands. */
export function workflowLines(workflow: JsonObject): readonly string[] {
  const { id, status, statusReason } = workflow;
  const reason = isObject(statusReason) ? `: ${clean(textOf(statusReason['detail']))} (${clean(textOf(statusReason['code']))})` : '';
  return [
    `workflow ${clean(textOf(id))} ${clean(textOf(status))}${reason}`,
    ...listOf(workflow['steps']).filter(isObject).map(stepLine),
    ...listOf(workflow['residue']).filter(isObject).map(({ resource, what, why }) => `  stands: ${clean([textOf(resource), textOf(what), textOf(why)].filter(text => text !== '').join(', '))}`),
    ...(isObject(statusReason) ? listOf(statusReason['actions']).filter(isObject).map(({ method, path, by }) => `  ${clean(`${textOf(by)} may: ${textOf(method)} ${textOf(path)}`)}`) : []),
  ];
}

function stepLine({ id, capability, status, error, undo }: JsonObject): string {
  const failed = isObject(error) ? `: ${textOf(error['detail'])} (${textOf(error['code'])})` : '';
  return clean(`  ${textOf(id)}  ${textOf(capability)}  ${textOf(status)}${failed}${undoText(undo)}`);
}

function undoText(undo: Json | undefined): string {
  if (!isObject(undo)) return '';
  return `; undo ${textOf(undo['status'])}${undo['verified'] === true ? ', verified' : ''}${typeof undo['reason'] === 'string' ? `: ${undo['reason']}` : ''}`;
}

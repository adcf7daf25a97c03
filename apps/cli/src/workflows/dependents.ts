import type { JsonObject } from '@aifirst/kernel';
import { textOf } from '../plan/plan';
import { bold, dim, line, red, type Shown } from '../screen/shown';
import { table } from '../screen/table';

const COLUMNS = [{ title: 'WORKFLOW' }, { title: 'STEP' }, { title: 'AGENT' }, { title: 'HOW' }, { title: 'RESOURCE' }, { title: 'AT' }, { title: '' }];

/** Steps of others that build on what is to be taken back: those that stand in its way are said to. */
export function shownDependents(dependents: readonly JsonObject[]): readonly Shown[] {
  if (dependents.length === 0) return [];
  return table(COLUMNS, dependents.map(({ workflow, step, agent, kind, resource, at, blocks }) => [
    bold(textOf(workflow)), textOf(step), textOf(agent), textOf(kind), textOf(resource), textOf(at), blocks === true ? red('in the way') : blocks === false ? dim('not in the way') : line`${textOf(blocks)}`,
  ]), null);
}

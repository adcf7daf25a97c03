import { covers, expandResources, hasUnknownResources, lockName, overlap, type CapabilityDescriptor, type StepView, type UndoPreviewAnswer, type WorkflowView } from '@aifirst/contracts';
import { connectionIn, type BaseOf, type FoundTouch, type TouchFilter } from '../views/touches';
import { mayStand, onlyReads, type DoneStep } from './done-steps';

/** A step of another workflow that came after, over or from what is to be taken back. */
export interface Dependent {
  readonly workflow: string;
  readonly step: string;
  readonly agent: string;
  readonly kind: 'overwrote' | 'read';
  /** Where both were: the narrower of what the two touched. */
  readonly resource: string;
  readonly at: string;
  /** It has had effects of its own, which may rest on what is to be taken back. */
  readonly blocks: boolean;
}
/** `truncated`: there are more. */
export interface Dependents { readonly items: readonly Dependent[]; readonly truncated: boolean }

export interface DependentsMeans {
  touching(filter: TouchFilter): Promise<readonly FoundTouch[]>;
  all(tenant: string, ids: readonly string[]): Promise<readonly WorkflowView[]>;
  capability(name: string): CapabilityDescriptor | undefined;
  readonly baseOf: BaseOf;
}

/** Touches that are looked at; beyond them there may be more. */
const TOUCHES_MAX = 1_000;
/** Views at once: each may be large. */
const VIEWS_AT_ONCE = 20;
/** How long before its outcome a step may have been started. */
const STEP_MS_MAX = 24 * 3_600_000;

/** What a step has written, and when. */
interface Written { readonly name: string; readonly uri: string; readonly at: number }

/**
 * Who came after: later workflows with a step that was done and touched what a writing step of this one had written, after
 * that had acted. What was undone itself, or never was, counts for nothing.
 */
export async function dependentsOf(means: DependentsMeans, tenant: string, workflow: string, steps: readonly DoneStep[]): Promise<Dependents> {
  const written = steps.flatMap(step => writtenBy(step, tenant, means.baseOf));
  if (written.length === 0) return { items: [], truncated: false };
  const since = Math.min(...written.map(({ at }) => at)) - STEP_MS_MAX;
  const found = await means.touching({ tenant, names: [...new Set(written.map(({ name }) => name))], since, except: workflow, limit: TOUCHES_MAX + 1 });
  const byWorkflow = new Map<string, FoundTouch[]>();
  for (const touch of found) byWorkflow.set(touch.workflow, [...(byWorkflow.get(touch.workflow) ?? []), touch]);
  const ids = [...byWorkflow.keys()];
  const items: Dependent[] = [];
  for (let from = 0; from < ids.length; from += VIEWS_AT_ONCE) {
    for (const view of await means.all(tenant, ids.slice(from, from + VIEWS_AT_ONCE))) {
      // Why: what works a task of this one is taken back with it.
      if (view.parent?.root !== workflow) items.push(...dependentsIn(view, byWorkflow.get(view.id)!, written, means));
    }
  }
  return { items: items.sort(byTime), truncated: found.length > TOUCHES_MAX };
}

const isTable = (uri: string): boolean => uri.startsWith('sql://');
/** Others wrote to the same table: whether to the same rows, the table's database can tell. */
export const isOfRows = ({ kind, resource }: Dependent): boolean => kind === 'overwrote' && isTable(resource);

/**
 * As the targets tell: who changed a table, but none of the rows that a step would put back, is not in its way.
 * @param answers what taking each step back would do now, by its place
 */
export function asTargetsTell({ items, truncated }: Dependents, steps: readonly DoneStep[], answers: ReadonlyMap<number, UndoPreviewAnswer>): Dependents {
  const isFree = (index: number): boolean => { const answer = answers.get(index); return answer !== undefined && !('error' in answer) && answer.preview.outcome !== 'wouldBlock'; };
  // Why any table: others may know it by another connection's name.
  const isMet = steps.some(step => mayStand(step) && !onlyReads(step) && step.resources.some(isTable) && !isFree(step.index));
  return { truncated, items: items.map(item => (item.blocks && isOfRows(item) ? { ...item, blocks: isMet } : item)) };
}

/** Under every name by which others may have known it: as it was when the intent was admitted, as it is now, and as it was sent. */
function writtenBy(step: DoneStep, tenant: string, baseOf: BaseOf): readonly Written[] {
  const { plan, actedAt: at, resources } = step;
  // Why the time: of what has not been heard of yet nobody can have come after; its locks are held.
  if (!mayStand(step) || onlyReads(step) || at === 0) return [];
  const read = new Set(hasUnknownResources(plan.resources, plan.input) ? [] : expandResources(plan.resources, plan.connection, plan.input).filter(({ access }) => access === 'read').map(({ uri }) => uri));
  return resources.filter(uri => !read.has(uri)).flatMap(uri => {
    const names = new Set([uri, lockName(uri, plan.lockBase), lockName(uri, baseOf(tenant, connectionIn(uri)))]);
    return [...names].map(name => ({ name, uri, at }));
  });
}

function dependentsIn(view: WorkflowView, touches: readonly FoundTouch[], written: readonly Written[], means: DependentsMeans): readonly Dependent[] {
  const blocks = view.steps.some(step => stands(view, step) && hasEffect(means.capability(step.capability), step));
  const met = new Map<number, Dependent>();
  for (const { step: index, name } of touches) {
    const step = view.steps[index];
    if (step === undefined || met.has(index) || !wasDone(view, step)) continue;
    const own = written.find(mine => overlap(mine.name, name) && Date.parse(step.endedAt ?? view.createdAt) >= mine.at);
    if (own === undefined) continue;
    const theirs = step.resources.find(uri => lockName(uri, means.baseOf(view.tenant, connectionIn(uri))) === name) ?? step.resources[0] ?? name;
    met.set(index, {
      workflow: view.id, step: step.id, agent: view.agent, kind: means.capability(step.capability)?.reversibility === 'readOnly' ? 'read' : 'overwrote',
      resource: covers(own.name, name) ? theirs : own.uri, at: step.endedAt ?? view.createdAt, blocks,
    });
  }
  return [...met.values()];
}

/** Left out of a rollback: what only reads is left out too, and has no reason. */
export const isLeftStanding = ({ status, statusReason, undo }: StepView): boolean => status === 'succeeded' && undo?.status === 'skipped' && statusReason !== null;
const NEVER_WAS: readonly WorkflowView['status'][] = ['cancelled', 'rejected', 'rolledBack'];
/** Done, and not taken back: in a workflow that was rolled back only what was left out of that. */
const wasDone = (view: WorkflowView, step: StepView): boolean =>
  ['succeeded', 'undoing', 'undoBlocked'].includes(step.status) && (!NEVER_WAS.includes(view.status) || isLeftStanding(step));
const stands = (view: WorkflowView, step: StepView): boolean => wasDone(view, step) || ['running', 'unknown'].includes(step.status);

/** Why a capability that is gone counts: nobody knows any more what it did. */
const hasEffect = (capability: CapabilityDescriptor | undefined, { resources }: StepView): boolean =>
  capability === undefined || (capability.reversibility !== 'readOnly' && (capability.adapter !== 'builtin' || resources.length > 0));

const byTime = (a: Dependent, b: Dependent): number => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.workflow < b.workflow ? -1 : a.workflow > b.workflow ? 1 : a.step < b.step ? -1 : 1);

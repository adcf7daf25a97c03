import { ENDED, type CloudEvent, type PrincipalRef, type UndoPreviewAnswer, type WorkflowStatus, type WorkflowView } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { OperationalError, Refusal, type Clock, type Problem } from '@aifirst/kernel';
import { ERASED, type Vault } from '@aifirst/vault';
import { notFound, refuse } from '../http/problem';
import { asTargetsTell, dependentsOf, isLeftStanding, isOfRows, type Dependent, type Dependents, type DependentsMeans } from './dependents';
import { doneBy, type DoneStep, type DoneWorkflow } from './done-steps';
import { judged, type OnConflict, type PreviewedUndo } from './judged-steps';
import { basisOf, digestOfBasis, movedParts, type Part } from './rollback-digest';
import { inUndoOrder } from './undo-order';
import { previewUndos } from './undo-previews';

/** How long a caller waits for a preview. */
export const PREVIEW_MS_MAX = 30_000;
/** At once: each asks adapters and holds what they found in memory. */
const LOOKING_MAX = 32;
/** For one principal: it must not keep the others waiting. */
const OWN_LOOKING_MAX = 8;
const FACTS_PAGE = 500;
const NAMED_MAX = 20;

export interface RollbackPreview {
  readonly workflow: string;
  readonly status: WorkflowStatus;
  /** Sent along with the rollback it has just this done, or nothing. */
  readonly digest: string;
  readonly onConflict: OnConflict;
  readonly steps: readonly PreviewedUndo[];
  readonly dependents: readonly Dependent[];
  /** There are more dependents than are named. */
  readonly dependentsTruncated: boolean;
}

export interface RollbacksOptions extends Omit<DependentsMeans, 'capability'> {
  readonly neighbours: Neighbours;
  readonly capability: DependentsMeans['capability'];
  readonly vault: Vault;
  readonly clock: Clock;
}

interface Looked { readonly done: DoneWorkflow; readonly ordered: readonly DoneStep[]; readonly answers: ReadonlyMap<number, UndoPreviewAnswer>; readonly dependents: Dependents; readonly digest: string }

/** Rollbacks as they are asked for: what they would do, who came after, and whether that is still so. */
export class Rollbacks {
  private readonly looking: string[] = [];

  constructor(private readonly options: RollbacksOptions) {}

  /** Changes nothing. @throws Refusal WRONG_STATE, FORBIDDEN, NOT_FOUND, ERASED, OVERLOADED */
  async preview(view: WorkflowView, by: PrincipalRef, onConflict: OnConflict): Promise<RollbackPreview> {
    mustBeRollable(view);
    await this.mustBePermitted(view, by);
    const { done, ordered, answers, dependents, digest } = await this.look(view, by);
    return {
      workflow: view.id, status: view.status, digest, onConflict, steps: judged(done.steps, ordered, answers, onConflict),
      dependents: dependents.items, dependentsTruncated: dependents.truncated,
    };
  }

  /**
   * Before a rollback is ordered. @param digest of the preview that was looked at
   * @returns how many facts there must be when it is ordered, undefined: however many
   * @throws Refusal IN_USE { dependents }, PLAN_STALE { moved }; those of `preview`
   */
  async check(view: WorkflowView, by: PrincipalRef, digest: string | undefined): Promise<number | undefined> {
    const isOpen = !ENDED.includes(view.status);
    // Why nothing then: what it took it still holds, so that nobody came after.
    if (digest === undefined && isOpen) return undefined;
    mustBeRollable(view);
    await this.mustBePermitted(view, by);
    if (digest === undefined) {
      const dependents = await this.dependents(view, (await this.done(view)).steps);
      const blocking = dependents.items.filter(({ blocks }) => blocks);
      // Why only then: targets are looked at where that can make a difference.
      const canTell = blocking.length > 0 && !dependents.truncated && blocking.every(isOfRows);
      mustBeFree(canTell ? (await this.look(view, by)).dependents : dependents);
      return undefined;
    }
    const now = await this.look(view, by);
    const moved = movedParts(digest, now.digest);
    if (moved.length > 0) {
      if (moved.every(part => part === 'targets') && [...now.answers.values()].some(answer => 'error' in answer && answer.error.passing)) {
        throw new OperationalError('PREVIEW_NOT_CHECKED', `whether the preview of \`${view.id}\` still holds can't be told right now`, { retryable: true });
      }
      throw stale(view, moved, now.dependents);
    }
    if (now.dependents.truncated) mustBeFree(now.dependents);
    return now.done.facts;
  }

  private async look(view: WorkflowView, by: PrincipalRef): Promise<Looked> {
    const owner = `${by.tenant}/${by.kind}/${by.id}`;
    if (this.looking.length >= LOOKING_MAX || this.looking.filter(other => other === owner).length >= OWN_LOOKING_MAX) throw refuse('OVERLOADED', 'more rollbacks are being looked at than can be: ask again later');
    this.looking.push(owner);
    try {
      const { neighbours, clock, vault } = this.options;
      const until = clock.now() + PREVIEW_MS_MAX;
      const done = await this.done(view);
      const ordered = inUndoOrder(done.steps);
      const [answers, found] = await Promise.all([previewUndos(neighbours, clock, done, ordered, until), this.dependents(view, done.steps)]);
      const dependents = asTargetsTell(found, done.steps, answers);
      const digest = await digestOfBasis(vault, { tenant: view.tenant, workflow: view.id }, basisOf(ordered, answers, dependents));
      return { done, ordered, answers, dependents, digest };
    } catch (error) {
      if ((error as { code?: string }).code === ERASED) throw refuse('ERASED', 'what it wrote down of its targets was erased: nothing of it can be taken back any more');
      throw error;
    } finally {
      this.looking.splice(this.looking.indexOf(owner), 1);
    }
  }

  private dependents(view: WorkflowView, steps: readonly DoneStep[]): Promise<Dependents> { return dependentsOf(this.options, view.tenant, view.id, steps); }

  private async done({ tenant, id, status }: WorkflowView): Promise<DoneWorkflow> {
    const events: CloudEvent[] = [];
    for (let after = 0; ;) {
      const { items } = await this.options.neighbours.ask('orchestrator', 'facts', { tenant, workflow: id, after, limit: FACTS_PAGE });
      events.push(...items);
      if (items.length < FACTS_PAGE) break;
      after = items.at(-1)!.sequence ?? 0;
    }
    const done = doneBy(events);
    if (done !== null) return done;
    if (status === 'pending') throw new OperationalError('NOT_TAKEN_YET', `workflow \`${id}\` has not been begun yet: try again`, { retryable: true });
    throw notFound(`record any more of what workflow \`${id}\` did`);
  }

  /** Why here too: what stands at a target now is shown to who may take it back, and to nobody else. */
  private async mustBePermitted({ tenant, id }: WorkflowView, by: PrincipalRef): Promise<void> {
    if (by.kind !== 'agent') return;
    const decision = await this.options.neighbours.ask('policy', 'decideRollback', { tenant, workflow: id, by });
    if (decision.outcome !== 'allow') throw refuse('FORBIDDEN', decision.reason);
  }
}

const CAN_NOT_BE: readonly WorkflowStatus[] = ['rejected', 'cancelled', 'rollingBack', 'redoing', 'committing'];
function mustBeRollable({ status, steps }: WorkflowView): void {
  const isOver = status === 'rolledBack' && !steps.some(isLeftStanding);
  if (isOver || CAN_NOT_BE.includes(status)) throw refuse('WRONG_STATE', `a workflow that is \`${status}\` can not be rolled back`, { status });
}

const INSTEAD = 'take that back first, or look at `{ "preview": true }` and send its `digest` along to take this back regardless';
function mustBeFree({ items, truncated }: Dependents): void {
  const blocking = items.filter(({ blocks }) => blocks);
  if (blocking.length === 0 && !truncated) return;
  const named = blocking.slice(0, NAMED_MAX).map(({ workflow, step, kind, resource }) => `step \`${step}\` of workflow \`${workflow}\` ${kind === 'read' ? 'read' : 'wrote over'} \`${resource}\``);
  const more = blocking.length > NAMED_MAX || truncated ? ' and more' : '';
  throw refuse('IN_USE', `others build on what it did: ${named.join(', ')}${more}; ${truncated ? 'they are too many to be looked at: take them back first' : INSTEAD}`, { dependents: items });
}

const WHAT_MOVED: Readonly<Record<Part, string>> = {
  steps: 'what the workflow has done, or what is undone of it, is not as it was shown',
  dependents: 'other workflows build on it than were shown',
  targets: 'a target is not as it was shown, or can be shown no longer',
};
function stale({ id }: WorkflowView, moved: readonly Part[], { items }: Dependents): Refusal {
  const problems = moved.map((part): Problem => ({ code: 'PLAN_STALE', detail: `${WHAT_MOVED[part]}: preview it anew` }));
  return new Refusal(problems as [Problem, ...Problem[]], { workflow: id, moved: moved.map(what => ({ what })), ...(moved.includes('dependents') ? { dependents: items } : {}) });
}

import { ENDED, type WorkflowStatus, type WorkflowView } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { OperationalError, Refusal, messageOf, type Clock } from '@aifirst/kernel';
import { isLogGone } from '@aifirst/store';
import type { GatewayLogger } from '../http/edge';
import type { WorkflowProjection } from '../views/workflow-projection';
import type { LiveTask } from './live-task';

export interface TakingBackParts {
  readonly projection: Pick<WorkflowProjection, 'find' | 'ordered' | 'waitFor' | 'watch'>;
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly logger: GatewayLogger;
}
export interface TakenBack { readonly verified: boolean; readonly reason: string | null }

/** Nothing that they did stands, or it is known what does. */
const GONE: readonly WorkflowStatus[] = ['rolledBack', 'cancelled', 'rejected'];
const GOING: readonly WorkflowStatus[] = ['rollingBack', 'committing'];
const ORDER_SHOWS_MS = 5_000;
const AGAIN_MS = 1_000;
/** A view is looked at again that nobody has told of. */
const LOOK_MS = 15_000;

/** Has the workflows that were begun for a task taken back, the last first, however long that takes. */
export class TakingBack {
  private isStopped = false;
  constructor(private readonly parts: TakingBackParts) {}

  stop(): void { this.isStopped = true; }

  /** @returns null when it was stopped: to be begun anew after the next start */
  async run(task: LiveTask): Promise<TakenBack | null> {
    let verified = true;
    const reasons: string[] = [];
    // Why by index: none is added any more, as nobody has a claim.
    for (let index = task.record.children.length - 1; index >= 0; index--) {
      const view = await this.gone(task, task.record.children[index]!);
      if (view === null) return null;
      for (const { undo } of view.steps) if (undo?.status === 'done' && !undo.verified) verified = false;
      for (const { what, resource } of view.residue) { verified = false; reasons.push(`\`${resource}\` ${what} (workflow \`${view.id}\`)`); }
    }
    return { verified, reason: reasons.length === 0 ? null : reasons.slice(0, 5).join('; ') };
  }

  /** The workflow's view when it has been taken back. */
  private async gone(task: LiveTask, workflow: string): Promise<WorkflowView | null> {
    const { projection, clock, logger } = this.parts;
    for (let ordered = false; !this.isStopped;) {
      try {
        const view = await projection.find(task.tenant, workflow);
        if (view !== null && GONE.includes(view.status)) { this.setBlocked(task, null); return view; }
        if (view !== null && view.status === 'rollbackBlocked' && (ordered || task.blocked?.workflow === workflow)) {
          this.setBlocked(task, { workflow, detail: view.statusReason?.detail ?? 'it can not be taken back by itself' });
          await this.moved(task, view);
          // Why: whoever asks once more takes the mark away.
          ordered = task.blocked !== null;
          continue;
        }
        this.setBlocked(task, null);
        if (view !== null && GOING.includes(view.status)) { ordered = true; await this.moved(task, view); continue; }
        await this.order(task, workflow);
        ordered = true;
      } catch (error) {
        if (isLogGone(error)) return null;
        // Why WRONG_STATE: it is on its way already, or its view lags behind.
        const isExpected = error instanceof Refusal ? error.code === 'WRONG_STATE' : error instanceof OperationalError && error.retryable;
        if (!isExpected) logger.warn('a workflow of a task could not be taken back and will be tried again', { task: task.id, workflow, error: messageOf(error) });
        await task.nextChange(clock, AGAIN_MS);
      }
    }
    return null;
  }

  private async order(task: LiveTask, workflow: string): Promise<void> {
    const { tenant } = task;
    const reason = `the task \`${task.id}\` that it was begun for is over`;
    const ask = (): Promise<{ sequence: number }> => this.parts.neighbours.ask('orchestrator', 'order', { tenant, workflow, by: { kind: 'service', id: 'gateway', tenant }, order: { order: 'rollback', reason } });
    await this.parts.projection.ordered(tenant, workflow, ask, ORDER_SHOWS_MS);
  }

  private setBlocked(task: LiveTask, blocked: LiveTask['blocked']): void {
    if (task.blocked?.workflow === blocked?.workflow && task.blocked?.detail === blocked?.detail) return;
    task.blocked = blocked;
    task.changed();
  }

  /** Until its view says something else, or somebody changes the task. */
  private async moved(task: LiveTask, { id, status }: WorkflowView): Promise<void> {
    const { projection, clock } = this.parts;
    const abort = new AbortController();
    const unwatch = projection.watch(id, () => { abort.abort(); });
    try {
      const now = await projection.find(task.tenant, id);
      if (now !== null && now.status === status && !this.isStopped) await task.nextChange(clock, LOOK_MS, abort.signal);
    } finally {
      unwatch();
    }
  }
}

export const hasEndedView = (view: WorkflowView): boolean => ENDED.includes(view.status);

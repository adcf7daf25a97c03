import type { Conflict } from '@aifirst/contracts';
import { crashPoint, type Json } from '@aifirst/kernel';
import type { Image, UndoResult } from './execution-adapter';
import type { Ended } from './guarded-act';
import type { CallId } from './journal-key';
import { journaledOf, type Finding, type Journaled } from './journal-rows';
import type { OpenClaims } from './open-claims';
import type { Turn } from './serialiser';
import { callIdOf, type Job } from './step-commands';
import { clean, isStopped, namedError, unclear, type Task, type Workbench } from './workbench';
import type { Made } from './call-maker';

const NOTHING_TO_UNDO: Finding = { outcome: 'succeeded', verified: false, reason: 'nothing had been done' };

/** An undo may be run again from any point, so an open claim of one is not probed but carried on. */
export class UndoWay {
  constructor(private readonly bench: Workbench, private readonly openClaims: OpenClaims) {}

  async run(task: Task): Promise<void> {
    const { bench } = this;
    const call = callIdOf(task);
    const forwardCall: CallId = { ...call, direction: 'forward', attempt: 1 };
    const earlier = Array.from({ length: call.attempt - 1 }, (_, i): CallId => ({ ...call, attempt: i + 1 }));
    const rows = await bench.rowsOf([forwardCall, call, ...earlier]);
    const own = journaledOf(rows, call);
    const forward = journaledOf(rows, forwardCall);
    const seen = own ?? forward;
    if (seen !== null && seen.step !== task.command.step) return bench.refuse(task, 'WRONG_STEP', `the key belongs to step \`${seen.step}\``);
    if (own !== null && own.outcome !== null) return bench.repeat(task, own.outcome);
    const isForgotten = seen === null && bench.mayBeForgotten(task);
    if (isForgotten && task.kind === 'probe') return bench.tellForgotten(task);
    if (own === null && task.kind === 'probe') return this.shut(task, { outcome: 'didNotHappen' });
    for (const before of earlier) {
      const { outcome } = journaledOf(rows, before) ?? { outcome: null };
      if (outcome?.report.outcome === 'succeeded') return bench.repeat(task, outcome);
    }

    const leave = await bench.leave(task);
    if (isStopped(leave)) return leave === 'cancelled' ? undefined : this.shut(task, { outcome: 'refused', error: clean('LEASE_EXPIRED', leave.refused) });
    if (task.onConflict === 'force') return this.block(task, own, 'NOT_IMPLEMENTED', 'an undo over the changes of others is not implemented');
    if (isForgotten) return this.block(task, own, 'UNDO_WINDOW_OVER', 'what was recorded so long ago is kept no longer');
    if (forward === null) return this.closeForward(task);
    const done = forward.outcome ?? await this.openClaims.probe({ ...task, kind: 'recover', probe: 0, ticket: undefined, lease: null }, forward, false);
    if (done === null && bench.isStopping()) return;
    if (done === null) return this.block(task, own, 'OUTCOME_UNKNOWN', 'nobody can tell whether the step was done');
    if (done.report.outcome !== 'succeeded') return this.end(task, own, NOTHING_TO_UNDO);
    if (done.report.undoableUntil !== undefined && bench.clock.now() > done.report.undoableUntil) return this.block(task, own, 'UNDO_WINDOW_OVER', 'the images are kept no longer');
    await this.undo(task, own, forward, done.after);
  }

  private async undo(task: Task, own: Journaled | null, forward: Journaled, sealedAfter: Json): Promise<void> {
    const { bench } = this;
    const { state } = forward.claim!;
    // Why: the call is the one that was done; who asks, and under which attempt, is new.
    const job: Job = { ...task, command: { ...state.command, attempt: task.command.attempt, epoch: task.command.epoch, cause: task.command.cause } };
    const abort = new AbortController();
    const making = await bench.making(task, job, abort, false);
    if (isStopped(making)) return;
    if ('error' in making) return this.block(task, own, making.error.code, making.error.detail);
    const { made } = making;
    if (made.connectionDigest !== state.connectionDigest) {
      return this.block(task, own, 'TARGET_CHANGED', 'the connection leads somewhere else by now', {
        resource: state.command.connection ?? '', what: 'the connection was changed since', expected: state.connectionDigest ?? 'none', found: made.connectionDigest ?? 'none',
      });
    }
    let before: Image, after: Image;
    try {
      before = await bench.insist(() => bench.maker.openImage(made, state.before));
      after = await bench.insist(() => bench.maker.openImage(made, sealedAfter));
    } catch (error) {
      return this.block(task, own, (error as { code?: string }).code ?? 'ADAPTER_ERROR', `the images can't be opened: ${namedError(error)}`);
    }
    const turn = await bench.turn(task, made);
    if (isStopped(turn)) return;
    if ('error' in turn) return this.block(task, own, turn.error.code, turn.error.detail);
    await this.inTurn(task, own, job, made, turn, abort, () => made.adapter.undo(made.call, before, after));
  }

  private async inTurn(task: Task, own: Journaled | null, job: Job, made: Made, turn: Turn, abort: AbortController, run: () => Promise<UndoResult>): Promise<void> {
    const { bench } = this;
    let late: Promise<unknown> | null = null;
    try {
      task.phase = 'busy';
      const position = own?.claim?.position ?? (await bench.claim(task, job, null, made.connectionDigest))?.position;
      if (position === undefined) return await this.run(task);
      crashPoint('adapter.undo.before');
      const ended = await bench.guarded('undo', job, made, abort, run);
      crashPoint('adapter.undo.after');
      if (ended.end === 'late') late = ended.settled;
      await this.report(task, job, position, ended, abort);
      if (late !== null) { task.phase = 'late'; await late; }
    } finally {
      if (late === null) turn.leave();
      else void late.then(() => turn.leave());
    }
  }

  private async report(task: Task, job: Job, position: number, ended: Ended<UndoResult>, abort: AbortController): Promise<void> {
    const { bench } = this;
    if (ended.end === 'returned' && ended.value.outcome === 'undone') {
      const { verified, reason } = ended.value;
      return bench.settle(task, job, position, { outcome: 'succeeded', verified, actSequence: position, ...(reason === null ? {} : { reason }) }, null);
    }
    if (ended.end === 'returned' && ended.value.outcome === 'blocked') return bench.settle(task, job, position, { outcome: 'blocked', conflict: ended.value.conflict, actSequence: position }, null);
    if (bench.wasDrained(abort)) return;
    const error = ended.end === 'returned' && ended.value.outcome === 'unknown' ? ended.value.error
      : ended.end === 'thrown' ? unclear('ADAPTER_ERROR', `the undo ended with ${namedError(ended.error)}`)
      : unclear('TIMEOUT', `the adapter did not come back within ${job.command.timeoutMs} ms`);
    await bench.note(task, job, { outcome: task.kind === 'probe' ? 'cannotTell' : 'unknown', error: { ...error, clean: false }, actSequence: position }, position);
  }

  /** Undone before it was done: the forward key is closed, so that a late command can't do it after all (Seata's rule). */
  private async closeForward(task: Task): Promise<void> {
    const forward: Task = { ...task, direction: 'forward', ticket: undefined, command: { ...task.command, attempt: 1 } };
    if (!(await this.bench.close(forward, forward, { outcome: 'didNotHappen' }, 0))) return this.run(task);
    await this.shut(task, NOTHING_TO_UNDO);
  }

  private block(task: Task, own: Journaled | null, code: string, detail: string, conflict?: Conflict): Promise<void> {
    return this.end(task, own, { outcome: 'blocked', error: clean(code, detail), ...(conflict === undefined ? {} : { conflict }) });
  }

  /** Ends the attempt without an act: closes its key, or gives the claim that it has already its outcome. */
  private end(task: Task, own: Journaled | null, finding: Finding): Promise<void> {
    const claim = own?.claim ?? null;
    return claim === null ? this.shut(task, finding) : this.bench.settle(task, task, claim.position, finding, null);
  }

  private async shut(task: Task, finding: Finding): Promise<void> {
    if (!(await this.bench.close(task, task, finding))) await this.run(task);
  }
}

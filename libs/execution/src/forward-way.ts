import { crashPoint, invariant, type Json } from '@aifirst/kernel';
import { CannotDo, type ActResult, type Image } from './execution-adapter';
import type { Ended } from './guarded-act';
import type { Finding } from './journal-rows';
import { CONTROL_AGE_MS_MAX } from './leave';
import type { LateResults } from './late-results';
import type { OpenClaims } from './open-claims';
import type { Turn } from './serialiser';
import { clean, isStopped, namedError, unclear, type Task, type Workbench } from './workbench';
import type { Made } from './call-maker';

/** A forward call: image, claim, act, outcome, each step once. */
export class ForwardWay {
  constructor(private readonly bench: Workbench, private readonly openClaims: OpenClaims, private readonly lateResults: LateResults) {}

  /** @param mayBeRepeat look before anything is prepared; without it a repeat is found when the claim is written */
  async run(task: Task, mayBeRepeat: boolean): Promise<void> {
    const { bench } = this;
    if (mayBeRepeat) {
      const seen = await bench.look(task);
      if (seen !== null) return this.openClaims.answer(task, seen);
    }
    const leave = await bench.leave(task);
    if (leave !== 'granted') return this.stopped(task, leave);
    const abort = new AbortController();
    const making = await bench.making(task, task, abort, true);
    if (isStopped(making)) return this.stopped(task, making);
    if ('error' in making) return this.fail(task, making.error);
    const turn = await bench.turn(task, making.made);
    if (isStopped(turn)) return this.stopped(task, turn);
    if ('error' in turn) return this.fail(task, turn.error);
    await this.inTurn(task, making.made, turn, abort);
  }

  private async inTurn(task: Task, made: Made, turn: Turn, abort: AbortController): Promise<void> {
    const { bench } = this;
    let lateAct: Promise<unknown> | null = null;
    try {
      const leave = await bench.leave(task);
      if (leave !== 'granted') return await this.stopped(task, leave);
      task.phase = 'busy';
      const grantedAt = bench.clock.now();

      const prepared = await bench.guarded('prepare', task, made, abort, () => made.adapter.prepare(made.call));
      if (prepared.end === 'late') lateAct = prepared.settled;
      if (bench.wasDrained(abort) && prepared.end !== 'returned') return;
      if (prepared.end !== 'returned') return await this.fail(task, whyNotPrepared(prepared));
      const before = await this.sealed(() => bench.maker.sealImage(made, prepared.value));
      if ('error' in before) return await this.fail(task, before.error);

      const claim = await bench.claim(task, task, before.value, made.connectionDigest);
      if (claim === null) return await this.answerFromJournal(task);
      // Why: the commit may have taken long; a switch that was thrown meanwhile holds what has not begun.
      if (bench.clock.now() - grantedAt > CONTROL_AGE_MS_MAX) {
        const again = await bench.leave(task);
        if (again !== 'granted') return await bench.settle(task, task, claim.position, { outcome: 'didNotHappen', actSequence: claim.position }, null);
      }
      const ended = await this.act(task, made, prepared.value, abort);
      if (ended.end === 'late') lateAct = this.keepLate(task, ended.settled);
      await this.report(task, made, claim.position, ended, abort);
      if (lateAct !== null) { task.phase = 'late'; await lateAct; }
    } finally {
      // Why: whoever comes next must not work on what a late call may still be working on.
      if (lateAct === null) turn.leave();
      else void lateAct.then(() => turn.leave());
    }
  }

  private async act(task: Task, made: Made, before: Image, abort: AbortController): Promise<Ended<ActResult>> {
    crashPoint('adapter.act.before');
    const ended = await this.bench.guarded('execute', task, made, abort, () => made.adapter.execute(made.call, before));
    crashPoint('adapter.act.after');
    return ended;
  }

  private async report(task: Task, made: Made, position: number, ended: Ended<ActResult>, abort: AbortController): Promise<void> {
    const { bench } = this;
    const unknown = (code: string, detail: string): Promise<void> =>
      bench.note(task, task, { outcome: 'unknown', error: unclear(code, detail), actSequence: position }, position);
    if (ended.end === 'returned' && ended.value.outcome === 'succeeded') {
      const { output, after } = ended.value;
      const recorded = await this.openClaims.recordSuccess(task, task, made, position, output, after);
      return recorded === 'recorded' ? undefined : unknown('ADAPTER_ERROR', recorded.why);
    }
    // Why: recovery probes it at the next start; reported as it looks now, a stop of ours would count as the step's failure.
    if (bench.wasDrained(abort)) return;
    if (ended.end === 'late') return unknown('TIMEOUT', `the adapter did not come back within ${task.command.timeoutMs} ms`);
    if (ended.end === 'thrown') return unknown('ADAPTER_ERROR', `the act ended with ${namedError(ended.error)}`);
    if (ended.value.outcome === 'succeeded') return;
    const { error } = ended.value;
    if (ended.value.outcome === 'failed' && error.clean) return bench.settle(task, task, position, { outcome: 'failed', error, actSequence: position }, null);
    return unknown(error.code, error.detail);
  }

  /** A definite result that comes too late is what the next probe answers with. */
  private async keepLate(task: Task, settled: Promise<Ended<ActResult>>): Promise<void> {
    const ended = await settled;
    if (ended.end === 'returned' && ended.value.outcome !== 'unknown') this.lateResults.set(this.bench.slotOf(task), ended.value);
  }

  private async sealed(seal: () => Promise<Json>): Promise<{ readonly value: Json } | { readonly error: ReturnType<typeof clean> }> {
    try {
      return { value: await this.bench.insist(seal) };
    } catch (error) {
      return { error: clean((error as { code?: string }).code ?? 'ADAPTER_ERROR', `the image can't be sealed: ${namedError(error)}`) };
    }
  }

  private async stopped(task: Task, why: 'cancelled' | { readonly refused: string }): Promise<void> {
    // Why: who cancels closes the key.
    if (why !== 'cancelled') await this.shut(task, { outcome: 'refused', error: clean('LEASE_EXPIRED', why.refused) });
  }

  private fail(task: Task, error: ReturnType<typeof clean>): Promise<void> { return this.shut(task, { outcome: 'failed', error }); }

  /** "Not done" is said only with the key closed: another delivery of the same command can't do it after all. */
  private async shut(task: Task, finding: Finding): Promise<void> {
    if (!(await this.bench.close(task, task, finding))) await this.answerFromJournal(task);
  }

  private async answerFromJournal(task: Task): Promise<void> {
    const seen = await this.bench.look(task);
    invariant(seen !== null, `the key of \`${task.command.workflow}/${task.command.step}\` is taken by nobody`);
    await this.openClaims.answer(task, seen);
  }
}

function whyNotPrepared(ended: Exclude<Ended<Image>, { end: 'returned' }>): ReturnType<typeof clean> {
  if (ended.end === 'late') return clean('TIMEOUT', 'the step could not be prepared in time; nothing was done');
  if (ended.error instanceof CannotDo) return clean(ended.error.code, ended.error.message);
  return clean('ADAPTER_ERROR', `the step could not be prepared: ${namedError(ended.error)}; nothing was done`);
}

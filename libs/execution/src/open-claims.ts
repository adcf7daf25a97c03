import type { Json } from '@aifirst/kernel';
import type { ActResult, Image, ProbeResult } from './execution-adapter';
import { jobOf, type Finding, type Journaled, type PreparedState } from './journal-rows';
import type { LateResults } from './late-results';
import type { Job } from './step-commands';
import { isStopped, namedError, unclear, type Task, type Workbench } from './workbench';
import type { Made } from './call-maker';

type Settled = NonNullable<Journaled['outcome']>;
type Found = ActResult | ProbeResult;

/** Finds out what came of a forward call whose claim has no outcome, and answers whoever asks about a call. */
export class OpenClaims {
  constructor(private readonly bench: Workbench, private readonly lateResults: LateResults) {}

  /** A repeated command or a probe of what the journal knows. */
  async answer(task: Task, seen: Journaled): Promise<void> {
    if (seen.step !== task.command.step) return this.bench.refuse(task, 'WRONG_STEP', `the key belongs to step \`${seen.step}\``);
    if (seen.outcome !== null) return this.bench.repeat(task, seen.outcome);
    await this.probe(task, seen, true);
  }

  /**
   * Probes an open claim and records what it finds.
   * @param tell whether to say so when nothing can be found out
   * @returns null when nothing can be found out
   */
  async probe(task: Task, { claim }: Journaled, tell: boolean): Promise<Settled | null> {
    const { bench } = this;
    const { state, position, atMs } = claim!;
    // Why: the call is the one that was claimed; the answer goes to whoever asks now.
    const job: Job = { ...jobOf(task.tenant, state), command: { ...state.command, cause: task.command.cause } };
    // Why: what the adapter kept to tell by may be gone, see retention.
    const isForgotten = bench.clock.now() > atMs + bench.undoWindowMs;
    const result = isForgotten ? { why: 'its images are kept no longer' } : await this.find(task, job, state);
    if (result === 'stopped') return null;
    if ('why' in result) { if (tell) await this.tellUnknown(task, job, position, result.why); return null; }
    const { found, made } = result;
    switch (found.outcome) {
      case 'succeeded': {
        const recorded = await this.recordSuccess(task, job, made, position, found.output, found.after);
        if (recorded === 'recorded') return (await bench.look(job))?.outcome ?? null;
        if (tell) await this.tellUnknown(task, job, position, recorded.why);
        return null;
      }
      case 'failed': return this.record(task, job, position, { outcome: 'failed', error: found.error, actSequence: position });
      case 'didNotHappen': return this.record(task, job, position, { outcome: 'didNotHappen', actSequence: position });
      case 'cannotTell': if (tell) await this.tellUnknown(task, job, position, found.detail); return null;
      case 'unknown': return null;
    }
  }

  /** What was done stands recorded, or why it can't be. */
  async recordSuccess(task: Task, job: Job, made: Made, position: number, output: Json, after: Image): Promise<'recorded' | { readonly why: string }> {
    const { bench } = this;
    let sealedOutput: Json | undefined;
    let sealedAfter: Json;
    try {
      sealedOutput = await bench.insist(() => bench.maker.sealOutput(made, output));
      sealedAfter = await bench.insist(() => bench.maker.sealImage(made, after));
    } catch (error) {
      return { why: `what came of it can't be sealed: ${namedError(error)}` };
    }
    if (sealedOutput === undefined) return { why: 'its output is not as the schema of the capability says' };
    await bench.settle(task, job, position, {
      outcome: 'succeeded', output: sealedOutput, actSequence: position,
      ...(made.descriptor.undo === 'none' ? {} : { undoableUntil: bench.clock.now() + bench.undoWindowMs }),
    }, sealedAfter);
    return 'recorded';
  }

  private async record(task: Task, job: Job, position: number, finding: Finding): Promise<Settled | null> {
    await this.bench.settle(task, job, position, finding, null);
    return (await this.bench.look(job))?.outcome ?? null;
  }

  private async find(task: Task, job: Job, state: PreparedState): Promise<{ readonly found: Found; readonly made: Made } | { readonly why: string } | 'stopped'> {
    const { bench } = this;
    const abort = new AbortController();
    const making = await bench.making(task, job, abort, false);
    if (isStopped(making)) return 'stopped';
    if ('error' in making) return { why: making.error.detail };
    const { made } = making;
    if (made.connectionDigest !== state.connectionDigest) return { why: 'the connection leads somewhere else by now' };
    const late = this.lateResults.take(bench.slotOf(job));
    if (late !== undefined) return { found: late, made };
    let before: Image;
    try {
      before = await bench.insist(() => bench.maker.openImage(made, state.before));
    } catch (error) {
      return { why: `the image can't be opened: ${namedError(error)}` };
    }
    const turn = await bench.turn(task, made);
    if (isStopped(turn)) return 'stopped';
    if ('error' in turn) return { why: turn.error.detail };
    task.phase = 'busy';
    const ended = await bench.guarded('probe', job, made, abort, () => made.adapter.probe(made.call, before));
    if (ended.end === 'late') void ended.settled.then(() => turn.leave());
    else turn.leave();
    if (ended.end === 'returned') return bench.wasDrained(abort) && ended.value.outcome === 'cannotTell' ? 'stopped' : { found: ended.value, made };
    if (bench.wasDrained(abort)) return 'stopped';
    return { why: ended.end === 'late' ? 'the probe did not come back in time' : `the probe ended with ${namedError(ended.error)}` };
  }

  private tellUnknown(task: Task, job: Job, position: number, why: string): Promise<void> {
    if (task.kind === 'probe') return this.bench.note(task, job, { outcome: 'cannotTell', error: unclear('OUTCOME_UNKNOWN', why) }, position);
    return this.bench.note(task, job, { outcome: 'unknown', error: unclear('INTERRUPTED', why), actSequence: position }, position);
  }
}

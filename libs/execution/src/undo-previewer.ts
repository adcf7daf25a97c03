import type { AskedUndoPreview, StepReported, UndoPreview, UndoPreviewAnswer } from '@aifirst/contracts';
import { OperationalError, type Json } from '@aifirst/kernel';
import type { Log, StoredRow } from '@aifirst/store';
import type { Vault } from '@aifirst/vault';
import { CallMaker, namedError, type Made } from './call-maker';
import type { ConnectionResolver, DoneCall, ExecutionAdapter, Image } from './execution-adapter';
import { ATTEMPTS_MAX, callOf, madeAt, slotOf, type CallId } from './journal-key';
import { STEP_REPORTED, journaledOf, type Journaled } from './journal-rows';
import { Lookups } from './lookups';
import { BoundedLooks, type NotShown, type PreviewBounds } from './preview-bounds';
import type { Job } from './step-commands';

export interface UndoPreviewerOptions extends PreviewBounds {
  /** The step journal's: the shard that the workflows asked about belong to. */
  readonly log: Log;
  readonly adapters: readonly ExecutionAdapter[];
  readonly vault: Vault;
  readonly connections: ConnectionResolver;
  /** As the step journal's. */
  readonly forgottenBefore?: () => number;
}

/** Attempts of an undo looked up at once. Each ends before the next is asked for, so that a piece without any is behind the last. */
const ATTEMPTS_AT_ONCE = 32;
/** Of the steps that a rollback takes back before the one asked about, so many of the last are gone by. */
const LATER_MAX = 200;

/**
 * Asks adapters what taking a step back would do, by what the step journal keeps of it: the answer is what an undo would
 * come to. Nothing is kept here, nothing is written to the journal; what holds content leaves sealed under the workflow.
 */
export class UndoPreviewer {
  private readonly maker: CallMaker;
  private readonly lookups: Lookups;
  private readonly looks: BoundedLooks;

  constructor(private readonly options: UndoPreviewerOptions) {
    this.maker = new CallMaker(options.adapters, options.vault, options.connections);
    this.lookups = new Lookups(options.log);
    this.looks = new BoundedLooks(options);
  }

  /** Answers within the time that is given and a little, whatever the target does. */
  preview(asked: AskedUndoPreview): Promise<UndoPreviewAnswer> {
    return this.looks.look(asked.timeoutMs, async signal => {
      const found = await this.find(asked, signal);
      return 'error' in found ? found : this.sealed(asked, found);
    });
  }

  private async find(asked: AskedUndoPreview, signal: AbortSignal): Promise<UndoPreview | NotShown> {
    const { workflow, index, generation } = asked;
    const { clock, forgottenBefore = () => 0 } = this.options;
    const call: CallId = { workflow, index, generation, direction: 'forward', attempt: 1 };
    const forward = journaledOf(await this.lookups.calls([call]), call);
    const forgotten = forgottenBefore();
    if (forward === null) return forgotten > 0 && madeAt(workflow) <= forgotten ? wouldBlock('what was recorded so long ago is kept no longer') : nothingToDo('nothing had been done');
    if (forward.step !== asked.step) return notShown('WRONG_STEP', `the key belongs to step \`${forward.step}\``);
    if (await this.isUndone(call)) return nothingToDo('it is undone already');
    const { claim, outcome } = forward;
    if (outcome === null) return notShown('OUTCOME_UNKNOWN', 'what came of the step is not known yet', true);
    if (outcome.report.outcome !== 'succeeded' || claim === null) return nothingToDo('nothing had been done');
    if (claim.state.command.agent.tenant !== asked.agent.tenant) return notShown('UNKNOWN_STEP', 'there is no such step');
    if (outcome.report.undoableUntil !== undefined && clock.now() > outcome.report.undoableUntil) return wouldBlock('the images are kept no longer');
    return this.ask(asked, claim, outcome.after, signal);
  }

  private async isUndone(forward: CallId): Promise<boolean> {
    for (let first = 1; first <= ATTEMPTS_MAX; first += ATTEMPTS_AT_ONCE) {
      const length = Math.min(ATTEMPTS_AT_ONCE, ATTEMPTS_MAX - first + 1);
      const attempts = Array.from({ length }, (_, i): CallId => ({ ...forward, direction: 'undo', attempt: first + i })) as [CallId, ...CallId[]];
      const rows = await this.lookups.calls(attempts);
      const seen = attempts.flatMap(attempt => journaledOf(rows, attempt) ?? []);
      if (seen.some(({ outcome }) => outcome?.report.outcome === 'succeeded')) return true;
      if (seen.length === 0) return false;
    }
    return false;
  }

  private async ask(asked: AskedUndoPreview, { state, position }: NonNullable<Journaled['claim']>, sealedAfter: Json, signal: AbortSignal): Promise<UndoPreview | NotShown> {
    // Why: the call is the one that was done, as an undo has it.
    const stamp = asked.connectionStamp ?? state.command.connectionStamp;
    const job: Job = {
      tenant: asked.agent.tenant, direction: 'undo', traceparent: undefined,
      command: { ...state.command, timeoutMs: asked.timeoutMs, ...(stamp === undefined ? {} : { connectionStamp: stamp }) },
    };
    const making = await this.maker.make(job, signal, false);
    if ('error' in making) return wouldBlock(making.error.detail);
    const { made } = making;
    const { adapter, call } = made;
    if (made.connectionDigest !== state.connectionDigest) {
      const what = 'the connection leads somewhere else by now';
      const conflict = { resource: state.command.connection ?? '', what: 'the connection was changed since', expected: state.connectionDigest ?? 'none', found: made.connectionDigest ?? 'none', before: null, after: null, current: null };
      return { ...wouldBlock(what), conflicts: [conflict] };
    }
    if (adapter.previewUndo === undefined) return notShown('NOT_PREVIEWABLE', `what taking \`${call.capability}\` back would do can't be shown beforehand`);
    const images = await this.images(made, state.before, sealedAfter);
    if ('why' in images) return wouldBlock(images.why);
    const alone = await adapter.previewUndo(call, images.before, images.after);
    if (alone.outcome === 'wouldUndo' || made.descriptor.reversibility === 'readOnly') return alone;
    // Why only then: what stands in the way, or is gone already, may be so by what the workflow itself did later, and takes back before.
    const first = await this.doneLater(job, position, state.connectionDigest, signal);
    return first.length === 0 ? alone : adapter.previewUndo(call, images.before, images.after, first);
  }

  /** What the same workflow did at the same connection after that claim and has not taken back, the last first. */
  private async doneLater({ tenant, command }: Job, position: number, connectionDigest: string | null, signal: AbortSignal): Promise<readonly DoneCall[]> {
    const steps = new Map<string, StoredRow[]>();
    for (const row of await this.lookups.workflow(command.workflow)) {
      const slot = slotOf(callOf(row.stream, row.version).call);
      const of = steps.get(slot);
      if (of === undefined) steps.set(slot, [row]); else of.push(row);
    }
    const later = [...steps.values()].flatMap(rows => {
      const { call } = callOf(rows[0]!.stream, rows[0]!.version);
      const { claim, outcome } = journaledOf(rows, { ...call, direction: 'forward', attempt: 1 }) ?? { claim: null, outcome: null };
      if (claim === null || outcome?.report.outcome !== 'succeeded' || claim.position <= position || isTakenBack(rows)) return [];
      const { state } = claim;
      const isThere = state.command.adapter === command.adapter && state.command.connection === command.connection && state.connectionDigest === connectionDigest && state.command.agent.tenant === tenant;
      return isThere ? [{ position: claim.position, state, after: outcome.after }] : [];
    }).sort((a, b) => b.position - a.position).slice(0, LATER_MAX);
    const calls: DoneCall[] = [];
    for (const { state, after } of later) {
      const making = await this.maker.make({ tenant, direction: 'undo', traceparent: undefined, command: { ...state.command, timeoutMs: command.timeoutMs } }, signal, false);
      const images = 'made' in making ? await this.images(making.made, state.before, after) : { why: making.error.detail };
      if ('made' in making && !('why' in images)) calls.push({ call: making.made.call, ...images });
    }
    return calls;
  }

  private async images(made: Made, before: Json, after: Json): Promise<{ readonly before: Image; readonly after: Image } | { readonly why: string }> {
    try {
      return { before: await this.maker.openImage(made, before), after: await this.maker.openImage(made, after) };
    } catch (error) {
      if (error instanceof OperationalError && error.retryable) throw error;
      return { why: `the images can't be opened: ${namedError(error)}` };
    }
  }

  private async sealed({ agent, workflow }: AskedUndoPreview, { outcome, summary, conflicts, truncated }: UndoPreview): Promise<UndoPreviewAnswer> {
    const { vault } = this.options;
    const scope = { tenant: agent.tenant, workflow };
    const shown = conflicts as unknown as Json;
    return {
      preview: { outcome, summary, truncated, conflicts: conflicts.length === 0 ? [] : await vault.seal(scope, 'preview', shown) },
      digest: await vault.keyedDigest(scope, { outcome, summary, truncated, conflicts: shown }),
    };
  }
}

const isTakenBack = (rows: readonly StoredRow[]): boolean => rows.flatMap(({ messages }) => messages).some(({ event }) => {
  if (event.type !== STEP_REPORTED) return false;
  const { direction, outcome } = event.data as unknown as StepReported;
  return direction === 'undo' && outcome === 'succeeded';
});
const notShown = (code: string, detail: string, passing = false): NotShown => ({ error: { code, detail, passing } });
const nothingToDo = (summary: string): UndoPreview => ({ outcome: 'nothingToDo', summary, conflicts: [], truncated: false });
const wouldBlock = (summary: string): UndoPreview => ({ outcome: 'wouldBlock', summary, conflicts: [], truncated: false });

import type { StepOutcome } from '@aifirst/contracts';
import { OperationalError, type Clock, type Json, type JsonObject } from '@aifirst/kernel';
import type { StoredRow } from '@aifirst/store';
import { clean, unclear, namedError, type CallMaker, type Made, type Making } from './call-maker';
import { draining, within, type Ended } from './guarded-act';
import { madeAt, slotOf, versionOf } from './journal-key';
import { findingOf, journaledOf, preparedDraft, refusedDraft, reportedDraft, type Finding, type Journaled, type OutcomeState, type PreparedState } from './journal-rows';
import type { JournalHooks } from './journal-hooks';
import type { JournalWriter } from './journal-writer';
import { leaveOf, type ControlView } from './leave';
import type { Lookups } from './lookups';
import type { Ticket } from './position-keeper';
import { Gate, Serialiser, type Turn } from './serialiser';
import { callIdOf, type Job, type ReceivedCommand } from './step-commands';
import type { WaitingRoom } from './waiting-room';

/** How long to leave alone what can't be had right now (a key, a connection). */
const RETRY_MS = 200;

/**
 * One command under way, or an open claim that recovery has found.
 * `waiting`: nothing has been done for it, it can be called off. `late`: the adapter did not come back in time.
 */
export interface Task extends Job {
  readonly kind: ReceivedCommand['kind'] | 'recover';
  readonly lease: ReceivedCommand['lease'] | null;
  readonly probe: number;
  readonly onConflict: ReceivedCommand['onConflict'];
  /** Once it is taken over durably; taken from it by the write that does so. */
  ticket: Ticket | undefined;
  phase: 'waiting' | 'busy' | 'late';
  cancelled: boolean;
  look: (() => void) | null;
}

export type Stopped = 'cancelled' | { readonly refused: string };
export const isStopped = (value: unknown): value is Stopped => value === 'cancelled' || (typeof value === 'object' && value !== null && 'refused' in value);

export interface WorkbenchParts {
  readonly writer: JournalWriter;
  readonly lookups: Lookups;
  readonly maker: CallMaker;
  readonly room: WaitingRoom;
  readonly control: ControlView;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly undoWindowMs: number;
  readonly concurrency: number;
  readonly actsMax: number;
  readonly hooks: JournalHooks;
  readonly forgottenBefore: () => number;
}

/** What the ways of a forward call, an undo and a probe have in common. */
export class Workbench {
  readonly writer: JournalWriter;
  readonly maker: CallMaker;
  readonly clock: Clock;
  readonly undoWindowMs: number;
  private readonly serialiser = new Serialiser();
  private readonly calls: Gate;
  private readonly acts: Gate;
  private readonly underWay = new Set<AbortController>();
  private isDraining = false;

  constructor(private readonly parts: WorkbenchParts) {
    this.writer = parts.writer;
    this.maker = parts.maker;
    this.clock = parts.clock;
    this.undoWindowMs = parts.undoWindowMs;
    this.calls = new Gate(parts.concurrency);
    this.acts = new Gate(parts.actsMax);
  }

  /** May it begin? Waits while the control state is too old to tell. */
  async leave(task: Task): Promise<'granted' | Stopped> {
    const { lease } = task;
    if (lease === null || task.kind === 'probe') return 'granted';
    return this.wait<'granted' | Stopped>(task, () => {
      const leave = leaveOf(task, lease, this.parts.control, this.clock.now());
      return leave === 'hold' ? undefined : leave;
    });
  }

  /** Puts the call together; what can't be had right now is asked for again while the lease lasts. */
  async making(task: Task, job: Job, abort: AbortController, checkInput: boolean): Promise<Making | Stopped> {
    for (;;) {
      try {
        return await this.maker.make(job, abort.signal, checkInput);
      } catch (error) {
        if (!(error instanceof OperationalError && error.retryable)) return { error: clean('ADAPTER_ERROR', `the call can't be put together: ${namedError(error)}`) };
      }
      const stopped = await this.pause(task);
      if (stopped !== 'over') return stopped;
    }
  }

  /** Waits until no other call works on the same things. */
  async turn(task: Task, { adapter, call }: Made): Promise<Turn | Stopped | { readonly error: ReturnType<typeof clean> }> {
    try {
      for (let keys = adapter.serialiseOn(call); ;) {
        const turn = this.serialiser.enter(keys.map(key => `${adapter.name} ${key}`));
        if (turn.isFirst()) return turn;
        const stopped = await this.wait<'first' | Stopped>(task, () => (turn.isFirst() ? 'first' : this.overOf(task)), look => { turn.onFirst = look; });
        if (stopped !== 'first') { turn.leave(); return stopped; }
        // Why: those before it may have changed what it is going to touch, and with it what it must have to itself.
        const now = keysAfterWaiting(turn, () => adapter.serialiseOn(call));
        if (now.every(key => keys.includes(key))) return turn;
        turn.leave();
        keys = [...new Set([...keys, ...now])];
      }
    } catch (error) {
      return { error: clean('ADAPTER_ERROR', `the call can't be put in order: ${namedError(error)}`) };
    }
  }

  /** Runs one method of an adapter under its time-out. An act may take long and has plenty of places, as has what waits for others; all else has few. */
  async guarded<T extends object>(name: 'prepare' | 'execute' | 'probe' | 'undo', job: Job, made: Made, abort: AbortController, run: () => Promise<T>): Promise<Ended<T>> {
    const { hooks } = this.parts;
    const waits = name !== 'prepare' && made.adapter.waitsForOthers?.(job.command.capability) === true;
    const [timeoutMs, graceMs] = [waits && name !== 'execute' ? null : job.command.timeoutMs, waits ? null : this.parts.graceMs];
    return (name === 'execute' || waits ? this.acts : this.calls).run(async () => {
      const begunAt = this.clock.now();
      // Why: what has not begun when the process stops need not begin; recovery finds it untouched.
      if (this.isDraining) { abort.abort(draining()); return { end: 'thrown', error: abort.signal.reason }; }
      this.underWay.add(abort);
      const call = (): Promise<T> => (hooks.around === undefined ? run() : hooks.around({ name, job, adapter: made.adapter.name }, run));
      const ended = await within(this.clock, timeoutMs, graceMs, abort, call);
      this.underWay.delete(abort);
      hooks.onAct?.({ name, capability: job.command.capability, outcome: outcomeOf(ended), durationMs: this.clock.now() - begunAt });
      return ended;
    });
  }

  /** What is done already must not be lost because a key can't be had right now. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof OperationalError && error.retryable)) throw error;
        await new Promise<void>(resolve => this.clock.after(RETRY_MS, resolve));
      }
    }
  }

  wasDrained(abort: AbortController): boolean {
    return abort.signal.aborted && (abort.signal.reason as OperationalError | undefined)?.code === 'DRAINING';
  }

  isStopping(): boolean { return this.isDraining; }

  drain(): void {
    this.isDraining = true;
    for (const abort of this.underWay) abort.abort(draining());
  }

  /** Takes the key for an act. null: it is taken already. */
  async claim(task: Task, job: Job, before: Json, connectionDigest: string | null): Promise<StoredRow | null> {
    const version = versionOf(callIdOf(job), 'claim');
    const state: PreparedState = { kind: 'prepared', direction: job.direction, command: job.command, traceparent: job.traceparent ?? null, connectionDigest, before };
    const ticket = take(task);
    const row = await this.writer.write({
      kind: 'prepared', tenant: job.tenant, workflow: job.command.workflow, version, state: state as unknown as JsonObject,
      messages: [preparedDraft(job, idOf(job, version), this.clock.now())], ticket,
    });
    if (row === null) task.ticket = ticket;
    return row;
  }

  /** Takes the key so that nothing can be done under it any more. false: it is taken already. */
  async close(task: Task, job: Job, finding: Finding, probe = task.probe): Promise<boolean> {
    const version = versionOf(callIdOf(job), 'claim');
    const ticket = take(task);
    const row = await this.writer.write({
      kind: 'closed', tenant: job.tenant, workflow: job.command.workflow, version, state: { kind: 'closed', step: job.command.step, epoch: job.command.epoch },
      messages: [reportedDraft(job, probe, finding, idOf(job, version), this.clock.now())], ticket,
    });
    if (row === null) task.ticket = ticket;
    return row !== null;
  }

  /** Records what came of an act. */
  async settle(task: Task, job: Job, claimPosition: number, finding: Finding, after: Json): Promise<void> {
    const version = versionOf(callIdOf(job), 'outcome');
    const state: OutcomeState = { kind: 'outcome', after };
    await this.writer.write({
      kind: 'outcome', tenant: job.tenant, workflow: job.command.workflow, version, state: state as unknown as JsonObject,
      messages: [reportedDraft(job, task.probe, finding, idOf(job, version), this.clock.now())], settles: claimPosition, ticket: take(task),
    });
  }

  /** Says something that is not final, or again what is recorded. `unknownClaim`: position of the claim that recovery may leave to whoever is told. */
  note(task: Task, job: Job, finding: Finding, unknownClaim?: number): Promise<void> {
    return this.writer.note({
      tenant: job.tenant, message: id => reportedDraft(job, task.probe, finding, id, this.clock.now()), ticket: take(task),
      ...(unknownClaim === undefined ? {} : { settles: unknownClaim, unknown: { workflow: job.command.workflow, version: versionOf(callIdOf(job), 'claim') } }),
    });
  }

  /** Records that a command was not even looked at; nobody is answered. */
  refuse(task: Pick<Task, 'ticket' | keyof Job>, code: string, detail: string): Promise<void> {
    this.parts.hooks.onRefused?.(code);
    return this.writer.note({ tenant: task.tenant, message: id => refusedDraft(task, code, detail, id, this.clock.now()), ticket: take(task) });
  }

  /** Answers from the journal. */
  repeat(task: Task, { report }: NonNullable<Journaled['outcome']>): Promise<void> { return this.note(task, task, findingOf(report)); }

  async look(task: Job, direction = task.direction): Promise<Journaled | null> {
    const call = { ...callIdOf(task), direction };
    return journaledOf(await this.insist(() => this.parts.lookups.calls([call])), call);
  }

  /** Nothing is found of it: may there have been something that was removed with age? */
  mayBeForgotten({ command }: Job): boolean {
    const before = this.parts.forgottenBefore();
    return before > 0 && madeAt(command.workflow) <= before;
  }

  tellForgotten(task: Task): Promise<void> {
    return this.note(task, task, { outcome: 'cannotTell', error: unclear('OUTCOME_UNKNOWN', 'what was recorded so long ago is kept no longer') });
  }

  rowsOf(calls: Parameters<Lookups['calls']>[0]): Promise<readonly StoredRow[]> { return this.insist(() => this.parts.lookups.calls(calls)); }

  slotOf(task: Job): string { return slotOf(task.command); }

  private async pause(task: Task): Promise<'over' | Stopped> {
    const until = this.clock.now() + RETRY_MS;
    return this.wait<'over' | Stopped>(task, () => this.overOf(task) ?? (this.clock.now() >= until ? 'over' : undefined));
  }

  private overOf(task: Task): Stopped | undefined {
    if (task.lease === null || task.kind === 'probe') return undefined;
    const leave = leaveOf(task, task.lease, this.parts.control, this.clock.now());
    return typeof leave === 'object' ? leave : undefined;
  }

  private async wait<T>(task: Task, found: () => T | undefined, begun?: (look: () => void) => void): Promise<T | 'cancelled'> {
    const first = task.cancelled ? 'cancelled' : found();
    if (first !== undefined) return first;
    const wait = this.parts.room.wait<T | 'cancelled'>(() => (task.cancelled ? 'cancelled' : found()));
    task.look = wait.look;
    begun?.(wait.look);
    const value = await wait.promise;
    task.look = null;
    return value;
  }
}

/** Nobody may stay in the queues who has no way out of them. */
function keysAfterWaiting(turn: Turn, keys: () => readonly string[]): readonly string[] {
  try { return keys(); } catch (error) { turn.leave(); throw error; }
}

/** `<workflow>/x<version>`: unique in this journal, and the same however often it is tried. */
const idOf = (job: Job, version: number): string => `${job.command.workflow}/x${version}`;

export function take(task: Pick<Task, 'ticket'>): Ticket | undefined {
  const { ticket } = task;
  task.ticket = undefined;
  return ticket;
}

function outcomeOf(ended: Ended<object>): string {
  if (ended.end !== 'returned') return ended.end;
  const outcome = (ended.value as { outcome?: StepOutcome | 'undone' }).outcome;
  return typeof outcome === 'string' ? outcome : 'returned';
}

export { clean, unclear, namedError };

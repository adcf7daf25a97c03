import { eventType, TOPICS, type CommandRefused, type Direction, type Draft, type StepCommand, type StepPrepared, type StepReported } from '@aifirst/contracts';
import { invariant, isObject, type Json, type JsonObject } from '@aifirst/kernel';
import type { StoredRow } from '@aifirst/store';
import { callOf, type CallId } from './journal-key';
import { callIdOf, type Job } from './step-commands';

export const STEP_PREPARED = eventType('execution', 'StepPrepared');
export const STEP_REPORTED = eventType('execution', 'StepReported');
export const COMMAND_REFUSED = eventType('execution', 'CommandRefused');

/** State of a claim row whose act comes next: all that is needed to probe or undo after a crash. */
export interface PreparedState {
  readonly kind: 'prepared';
  readonly direction: Direction;
  readonly command: StepCommand;
  readonly traceparent: string | null;
  /** Where effects land: undo and probe refuse another target of the same name. */
  readonly connectionDigest: string | null;
  /** The before-image, sealed where the adapter says it is sensitive. Of an undo: null, the forward row has it. */
  readonly before: Json;
}
/** State of a claim row that closes the key at once: nothing was done under it, and nothing can be any more. */
export interface ClosedState { readonly kind: 'closed'; readonly step: string; readonly epoch: number }
/** State of an outcome row. */
export interface OutcomeState { readonly kind: 'outcome'; readonly after: Json }
/** State of a row that says something that is not final, in a stream of its own. `unknown`: claims reported as unknown. */
export interface NoteState { readonly kind: 'note'; readonly unknown: readonly { readonly workflow: string; readonly version: number }[] }
export type RowState = PreparedState | ClosedState | OutcomeState | NoteState;

export const stateOf = (row: StoredRow): RowState => {
  invariant(isObject(row.state) && typeof row.state['kind'] === 'string', `row ${row.position} is none of the step journal's`);
  return row.state as unknown as RowState;
};

/** What the journal holds of one call. */
export interface Journaled {
  readonly claim: { readonly position: number; readonly atMs: number; readonly state: PreparedState } | null;
  readonly outcome: { readonly report: StepReported; readonly after: Json } | null;
  readonly step: string;
}

/** @returns null when nothing was ever written under the key */
export function journaledOf(rows: readonly StoredRow[], call: CallId): Journaled | null {
  let claim: Journaled['claim'] = null;
  let outcome: Journaled['outcome'] = null;
  let step: string | null = null;
  for (const row of rows) {
    if (row.stream !== call.workflow) continue;
    const found = callOf(row.stream, row.version).call;
    if (found.index !== call.index || found.generation !== call.generation || found.direction !== call.direction) continue;
    if (call.direction === 'undo' && found.attempt !== call.attempt) continue;
    const state = stateOf(row);
    if (state.kind === 'prepared') { claim = { position: row.position, atMs: Date.parse(row.messages[0]?.event.time ?? ''), state }; step = state.command.step; }
    else if (state.kind !== 'note') {
      const report = row.messages.find(message => message.event.type === STEP_REPORTED)?.event.data as unknown as StepReported | undefined;
      invariant(report !== undefined, `row ${row.position} ends a call without a report`);
      outcome = { report, after: state.kind === 'outcome' ? state.after : null };
      step = report.step;
    }
  }
  return step === null ? null : { claim, outcome, step };
}

/** The job as it was when it was claimed. */
export const jobOf = (tenant: string, state: PreparedState): Job =>
  ({ tenant, direction: state.direction, command: state.command, traceparent: state.traceparent ?? undefined });

/** What a report says besides which call it is about. */
export type Finding = Omit<StepReported, 'workflow' | 'step' | 'index' | 'generation' | 'direction' | 'attempt' | 'probe'>;

const draft = <D>(job: Job, type: string, id: string, atMs: number, data: D): Draft => ({
  topic: TOPICS.stepEvents, key: job.command.workflow, id, type, time: new Date(atMs).toISOString(), subject: job.command.workflow, tenant: job.tenant,
  causationid: job.command.cause, traceparent: job.traceparent, data: data as JsonObject,
});

export function preparedDraft(job: Job, id: string, atMs: number): Draft {
  const { workflow, step, generation, capability } = job.command;
  return draft<StepPrepared>(job, STEP_PREPARED, id, atMs, { workflow, step, generation, direction: job.direction, capability });
}

export function reportedDraft(job: Job, probe: number, finding: Finding, id: string, atMs: number): Draft {
  const { workflow, step, index, generation, attempt } = job.command;
  return draft<StepReported>(job, STEP_REPORTED, id, atMs, { workflow, step, index, generation, direction: job.direction, attempt, probe, ...finding });
}

export function refusedDraft(job: Job, code: string, detail: string, id: string, atMs: number): Draft {
  const { workflow, step } = job.command;
  return draft<CommandRefused>(job, COMMAND_REFUSED, id, atMs, { workflow, step, code, detail });
}

/** A recorded report without what names its call, to be said again. */
export function findingOf(report: StepReported): Finding {
  const { workflow: _workflow, step: _step, index: _index, generation: _generation, direction: _direction, attempt: _attempt, probe: _probe, ...finding } = report;
  return finding;
}

export const isSameCall = (job: Job, call: CallId): boolean => {
  const mine = callIdOf(job);
  return mine.workflow === call.workflow && mine.index === call.index && mine.generation === call.generation && mine.direction === call.direction
    && (mine.direction === 'forward' || mine.attempt === call.attempt);
};

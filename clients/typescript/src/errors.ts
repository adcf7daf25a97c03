import { failedStepOf, type Step, type Workflow } from './types';
import { isObject } from './json';

/** One thing that is wrong. `pointer` is a JSON Pointer into what was sent, where a field is meant. */
export interface Problem { readonly code: string; readonly detail: string; readonly pointer?: string }

const lineOf = ({ code, detail, pointer }: Problem): string => `${code}${pointer === undefined ? '' : ` at ${pointer}`}: ${detail}`;

export interface ErrorParts {
  readonly pointer?: string | undefined;
  readonly status?: number | undefined;
  readonly errors?: readonly Problem[] | undefined;
  /** What to do; the last line of the message. */
  readonly advice?: string | undefined;
  readonly document?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

/**
 * Anything that this package throws by itself, but `TypeError` and `RangeError` for what can't be called so. The message says
 * what happened, what stands and what to do.
 */
export class AiFirstError extends Error {
  /** Stable. */
  readonly code: string;
  readonly detail: string;
  readonly pointer: string | undefined;
  /** Of HTTP; undefined where no answer is meant. */
  readonly status: number | undefined;
  /** All that was found, the first also in `code`, `detail` and `pointer`. */
  readonly errors: readonly Problem[];
  readonly advice: string;
  /** The server's problem (RFC 9457) as it came. */
  readonly document: Readonly<Record<string, unknown>>;

  constructor(code: string, detail: string, { pointer, status, errors = [], advice = '', document = {}, cause }: ErrorParts = {}) {
    const found = errors.length > 0 ? errors : [{ code, detail, ...(pointer === undefined ? {} : { pointer }) }];
    super([...found.map(lineOf), ...(advice === '' ? [] : [advice])].join('\n'), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
    this.pointer = pointer;
    this.status = status;
    this.errors = found;
    this.advice = advice;
    this.document = document;
  }
}

/** Not permitted: the token is not taken, or the call is not this principal's. */
export class Denied extends AiFirstError {}
/** There is no such thing, or it is somebody else's. */
export class NotFound extends AiFirstError {}
/** It stands against what is there: another intent under the same key, a status that does not allow it, a plan that does not hold any more. */
export class Conflict extends AiFirstError {}
/** What was sent is wrong; nothing was done. Each problem in `errors` points to the field. */
export class Invalid extends AiFirstError {}

export interface UnavailableParts extends ErrorParts {
  readonly retryAfterMs?: number | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly perhapsDone?: boolean | undefined;
}

/**
 * The server did not answer, or asked to come back later, for as long as was tried. Whether a call that acts has acted is not
 * known: the same call with the same key finds out and never acts twice.
 */
export class Unavailable extends AiFirstError {
  /** What the server asked for last. */
  readonly retryAfterMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** There if it had been taken and only its end could not be waited for. */
  readonly workflowId: string | undefined;
  /** False where the server was only ever too busy to take it: then nothing was done. */
  readonly perhapsDone: boolean;

  constructor(code: string, detail: string, parts: UnavailableParts = {}) {
    const { retryAfterMs, idempotencyKey, workflowId, perhapsDone = true, advice } = parts;
    const later = retryAfterMs === undefined ? 'later' : `after ${retryAfterMs / 1_000} s`;
    const known = workflowId !== undefined ? `Workflow ${workflowId} was taken and goes on: wait for it again ${later}, and do not hand it in again.`
      : idempotencyKey !== undefined ? `Try again ${later}, with idempotencyKey '${idempotencyKey}': it is not known whether the call was taken, and under its key it acts once.`
      : `Try again ${later}.`;
    super(code, detail, { ...parts, advice: advice ?? known });
    this.retryAfterMs = retryAfterMs;
    this.idempotencyKey = idempotencyKey;
    this.workflowId = workflowId;
    this.perhapsDone = perhapsDone;
  }

  /** The same, with more that is known. */
  again(more: Pick<UnavailableParts, 'workflowId' | 'advice'>): Unavailable {
    const { code, detail, retryAfterMs, idempotencyKey, workflowId, perhapsDone, status, errors, document } = this;
    return new Unavailable(code, detail, { retryAfterMs, idempotencyKey, workflowId: more.workflowId ?? workflowId, perhapsDone, status, errors, document, advice: more.advice, cause: this });
  }
}

/** It takes longer than was waited. It goes on: nothing has failed. */
export class WaitTimeout extends AiFirstError {
  constructor(readonly workflowId: string, waitedMs: number, readonly workflow?: Workflow) {
    super('STILL_RUNNING', `workflow ${workflowId} has not ended within ${waitedMs / 1_000} s`, { advice: 'It goes on: wait for it again or cancel it, but do not hand it in again.' });
  }
}

/** The workflow ended otherwise than completed. `workflow` shows what became of each step and what stands. */
export class WorkflowFailed extends AiFirstError {
  constructor(readonly workflow: Workflow, parts: ErrorParts & { readonly code?: string } = {}) {
    const { statusReason: reason, status } = workflow;
    const failed = failedStepOf(workflow);
    const found = failed?.error ?? reason ?? { code: status.toUpperCase(), detail: `it ended ${status}` };
    super(parts.code ?? found.code, failed === undefined ? found.detail : `step \`${failed.id}\` (${failed.capability}): ${found.detail}`, { advice: standsOf(workflow), ...parts });
  }
}

/** Policy denied a step of the workflow. */
export class WorkflowDenied extends WorkflowFailed {
  constructor(workflow: Workflow) {
    super(workflow, { advice: `${standsOf(workflow)} Handing it in again will be denied again: use what is permitted, or ask whoever administers this agent.` });
  }
}

/** The workflow has not ended: it waits for somebody. `workflow.statusReason.actions` says who can do what. */
export class WorkflowParked extends WorkflowFailed {
  constructor(workflow: Workflow) {
    const { id, status, statusReason } = workflow;
    const actions = statusReason?.actions.map(({ method, path, by }) => `${method} ${path} (by ${by})`).join('; ') ?? '';
    super(workflow, { ...(statusReason === null ? {} : { code: statusReason.code }), advice: `Workflow ${id} is ${status} and waits for somebody${actions === '' ? '' : `: ${actions}`}. Do not hand it in again.` });
  }
}

/** A step of a transaction failed or waits for somebody. It had no effect unless it waits, and the transaction stands: go on otherwise, or throw it on. */
export class StepFailed extends AiFirstError {
  constructor(readonly workflowId: string, readonly step: Step) {
    const { id, capability, status, error, statusReason } = step;
    const found = error ?? statusReason ?? { code: status.toUpperCase(), detail: `it is ${status}` };
    const isOver = ['failed', 'skipped', 'undone'].includes(status);
    super(found.code, `step \`${id}\` (${capability}): ${found.detail}`, { advice: isOver ? 'It had no effect, and the transaction stands.' : `It is ${status}: it has not ended, and the transaction goes on.` });
  }
}

/** A transaction did not commit, as its block threw: `cause` is what. `workflow` shows what became of it, if that could be found out. */
export class TransactionFailed extends AiFirstError {
  constructor(readonly workflowId: string, readonly workflow: Workflow | null, cause: unknown, fallback: string) {
    const own = cause instanceof AiFirstError ? cause : null;
    super(own?.code ?? 'TRANSACTION_FAILED', own?.detail ?? (cause instanceof Error ? cause.message : String(cause)), {
      ...(own === null ? {} : { status: own.status, pointer: own.pointer, errors: own.errors, document: own.document }),
      advice: workflow === null ? fallback : standsOf(workflow), cause,
    });
  }
}

/** The claim of a task is lost: it ran out, or the task was withdrawn. What was done for it is undone by the server. */
export class TaskLost extends AiFirstError {
  constructor(readonly taskId: string, detail: string, parts: ErrorParts = {}) {
    super('TASK_LOST', detail, { advice: 'Stop working on it: what was done for it is taken back, and somebody else may have it by now.', ...parts });
  }
}

/** Thrown by a worker's handler: the task is given back for another to take. */
export class HandOver extends AiFirstError {
  constructor(reason: string) { super('HAND_OVER', reason); }
}

export function standsOf(workflow: Workflow): string {
  const { id, status, steps, residue } = workflow;
  const undone = steps.filter(({ undo }) => undo?.status === 'done');
  const plural = undone.length === 1 ? ['step', 'is'] : ['steps', 'are'];
  const stands = steps.filter(step => step.status === 'succeeded').map(step => step.id);
  const what = residue.length > 0 ? `What stands: ${residue.map(left => `${left.resource} (${left.what})`).join('; ')}.`
    : status === 'rolledBack' && undone.length > 0 ? `${undone.length} ${plural[0]} that had been done ${plural[1]} undone${undone.every(({ undo }) => undo?.verified === true) ? ' and verified' : ''}.`
    : status !== 'rolledBack' && stands.length > 0 ? `Steps that stand: ${stands.join(', ')}.`
    : status === 'rejected' || status === 'cancelled' ? 'Nothing was done.' : 'Nothing of it stands.';
  return `${what} Workflow ${id} is ${status}.`;
}

/** @throws WorkflowParked, WorkflowDenied, WorkflowFailed unless it is completed */
export function throwUnlessCompleted(workflow: Workflow): void {
  if (workflow.status === 'completed') return;
  if (['paused', 'awaitingApproval', 'rollbackBlocked'].includes(workflow.status)) throw new WorkflowParked(workflow);
  if (workflow.steps.some(({ error }) => error?.code === 'POLICY_DENIED')) throw new WorkflowDenied(workflow);
  throw new WorkflowFailed(workflow);
}

/** Of a problem as it came. */
export function problemsOf(document: Readonly<Record<string, unknown>>): readonly Problem[] {
  const { errors } = document;
  if (!Array.isArray(errors)) return [];
  return errors.filter(isObject).flatMap(({ code, detail, pointer }) => (typeof code !== 'string' ? [] : [{ code, detail: typeof detail === 'string' ? detail : '', ...(typeof pointer === 'string' ? { pointer } : {}) }]));
}

import type { StepView, WorkflowStatus, WorkflowView } from '@aifirst/contracts';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { META } from './call-meta';
import type { Explained } from './governance';
import { STEP, argumentOf } from './one-step-intent';
import { structuredOutput } from './schemas';
import { oneLine } from './texts';

/** What `tools/call` answers. */
export interface ToolAnswer {
  readonly content: readonly { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent?: JsonObject;
  readonly isError?: boolean;
  readonly _meta?: JsonObject;
}

export const STILL_RUNNING = 'STILL_RUNNING';
/** Something that nobody expected: it may have happened before or after. */
const INTERNAL = 'INTERNAL';
const ITEMS_MAX = 20;

/** What to do about it, where the code alone tells that. */
const ADVICE: Readonly<Record<string, string>> = {
  POLICY_DENIED: 'Calling again will be denied again: use what is permitted, or ask whoever administers this agent.',
  POLICY_ERROR: 'The policies could not be evaluated for this call: tell whoever administers this agent.',
  AGENT_SUSPENDED: 'Stop: an administrator has suspended this agent.',
  KILL_SWITCH: 'Stop: an administrator holds every step. It goes on by itself when that is lifted.',
  OUTCOME_UNKNOWN: 'It may or may not have been done. Do not call again: a person settles it.',
  IDEMPOTENCY_CONFLICT: 'The key was used for another call before: send this one with another key.',
  UNKNOWN_CONNECTION: 'Use a connection that the tool\'s `connection` names.',
  TARGET_CHANGED: 'Somebody else changed the target: read it again before you decide.',
  TIMEOUT: 'A longer time is given by `_meta["io.aifirst/timeoutMs"]`.',
  PLAN_STALE: 'What the plan rests on has changed: plan again and look at it.',
  OVERLOADED: 'Nothing was done: call again later.',
  LOCKED: 'Call again when the workflow that holds it has ended (a call with an idempotency key: with another one), or do without it.',
};

/** Where the words of a workflow's end say more than its name does. */
const STANDS: Readonly<Partial<Record<WorkflowStatus, string>>> = {
  rejected: 'Nothing was done.',
  cancelled: 'It was cancelled before it did anything.',
  rolledBack: 'What it had done was undone.',
  failed: 'It failed; what stands is listed in the workflow\'s `residue`.',
  rollbackBlocked: 'Not all of it could be undone; a person has to look at it.',
  paused: 'It is held and waits. Do not call again.',
  awaitingApproval: 'It waits for a person\'s decision. Do not call again.',
};

export interface Written { readonly code: string; readonly detail: string; readonly lines: readonly string[]; readonly more?: JsonObject; readonly structured?: JsonObject }

/** An error that a model can act on. Why no `structuredContent` unless given: that would have to be the tool's output. */
export function failed({ code, detail, lines, more = {}, structured }: Written, meta: JsonObject = {}): ToolAnswer {
  const text = [`${code}: ${oneLine(detail)}`, ...lines, ...(ADVICE[code] === undefined ? [] : [ADVICE[code]])].join('\n');
  return { content: [{ type: 'text', text }], ...(structured === undefined ? {} : { structuredContent: structured }), isError: true, _meta: { ...meta, [`${META}error`]: { code, detail: oneLine(detail), ...more } } };
}

/** @param takes what the tool takes, for who sent it something else; null: that is not the trouble */
export function refusalAnswer(explained: Explained, takes: string | null): ToolAnswer {
  const { code, detail } = explained;
  const { lines, more } = refusalParts(explained, takes);
  return failed({ code, detail, lines, more });
}

/** What was wrong with which, and what is taken. */
export function refusalParts({ code, problems, extra, passes }: Explained, takes: string | null): { readonly lines: readonly string[]; readonly more: JsonObject } {
  const shown = problems.slice(0, ITEMS_MAX);
  const isAboutArguments = problems.some(({ pointer }) => pointer !== undefined);
  const lines = [
    passes || code === INTERNAL ? 'It is not known whether it was taken in: call again with the same idempotency key, or look before you do.' : 'The call was refused and nothing was done.',
    ...(isAboutArguments ? shown.map(problem => `- ${problem.pointer === undefined ? '' : `${argumentOf(problem.pointer)}: `}${oneLine(problem.detail)} (${problem.code})`) : []),
    ...(problems.length > shown.length ? [`- and ${problems.length - shown.length} more`] : []),
    ...(isAboutArguments && takes !== null ? [`It takes ${takes}.`] : []),
  ];
  const errors = shown.map(problem => ({ code: problem.code, detail: oneLine(problem.detail), ...(problem.pointer === undefined ? {} : { pointer: problem.pointer }) }));
  return { lines, more: { errors, ...extra } };
}

export const simpleRefusal = (code: string, detail: string, lines: readonly string[] = []): ToolAnswer => failed({ code, detail, lines: ['Nothing was done.', ...lines] });

/** The marks of a call that became a workflow. Why both names: the one is ours alone, the other is what `_meta` is read for. */
export const metaOf = (workflowId: string, deduplicated: boolean, stepId?: string): JsonObject =>
  ({ [`${META}workflowId`]: workflowId, ...(stepId === undefined ? {} : { [`${META}stepId`]: stepId }), ...(deduplicated ? { deduplicated: true, [`${META}deduplicated`]: true } : {}) });

export const isDone = ({ status }: WorkflowView): boolean => status === 'completed';

/**
 * What a call of one step came to.
 * @param view null: nothing is known of it yet @param permitted what the caller may do instead, for who was denied
 */
export function callAnswer(view: WorkflowView | null, workflowId: string, outputSchema: JsonObject, deduplicated: boolean, permitted: readonly string[]): ToolAnswer {
  const meta = metaOf(workflowId, deduplicated);
  if (view === null || STANDS[view.status] === undefined && !isDone(view)) return running(view, workflowId, meta);
  const step = view.steps.find(({ id }) => id === STEP);
  if (isDone(view)) return outputAnswer(step?.output ?? null, outputSchema, meta, `Workflow: ${workflowId}`);
  const { code, detail, clean } = troubleOf(view, step);
  const lines = [standing(view), ...(code === 'POLICY_DENIED' && permitted.length > 0 ? [`Permitted now: ${permitted.join('; ')}.`] : []), ...(deduplicated ? ['This is the answer to the same call before.'] : []), `Workflow: ${workflowId} (get_workflow shows it).`];
  return failed({ code, detail, lines, more: { workflowId, status: view.status, ...(clean === undefined ? {} : { clean }) } }, meta);
}

/** What a step did, in the words of its capability. @param where it can be looked at */
export function outputAnswer(output: Json, outputSchema: JsonObject, meta: JsonObject, where: string): ToolAnswer {
  if (isErased(output)) return failed({ code: 'ERASED', detail: 'it was done, and what it answered has been erased since', lines: [where] }, meta);
  const structured = structuredOutput(outputSchema, output);
  return { content: [{ type: 'text', text: JSON.stringify(structured) }], structuredContent: structured, _meta: meta };
}

function running(view: WorkflowView | null, workflowId: string, meta: JsonObject): ToolAnswer {
  const waits = view?.statusReason === null || view === null ? '' : ` (${view.statusReason.code}: ${oneLine(view.statusReason.detail)})`;
  const lines = [`It has not failed. Do not call again: ask get_workflow with \`{ "workflowId": "${workflowId}" }\` until it has ended.`];
  return failed({ code: STILL_RUNNING, detail: `the call is still being carried out${waits}`, lines, more: { workflowId, status: view?.status ?? 'pending' } }, meta);
}

/** A workflow as the answer of submit_intent and get_workflow. */
export function workflowAnswer(view: WorkflowView, deduplicated: boolean, asked: 'submitted' | 'shown'): ToolAnswer {
  const structured = view as unknown as JsonObject;
  const meta = metaOf(view.id, deduplicated);
  const isTrouble = asked === 'submitted' && STANDS[view.status] !== undefined;
  if (!isTrouble) {
    const hint = asked === 'submitted' && !isDone(view) ? [{ type: 'text' as const, text: `${STILL_RUNNING}: the workflow is still running. Do not submit it again: ask get_workflow with \`{ "workflowId": "${view.id}" }\` until it has ended.` }] : [];
    return { content: [...hint, { type: 'text', text: JSON.stringify(structured) }], structuredContent: structured, _meta: meta };
  }
  const { code, detail, clean } = troubleOf(view, view.steps.find(({ error }) => error !== null));
  const steps = stepLines(view.steps);
  return failed({ code, detail, lines: [standing(view), ...steps, `Workflow: ${view.id}`], structured, more: { workflowId: view.id, status: view.status, ...(clean === undefined ? {} : { clean }) } }, meta);
}

export const stepLines = (steps: readonly StepView[]): readonly string[] => {
  const lines = steps.slice(0, ITEMS_MAX).map(({ id, capability, status, error, undo }) =>
    `- step \`${id}\` (${capability}): ${status}${error === null ? '' : `, ${error.code}: ${oneLine(error.detail, 300)}`}${undo === null ? '' : `, undo ${undo.status}${undo.verified ? ' and verified' : ''}${undo.reason === null ? '' : `: ${oneLine(undo.reason, 300)}`}`}`);
  return steps.length > lines.length ? [...lines, `- and ${steps.length - lines.length} more`] : lines;
};

/** What stands of a workflow that has come to rest, but for one that is completed. */
export function standing({ status, steps, residue }: WorkflowView): string {
  const left = residue.length === 0 ? '' : ` Left standing: ${residue.slice(0, ITEMS_MAX).map(({ resource, why }) => `${oneLine(resource, 200)} (${oneLine(why, 200)})`).join('; ')}.`;
  if (status !== 'rolledBack') return `${STANDS[status] ?? `It is \`${status}\`.`}${left}`;
  const undone = steps.filter(({ undo }) => undo?.status === 'done');
  if (undone.length === 0 && left === '') return 'Nothing of it stands.';
  const verified = undone.length > 0 && undone.every(({ undo }) => undo!.verified) ? ', and the targets were read again to verify that' : '';
  return `${left === '' ? 'What it had done was undone' : 'What could be undone of it was undone'}${verified}.${left}`;
}

export function troubleOf({ status, statusReason }: WorkflowView, step: StepView | undefined): { readonly code: string; readonly detail: string; readonly clean?: boolean } {
  const error = step?.error ?? null;
  if (error !== null) return error;
  if (statusReason !== null) return statusReason;
  return { code: status.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase(), detail: `the workflow is ${status}` };
}

/** What the vault says of a value whose key is gone. */
function isErased(value: Json): boolean {
  if (Array.isArray(value)) return (value as readonly Json[]).some(isErased);
  if (!isObject(value)) return false;
  return (value['erased'] === true && value['sealed'] === true) || Object.values(value).some(inner => inner !== undefined && isErased(inner));
}

export const structured = (value: JsonObject, hint?: string): ToolAnswer =>
  ({ content: [...(hint === undefined ? [] : [{ type: 'text' as const, text: hint }]), { type: 'text', text: JSON.stringify(value) }], structuredContent: value });

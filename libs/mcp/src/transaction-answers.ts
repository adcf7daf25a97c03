import { ENDED, isAtRest, type StepView, type WorkflowView } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { STILL_RUNNING, failed, isDone, metaOf, outputAnswer, refusalParts, standing, stepLines, troubleOf, type ToolAnswer } from './answers';
import type { Explained, TransactionStep } from './governance';
import { oneLine } from './texts';

const ANEW = 'Begin another with begin_transaction for what is still to be done.';
const say = (text: string): { readonly type: 'text'; readonly text: string } => ({ type: 'text', text });
const asked = (id: string): string => `get_workflow with \`{ "workflowId": "${id}" }\``;

/** The workflow, with `transaction`, by which calls name it. */
export function begunAnswer(view: WorkflowView, deduplicated: boolean): ToolAnswer {
  const structured: JsonObject = { transaction: view.id, ...view as unknown as JsonObject };
  const idle = view.interactive === undefined ? '' : ` Left alone for ${Math.round(view.interactive.idleTimeoutMs / 1_000)} s it takes itself back.`;
  // Why of a repeat: the first may have been begun long ago, and be over.
  const text = deduplicated && view.status !== 'running' && view.status !== 'pending' ? `Transaction \`${view.id}\` was begun by the same call before. ${ofTransaction(view)}`
    : `Transaction \`${view.id}\` has begun. Give this id as \`transaction\` to every call that belongs to it, then call commit_transaction, or rollback_transaction to take all of it back.${idle}`;
  return { content: [say(text), say(JSON.stringify(structured))], structuredContent: structured, _meta: metaOf(view.id, deduplicated) };
}

/** What a call in a transaction came to. @param permitted what the caller may do instead, for who was denied */
export function stepAnswer({ view, step, replayed, isAnswered }: TransactionStep & { readonly step: StepView }, outputSchema: JsonObject, permitted: readonly string[]): ToolAnswer {
  const meta = metaOf(view.id, replayed, step.id);
  const where = `Step \`${step.id}\` of transaction ${view.id}.`;
  if (step.status === 'succeeded') return outputAnswer(step.output, outputSchema, meta, where);
  if (!isAnswered) return waitingAnswer(view, step, meta);
  const { code, detail, clean } = troubleWith(view, step);
  const lines = [
    ...whatOf(step), ...(code === 'POLICY_DENIED' && permitted.length > 0 ? [`Permitted now: ${permitted.join('; ')}.`] : []), ...(replayed ? ['This is the answer to the same call before.'] : []), standsOrNot(view), where,
  ];
  return failed({ code, detail, lines, more: { workflowId: view.id, stepId: step.id, status: view.status, stepStatus: step.status, ...(clean === undefined ? {} : { clean }) } }, meta);
}

/** For a call that nobody waited for, or whose step shows nowhere yet. */
export function unseenAnswer(workflowId: string, stepId: string): ToolAnswer {
  const lines = [`It has not failed. Ask ${asked(workflowId)}, or call again with the same idempotency key.`];
  return failed({ code: STILL_RUNNING, detail: 'the step is still under way', lines, more: { workflowId, stepId } }, metaOf(workflowId, false, stepId));
}

function waitingAnswer(view: WorkflowView, step: StepView, meta: JsonObject): ToolAnswer {
  const reason = step.statusReason ?? view.statusReason;
  const detail = `the step is still under way${reason === null ? '' : ` (${reason.code}: ${oneLine(reason.detail)})`}`;
  const lines = [`It has not failed. Ask ${asked(view.id)} until step \`${step.id}\` has ended, or call again with the same idempotency key; another call would be another step. The transaction stays open meanwhile.`];
  return failed({ code: STILL_RUNNING, detail, lines, more: { workflowId: view.id, stepId: step.id, status: view.status, stepStatus: step.status } }, meta);
}

function troubleWith(view: WorkflowView, step: StepView): { readonly code: string; readonly detail: string; readonly clean?: boolean } {
  // Why its own reason first: of a step whose outcome nobody knows the error only says how that came about.
  if (step.status === 'unknown' && step.statusReason !== null) return { code: step.statusReason.code, detail: step.statusReason.detail, clean: false };
  if (step.error !== null) return step.error;
  return step.statusReason ?? view.statusReason ?? { code: step.status.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase(), detail: `the step is \`${step.status}\`` };
}

function whatOf({ status, undo }: StepView): readonly string[] {
  switch (status) {
    case 'failed': case 'skipped': return ['The step had no effect.'];
    case 'undone': return [`What the step had done was undone${undo?.verified === true ? ', and the target was read again to verify that' : ''}.`];
    case 'undoBlocked': return ['What the step did could not be undone.'];
    case 'pending': case 'awaitingApproval': return ['The step has not been started; it starts by itself when what holds it is over.'];
    default: return [];
  }
}

/** What becomes of the transaction, and what to do. */
function standsOrNot(view: WorkflowView): string {
  if (view.status === 'running') return `The transaction still stands, with all that it has done: go on with other calls in it, then commit_transaction; or take all of it back with rollback_transaction.`;
  return ofTransaction(view);
}

function ofTransaction(view: WorkflowView): string {
  const { status, statusReason } = view;
  const why = statusReason === null ? '' : ` (${statusReason.code}: ${oneLine(statusReason.detail)})`;
  switch (status) {
    case 'pending': case 'running': return 'The transaction is open.';
    case 'committing': return `The transaction is being committed and takes no more calls. ${ANEW}`;
    case 'completed': return `The transaction is committed: what it did stands${why}. ${ANEW}`;
    case 'paused': case 'awaitingApproval': return `The transaction is held and takes no calls${why}. Ask ${asked(view.id)} until it is \`running\` again, or take it back with rollback_transaction.`;
    case 'rollingBack': return `The transaction is being taken back${why}. ${ANEW}`;
    case 'rollbackBlocked': return `Not all of the transaction could be undone${why}; a person has to look at it.`;
    default: return `The transaction has ended as \`${status}\`${why}. ${standing(view)} ${ANEW}`;
  }
}

/** A call that a transaction did not take. @param view as it is; null: the caller has no such transaction */
export function notTakenAnswer(explained: Explained, takes: string | null, named: string, view: WorkflowView | null, stepId?: string): ToolAnswer {
  const { code, detail, passes } = explained;
  const { lines: said, more } = refusalParts(explained, takes);
  const [first, ...others] = said;
  const lines = [
    passes && stepId !== undefined ? `It is not known whether it was taken in: ask ${asked(named)} for step \`${stepId}\` before you call again, or call again with the same idempotency key.` : first!, ...others,
    ...(view === null ? lost(code) : [view.interactive === undefined && code === 'WRONG_STATE' ? `It is no transaction that takes calls one by one. ${ANEW}` : code === 'WRONG_STATE' ? ofTransaction(view) : standsOrNot(view)]),
  ];
  const status = view === null ? {} : { workflowId: view.id, status: view.status, ...(view.statusReason === null ? {} : { reason: view.statusReason.code }) };
  return failed({ code, detail, lines, more: { ...more, ...status, ...(passes && stepId !== undefined ? { stepId } : {}) } }, view === null ? {} : metaOf(view.id, false));
}

const lost = (code: string): readonly string[] => (code === 'NOT_FOUND' ? [`\`transaction\` is the id that begin_transaction answered this agent with. ${ANEW} Without \`transaction\` a call is a transaction of its own.`] : []);

/** @param view at rest, or as it is when the time was over */
export function committedAnswer(view: WorkflowView): ToolAnswer {
  if (isDone(view)) {
    const text = view.statusReason === null ? 'Committed: what it did stands.' : `Committed: what it did stands. ${view.statusReason.code}: ${oneLine(view.statusReason.detail)}`;
    return shown(view, text);
  }
  if (!isAtRest(view.status)) return shown(view, `${STILL_RUNNING}: the transaction takes no more calls and is committed as soon as what runs has ended. Ask ${asked(view.id)}, or call commit_transaction again to wait on.`);
  return troubled(view);
}

export function rolledBackAnswer(view: WorkflowView): ToolAnswer {
  const { status } = view;
  if (status === 'rolledBack' || status === 'cancelled' || status === 'rejected') return shown(view, `Taken back. ${standing(view)}`);
  if (!isAtRest(status)) return shown(view, `${STILL_RUNNING}: it is being taken back. Ask ${asked(view.id)}, or call rollback_transaction again to wait on.`);
  return troubled(view);
}

const shown = (view: WorkflowView, text: string): ToolAnswer => ({ content: [say(text), say(JSON.stringify(view))], structuredContent: view as unknown as JsonObject, _meta: metaOf(view.id, false) });

/** With what is in the way, and what a person can do about it. */
function troubled(view: WorkflowView): ToolAnswer {
  const { code, detail } = view.statusReason ?? troubleOf(view, undefined);
  const isBack = ENDED.includes(view.status);
  const blocked = view.steps.filter(({ status, undo }) => status === 'undoBlocked' || status === 'unknown' || undo?.status === 'blocked');
  const lines = [isBack ? ofTransaction(view) : standing(view), ...stepLines(blocked.length > 0 ? blocked : view.steps), `Transaction: ${view.id} (get_workflow shows it).`];
  return failed({ code, detail, lines, structured: view as unknown as JsonObject, more: { workflowId: view.id, status: view.status } }, metaOf(view.id, false));
}

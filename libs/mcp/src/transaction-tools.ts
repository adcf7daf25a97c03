import { createHash } from 'node:crypto';
import { isAtRest, type CapabilityDescriptor, type WorkflowView } from '@aifirst/contracts';
import { isObject, type Clock, type Ids, type Json, type JsonObject } from '@aifirst/kernel';
import type { ToolAnswer } from './answers';
import { NAMES_A_TRANSACTION, isTaskToken, transactionOf, type CallMeta } from './call-meta';
import type { Governance, McpCaller, TransactionStep } from './governance';
import { labelsOf, stepOf } from './one-step-intent';
import { REASON_CHARS_MAX, TRANSACTION } from './own-tools';
import { freshStepId, repeatedStepId, stepIdOfKey } from './step-ids';
import { BadArgument, type ToolCall } from './tool-call';
import { begunAnswer, committedAnswer, notTakenAnswer, rolledBackAnswer, stepAnswer, unseenAnswer } from './transaction-answers';
import type { Waiting } from './waiting';

export interface TransactionToolsParts { readonly governance: Governance; readonly waiting: Waiting; readonly clock: Clock; readonly ids: Ids; /** What a caller may do, for who was denied. */ readonly permitted: (caller: McpCaller) => Promise<readonly string[]> }

/** A call of a capability in a transaction. */
export interface CallInTransaction { readonly caller: McpCaller; readonly call: ToolCall; readonly meta: CallMeta; readonly transaction: string; readonly capability: CapabilityDescriptor; readonly input: JsonObject; /** In a line. */ readonly takes: string }

/** Interactive transactions for tools: each call is a step of a workflow that grows. Nobody who goes takes one back by that: it is left alone then. */
export class TransactionTools {
  constructor(private readonly parts: TransactionToolsParts) {}

  async begin(caller: McpCaller, { input, client }: ToolCall, { idempotencyKey, transaction }: CallMeta): Promise<ToolAnswer> {
    const { labels } = input;
    // Why not within a window of repeats: one begun in vain has done nothing and takes itself back, and two that are meant must not become one.
    const body = withParent({ ...input, labels: labels === undefined || isObject(labels) ? { ...labelsOf(client), ...labels } : labels }, transaction);
    const { view, replayed } = await this.parts.governance.begin(caller, { body, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) });
    return begunAnswer(view, replayed);
  }

  async step(asked: CallInTransaction): Promise<ToolAnswer> {
    const { caller, meta, call, capability, input, takes } = asked;
    const { governance, waiting } = this.parts;
    const transaction = asked.transaction.toLowerCase();
    let stepId: string | undefined;
    try {
      const id = stepId = await this.stepIdOf(asked, transaction);
      const step = stepOf(id, capability.name, input, meta.timeoutMs);
      let added: TransactionStep | null = null;
      const { found } = await waiting.for<TransactionStep>(call, meta.waitMs, {
        workflowId: transaction,
        ask: async waitMs => (added = added === null ? await governance.addStep(caller, transaction, step, waitMs) : { ...await governance.waitForStep(caller, transaction, id, waitMs), replayed: added.replayed }),
        isOver: ({ isAnswered }) => isAnswered,
        message: async () => { const { steps } = await governance.glance(caller, transaction); return `step ${id} of transaction ${transaction} is ${steps.find(one => one.id === id)?.status ?? 'pending'}`; },
      });
      const shown = found?.step ?? null;
      if (found === null || shown === null) return unseenAnswer(transaction, id);
      return stepAnswer({ ...found, step: shown }, capability.outputSchema, shown.error?.code === 'POLICY_DENIED' ? await this.parts.permitted(caller) : []);
    } catch (error) {
      return this.notTaken(caller, error, takes, transaction, stepId);
    }
  }

  async commit(caller: McpCaller, call: ToolCall, meta: CallMeta): Promise<ToolAnswer> {
    const { governance, waiting } = this.parts;
    const transaction = ended(call.input, meta, []);
    try {
      const ordered = await governance.commit(caller, transaction);
      const { found } = await waiting.for<WorkflowView>(call, meta.waitMs, {
        workflowId: transaction, ask: async waitMs => await governance.waitFor(caller, transaction, waitMs) ?? ordered, isOver, message: () => this.message(caller, transaction),
      });
      return committedAnswer(found ?? ordered);
    } catch (error) {
      return this.notTaken(caller, error, null, transaction);
    }
  }

  async rollBack(caller: McpCaller, call: ToolCall, meta: CallMeta): Promise<ToolAnswer> {
    const { governance, waiting } = this.parts;
    const transaction = ended(call.input, meta, ['reason']);
    const reason = reasonOf(call.input['reason']);
    try {
      const ordered = await governance.rollBack(caller, transaction, reason);
      const { found } = await waiting.for<WorkflowView>(call, meta.waitMs, {
        workflowId: transaction, ask: async waitMs => await governance.waitFor(caller, transaction, waitMs) ?? ordered, isOver, message: () => this.message(caller, transaction),
      });
      return rolledBackAnswer(found ?? ordered);
    } catch (error) {
      return this.notTaken(caller, error, null, transaction);
    }
  }

  private async message(caller: McpCaller, transaction: string): Promise<string> {
    const { status, steps } = await this.parts.governance.glance(caller, transaction);
    const back = steps.filter(({ undo }) => undo?.status === 'done').length;
    return `transaction ${transaction} is ${status}, ${back > 0 ? `${back} of ${steps.length} steps are undone` : `${steps.filter(({ endedAt }) => endedAt !== null).length} of ${steps.length} steps have ended`}`;
  }

  private async notTaken(caller: McpCaller, error: unknown, takes: string | null, transaction: string, stepId?: string): Promise<ToolAnswer> {
    const { governance } = this.parts;
    const explained = governance.explain(error);
    const view = explained.code === 'NOT_FOUND' ? null : await governance.glance(caller, transaction).catch(() => null);
    return notTakenAnswer(explained, takes, transaction, view, stepId);
  }

  private async stepIdOf({ caller, meta: { idempotencyKey, timeoutMs }, capability, input }: CallInTransaction, transaction: string): Promise<string> {
    const { governance, clock, ids } = this.parts;
    if (idempotencyKey !== undefined) return stepIdOfKey(idempotencyKey);
    // Why not of what only reads: that is the same however often it is done, and an old answer would be a wrong one.
    if (caller.repeatWindowMs === null || capability.reversibility === 'readOnly') return freshStepId(ids);
    const { steps } = await governance.glance(caller, transaction);
    const key = await governance.repeatKey(caller, { transaction, capability: capability.name, input, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    return repeatedStepId(createHash('sha256').update(key).digest('base64url'), steps, caller.repeatWindowMs, clock.now());
  }
}

const isOver = ({ status }: WorkflowView): boolean => isAtRest(status);

/** What is done for a task says so. @throws BadArgument where an open transaction is named in place of a task */
export function withParent(body: JsonObject, transaction: string | null): JsonObject {
  if (transaction === null) return body;
  if (!isTaskToken(transaction)) throw new BadArgument('this is a transaction of its own and can not be part of another: call the tools of capabilities in that one, or leave `_meta["io.aifirst/transaction"]` out');
  if (body['parent'] !== undefined && body['parent'] !== transaction) throw new BadArgument('`parent` and `_meta["io.aifirst/transaction"]` name two different tasks');
  return { ...body, parent: transaction };
}

/** Which one is to be ended. @throws BadArgument */
function ended(input: JsonObject, meta: CallMeta, others: readonly string[]): string {
  const [unknown] = Object.keys(input).filter(name => name !== TRANSACTION && !others.includes(name));
  if (unknown !== undefined) throw new BadArgument(`there is no argument \`${unknown.slice(0, 64)}\`: give ${[TRANSACTION, ...others].map(name => `\`${name}\``).join(' and ')} alone`);
  const named = namedBy(input[TRANSACTION], meta);
  if (named === null) throw new BadArgument(`\`${TRANSACTION}\` is missing: it ${NAMES_A_TRANSACTION.split(', or')[0]!}`);
  if (isTaskToken(named)) throw new BadArgument(`\`${TRANSACTION}\` is the token of a task: each call under it is a transaction of its own and ends by itself`);
  return named.toLowerCase();
}

/** The transaction that a call names in either way. @throws BadArgument */
export function namedBy(argument: Json | undefined, { transaction }: CallMeta): string | null {
  const named = transactionOf(argument);
  if (named === undefined) throw new BadArgument(`\`${TRANSACTION}\` ${NAMES_A_TRANSACTION}`);
  if (named !== null && transaction !== null && named !== transaction) throw new BadArgument(`\`${TRANSACTION}\` and \`_meta["io.aifirst/transaction"]\` name two different ones`);
  return named ?? transaction;
}

function reasonOf(reason: Json | undefined): string {
  if (reason === undefined || reason === null || reason === '') return 'its agent took it back';
  if (typeof reason !== 'string' || reason.length > REASON_CHARS_MAX) throw new BadArgument(`\`reason\` is a text of at most ${REASON_CHARS_MAX} characters`);
  return reason;
}

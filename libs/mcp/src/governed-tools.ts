import { isAtRest, type CapabilityDescriptor, type WorkflowView } from '@aifirst/contracts';
import { isObject, type Clock, type Ids, type JsonObject } from '@aifirst/kernel';
import { callAnswer, refusalAnswer, simpleRefusal, structured, workflowAnswer, type ToolAnswer } from './answers';
import { MetaInvalid, callMetaOf, isTaskToken, type CallMeta } from './call-meta';
import type { Governance, McpCaller } from './governance';
import { oneStepIntent } from './one-step-intent';
import { FOUND_BY_DEFAULT, FOUND_MAX, TRANSACTION, intentTools, transactionTools, type GatewaySchemas } from './own-tools';
import { declares, inputSchemaOf, parametersOf } from './schemas';
import { BadArgument, type ToolCall } from './tool-call';
import { ToolCatalogue } from './tool-catalogue';
import { isForeign, type Tool } from './tools';
import { TransactionTools, namedBy, withParent } from './transaction-tools';
import { Waiting } from './waiting';

export type { ToolCall } from './tool-call';

export interface ToolHost {
  /** @throws NotListed */
  list(caller: McpCaller): Promise<readonly Tool[]>;
  /** @throws UnknownTool */
  call(caller: McpCaller, call: ToolCall): Promise<ToolAnswer>;
}
export class UnknownTool extends Error {}
/** Its message can be told. */
export class NotListed extends Error {}

const PERMITTED_MAX = 30;

/** A capability as it is called, and the transaction that the call names. */
interface Called { readonly capability: CapabilityDescriptor; readonly input: JsonObject; readonly transaction: string | null }

/** The tools of a principal: what is called is carried out as a workflow of one step, or a step of one that grows, on the very way of REST. */
export class GovernedTools implements ToolHost {
  private catalogue = new ToolCatalogue([]);
  private readonly ownTools: readonly Tool[];
  private readonly waiting: Waiting;
  private readonly transactions: TransactionTools;

  constructor(private readonly governance: Governance, schemas: GatewaySchemas, clock: Clock, ids: Ids) {
    this.ownTools = [...intentTools(schemas), ...transactionTools(schemas)];
    this.waiting = new Waiting(governance, clock);
    this.transactions = new TransactionTools({ governance, waiting: this.waiting, clock, ids, permitted: caller => this.permitted(caller) });
  }

  /** From now on whoever waits is answered with what is known. */
  end(): void { this.waiting.end(); }

  async list(caller: McpCaller): Promise<readonly Tool[]> {
    try {
      const reachable = await this.governance.reachable(caller);
      return [...this.tools().list(reachable), ...this.ownTools];
    } catch (error) {
      const { code, detail } = this.governance.explain(error);
      throw new NotListed(`${code}: ${detail}`);
    }
  }

  async call(caller: McpCaller, call: ToolCall): Promise<ToolAnswer> {
    let takes: string | null = null;
    try {
      const meta = callMetaOf(call.meta);
      const own = this.ownTools.find(({ name }) => name === call.name);
      if (own !== undefined) { takes = parametersOf(own.inputSchema); return await this.callOwn(caller, call, meta); }
      if (call.name === 'find_capabilities') return await this.found(caller, call.input);
      const { capability, input, transaction } = this.called(call, meta);
      takes = parametersOf(inputSchemaOf(capability.inputSchema, isForeign(capability), []));
      if (transaction === null || isTaskToken(transaction)) return await this.callCapability(caller, call, meta, { capability, input, transaction });
      return await this.transactions.step({ caller, call, meta, transaction, capability, input, takes });
    } catch (error) {
      if (error instanceof UnknownTool) throw error;
      if (error instanceof MetaInvalid) return simpleRefusal('INVALID_FIELD', `\`_meta["${error.key}"]\` ${error.detail}`);
      if (error instanceof BadArgument) return simpleRefusal('INVALID_FIELD', error.message);
      return refusalAnswer(this.governance.explain(error), takes);
    }
  }

  private called({ name, input }: ToolCall, meta: CallMeta): Called {
    const tools = this.tools();
    if (name !== 'call_capability') {
      const capability = tools.byTool(name);
      if (capability === undefined) throw new UnknownTool(`UNKNOWN_CAPABILITY: there is no tool \`${name.slice(0, 64)}\`; tools/list names those that there are`);
      return inTransaction(capability, input, meta);
    }
    const { capability: wanted, arguments: given = {}, [TRANSACTION]: outer, ...rest } = input;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new BadArgument(`there is no argument \`${unknown.slice(0, 64)}\`: what the capability takes stands in \`arguments\``);
    const capability = typeof wanted === 'string' ? this.governance.find(wanted) ?? tools.byTool(wanted) : undefined;
    if (capability === undefined) throw new BadArgument('`capability` names none: find_capabilities finds those that there are');
    if (!isObject(given)) throw new BadArgument('`arguments` is an object');
    return inTransaction(capability, given, { ...meta, transaction: namedBy(outer, meta) });
  }

  /** Outside of a transaction: a workflow of one step, `parent` being the token of a task that it is done for. */
  private async callCapability(caller: McpCaller, call: ToolCall, meta: CallMeta, { capability, input, transaction }: Called): Promise<ToolAnswer> {
    const body = oneStepIntent(capability.name, input, { client: call.client, timeoutMs: meta.timeoutMs, ...(transaction === null ? {} : { parent: transaction }) });
    // Why not of what only reads: that is the same however often it is done, and an old answer would be a wrong one.
    const key = await this.keyOf(caller, meta, body, capability.reversibility !== 'readOnly');
    const { workflowId, replayed } = await this.governance.submit(caller, { body, ...key });
    const view = await this.awaited(caller, call, meta, workflowId, key.idempotencyKey !== undefined);
    const isDenied = view?.steps.some(({ error }) => error?.code === 'POLICY_DENIED') === true;
    return callAnswer(view, workflowId, capability.outputSchema, replayed, isDenied ? await this.permitted(caller) : []);
  }

  /** @param isRecognised without a key of its own it is the same call again, within the agent's time for that */
  private async keyOf(caller: McpCaller, { idempotencyKey }: CallMeta, body: JsonObject, isRecognised: boolean): Promise<{ readonly idempotencyKey?: string; readonly repeatWithinMs?: number }> {
    if (idempotencyKey !== undefined) return { idempotencyKey };
    if (caller.repeatWindowMs === null || !isRecognised) return {};
    return { idempotencyKey: await this.governance.repeatKey(caller, body), repeatWithinMs: caller.repeatWindowMs };
  }

  private async callOwn(caller: McpCaller, call: ToolCall, meta: CallMeta): Promise<ToolAnswer> {
    const { input } = call;
    switch (call.name) {
      case 'get_workflow': {
        const { workflowId, ...rest } = input;
        if (typeof workflowId !== 'string' || Object.keys(rest).length > 0) throw new BadArgument('give `workflowId` alone, as an earlier answer named it');
        return workflowAnswer(await this.governance.workflow(caller, workflowId), false, 'shown');
      }
      case 'plan_intent': {
        const { planId, ...rest } = input;
        if (planId !== undefined && (typeof planId !== 'string' || Object.keys(rest).length > 0)) throw new BadArgument('give `planId` alone, or `goal` and `steps`');
        const plan = await (typeof planId === 'string' ? this.governance.planOf(caller, planId) : this.governance.plan(caller, input)) as JsonObject;
        return structured(plan, plan['status'] === 'making' ? 'The plan is still being made: ask again with its `planId`.' : undefined);
      }
      case 'begin_transaction': return this.transactions.begin(caller, call, meta);
      case 'commit_transaction': return this.transactions.commit(caller, call, meta);
      case 'rollback_transaction': return this.transactions.rollBack(caller, call, meta);
      default: return this.submitted(caller, call, meta);
    }
  }

  private async submitted(caller: McpCaller, call: ToolCall, meta: CallMeta): Promise<ToolAnswer> {
    const body = withParent(call.input, meta.transaction);
    const key = await this.keyOf(caller, meta, body, true);
    const { workflowId, replayed } = await this.governance.submit(caller, { body, ...key });
    const view = await this.awaited(caller, call, meta, workflowId, key.idempotencyKey !== undefined) ?? await this.governance.workflow(caller, workflowId);
    return workflowAnswer(view, replayed, 'submitted');
  }

  /** @param keyed whoever has called will come back for it */
  private async awaited(caller: McpCaller, call: ToolCall, { waitMs }: CallMeta, workflowId: string, keyed: boolean): Promise<WorkflowView | null> {
    const { found, isGone } = await this.waiting.for<WorkflowView | null>(call, waitMs, {
      workflowId, ask: ms => this.governance.waitFor(caller, workflowId, ms), isOver: view => view !== null && isAtRest(view.status),
      message: async () => {
        const { status, steps } = await this.governance.glance(caller, workflowId);
        return `workflow ${workflowId} is ${status}, ${steps.filter(step => step.endedAt !== null).length} of ${steps.length} steps have ended`;
      },
    });
    if (isGone) await this.gone(caller, call, workflowId, keyed);
    return found;
  }

  /** Nobody waits any more. Why not with a key: it is there so that the call can be sent again and found. */
  private async gone(caller: McpCaller, { goneIsCancelled }: ToolCall, workflowId: string, keyed: boolean): Promise<void> {
    if (!goneIsCancelled || keyed || this.waiting.isEnding) return;
    // Why no failure of it: it may have ended, and nobody is there to hear.
    await this.governance.cancel(caller, workflowId, 'its client has gone').catch(() => undefined);
  }

  private async found(caller: McpCaller, { query, limit, ...rest }: JsonObject): Promise<ToolAnswer> {
    if (query !== undefined && typeof query !== 'string') throw new BadArgument('`query` is a text');
    if (limit !== undefined && (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > FOUND_MAX)) throw new BadArgument(`\`limit\` is a whole number from 1 to ${FOUND_MAX}`);
    if (Object.keys(rest).length > 0) throw new BadArgument('it takes `query` and `limit`');
    return structured(this.tools().find(await this.governance.reachable(caller), query, typeof limit === 'number' ? limit : FOUND_BY_DEFAULT));
  }

  /** For who was denied. Nothing if that can't be told right now. */
  private async permitted(caller: McpCaller): Promise<readonly string[]> {
    try {
      const reachable = await this.governance.reachable(caller);
      return reachable.slice(0, PERMITTED_MAX).map(({ capability: { name }, connections }) => `${this.tools().nameOf(name) ?? name}${connections.length === 0 ? '' : ` on ${connections.slice(0, PERMITTED_MAX).join(', ')}`}`);
    } catch {
      return [];
    }
  }

  private tools(): ToolCatalogue {
    const capabilities = this.governance.capabilities();
    if (this.catalogue.capabilities !== capabilities) this.catalogue = new ToolCatalogue(capabilities);
    return this.catalogue;
  }
}

/** Why only where it has none of that name: then the argument is the capability's, and the transaction is named in `_meta`. */
function inTransaction(capability: CapabilityDescriptor, input: JsonObject, meta: CallMeta): Called {
  if (declares(capability.inputSchema, TRANSACTION)) return { capability, input, transaction: meta.transaction };
  const { [TRANSACTION]: named, ...rest } = input;
  return { capability, input: rest, transaction: namedBy(named, meta) };
}

import { isAtRest, type CapabilityDescriptor, type WorkflowView } from '@aifirst/contracts';
import { isObject, type Clock, type JsonObject } from '@aifirst/kernel';
import { callAnswer, refusalAnswer, simpleRefusal, structured, workflowAnswer, type ToolAnswer } from './answers';
import { MetaInvalid, callMetaOf, type CallMeta } from './call-meta';
import type { Governance, McpCaller } from './governance';
import { oneStepIntent } from './one-step-intent';
import { FOUND_BY_DEFAULT, FOUND_MAX, intentTools, type GatewaySchemas } from './own-tools';
import { ProgressReporter, type ProgressReport } from './progress';
import { inputSchemaOf, parametersOf } from './schemas';
import { ToolCatalogue } from './tool-catalogue';
import { isForeign, type Tool } from './tools';

/** One `tools/call`. */
export interface ToolCall {
  readonly name: string;
  readonly input: JsonObject;
  readonly meta: JsonObject;
  /** The program that calls, as it says; null: it does not say. */
  readonly client: string | null;
  /** Its client does not wait any more. */
  readonly signal: AbortSignal;
  /** That its client has gone takes the call back (revision 2026-07-28); else it only means that nobody waits. */
  readonly goneIsCancelled: boolean;
  /** Absent: nobody asked to be told. */
  readonly progress?: (report: ProgressReport) => Promise<void>;
}

export interface ToolHost {
  /** @throws NotListed */
  list(caller: McpCaller): Promise<readonly Tool[]>;
  /** @throws UnknownTool */
  call(caller: McpCaller, call: ToolCall): Promise<ToolAnswer>;
}
export class UnknownTool extends Error {}
/** Its message can be told. */
export class NotListed extends Error {}

/** A client that waits longer than this is looked after anew: whether it is still there, whether we are. */
const SLICE_MS = 5_000;
const PERMITTED_MAX = 30;

/** The tools of a principal: what is called is carried out as a workflow of one step, on the very way of an intent by REST. */
export class GovernedTools implements ToolHost {
  private catalogue = new ToolCatalogue([]);
  private readonly intentTools: readonly Tool[];
  private ending = false;

  constructor(private readonly governance: Governance, schemas: GatewaySchemas, private readonly clock: Clock) { this.intentTools = intentTools(schemas); }

  /** From now on whoever waits is answered with what is known. */
  end(): void { this.ending = true; }

  async list(caller: McpCaller): Promise<readonly Tool[]> {
    try {
      const reachable = await this.governance.reachable(caller);
      return [...this.tools().list(reachable), ...this.intentTools];
    } catch (error) {
      const { code, detail } = this.governance.explain(error);
      throw new NotListed(`${code}: ${detail}`);
    }
  }

  async call(caller: McpCaller, call: ToolCall): Promise<ToolAnswer> {
    let takes: string | null = null;
    try {
      const meta = callMetaOf(call.meta);
      if (meta.transaction) return NO_TRANSACTIONS;
      const own = this.intentTools.find(({ name }) => name === call.name);
      if (own !== undefined) { takes = parametersOf(own.inputSchema); return await this.callOwn(caller, call, meta); }
      if (call.name === 'find_capabilities') return await this.found(caller, call.input);
      const { capability, input } = this.calledCapability(call);
      takes = parametersOf(inputSchemaOf(capability.inputSchema, isForeign(capability), []));
      // Why not simply refused as unknown: who names a transaction must not believe that it is in one.
      if ('transaction' in input && !hasProperty(capability.inputSchema, 'transaction')) return NO_TRANSACTIONS;
      return await this.callCapability(caller, call, meta, capability, input);
    } catch (error) {
      if (error instanceof UnknownTool) throw error;
      if (error instanceof MetaInvalid) return simpleRefusal('INVALID_FIELD', `\`_meta["${error.key}"]\` ${error.detail}`);
      if (error instanceof BadArgument) return simpleRefusal('INVALID_FIELD', error.message);
      return refusalAnswer(this.governance.explain(error), takes);
    }
  }

  private calledCapability({ name, input }: ToolCall): { readonly capability: CapabilityDescriptor; readonly input: JsonObject } {
    const tools = this.tools();
    if (name !== 'call_capability') {
      const capability = tools.byTool(name);
      if (capability === undefined) throw new UnknownTool(`UNKNOWN_CAPABILITY: there is no tool \`${name.slice(0, 64)}\`; tools/list names those that there are`);
      return { capability, input };
    }
    const { capability: wanted, arguments: given = {}, ...rest } = input;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new BadArgument(`there is no argument \`${unknown.slice(0, 64)}\`: what the capability takes stands in \`arguments\``);
    const capability = typeof wanted === 'string' ? this.governance.find(wanted) ?? tools.byTool(wanted) : undefined;
    if (capability === undefined) throw new BadArgument('`capability` names none: find_capabilities finds those that there are');
    if (!isObject(given)) throw new BadArgument('`arguments` is an object');
    return { capability, input: given };
  }

  private async callCapability(caller: McpCaller, call: ToolCall, meta: CallMeta, capability: CapabilityDescriptor, input: JsonObject): Promise<ToolAnswer> {
    const body = oneStepIntent(capability.name, input, { client: call.client, timeoutMs: meta.timeoutMs });
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
      default: return this.submitted(caller, call, meta);
    }
  }

  private async submitted(caller: McpCaller, call: ToolCall, meta: CallMeta): Promise<ToolAnswer> {
    const key = await this.keyOf(caller, meta, call.input, true);
    const { workflowId, replayed } = await this.governance.submit(caller, { body: call.input, ...key });
    const view = await this.awaited(caller, call, meta, workflowId, key.idempotencyKey !== undefined) ?? await this.governance.workflow(caller, workflowId);
    return workflowAnswer(view, replayed, 'submitted');
  }

  /** @param keyed whoever has called will come back for it */
  private async awaited(caller: McpCaller, call: ToolCall, { waitMs }: CallMeta, workflowId: string, keyed: boolean): Promise<WorkflowView | null> {
    const { signal } = call;
    const endsMs = this.clock.now() + waitMs;
    const stopTelling = this.tell(caller, call, workflowId);
    try {
      for (;;) {
        // Why none when ending: whoever waits has been sent home, and nobody would send us.
        const left = this.ending ? 0 : endsMs - this.clock.now();
        const view = await untilGone(this.governance.waitFor(caller, workflowId, Math.max(0, Math.min(SLICE_MS, left))), signal);
        if (signal.aborted) { await this.gone(caller, call, workflowId, keyed); return view; }
        if (this.ending || left <= SLICE_MS || (view !== null && isAtRest(view.status))) return view;
      }
    } finally {
      stopTelling();
    }
  }

  /** Nobody waits any more. Why not with a key: it is there so that the call can be sent again and found. */
  private async gone(caller: McpCaller, { goneIsCancelled }: ToolCall, workflowId: string, keyed: boolean): Promise<void> {
    if (!goneIsCancelled || keyed || this.ending) return;
    // Why no failure of it: it may have ended, and nobody is there to hear.
    await this.governance.cancel(caller, workflowId, 'its client has gone').catch(() => undefined);
  }

  private tell(caller: McpCaller, { progress }: ToolCall, workflowId: string): () => void {
    if (progress === undefined) return () => undefined;
    const began = this.clock.now();
    const message = async (): Promise<string> => {
      const { status, steps } = await this.governance.workflow(caller, workflowId);
      const ended = steps.filter(step => step.endedAt !== null).length;
      return `workflow ${workflowId} is ${status}, ${ended} of ${steps.length} steps have ended, ${Math.round((this.clock.now() - began) / 1_000)} s`;
    };
    const reporter = new ProgressReporter(progress, message, this.clock);
    const stopWatching = this.governance.watch(workflowId, () => { reporter.touch(); });
    return () => { reporter.stop(); stopWatching(); };
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

class BadArgument extends Error {}

const NO_TRANSACTIONS = simpleRefusal('NOT_IMPLEMENTED', 'interactive transactions are not there yet', ['Call without one, or hand all steps in at once with submit_intent: if one fails, all are undone.']);
const hasProperty = ({ properties }: JsonObject, name: string): boolean => isObject(properties) && Object.hasOwn(properties, name);

/** What it resolves with, or null as soon as the signal says that nobody waits. */
function untilGone<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) { work.catch(() => undefined); return Promise.resolve(null); }
  return new Promise((resolve, reject) => {
    const gone = (): void => { resolve(null); };
    signal.addEventListener('abort', gone, { once: true });
    work.then(resolve, reject).finally(() => { signal.removeEventListener('abort', gone); });
  });
}


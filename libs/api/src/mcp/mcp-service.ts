import type { ServerResponse } from 'node:http';
import type { Caller } from '@aifirst/identity';
import type { Ids, Json } from '@aifirst/kernel';
import { GovernedTools, McpEndpoint, isAllowedOrigin } from '@aifirst/mcp';
import type { FastifyRequest } from 'fastify';
import { COMPONENTS, INTENT, TRANSACTION, open, text } from '../documents/schemas';
import { GatewayGovernance, type GovernanceParts } from './gateway-governance';

/** Told to every client; what a model should know before it calls anything. */
const INSTRUCTIONS = [
  'Every call is decided by policy, recorded, and can be taken back as far as the tool says.',
  'A call that fails says why, whether anything stands, and what is permitted instead. Do not repeat a call that was denied.',
  'Several steps that belong together go into one submit_intent: if one fails, all are undone. plan_intent shows beforehand what they would do.',
  'To act, look at what came of it and act again as one transaction: begin_transaction, give its `transaction` to every call, then commit_transaction, or rollback_transaction to take all of it back. A call in it that fails had no effect and leaves the rest standing.',
  'An answer STILL_RUNNING is no failure: ask get_workflow.',
].join(' ');

/** A plan, or that it is still being made: an object either way. */
const PLAN = { ...open({ ...COMPONENTS.Plan.properties as object, status: text('`making`: it is still being made') }), required: ['planId', 'createdAt', 'expiresAt'] };

/** MCP as the gateway serves it. */
export class McpService {
  private readonly tools: GovernedTools;
  private readonly endpoint: McpEndpoint;

  constructor(parts: GovernanceParts, private readonly options: { readonly version: string; readonly origins: readonly string[]; readonly ids: Ids }) {
    this.tools = new GovernedTools(new GatewayGovernance(parts), { intent: INTENT, plan: PLAN, workflow: COMPONENTS.Workflow, transaction: TRANSACTION }, parts.clock, parts.ids);
    this.endpoint = new McpEndpoint({
      host: this.tools, version: options.version, instructions: INSTRUCTIONS,
      onUnexpected: error => {
        const id = options.ids.uuid();
        parts.logger.error('an MCP request failed', { id, error: error instanceof Error ? error.stack : String(error) });
        return id;
      },
    });
  }

  isAllowed({ headers: { origin } }: FastifyRequest): boolean { return isAllowedOrigin(origin, this.options.origins); }

  answer(caller: Caller, traceparent: string, body: Json, { headers }: FastifyRequest, response: ServerResponse): Promise<void> {
    const { principal, agent } = caller;
    return this.endpoint.answer({ body, headers, caller: { principal, repeatWindowMs: agent?.data.repeatWindowMs ?? null, traceparent } }, response);
  }

  toolsChanged(): void { this.endpoint.toolsChanged(); }

  /** From now on calls are answered with what is known. Before whoever waits for workflows is sent home. */
  end(): void { this.tools.end(); }
  close(): Promise<void> { return this.endpoint.close(); }
}

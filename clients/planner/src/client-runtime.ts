import { AiFirstError, Conflict, Invalid, NotFound, throwUnlessCompleted, tools, type Client, type Submitted } from '@aifirst/client';
import type { PlanProblem } from './errors';
import type { JsonObject } from './json';
import type { Applied, ApplyOptions, MadePlan, ReachedCapability, Runtime } from './runtime';

const WAIT_MS = 600_000;

/** The runtime as a client reaches it, in the name of the client's agent. */
export class ClientRuntime implements Runtime {
  constructor(private readonly client: Client) {}

  async reach(signal: AbortSignal | undefined): Promise<readonly ReachedCapability[]> {
    const listed = await tools(this.client, { signal });
    return listed.map(({ capability, description, inputSchema, outputSchema }) => ({ name: capability, description, inputSchema, outputSchema }));
  }

  async plan(intent: JsonObject, signal: AbortSignal | undefined): Promise<MadePlan> {
    try {
      return { plan: await this.client.plan(intent, { signal }) as unknown as JsonObject };
    } catch (error) {
      // Why no others: who may not ask, or reaches nobody, is not helped by another intent.
      if (error instanceof Invalid) return { problems: problemsIn(error) };
      throw error;
    }
  }

  async apply(planId: string, idempotencyKey: string, { signal, onSubmitted, timeoutMs = WAIT_MS }: ApplyOptions): Promise<Applied> {
    let submitted: Submitted;
    try {
      submitted = await this.client.submit({ planId }, { idempotencyKey, signal });
    } catch (error) {
      // Why also not found: a plan is kept for a day.
      if ((error instanceof Conflict && error.code === 'PLAN_STALE') || error instanceof NotFound) return { stale: problemsIn(error) };
      throw error;
    }
    onSubmitted?.(submitted.workflowId);
    const workflow = await this.client.wait(submitted, { signal, timeoutMs, check: false });
    throwUnlessCompleted(workflow);
    return { workflow };
  }
}

const problemsIn = ({ errors }: AiFirstError): readonly PlanProblem[] => errors.map(({ code, detail, pointer }) => ({ code, detail, ...(pointer === undefined ? {} : { pointer }) }));

import type { Client } from '@aifirst/client';
import { carryOut, type CarriedOut, type CarryOutOptions } from './carry-out';
import { ClientRuntime } from './client-runtime';
import { ChatEndpoint } from './model/chat-endpoint';
import type { EndpointOptions } from './model/endpoint-options';
import type { Model } from './model/model';
import { PlanMaker, type PlanningLimits } from './plan-maker';
import type { Proposal } from './proposal';

export interface PlannerOptions extends PlanningLimits {
  /** Of the agent in whose name is planned and acted. */
  readonly client: Client;
  /** An OpenAI-compatible endpoint, or a model of one's own. */
  readonly model: EndpointOptions | Model;
}

const isModel = (model: EndpointOptions | Model): model is Model => 'ask' in model;

/**
 * Turns a goal into a plan that holds, with the help of a model. Nothing that the model says does anything: its steps are
 * checked, refused and permitted by the runtime like anybody's, and done only when `apply` is called.
 */
export class Planner {
  readonly #maker: PlanMaker;

  /** @throws PlannerError BAD_OPTION */
  constructor({ client, model, ...limits }: PlannerOptions) {
    this.#maker = new PlanMaker(new ClientRuntime(client), isModel(model) ? model : new ChatEndpoint(model), limits);
  }

  /** Changes nothing. @throws PlannerError; what the client throws where no other proposal would help (Denied, Unavailable) */
  propose(goal: string, signal?: AbortSignal): Promise<Proposal> { return this.#maker.propose(goal, signal); }

  /** Proposes, asks, and does exactly what was shown; if something has moved by then, plans it again and asks again. */
  carryOut(goal: string, options: CarryOutOptions): Promise<CarriedOut> { return carryOut(this, goal, options); }
}

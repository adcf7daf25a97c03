import type { Workflow } from '@aifirst/client';
import type { PlanProblem } from './errors';
import { isObject, listOf, textOf, type JsonObject } from './json';
import type { Applied, ApplyOptions } from './runtime';
import { planLines } from './show/plan-lines';

interface Means {
  readonly goal: string;
  readonly understood: string;
  readonly intent: JsonObject;
  readonly plan: JsonObject;
  readonly rounds: number;
  readonly tokens: number;
  readonly run: (planId: string, key: string, options: ApplyOptions) => Promise<Applied>;
  readonly again: (signal: AbortSignal | undefined) => Promise<Proposal>;
}

/** What was shown does not hold any more: nothing was done. `proposal.renew()` plans it as things are now. */
export class PlanStale extends Error {
  readonly code = 'PLAN_STALE';
  constructor(readonly planId: string, /** What has moved. */ readonly problems: readonly PlanProblem[]) {
    super(`PLAN_STALE: plan ${planId} does not hold any more; nothing was done: ${problems.map(({ detail }) => detail).join('; ')}`);
    this.name = 'PlanStale';
  }
}

/** A plan that holds as things were when it was made, and that nobody has agreed to yet. */
export class Proposal {
  /** As the person gave it; also the goal of the intent. */
  readonly goal: string;
  /** What the model says its steps do. */
  readonly understood: string;
  /** What was planned, with every input. */
  readonly intent: JsonObject;
  /** As `POST /v1/plans` answered. */
  readonly plan: JsonObject;
  readonly planId: string;
  /** How often the model was asked, and what that took. */
  readonly rounds: number;
  readonly tokens: number;
  readonly #means: Means;

  constructor(means: Means) {
    this.goal = means.goal;
    this.understood = means.understood;
    this.intent = means.intent;
    this.plan = means.plan;
    this.planId = textOf(means.plan['planId']);
    this.rounds = means.rounds;
    this.tokens = means.tokens;
    this.#means = means;
  }

  /** For a person who is to agree: each a line, in which nothing drives a terminal. */
  get lines(): readonly string[] {
    const steps = listOf(this.intent['steps']).filter(isObject).map(({ id, input, dependsOn }) => ({ id: textOf(id), input: isObject(input) ? input : {}, dependsOn: listOf(dependsOn).map(textOf) }));
    return planLines({ goal: this.goal, understood: this.understood, plan: this.plan, steps });
  }

  /**
   * Runs exactly what was shown, once however often it is called, and waits until it has ended or waits for somebody.
   * Calling it is saying yes: ask whoever is to decide before.
   * @throws PlanStale; WorkflowFailed, WorkflowDenied, WorkflowParked of the client unless it is completed, with the workflow
   */
  async apply(options: ApplyOptions = {}): Promise<Workflow> {
    const applied = await this.#means.run(this.planId, `planner-${this.planId}`, options);
    if ('stale' in applied) throw new PlanStale(this.planId, applied.stale);
    return applied.workflow;
  }

  /** The same steps planned as things are now. What is refused by now goes to the model. @throws PlannerError */
  renew(signal?: AbortSignal): Promise<Proposal> { return this.#means.again(signal); }
}

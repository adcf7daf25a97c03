import type { Workflow } from '@aifirst/client';
import type { PlanProblem } from './errors';
import { PlanStale, type Proposal } from './proposal';

/** Asks whoever is to decide. Anything but `true` is no. @param moved what has moved since they said yes before; null: they are asked for the first time */
export type AskPerson = (proposal: Proposal, moved: readonly PlanProblem[] | null) => Promise<boolean>;

export interface CarryOutOptions {
  readonly ask: AskPerson;
  readonly signal?: AbortSignal;
  /** How often a plan is made anew because something has moved between showing it and running it (5). */
  readonly renewalsMax?: number;
  /** Is told as soon as what was agreed to has been taken in. */
  readonly onSubmitted?: (workflowId: string) => void;
}
export type CarriedOut =
  | { readonly outcome: 'applied'; readonly proposal: Proposal; readonly workflow: Workflow }
  /** Nothing was done. */
  | { readonly outcome: 'declined'; readonly proposal: Proposal };

const RENEWALS_MAX = 5;

/**
 * Proposes, asks, and does exactly what was shown; if something has moved by then, plans it again and asks again.
 * @throws PlanStale when that happens too often; what `propose` and `apply` throw
 */
export async function carryOut(planner: { propose(goal: string, signal?: AbortSignal): Promise<Proposal> }, goal: string, { ask, signal, onSubmitted, renewalsMax = RENEWALS_MAX }: CarryOutOptions): Promise<CarriedOut> {
  let proposal = await planner.propose(goal, signal);
  let moved: readonly PlanProblem[] | null = null;
  for (let renewals = 0; ; renewals++) {
    const agreed: unknown = await ask(proposal, moved);
    signal?.throwIfAborted();
    if (agreed !== true) return { outcome: 'declined', proposal };
    try {
      return { outcome: 'applied', proposal, workflow: await proposal.apply({ signal, onSubmitted }) };
    } catch (error) {
      if (!(error instanceof PlanStale) || renewals >= renewalsMax) throw error;
      moved = error.problems;
      proposal = await proposal.renew(signal);
    }
  }
}

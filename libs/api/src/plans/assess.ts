import type { AskedStep, Intent, PlannedStep, PreviewAnswer, PrincipalRef, StepDecision } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { invariant, type Clock, type Json } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import type { Capabilities } from '../intake/capabilities';
import { askedSteps, questionOf } from './asked-steps';
import { ordersOf, pointOfNoReturnOf, undoOf } from './plan-order';
import type { MadePlan, PlanBasis, PlanStep, StepBasis } from './plan-record';
import { previewAll } from './previews';

export interface AssessingMeans {
  readonly identity: Identity;
  readonly capabilities: Capabilities;
  readonly vault: Vault;
  readonly clock: Pick<Clock, 'now'>;
}

/** An intent as admitted, its steps sealed under the plan. */
export interface Planned { readonly plan: string; readonly principal: PrincipalRef; readonly intent: Intent; readonly steps: readonly PlannedStep[] }

/** Asks policy and targets what would happen now. Changes nothing anywhere. @param until see `previewAll` */
export async function assess(means: AssessingMeans, planned: Planned, until: number): Promise<MadePlan> {
  const { plan, principal, intent, steps } = planned;
  const asked = askedSteps(steps);
  const first = await decide(means, planned, asked);
  const answers = await previewAll(means.identity.neighbours, means.clock, plan, principal, steps.map((step, index) => ({ planned: step, asked: asked[index]!, decision: first[index]! })), until);
  const reaches = answers.map(answer => ('error' in answer ? null : answer.reach));
  // Why again: how far a step reaches is part of its risk, and policies may look at that.
  const decisions = reaches.every(reach => reach === null) ? first : await decide(means, planned, reaching(asked, reaches));
  const basis = basisOf(means, steps, decisions, answers.map(targetOf), reaches);
  const digest = await means.vault.keyedDigest({ tenant: principal.tenant, workflow: plan }, { intent, basis } as unknown as Json);
  const shown = shownSteps(means, planned, decisions, answers);
  return { digest, basis, steps: shown, pointOfNoReturn: pointOfNoReturnOf(shown) };
}

/** What has moved since, as far as it can be told without looking at targets; else what these are like now. */
export async function assessAgain(means: AssessingMeans, planned: Planned, made: MadePlan, until: number): Promise<{ readonly now: PlanBasis; readonly passing: boolean }> {
  const { plan, principal, steps } = planned;
  const before = made.basis.steps;
  const asked = reaching(askedSteps(steps), before.map(({ reach }) => reach));
  const decisions = await decide(means, planned, asked);
  const reaches = before.map(({ reach }) => reach);
  const now = basisOf(means, steps, decisions, before.map(({ target }) => target), reaches);
  // Why not then: what was permitted was to look at other targets, or by other rules.
  if (now.policyVersion !== made.basis.policyVersion || now.steps.some((step, index) => hasMoved(step, before[index]!))) return { now, passing: false };
  const answers = await previewAll(means.identity.neighbours, means.clock, plan, principal, steps.map((step, index) => ({ planned: step, asked: asked[index]!, decision: decisions[index]! })), until);
  const targets = answers.map(targetOf);
  return {
    now: basisOf(means, steps, decisions, targets, reaches),
    passing: answers.some((answer, index) => 'error' in answer && answer.error.passing && targets[index] !== before[index]!.target),
  };
}

export const hasMoved = (now: StepBasis, before: StepBasis): boolean =>
  now.connection !== before.connection || now.capability !== before.capability || now.decision !== before.decision || now.target !== before.target;

const reaching = (asked: readonly AskedStep[], reaches: readonly (number | null)[]): readonly AskedStep[] =>
  asked.map((step, index) => { const reach = reaches[index] ?? null; return reach === null ? step : { ...step, reach }; });

async function decide({ identity }: AssessingMeans, { plan, principal }: Planned, asked: readonly AskedStep[]): Promise<readonly StepDecision[]> {
  const { decisions } = await identity.neighbours.ask('policy', 'decidePlan', questionOf(plan, principal, asked));
  invariant(decisions.length === asked.length, 'policy decides every step of a plan');
  return decisions;
}

const targetOf = (answer: PreviewAnswer): string => ('error' in answer ? `none: ${answer.error.code}` : answer.digest);

function basisOf({ capabilities }: AssessingMeans, steps: readonly PlannedStep[], decisions: readonly StepDecision[], targets: readonly string[], reaches: readonly (number | null)[]): PlanBasis {
  return {
    policyVersion: decisions[0]?.policyVersion ?? '',
    steps: steps.map(({ capability, connectionStamp }, index): StepBasis => {
      const { outcome, code, policies } = decisions[index]!;
      return { connection: connectionStamp ?? null, capability: capabilities.find(capability)?.version ?? '', decision: [outcome, code ?? '', ...policies].join(' '), target: targets[index]!, reach: reaches[index]! };
    }),
  };
}

function shownSteps({ capabilities, identity, clock }: AssessingMeans, { principal, steps }: Planned, decisions: readonly StepDecision[], answers: readonly PreviewAnswer[]): readonly PlanStep[] {
  const orders = ordersOf(steps);
  const at = new Date(clock.now()).toISOString();
  return steps.map(({ id, capability, connection }, index): PlanStep => {
    const { outcome, code, policies, policyVersion, reason, risk } = decisions[index]!;
    const answer = answers[index]!;
    const descriptor = capabilities.find(capability);
    const limitations = connection === null ? [] : identity.connections.find(principal.tenant, connection)?.data.limitations ?? [];
    return {
      order: orders[index]!, id, capability, decision: { outcome, ...(code === undefined ? {} : { code }), policies, policyVersion, reason, at }, risk, approvals: [],
      ...('error' in answer ? { preview: null, previewError: { code: answer.error.code, detail: answer.error.detail } } : { preview: answer.preview }),
      undo: descriptor === undefined ? { how: 'none', detail: 'its capability is gone' } : undoOf(descriptor, limitations),
    };
  }).sort((a, b) => a.order - b.order);
}

import { expandResources, resolveInput, weighedOf, type AskedStep, type DecidePlan, type PlannedStep, type PrincipalRef } from '@aifirst/contracts';

/** The steps of a plan as policy is asked about them: as those of a workflow, of which nothing has run yet. */
export const askedSteps = (steps: readonly PlannedStep[]): readonly AskedStep[] => steps.map((plan, index): AskedStep => {
  const resolved = resolveInput(plan.input, () => undefined);
  const input = resolved.ok ? resolved.value : plan.input;
  return {
    step: plan.id, index, generation: 1, capability: plan.capability, adapter: plan.adapter, reversibility: plan.reversibility, connection: plan.connection,
    input, unresolved: !resolved.ok, resources: expandResources(plan.resources, plan.connection, input).map(({ uri }) => uri), risk: plan.risk, ...weighedOf(plan),
  };
});

export function questionOf(plan: string, principal: PrincipalRef, steps: readonly AskedStep[]): DecidePlan {
  return {
    workflow: plan, question: 1, principal, action: 'execute', steps,
    plan: {
      steps: steps.length, capabilities: [...new Set(steps.map(({ capability }) => capability))].sort(), resources: [...new Set(steps.flatMap(({ resources }) => resources))],
    },
  };
}

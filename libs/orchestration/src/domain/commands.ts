import { resolveInput, sentSteps, weighedOf, type AskedStep, type Direction, type Lease, type Resolution, type StepCommand } from '@aifirst/contracts';
import { invariant } from '@aifirst/kernel';
import { heldIn } from './commitment';
import { footprintOf, plannedInput } from './plan-facts';
import type { Command } from './turn';
import type { Workflow } from './workflow';

/** The input of a step with what is known of other steps' outputs put in place. */
export function inputOf(state: Workflow, index: number): Resolution {
  const plan = state.start.steps[index]!;
  if (!plan.hasReferences) return plannedInput(plan);
  return resolveInput(plan.input, id => {
    const source = state.start.steps.findIndex(s => s.id === id);
    return source >= 0 && state.steps[source]!.status === 'succeeded' ? state.steps[source]!.output : undefined;
  });
}

export const resourcesOf = (state: Workflow, index: number): readonly string[] => footprintOf(state.start.steps[index]!, inputOf(state, index)).uris;

/** One step of a question: whole where its references are known, else as it stands. */
export function askedStep(state: Workflow, index: number): AskedStep {
  const plan = state.start.steps[index]!;
  const resolved = inputOf(state, index);
  const input = resolved.ok ? resolved.value : plan.input;
  return {
    step: plan.id, index, generation: state.steps[index]!.generation, capability: plan.capability, adapter: plan.adapter, reversibility: plan.reversibility,
    connection: plan.connection, input, unresolved: !resolved.ok, resources: footprintOf(plan, resolved).uris, risk: plan.risk, ...weighedOf(plan),
    ...(plan.phase === undefined ? {} : { phase: plan.phase }),
  };
}

export function askCommand(state: Workflow, question: number, indices: readonly number[], id: string): Command {
  const resources = new Set<string>();
  const capabilities = new Set<string>();
  const own = sentSteps(state.start.steps);
  own.forEach((plan, index) => {
    capabilities.add(plan.capability);
    const started = state.steps[index]!.resources;
    for (const uri of started.length > 0 ? started : footprintOf(plan, plannedInput(plan)).uris) resources.add(uri);
  });
  return {
    name: 'DecidePlan', id,
    data: {
      workflow: state.id, question, principal: state.start.agent, ...(state.start.parent === undefined ? {} : { chain: state.start.parent.chain }), action: 'execute', steps: indices.map(index => askedStep(state, index)),
      plan: { steps: own.length, capabilities: [...capabilities].sort(), resources: [...resources] },
    },
  };
}

function stepCommand(state: Workflow, index: number, epoch: number, cause: string, attempt: number): StepCommand {
  const plan = state.start.steps[index]!;
  const resolved = inputOf(state, index);
  invariant(resolved.ok, `the input of \`${state.id}/${plan.id}\` can no longer be resolved`);
  return {
    workflow: state.id, step: plan.id, index, generation: state.steps[index]!.generation, attempt, epoch, agent: state.start.agent,
    capability: plan.capability, adapter: plan.adapter, connection: plan.connection, input: resolved.value, timeoutMs: plan.timeoutMs, cause,
    ...(plan.connectionStamp === undefined ? {} : { connectionStamp: plan.connectionStamp }),
    ...(plan.phase === undefined ? {} : { phase: plan.phase, held: heldIn(state, plan.connection) }),
  };
}

export const executeCommand = (state: Workflow, index: number, epoch: number): Command => {
  const step = state.steps[index]!;
  const lease = step.decision?.lease;
  invariant(lease !== undefined && step.startedFact !== null, `\`${state.id}\` step ${index} has no leave to start`);
  return { name: 'ExecuteStep', id: step.startedFact, adapter: state.start.steps[index]!.adapter, data: { ...stepCommand(state, index, epoch, step.startedFact, 1), lease } };
};

export const undoCommand = (state: Workflow, index: number, epoch: number): Command => {
  const step = state.steps[index]!;
  invariant(step.undo !== null, `\`${state.id}\` step ${index} is not being undone`);
  return {
    name: 'UndoStep', id: step.undo.fact, adapter: state.start.steps[index]!.adapter,
    data: { ...stepCommand(state, index, epoch, step.undo.fact, step.undo.attempt), lease: undoLease(state, index), onConflict: state.rollback?.onConflict ?? 'block' },
  };
};

export const probeCommand = (state: Workflow, index: number, epoch: number, direction: Direction, id: string): Command => {
  const step = state.steps[index]!;
  const forward = direction === 'forward';
  const lease = forward ? step.decision?.lease : undoLease(state, index);
  invariant(lease !== undefined, `\`${state.id}\` step ${index} has no lease to probe with`);
  return {
    name: 'ProbeStep', id, adapter: state.start.steps[index]!.adapter,
    data: { ...stepCommand(state, index, epoch, (forward ? step.startedFact : step.undo?.fact) ?? id, forward ? 1 : step.undo?.attempt ?? 1), lease, direction, probe: forward ? step.probe : step.undo?.probe ?? 1 },
  };
};

function undoLease(state: Workflow, index: number): Lease {
  const lease = state.steps[index]!.decision?.undoLease;
  invariant(lease !== undefined, `\`${state.id}\` step ${index} was started without an undo lease`);
  return lease;
}

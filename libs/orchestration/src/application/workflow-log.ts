import { eventType, SERVICE_OF_ADAPTER, stepCommandsTopic, TOPICS, type Draft, type Lease, type Message, type WorkflowFact } from '@aifirst/contracts';
import { invariant, isObject, type Json, type JsonObject } from '@aifirst/kernel';
import type { Append, StoredRow } from '@aifirst/store';
import type { Command } from '../domain/turn';
import { evolve } from '../domain/evolve';
import type { RecordedFact, Workflow } from '../domain/workflow';

/** How facts and commands of a workflow lie in the log, and how its state is read back from there. */

const FACT_NAMES = ['IntentSubmitted', 'StepAdded', 'PolicyAsked', 'PolicyDecided', 'LocksTaken', 'LocksLost', 'WorkflowRestarted', 'StepStarted', 'StepHeld', 'StepSucceeded', 'StepFailed',
  'StepUnknown', 'StepDidNotHappen', 'StepSkipped', 'RollbackStarted', 'StepUndoStarted', 'StepUndoUnknown', 'StepUndone', 'StepUndoBlocked', 'StepUndoSkipped', 'WorkflowPaused',
  'WorkflowResumed', 'RollbackParked', 'WorkflowCommitting', 'WorkflowEnded'] as const satisfies readonly WorkflowFact['name'][];
const TYPE_OF = Object.fromEntries(FACT_NAMES.map(name => [name, eventType('workflow', name)])) as Record<WorkflowFact['name'], string>;
const NAME_OF = new Map(FACT_NAMES.map(name => [TYPE_OF[name], name]));
const COMMAND_TYPES: Readonly<Record<Command['name'], string>> = {
  DecidePlan: eventType('policy', 'DecidePlan'), ExecuteStep: eventType('execution', 'ExecuteStep'),
  UndoStep: eventType('execution', 'UndoStep'), ProbeStep: eventType('execution', 'ProbeStep'),
};

/** Leases stay in the row's private state: whoever reads facts learns nothing that an adapter would act on. */
type Leases = Record<string, { lease?: Lease; undoLease?: Lease }>;

export function toAppend(state: Workflow, version: number, facts: readonly RecordedFact[], commands: readonly Command[], at: number): Append {
  const leases: Leases = {};
  const messages: Draft[] = [];
  for (const { id, at: factAt, causation, fact } of facts) {
    messages.push({
      topic: TOPICS.workflowEvents, key: state.id, id, type: TYPE_OF[fact.name], time: new Date(factAt).toISOString(), subject: state.id, tenant: state.tenant,
      causationid: causation, traceparent: state.traceparent, intentid: state.start.intentKnownAs ?? state.start.intent, intentsource: state.start.agent.id, data: publicData(state, id, fact, leases),
    });
  }
  for (const command of commands) {
    const topic = command.name === 'DecidePlan' ? TOPICS.decisionCommands : topicOf(command.adapter);
    messages.push({
      topic, key: state.id, id: command.id, type: COMMAND_TYPES[command.name], time: new Date(at).toISOString(), subject: state.id, tenant: state.tenant,
      causationid: command.id, traceparent: state.traceparent, data: command.data as unknown as JsonObject,
    });
  }
  return { tenant: state.tenant, stream: state.id, version, messages, ...(Object.keys(leases).length > 0 ? { state: { leases } as unknown as Json } : {}) };
}

function topicOf(adapter: string): string {
  const service = SERVICE_OF_ADAPTER[adapter];
  invariant(service !== undefined, `no service hosts adapter \`${adapter}\``);
  return stepCommandsTopic(service);
}

function publicData(state: Workflow, id: string, fact: WorkflowFact, leases: Leases): JsonObject {
  const { name: _, ...rest } = fact;
  const data: Record<string, unknown> = { workflow: state.id, agent: state.start.agent.id, ...rest };
  if (fact.name === 'PolicyDecided') {
    data['decisions'] = fact.decisions.map(({ lease, undoLease, ...decision }) => {
      if (lease !== undefined || undoLease !== undefined) leases[`${id}:${decision.step}`] = { ...(lease && { lease }), ...(undoLease && { undoLease }) };
      return decision;
    });
  }
  return data as JsonObject;
}

export const isFact = ({ topic }: Message): boolean => topic === TOPICS.workflowEvents;

/** Folds a row into the state of its workflow. Facts that this release does not know park the workflow: they throw. */
export function foldRow(state: Workflow | null, row: StoredRow): Workflow | null {
  for (const message of row.messages) {
    if (!isFact(message)) continue;
    const { event } = message;
    const name = NAME_OF.get(event.type);
    invariant(name !== undefined, `fact \`${event.id}\` is of the unknown type \`${event.type}\``);
    const { workflow: _, agent: __, ...data } = event.data;
    const fact = { name, ...data } as unknown as WorkflowFact;
    const leases = (isObject(row.state) ? row.state['leases'] : undefined) as unknown as Leases | undefined;
    const restored: WorkflowFact = fact.name !== 'PolicyDecided' ? fact : { ...fact, decisions: fact.decisions.map(decision => ({ ...decision, ...leases?.[`${event.id}:${decision.step}`] })) };
    state = evolve(state, { id: event.id, at: Date.parse(event.time), causation: event.causationid, fact: restored }, event.tenant, event.traceparent);
  }
  return state;
}

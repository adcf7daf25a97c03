import { ADAPTER_HOSTS, TOPICS, eventType, stepCommandsTopic } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { conflict, decision, lease, principal, risk, stepError, weighed, type MessageDescription } from './message-parts';
import { any, flag, listOf, oneOf, open, orNull, text, uuid, whole } from './schemas';

/** What the orchestrator asks policy and adapters, what these answer, and what policy tells everybody. */

const reversibility = oneOf('readOnly', 'reversible', 'compensable', 'irreversible');
const action = oneOf('execute', 'rollback');
const direction = oneOf('forward', 'undo');

const decidePlan = open({
  workflow: uuid, question: whole(1), principal, action,
  steps: listOf(open({
    step: text(), generation: whole(1), capability: text(), adapter: text(), reversibility, connection: orNull(text()), input: { type: 'object' }, unresolved: flag, resources: listOf(text()), risk, ...weighed,
  }, Object.keys(weighed))),
  plan: open({ steps: whole(1), capabilities: listOf(text()), resources: listOf(text()) }),
});
const planDecided = open({ workflow: uuid, question: whole(1), action, controlEpoch: whole(), decisions: listOf(decision) });

const command: Readonly<Record<string, JsonObject>> = {
  workflow: uuid, step: text(), index: whole(), generation: whole(1), attempt: whole(1), epoch: whole(), agent: principal, capability: text(), adapter: text(), connection: orNull(text()),
  input: { type: 'object' }, timeoutMs: whole(1), cause: text('id of the fact that sends it'), lease,
};
const reported = open({
  workflow: uuid, step: text(), index: whole(), generation: whole(1), direction, attempt: whole(1), outcome: oneOf('succeeded', 'failed', 'unknown', 'didNotHappen', 'refused', 'cannotTell', 'blocked'),
  probe: whole(), output: any, error: stepError, actSequence: whole(), verified: flag, reason: text(), conflict, undoableUntil: whole(),
}, ['output', 'error', 'actSequence', 'verified', 'reason', 'conflict', 'undoableUntil']);

/** The same for every service that hosts adapters. */
const adapters = (name: string, summary: string, data: JsonObject): MessageDescription[] => ADAPTER_HOSTS.map(host => ({ topic: stepCommandsTopic(host), type: eventType('execution', name), summary, data }));
const outcome = (name: string, summary: string, data: JsonObject): MessageDescription => ({ topic: TOPICS.stepEvents, type: eventType('execution', name), summary, data });
const control = (name: string, summary: string, fields: Readonly<Record<string, JsonObject>>, optional: readonly string[] = []): MessageDescription =>
  ({ topic: TOPICS.controlEvents, type: eventType('policy', name), summary, data: open(fields, optional) });
const scope = open({ kind: oneOf('all', 'agent'), id: text() }, ['id']);

export const SERVICE_MESSAGES: readonly MessageDescription[] = [
  { topic: TOPICS.decisionCommands, type: eventType('policy', 'DecidePlan'), summary: 'May these steps be done?', data: decidePlan },
  { topic: TOPICS.decisionEvents, type: eventType('policy', 'PlanDecided'), summary: 'They may, or not, or not yet.', data: planDecided },
  ...adapters('ExecuteStep', 'Do a step.', open(command)),
  ...adapters('UndoStep', 'Take a step back.', open({ ...command, onConflict: oneOf('block', 'skip', 'force') })),
  ...adapters('ProbeStep', 'What came of a step or its undo?', open({ ...command, direction, probe: whole(1) })),
  outcome('StepPrepared', 'The before-image is kept; the act comes next.', open({ workflow: uuid, step: text(), generation: whole(1), direction, capability: text() })),
  outcome('StepReported', 'What came of it.', reported),
  outcome('CommandRefused', 'A command without a valid seal, or of an old epoch: nothing was done.', open({ workflow: text(), step: text(), code: text(), detail: text() })),
  control('RolePut', 'A role was made or changed.', { name: text(), revision: whole(1), capabilities: listOf(text()), connections: listOf(text()), by: text() }),
  control('RoleDeleted', 'A role was deleted.', { name: text(), revision: whole(1), by: text() }),
  control('PolicyPut', 'A version of a policy was stored.', { name: text(), version: whole(1), digest: text(), by: text() }),
  control('PolicyActivated', 'A version of a policy is in force.', { name: text(), version: whole(1), digest: text(), by: text() }),
  control('PolicyDeleted', 'A policy was deleted.', { name: text(), version: whole(1), active: orNull(whole(1)), by: text() }),
  control('KillSwitchEngaged', 'A kill switch was engaged.', { name: text(), scope, reason: text(), rollback: flag, includeUndo: flag, by: text() }),
  control('KillSwitchLifted', 'A kill switch was lifted.', { name: text(), scope, by: text() }),
  control('PrincipalApplied', 'A principal is known as it now is.', { kind: oneOf('agent', 'person'), id: text(), roles: listOf(text()), suspended: flag, deleted: flag, revision: whole(1) }),
  control('ControlEpochMoved', 'Leases from before are void.', { epoch: whole(1), because: text() }),
];

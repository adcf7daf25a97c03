import { INTENT_TOPICS, TOPICS, eventType, type WorkflowFact } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { ACCEPTED, START_WORKFLOW } from '../intake/intent-intake';
import { UNREADABLE } from '../kafka-intake/answers';
import { PLANNED } from '../plans/plans';
import { SIGNATURE_HEADER, SUBMITTED } from '../kafka-intake/verify-record';
import { WORKFLOW_FACT_NAMES } from '../views/facts';
import type { MessageDescription } from './message-parts';
import { conflict, decision, plannedStep, residue, startWorkflow, stepError as error } from './message-parts';
import { INTENT, any, flag, listOf, oneOf, open, orNull, text, textMap, time, uuid, whole } from './schemas';
import { SERVICE_MESSAGES } from './service-messages';

export type { MessageDescription };

const step = { step: text(), index: whole(), generation: whole(1) };
const action = oneOf('execute', 'rollback');
const locks = listOf(open({ resource: text(), mode: oneOf('read', 'write', 'intentRead', 'intentWrite') }));

/** `data` of every fact of a workflow, beside `workflow` and `agent`; the compiler keeps it whole. */
const FACTS: Readonly<Record<WorkflowFact['name'], { readonly summary: string; readonly fields: Readonly<Record<string, JsonObject>>; readonly optional?: readonly string[] }>> = {
  IntentSubmitted: { summary: 'An intent has become a workflow.', fields: { start: startWorkflow, by: text() } },
  StepAdded: { summary: 'An interactive transaction has one step more.', fields: { step: text(), index: whole(), plan: plannedStep } },
  PolicyAsked: { summary: 'Policy is asked about steps.', fields: { question: whole(1), action, steps: listOf(open({ index: whole(), generation: whole(1) })) } },
  PolicyDecided: { summary: 'Policy has decided, step by step.', fields: { question: whole(1), action, decision: text('id of the event that brought it'), controlEpoch: whole(), decisions: listOf(decision) } },
  LocksTaken: { summary: 'Locks are held from here on.', fields: { locks } },
  LocksLost: { summary: 'All locks are gone.', fields: { code: oneOf('PARKED', 'BROKEN', 'DIED', 'ENDED'), reason: text(), by: text() } },
  WorkflowRestarted: { summary: 'All is undone and begins again.', fields: { restarts: whole(1) } },
  StepStarted: { summary: 'A step was sent to its adapter.', fields: { ...step, attempt: whole(1), decision: text(), resources: listOf(text()) } },
  StepHeld: { summary: 'A step waits for the commit.', fields: { step: text(), index: whole() } },
  StepSucceeded: { summary: 'A step was done.', fields: { ...step, output: any, actSequence: whole(), undoableUntil: orNull(whole()), decision: text(), by: text() }, optional: ['by'] },
  StepFailed: { summary: 'A step was not done.', fields: { ...step, error, retryAt: orNull(whole()), decision: orNull(text()), by: text() }, optional: ['by'] },
  StepUnknown: { summary: 'It is not known whether a step was done.', fields: { ...step, error, probe: whole(), parked: flag, decision: text() } },
  StepDidNotHappen: { summary: 'A step was proven not to have been done.', fields: { ...step, by: text() }, optional: ['by'] },
  StepSkipped: { summary: 'A step will not be started.', fields: { step: text(), index: whole(), why: text() } },
  RollbackStarted: { summary: 'What was done is being taken back.', fields: { reason: text(), by: text(), code: text(), wanted: locks, onConflict: { const: 'skip' } }, optional: ['wanted', 'onConflict'] },
  StepUndoStarted: { summary: 'The undo of a step was sent to its adapter.', fields: { ...step, attempt: whole(1), decision: text() } },
  StepUndoUnknown: { summary: 'It is not known whether a step was undone.', fields: { ...step, attempt: whole(1), probe: whole(), error } },
  StepUndone: { summary: 'A step was undone.', fields: { ...step, verified: flag, reason: orNull(text()) } },
  StepUndoBlocked: { summary: "A step can't be undone without a person.", fields: { ...step, code: text(), reason: text(), conflict } },
  StepUndoSkipped: { summary: "A step can't be undone, and stands: its rollback leaves out what is in the way.", fields: { ...step, code: text(), reason: text(), conflict } },
  WorkflowPaused: { summary: 'Nothing is started any more until it is resumed.', fields: { code: text(), reason: text(), by: text(), failed: flag, killSwitch: text('which, where the code is `KILL_SWITCH`') }, optional: ['killSwitch'] },
  WorkflowResumed: { summary: 'It goes on.', fields: { by: text(), failedStep: orNull(oneOf('retry', 'skip')) } },
  RollbackParked: { summary: 'What is left to take back waits for a person.', fields: { code: text(), reason: text() } },
  WorkflowCommitting: { summary: 'All succeeded, and parts that were prepared are being committed; or, of an interactive transaction, no step follows.', fields: { by: text('who commits an interactive transaction') }, optional: ['by'] },
  WorkflowEnded: { summary: 'It has ended.', fields: { status: oneOf('completed', 'rolledBack', 'rejected', 'failed', 'cancelled'), code: orNull(text()), reason: orNull(text()), residue: listOf(residue) } },
};

const workflowFacts = WORKFLOW_FACT_NAMES.map((name): MessageDescription => ({
  topic: TOPICS.workflowEvents, type: eventType('workflow', name), summary: FACTS[name].summary,
  data: open({ workflow: uuid, agent: text(), ...FACTS[name].fields }, FACTS[name].optional ?? []),
}));

const refused = open({ code: text(), detail: text(), source: text(), count: whole(1, { description: 'how often within a minute' }) });
const refusedIntent = open({ code: text(), detail: text(), source: text(), count: whole(1, { description: 'how often within a minute; 1 of an intent by Kafka, each of which is answered' }), id: text("the CloudEvent's, of an intent by Kafka"), errors: listOf(open({ code: text(), pointer: text(), detail: text() }, ['pointer'])) }, ['id', 'errors']);
const settings = { name: text(), owner: text(), roles: listOf(text()), limits: { type: 'object' }, repeatWindowMs: orNull(whole(1)) };
const connection = { connection: text(), adapter: text(), config: { type: 'object' }, secretRefs: textMap, labels: textMap, digest: text(), by: text() };
const identity = (entity: string, name: string, summary: string, data: JsonObject): MessageDescription => ({ topic: TOPICS.identityEvents, type: eventType(entity, name), summary, data });

/** Facts of tasks hold ids, agents and codes, never what a task is about or what came of it. */
const taskFact = (name: string, summary: string, more: Readonly<Record<string, JsonObject>>, optional: readonly string[] = []): MessageDescription =>
  ({ topic: TOPICS.intentEvents, type: eventType('task', name), summary, data: open({ task: text(), workflow: uuid, step: text(), agent: text('who gives it'), ...more }, optional) });
const by = text('the agent that has the claim');
const taskFacts = [
  taskFact('Offered', 'A task may be claimed.', { to: orNull(text()), role: orNull(text()), claims: whole(), deadline: time }),
  taskFact('Claimed', 'An agent has taken a task.', { by, claim: whole(1) }),
  taskFact('Lost', 'A claim is over: its agent was not heard of, or has handed the task over.', { by: orNull(by), claim: whole(1), reason: text() }, ['reason']),
  taskFact('Completed', 'A task was done.', { by, claim: whole(1) }),
  taskFact('Failed', 'A task was not done, and nothing stands that was done for it.', { code: text(), reason: text(), by: orNull(by) }),
  taskFact('Withdrawn', 'A task is not wanted any more, and nothing stands that was done for it.', { code: text(), reason: text() }),
  taskFact('Undoing', 'What was done for a task is being taken back.', { next: oneOf('open', 'failed', 'withdrawn', 'undone'), code: text(), reason: text() }, ['code', 'reason']),
  taskFact('Undone', 'What was done for a task has been taken back.', { verified: flag, reason: orNull(text()) }),
];

/** Every message that crosses a service. */
export const MESSAGES: readonly MessageDescription[] = [
  { topic: TOPICS.intentEvents, type: ACCEPTED, summary: 'An intent was admitted and stored, or had been already.', data: open({
    workflowId: uuid, intentId: uuid, agent: text(), digest: text(), steps: whole(1), id: text("the CloudEvent's, of an intent by Kafka"), source: text("the CloudEvent's, of an intent by Kafka"), kid: text('of the key that signed it'), replayed: { const: true }, planId: text('of the plan that it runs'),
    parent: open({ workflow: uuid, step: text(), task: text() }),
  }, ['digest', 'steps', 'id', 'source', 'kid', 'replayed', 'planId', 'parent']) },
  ...taskFacts,
  { topic: TOPICS.intentEvents, type: PLANNED, summary: 'A plan was made of an intent: what it would do was looked at, and nothing was done.', data: open({
    planId: uuid, agent: text(), digest: text(), policyVersion: text(), steps: listOf(open({ step: text(), capability: text(), outcome: oneOf('allow', 'deny', 'modify', 'approve', 'defer'), previewed: flag })),
  }) },
  { topic: TOPICS.intentEvents, type: eventType('intent', 'Refused'), summary: 'An intent was refused whole.', data: refusedIntent },
  { topic: TOPICS.workflowCommands, type: START_WORKFLOW, summary: 'Carry out an admitted intent.', data: startWorkflow },
  ...workflowFacts,
  identity('tenant', 'Created', 'A tenant was made.', open({ tenant: text(), name: text(), labels: textMap, by: text() })),
  identity('tenant', 'Changed', 'A tenant was changed.', open({ tenant: text(), name: text(), labels: textMap, by: text() })),
  identity('tenant', 'Deleted', 'A tenant was deleted.', open({ tenant: text(), by: text() })),
  identity('agent', 'Created', 'An agent was made.', open({ agent: uuid, ...settings, by: text() })),
  identity('agent', 'Changed', 'An agent was changed.', open({ agent: uuid, ...settings, by: text() })),
  identity('agent', 'Suspended', 'An agent was suspended.', open({ agent: uuid, reason: orNull(text()), by: text() })),
  identity('agent', 'Resumed', "An agent's suspension was lifted.", open({ agent: uuid, reason: orNull(text()), by: text() })),
  identity('agent', 'Deleted', 'An agent was deleted.', open({ agent: uuid, by: text() })),
  identity('token', 'Issued', 'A token was issued.', open({ agent: uuid, tokenId: text(), expiresAt: orNull(time), by: text() })),
  identity('token', 'Revoked', 'A token was revoked.', open({ agent: uuid, tokenId: text(), by: text() })),
  identity('key', 'Registered', 'A public key was registered.', open({ agent: uuid, kid: text(), jwk: { type: 'object' }, by: text() })),
  identity('key', 'Removed', 'A public key was removed.', open({ agent: uuid, kid: text(), by: text() })),
  identity('connection', 'Created', 'A connection was made.', open(connection)),
  identity('connection', 'Changed', 'A connection was changed.', open(connection)),
  identity('connection', 'Deleted', 'A connection was deleted.', open({ connection: text(), by: text() })),
  identity('credential', 'Refused', 'A caller without a valid credential was refused.', refused),
  identity('access', 'Refused', 'A principal was refused what it may not do.', refused),
  {
    topic: INTENT_TOPICS.submitted, type: SUBMITTED, summary: 'Where agents publish intents: in binary mode as here, or in structured mode, signed over the value by a registered key.', data: INTENT,
    binary: { action: 'receive', headers: { [SIGNATURE_HEADER]: text('a detached compact JWS (RFC 7515 appendix F, `EdDSA` or `ES256`) over the value; its protected header has `alg`, `kid`, `aud` (the deployment) and `ce` { `id`, `source`, `type`, `time` }') } },
  },
  {
    topic: INTENT_TOPICS.unreadable, type: UNREADABLE, summary: 'Where it is told of records on the topic of intents that could not be read at all.',
    data: open({ code: text(), reason: text(), digest: text('`sha256:` of the value'), bytes: whole(), topic: text(), partition: whole(), offset: whole() }),
    binary: { action: 'send', headers: { 'aifirst-code': text(), 'aifirst-reason': text(), 'aifirst-digest': text(), 'aifirst-topic': text(), 'aifirst-partition': text(), 'aifirst-offset': text() } },
  },
  ...SERVICE_MESSAGES,
];

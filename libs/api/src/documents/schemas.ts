import { STEP_STATUSES, TASK_STATUSES, WORKFLOW_STATUSES } from '@aifirst/contracts';
import { ATTEMPTS, DEADLINE_MS, IDLE_TIMEOUT_MS, STEPS_MAX, TIMEOUT_MS, TRANSACTION_DEADLINE_MS } from '@aifirst/admission';
import type { JsonObject } from '@aifirst/kernel';

/** Small builders, so that schemas read like the things they describe. */
export const text = (description?: string, more: JsonObject = {}): JsonObject => ({ type: 'string', ...(description === undefined ? {} : { description }), ...more });
export const number = (description?: string): JsonObject => ({ type: 'number', ...(description === undefined ? {} : { description }) });
export const whole = (minimum = 0, more: JsonObject = {}): JsonObject => ({ type: 'integer', minimum, ...more });
export const flag: JsonObject = { type: 'boolean' };
export const time: JsonObject = { type: 'string', format: 'date-time' };
export const uuid: JsonObject = { type: 'string', format: 'uuid' };
export const listOf = (items: JsonObject): JsonObject => ({ type: 'array', items });
export const oneOf = (...values: readonly string[]): JsonObject => ({ enum: [...values] });
export const orNull = (schema: JsonObject): JsonObject => ({ anyOf: [schema, { type: 'null' }] });
export const any: JsonObject = {};
export const textMap: JsonObject = { type: 'object', additionalProperties: { type: 'string' } };
/** All fields but those named in `optional` are required; nothing else may stand there. */
export const shape = (properties: Readonly<Record<string, JsonObject>>, optional: readonly string[] = []): JsonObject =>
  ({ type: 'object', properties, required: Object.keys(properties).filter(name => !optional.includes(name)), additionalProperties: false });
/** As an answer: later releases may add fields. */
export const open = (properties: Readonly<Record<string, JsonObject>>, optional: readonly string[] = []): JsonObject =>
  ({ type: 'object', properties, required: Object.keys(properties).filter(name => !optional.includes(name)) });
export const component = (name: keyof typeof COMPONENTS): JsonObject => ({ $ref: `#/components/schemas/${name}` });
export const pageOfA = (name: keyof typeof COMPONENTS): JsonObject => open({ items: listOf(component(name)), next: orNull(text('`cursor` of the next page')) });

const reason = open({ code: text(), detail: text(), since: time, actions: listOf(open({ method: text(), path: text(), body: any, by: text() }, ['body'])) });
/** Beside level and score the factors, once they have been weighed. */
export const risk = open({
  level: oneOf('low', 'medium', 'high', 'critical'), score: number('the sum over the factors of weight times value'), factors: listOf(open({ factor: text(), weight: number(), value: { type: 'number', minimum: 0, maximum: 1 } })),
}, ['factors']);
const revisioned = { revision: whole(1), createdAt: time, updatedAt: time };

/** A step as it is handed in, in an intent or into a transaction. */
export const STEP: JsonObject = shape({
  id: text(undefined, { pattern: '^[A-Za-z0-9_-]{1,64}$' }), capability: text(),
  input: { type: 'object', description: 'as the capability has it; `{ "$ref": "#/steps/<id>/output<JSON Pointer>" }` stands for an output, `{ "$literal": x }` escapes' },
  dependsOn: listOf(text()), timeoutMs: whole(TIMEOUT_MS.min, { maximum: TIMEOUT_MS.max, default: TIMEOUT_MS.default }),
  retry: shape({ attemptsMax: whole(ATTEMPTS.min, { maximum: ATTEMPTS.max, default: ATTEMPTS.default }) }),
}, ['input', 'dependsOn', 'timeoutMs', 'retry']);

const PARENT_TOKEN = text('the token of a task that it is done for: it belongs to the transaction of whoever gave that');

export const INTENT: JsonObject = shape({
  goal: text('what it is for'), mode: { enum: ['saga', 'atomic'], default: 'saga' }, onFailure: { enum: ['rollback', 'pause', 'keep'], default: 'rollback' },
  deadlineMs: whole(DEADLINE_MS.min, { maximum: DEADLINE_MS.max, default: DEADLINE_MS.default }), labels: textMap, subjects: listOf(text()), tenant: text('the credential decides; another one is refused'),
  steps: { type: 'array', minItems: 1, maxItems: STEPS_MAX, items: STEP },
  parent: PARENT_TOKEN,
}, ['mode', 'onFailure', 'deadlineMs', 'labels', 'subjects', 'tenant', 'parent']);

/** What begins an interactive transaction. */
export const TRANSACTION: JsonObject = shape({
  goal: text('what it is for'), mode: { enum: ['saga'], default: 'saga' },
  idleTimeoutMs: whole(IDLE_TIMEOUT_MS.min, { maximum: IDLE_TIMEOUT_MS.max, default: IDLE_TIMEOUT_MS.default, description: 'it takes itself back when no step came for so long and nothing is pending' }),
  deadlineMs: whole(TRANSACTION_DEADLINE_MS.min, { maximum: TRANSACTION_DEADLINE_MS.max, default: TRANSACTION_DEADLINE_MS.default, description: 'of the whole: not committed by then, it takes itself back' }),
  labels: textMap, subjects: listOf(text()), tenant: text('the credential decides; another one is refused'),
  parent: PARENT_TOKEN,
}, ['mode', 'idleTimeoutMs', 'deadlineMs', 'labels', 'subjects', 'tenant', 'parent']);

/** A plan in place of steps. */
export const PLANNED_INTENT: JsonObject = shape({ planId: text('a plan of the same agent: exactly that is run, or nothing'), tenant: text('the credential decides; another one is refused') }, ['tenant']);

const decided = open({ outcome: oneOf('allow', 'deny', 'modify', 'approve', 'defer'), code: text(), policies: listOf(text()), policyVersion: text(), reason: text(), at: time }, ['code']);
const fileState = orNull(open({ type: oneOf('file', 'directory'), size: whole(), mode: text(), digest: orNull(text()) }));
const change: JsonObject = { anyOf: [
  open({ kind: { const: 'file' }, resource: text(), action: oneOf('create', 'change', 'delete', 'move', 'mode'), diff: orNull(text('unified')), before: fileState, after: fileState }),
  open({ kind: { const: 'rows' }, resource: text(), inserted: whole(), updated: whole(), deleted: whole(), rows: listOf(open({ before: orNull({ type: 'object' }), after: orNull({ type: 'object' }) })) }),
] };

/** A step of another workflow that came after. */
const dependent = open({ workflow: uuid, step: text(), agent: text(), kind: oneOf('overwrote', 'read'), resource: text(), at: time, blocks: flag });

export const JWK: JsonObject = { type: 'object', description: 'a public key (RFC 7517): OKP Ed25519 or EC P-256' };
export const LIMITS: JsonObject = shape({ requestsPerMinute: whole(1, { maximum: 1_000_000 }) }, ['requestsPerMinute']);
export const REPEAT_WINDOW: JsonObject = { anyOf: [whole(1, { maximum: 86_400_000 }), { type: 'null' }] };

/** Why not by reference where it stands in others: tools show a workflow's schema by itself. */
const STEP_VIEW = open({
  id: text(), capability: text(), status: oneOf(...STEP_STATUSES), statusReason: orNull(reason), attempts: whole(), risk,
  decision: orNull(open({ outcome: oneOf('allow', 'deny', 'modify', 'approve', 'defer'), policies: listOf(text()), policyVersion: text(), reason: text(), at: time })),
  resources: listOf(text()), output: any, error: orNull(open({ code: text(), detail: text(), clean: flag })),
  undo: orNull(open({ status: oneOf('pending', 'running', 'done', 'blocked', 'skipped'), verified: flag, reason: orNull(text()) })),
  undoableUntil: orNull(time), startedAt: orNull(time), endedAt: orNull(time),
});

const TASK = {
  id: text(), status: oneOf(...TASK_STATUSES), resultSchema: orNull({ type: 'object' }), agent: orNull(text('whom it is for')), role: orNull(text('whose role it is for')), from: text('the agent that gives it'), goal: text(), workflow: uuid, step: text(),
  claim: whole(0, { description: 'how often it has been claimed' }), claimedBy: orNull(text()), leaseMs: whole(1), leaseUntil: orNull(time), deadline: time, children: listOf(uuid), blocked: orNull(open({ workflow: uuid, detail: text() })),
  error: orNull(open({ code: text(), detail: text() })), createdAt: time, endedAt: orNull(time),
} as const satisfies Readonly<Record<string, JsonObject>>;

export const COMPONENTS = {
  Problem: open({
    type: text(), title: text(), status: whole(400), code: text('stable'), detail: text(), pointer: text('JSON Pointer into the body (RFC 6901)'),
    errors: listOf(open({ code: text(), detail: text(), pointer: text() }, ['pointer'])),
  }, ['pointer']),
  Submitted: open({ intentId: uuid, workflowId: uuid }),
  Intent: open({ id: uuid, workflowId: uuid, intent: { type: 'object' }, digest: text(), agent: text(), createdAt: time }),
  Workflow: open({
    id: uuid, intentId: uuid, tenant: text(), status: oneOf(...WORKFLOW_STATUSES), statusReason: orNull(reason), goal: text(), agent: text(), mode: text(), labels: textMap,
    interactive: open({ idleTimeoutMs: whole(1), committing: flag }), parent: open({ workflow: uuid, step: text(), task: text(), root: uuid, chain: listOf(text('an agent on whose behalf it acts')) }), steps: listOf(STEP_VIEW),
    residue: listOf(open({ step: text(), resource: text(), what: text(), why: text(), action: text() })), createdAt: time, endedAt: orNull(time),
  }, ['interactive', 'parent']),
  Step: STEP_VIEW,
  Task: open(TASK),
  ClaimedTask: open({ ...TASK, token: text('proves the claim; shown this once'), task: { description: 'what is to be done' } }),
  WholeTask: open({ ...TASK, task: { description: 'what is to be done' }, result: { description: 'what came of it; null: nothing yet' } }),
  Plan: open({
    planId: uuid, digest: text('of the intent and of all that it rests on'),
    steps: listOf(open({
      order: whole(1), id: text(), capability: text(), decision: decided, risk, approvals: { type: 'array', description: 'who must agree first' },
      preview: orNull(open({ summary: text(), footprint: listOf(text()), changes: { anyOf: [listOf(change), open({ sealed: { const: true } })] }, truncated: flag })),
      previewError: open({ code: text(), detail: text('why there is no preview') }), undo: open({ how: oneOf('exact', 'compensating', 'none'), detail: text() }),
    }, ['previewError'])),
    pointOfNoReturn: orNull(text('the first step after which not everything can be undone')), createdAt: time, expiresAt: time,
  }),
  RollbackPreview: open({
    workflow: uuid, status: oneOf(...WORKFLOW_STATUSES), digest: text('of what is shown: a rollback with it does just that, or answers `PLAN_STALE`'), onConflict: oneOf('block', 'skip'),
    steps: listOf(open({
      order: whole(1), id: text(), capability: text(), outcome: oneOf('wouldUndo', 'nothingToDo', 'wouldBlock', 'irreversible', 'cannotTell'), summary: text(),
      conflicts: { anyOf: [
        listOf(open({ resource: text(), what: text(), expected: text(), found: text(), before: { description: 'before the step; null: it was not there' }, after: { description: 'after the step' }, current: { description: 'as it is now' } })),
        open({ sealed: { const: true } }),
      ] },
      truncated: flag, reason: orNull(text('why it would not be undone, or why that can not be told')),
    })),
    dependents: listOf(dependent), dependentsTruncated: flag,
  }),
  PlanInTheMaking: open({ planId: uuid, status: { const: 'making' }, createdAt: time, expiresAt: time }),
  CloudEvent: open({
    specversion: { const: '1.0' }, id: text(), type: text(), source: text(), time, subject: text(), tenant: text(), causationid: text(), traceparent: text(),
    intentid: text('the id under which its agent knows the intent'), intentsource: text('the agent that sent the intent'), producer: text(), sequence: whole(1), data: { type: 'object' },
  }, ['causationid', 'traceparent', 'intentid', 'intentsource', 'sequence']),
  Agent: open({
    id: uuid, name: text(), owner: text(), roles: listOf(text()), limits: { type: 'object' }, repeatWindowMs: orNull(whole(1)), status: oneOf('active', 'suspended'),
    tokens: listOf(open({ id: text(), createdAt: time, expiresAt: orNull(time) })), keys: listOf({ $ref: '#/components/schemas/Key' }), ...revisioned,
  }),
  AgentWithToken: open({ id: uuid, tokenId: text(), token: text('shown this once') }),
  Token: open({ tokenId: text(), token: text('shown this once'), expiresAt: orNull(time) }),
  Key: open({ kid: text(), jwk: JWK, createdAt: time, lastUsedAt: orNull(time) }),
  RevokedKey: open({ kid: text(), createdAt: time, revokedAt: time, lastUsedAt: orNull(time) }),
  Tenant: open({ id: text(), name: text(), labels: textMap, ...revisioned }),
  Role: open({ name: text(), capabilities: listOf(text()), connections: listOf(text()), ...revisioned }),
  Policy: open({ name: text(), cedar: text(), version: whole(1), active: orNull(whole(1)), ...revisioned }),
  Validation: open({ valid: { const: true }, warnings: listOf(text()) }),
  KillSwitch: open({ id: text(), scope: open({ kind: oneOf('all', 'agent'), id: text() }, ['id']), reason: text(), rollback: flag, includeUndo: flag, ...revisioned }),
  Connection: open({ name: text(), adapter: text(), config: { type: 'object' }, secretRefs: textMap, labels: textMap, limitations: listOf(text()), digest: text(), ...revisioned }),
  Capability: open({
    name: text(), version: text(), adapter: text(), reversibility: oneOf('readOnly', 'reversible', 'compensable', 'irreversible'), baseRisk: risk,
    outcome: oneOf('transactional', 'nativeKey', 'marker', 'conditional', 'none'), undo: oneOf('exact', 'compensating', 'none'), description: text(),
    inputSchema: { type: 'object' }, outputSchema: { type: 'object' },
  }),
  Lock: open({ id: text(), tenant: text(), resource: text(), mode: text(), workflow: text(), since: time, waiting: listOf(text()) }),
  DeadLetter: open({ id: text(), service: text() }),
  AuditEntry: open({ index: whole(), leafHash: text(), event: { $ref: '#/components/schemas/CloudEvent' } }),
  InclusionProof: open({ index: whole(), size: whole(1), hashes: listOf(text()) }),
  ConsistencyProof: open({ from: whole(), to: whole(), hashes: listOf(text()) }),
  AuditKeys: open({ items: listOf(open({ vkey: text(), from: time, to: orNull(time) })) }),
  Readiness: open({ status: oneOf('ready', 'notReady'), checks: listOf(open({ name: text(), ready: flag, detail: text() }, ['detail'])) }),
} as const satisfies Readonly<Record<string, JsonObject>>;

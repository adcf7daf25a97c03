import type { JsonObject } from '@aifirst/kernel';
import { flag, listOf, oneOf, open, orNull, risk, text, textMap, uuid, whole } from './schemas';

/** A message on a topic: its type and the JSON Schema of its `data`. */
export interface MessageDescription {
  readonly topic: string;
  readonly type: string;
  readonly summary: string;
  readonly data: JsonObject;
  /** Absent: sent among services and to agents, in structured mode. */
  readonly binary?: { readonly action: 'send' | 'receive'; /** Beside those of CloudEvents. */ readonly headers: Readonly<Record<string, JsonObject>> };
}

/** What messages have in common. */
export const principal = open({ kind: oneOf('agent', 'person', 'service'), id: text(), tenant: text() });
export { risk };
export const stepError = open({ code: text(), detail: text(), clean: flag });
export const lease = open({ policyVersion: text(), controlEpoch: whole(), expiresAt: whole(), mac: text() });
export const conflict = orNull(open({ resource: text(), what: text(), expected: text(), found: text() }));
export const residue = open({ step: text(), resource: text(), what: text(), why: text(), action: text() });
/** What risk is weighed by, where it is known. */
export const weighed = { hints: open({ unbounded: flag, recursive: flag, statement: text() }, ['unbounded', 'recursive', 'statement']), environment: text(), reach: whole() };
export const plannedStep = open({
  id: text(), capability: text(), adapter: text(), reversibility: oneOf('readOnly', 'reversible', 'compensable', 'irreversible'), connection: orNull(text()), input: { type: 'object' },
  after: listOf(whole()), hasReferences: flag, resources: listOf(open({ uri: text(), access: oneOf('read', 'write') })), risk, lockBase: text(), timeoutMs: whole(1), attemptsMax: whole(1), phase: oneOf('work', 'prepare', 'commit'), digest: text('of a step of an interactive transaction'), ...weighed,
}, ['lockBase', 'phase', 'digest', ...Object.keys(weighed)]);
export const startWorkflow = open({
  workflow: uuid, intent: uuid, intentKnownAs: text('its id of an intent by Kafka'), agent: principal, goal: text(), mode: oneOf('saga', 'atomic'), onFailure: oneOf('rollback', 'pause', 'keep'), deadlineMs: whole(1), labels: textMap,
  digest: text(), steps: listOf(plannedStep), interactive: open({ idleTimeoutMs: whole(1) }), parent: open({ workflow: uuid, step: text(), task: text(), root: uuid, chain: listOf(principal) }),
}, ['intentKnownAs', 'interactive', 'parent']);
export const decision = open({
  step: text(), generation: whole(1), outcome: oneOf('allow', 'deny', 'modify', 'approve', 'defer'), code: text(), policies: listOf(text()), policyVersion: text(), reason: text(), risk, lease, undoLease: lease,
}, ['code', 'lease', 'undoLease']);

import type { CloudEvent, Message } from '@aifirst/contracts';
import { TOPICS } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';

export interface FactParts {
  readonly producer?: string;
  readonly sequence: number;
  readonly id?: string;
  readonly type?: string;
  readonly tenant?: string;
  readonly subject?: string;
  readonly time?: string;
  readonly causationid?: string;
  readonly data?: JsonObject;
  readonly topic?: string;
}

export function aFact({ producer = 'gateway/0', sequence, id = `${producer}-${sequence}`, type = 'aifirst.agent.created.v1', tenant = 'default', subject = 'ana', time, causationid, data = {}, topic = TOPICS.identityEvents }: FactParts): Message & { readonly event: CloudEvent & { readonly sequence: number } } {
  return {
    topic, key: subject,
    event: {
      specversion: '1.0', id, type, source: `/aifirst/${producer.split('/')[0]!}`, time: time ?? new Date(1_750_000_000_000 + sequence * 10).toISOString(), subject, tenant,
      ...(causationid === undefined ? {} : { causationid }), producer, sequence, data,
    },
  };
}

export const FACTS_PER_WORKFLOW = 19;
/** The facts of a three-step workflow that goes well, as its services record them. */
export function workflowFacts(workflow: string, numbers: { gateway: number; orchestrator: number; policy: number; adapter: number }, options: { readonly tenant?: string; readonly agent?: string } = {}): readonly Message[] {
  const { tenant = 'default', agent = 'clerk' } = options;
  const steps = ['a', 'b', 'c'];
  const at = new Date(1_750_000_000_000 + numbers.orchestrator * 10).toISOString();
  const trace = `00-${workflow.replaceAll('-', '')}-00f067aa0ba902b7-01`;
  let fact = 0;
  const said = (producer: 'gateway' | 'orchestrator' | 'policy' | 'adapter', topic: string, type: string, id: string, causationid: string | undefined, data: JsonObject): Message => {
    const made = aFact({ producer: producer === 'adapter' ? 'adapter-os/0' : `${producer}/0`, sequence: ++numbers[producer], topic, type, id, tenant, subject: workflow, time: at, ...(causationid === undefined ? {} : { causationid }), data });
    return { ...made, event: { ...made.event, traceparent: trace } };
  };
  const orchestrator = (name: string, causationid: string | undefined, data: JsonObject): Message =>
    said('orchestrator', TOPICS.workflowEvents, `aifirst.workflow.${name}.v1`, `${workflow}/${++fact}`, causationid, { workflow, agent, ...data });
  const id = (name: string): string => `${workflow}:${name}`;
  const decisions = steps.map(step => ({ step, generation: 1, outcome: 'allow', policies: ['role/clerk@1'], policyVersion: '3', reason: 'permitted by role/clerk@1', risk: { level: 'low', score: 20 } }));

  const messages = [said('gateway', TOPICS.intentEvents, 'aifirst.intent.accepted.v1', id('accepted'), undefined, { workflow, agent })];
  messages.push(orchestrator('intent-submitted', id('accepted'), {
    by: agent, start: {
      workflow, intent: id('intent'), agent: { kind: 'agent', id: agent, tenant }, goal: 'measure', mode: 'saga', onFailure: 'rollback', deadlineMs: 600_000, labels: {}, digest: `sha256:${'0'.repeat(64)}`,
      steps: steps.map((step, index) => ({ id: step, capability: 'noop', adapter: 'builtin', reversibility: 'reversible', connection: null, input: { value: index }, after: index === 0 ? [] : [index - 1], hasReferences: false, resources: [], risk: { level: 'low', score: 20 }, timeoutMs: 30_000, attemptsMax: 1 })),
    },
  }));
  messages.push(orchestrator('policy-asked', id('accepted'), { question: 1, action: 'execute', steps: steps.map((_, index) => ({ index, generation: 1 })) }));
  messages.push(said('policy', TOPICS.decisionEvents, 'aifirst.policy.plan-decided.v1', id('decided'), `${workflow}/2`, {
    workflow, question: 1, action: 'execute', controlEpoch: 1, decisions: decisions.map(decision => ({ ...decision, lease: { policyVersion: '3', controlEpoch: 1, expiresAt: 1, mac: 'c2VjcmV0LW1hYw' }, undoLease: { policyVersion: '3', controlEpoch: 1, expiresAt: 0, mac: 'c2VjcmV0LW1hYzI' } })),
  }));
  messages.push(orchestrator('policy-decided', id('decided'), { question: 1, action: 'execute', decision: id('decided'), controlEpoch: 1, decisions }));
  const decision = `${workflow}/${fact}`;
  messages.push(orchestrator('locks-taken', undefined, { locks: [{ resource: 'noop://x', mode: 'write' }] }));
  steps.forEach((step, index) => {
    messages.push(orchestrator('step-started', decision, { step, index, generation: 1, attempt: 1, decision, resources: [`file://docs/${step}.txt`] }));
    const started = `${workflow}/${fact}`;
    messages.push(said('adapter', TOPICS.stepEvents, 'aifirst.execution.step-prepared.v1', id(`prepared-${step}`), started, { workflow, step, generation: 1, direction: 'forward', capability: 'noop' }));
    messages.push(said('adapter', TOPICS.stepEvents, 'aifirst.execution.step-reported.v1', id(`reported-${step}`), started, { workflow, step, index, generation: 1, direction: 'forward', attempt: 1, outcome: 'succeeded', probe: 0, output: { value: { $sealed: 'v1.AAAAAAAA.BBBBBBBBBBBBBBBB.CCCCCCCCCCCCCCCCCCCCCCCC', class: 'content' } }, actSequence: index + 1 }));
    messages.push(orchestrator('step-succeeded', started, { step, index, generation: 1, output: { value: { $sealed: 'v1.AAAAAAAA.BBBBBBBBBBBBBBBB.CCCCCCCCCCCCCCCCCCCCCCCC', class: 'content' } }, actSequence: index + 1, undoableUntil: null, decision }));
  });
  messages.push(orchestrator('workflow-ended', id('reported-c'), { status: 'completed', code: null, reason: null, residue: [] }));
  return messages;
}

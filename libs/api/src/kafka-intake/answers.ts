import { TOPICS, eventType, type Draft } from '@aifirst/contracts';
import type { AgentEntry } from '@aifirst/identity';
import type { Problem } from '@aifirst/kernel';
import { ACCEPTED, type Submitted } from '../intake/intent-intake';
import type { Unreadable } from './cloud-event-reader';
import { sourceOf, type NewRecord, type RawRecord } from './raw-topic';

const DETAIL_CHARS_MAX = 300;
const PROBLEMS_MAX = 20;

interface Envelope { readonly eventId: string; readonly time: string; readonly traceparent: string; readonly agent: AgentEntry; /** The CloudEvent's, null: none that could be told. */ readonly id: string | null }

const common = ({ eventId, time, traceparent, agent, id }: Envelope) => ({
  topic: TOPICS.intentEvents, key: agent.id, id: eventId, time, tenant: agent.tenant, traceparent, intentsource: agent.id, ...(id === null ? {} : { intentid: id }),
});

/** Told again to who published the same intent again. */
export const acceptedAgain = (envelope: Envelope, { intentId, workflowId }: Submitted, kid: string): Draft => ({
  ...common(envelope), type: ACCEPTED, subject: intentId,
  data: { workflowId, intentId, agent: envelope.agent.id, ...(envelope.id === null ? {} : { id: envelope.id }), source: envelope.agent.id, kid, replayed: true },
});

export function refusedIntent(envelope: Envelope, problems: readonly [Problem, ...Problem[]]): Draft {
  const [{ code, pointer, detail }] = problems;
  const short = (text: string): string => text.slice(0, DETAIL_CHARS_MAX);
  const errors = problems.slice(0, PROBLEMS_MAX).map(problem => ({ code: problem.code, ...(problem.pointer === undefined ? {} : { pointer: short(problem.pointer) }), detail: short(problem.detail) }));
  return {
    ...common(envelope), type: eventType('intent', 'Refused'), subject: envelope.agent.id,
    data: {
      code, detail: short(pointer === undefined ? detail : `${pointer}: ${detail}`), source: envelope.agent.id, count: 1, ...(envelope.id === null ? {} : { id: envelope.id }),
      ...(problems.length > 1 || pointer !== undefined ? { errors } : {}),
    },
  };
}

export const UNREADABLE = 'aifirst.intent.unreadable.v1';

/** What is told of a record that nobody can be answered for: where it is and its digest, never what it holds. The same record has the same `ce_id`. */
export function unreadableRecord({ topic, partition, offset, timestamp, value }: RawRecord, { code, reason }: Omit<Unreadable, 'kind'>, digest: string): NewRecord {
  const about = { code, reason, digest, bytes: value?.length ?? 0, topic, partition, offset };
  return {
    key: sourceOf(topic, partition), value: Buffer.from(JSON.stringify(about)),
    headers: {
      'content-type': 'application/json', ce_specversion: '1.0', ce_id: `${topic}/${partition}/${offset}`, ce_type: UNREADABLE, ce_source: '/aifirst/gateway', ce_time: new Date(timestamp).toISOString(),
      'aifirst-code': code, 'aifirst-reason': reason, 'aifirst-digest': digest, 'aifirst-topic': topic, 'aifirst-partition': String(partition), 'aifirst-offset': String(offset),
    },
  };
}

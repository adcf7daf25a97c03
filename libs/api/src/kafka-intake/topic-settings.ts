import { INTENT_TOPICS } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import type { RawTopics, TopicDescription } from './raw-topic';

const DAY_MS = 86_400_000;

/** What the topics are made with where they are not there yet. */
export interface NewIntentTopics { readonly partitions: number; /** Default 7 days. */ readonly retentionMs?: number }

const RETENTION_MS = 7 * DAY_MS;
/** Short, so that a message is gone soon after its retention: a segment goes as a whole. */
const SEGMENT_MS = DAY_MS;
/** An intent of a mebibyte in an envelope of its own, in base64 at worst. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Makes the topics of intents where they are missing and may be made, and checks the settings that signatures rest on.
 * @throws OperationalError INTENT_TOPIC_MISSING, INTENT_TOPIC_UNFIT: not to be started with, one line says why; and what `topics` throws
 */
export async function prepareIntentTopics(topics: RawTopics, needed: { readonly freshnessMs: number; readonly idempotencyMs: number }, create: NewIntentTopics | undefined): Promise<TopicDescription> {
  const { submitted, unreadable } = INTENT_TOPICS;
  const found = await topics.describe(submitted);
  if (found === null && create !== undefined) {
    const common = { 'cleanup.policy': 'delete', 'retention.ms': String(create.retentionMs ?? RETENTION_MS), 'segment.ms': String(SEGMENT_MS) };
    await topics.create(submitted, { partitions: create.partitions, settings: { ...common, 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'uncompressed', 'max.message.bytes': String(MESSAGE_BYTES_MAX) } });
  }
  if (await topics.describe(unreadable) === null) {
    if (create === undefined) throw missing(unreadable);
    await topics.create(unreadable, { partitions: 1, settings: { 'cleanup.policy': 'delete', 'retention.ms': String(create.retentionMs ?? RETENTION_MS) } });
  }
  const description = found ?? await topics.describe(submitted);
  if (description === null) throw missing(submitted);
  const wrong = unfitness(description.settings, needed);
  if (wrong !== null) throw new OperationalError('INTENT_TOPIC_UNFIT', `topic \`${submitted}\` ${wrong}`);
  return description;
}

const missing = (topic: string): OperationalError => new OperationalError('INTENT_TOPIC_MISSING', `topic \`${topic}\` is missing: make it, with \`message.timestamp.type=LogAppendTime\` where intents are published`);

/** What is wrong with the settings of the topic that intents are published on, or null. */
export function unfitness(settings: Readonly<Record<string, string>>, { freshnessMs, idempotencyMs }: { readonly freshnessMs: number; readonly idempotencyMs: number }): string | null {
  const timestamps = settings['message.timestamp.type'];
  if (timestamps !== 'LogAppendTime') return `has \`message.timestamp.type=${timestamps ?? 'unknown'}\`: set it to \`LogAppendTime\`, as freshness is judged by when the broker appended a record`;
  const compression = settings['compression.type'];
  // Why: the client reads gzip alone, and stops for good at a batch that a producer compressed otherwise.
  if (compression !== 'uncompressed' && compression !== 'gzip') return `has \`compression.type=${compression ?? 'unknown'}\`: set it to \`uncompressed\` or \`gzip\`, so that the broker stores what can be read, however it was sent`;
  const cleanup = settings['cleanup.policy'];
  if (cleanup !== 'delete') return `has \`cleanup.policy=${cleanup ?? 'unknown'}\`: set it to \`delete\`, as compaction takes intents away that nobody has read`;
  const retentionMs = Number(settings['retention.ms'] ?? NaN);
  const segmentMs = Number(settings['segment.ms'] ?? NaN);
  const days = (ms: number): string => `${Math.round(ms / DAY_MS * 100) / 100}`;
  if (!(retentionMs >= 0) || !(segmentMs >= 0)) return 'keeps its messages for ever (`retention.ms`): set it so that ids of intents are remembered longer (IDEMPOTENCY_DAYS)';
  // Why both: a message goes with its segment, which is as old as `segment.ms` when its last message is appended.
  const keptMs = retentionMs + segmentMs + freshnessMs;
  if (keptMs > idempotencyMs) {
    return `keeps its messages for up to ${days(keptMs)} days (\`retention.ms\` + \`segment.ms\`), but ids of intents are remembered for ${days(idempotencyMs)} (IDEMPOTENCY_DAYS): raise the one or lower the others`;
  }
  return null;
}

import { OperationalError, messageOf } from '@aifirst/kernel';
import { ConfigResourceTypes, type Admin } from 'kafkajs';
import { kafkaClient, within } from './kafka-client';
import { TOPIC_MESSAGE_BYTES_MAX, type KafkaLogEntry, type KafkaSettings } from './kafka-settings';

export interface TopicSpec {
  readonly name: string;
  /** Unless given, the call's. */
  readonly partitions?: number;
  /** Default 7 days: longer than any outage that a consumer is to survive without a gap. */
  readonly retentionMs?: number;
  /** The broker's clock stamps records (`message.timestamp.type=LogAppendTime`), whatever the producer says. Default false. */
  readonly logAppendTime?: boolean;
}

const RETENTION_MS_DEFAULT = 7 * 24 * 3_600_000;
const REPLICATION_DEFAULT_MAX = 3;
/** Brokers tell each other of a new topic in their own time. */
const LEADERS_WITHIN_MS = 10_000;

/**
 * Makes the topics that are missing, with the settings that the bus relies on, and checks those that are there.
 * @param replication default: three, or as many as there are brokers
 * @throws OperationalError KAFKA_UNAVAILABLE (retryable); TOPIC_MISCONFIGURED: names the first topic with setting, found,
 * wanted and the command that mends it
 */
export async function ensureTopics(settings: KafkaSettings, { topics, partitions, replication, onLog }: {
  readonly topics: readonly TopicSpec[]; readonly partitions: number; readonly replication?: number; readonly onLog?: (entry: KafkaLogEntry) => void;
}): Promise<{ readonly created: readonly string[] }> {
  const client = kafkaClient(settings, onLog);
  const admin = client.kafka.admin({ retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 } });
  try {
    await admin.connect();
    const created = await createMissing(admin, topics, partitions, replication);
    const names = new Set(created);
    await check(admin, topics.filter(({ name }) => !names.has(name)), partitions, settings.brokers.join(','));
    return { created };
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError('KAFKA_UNAVAILABLE', `topics can't be made or checked: ${detailOf(error)}`, { retryable: true, cause: error });
  } finally {
    await within(1_000, admin.disconnect());
    client.destroy();
  }
}

async function createMissing(admin: Admin, topics: readonly TopicSpec[], partitions: number, replication: number | undefined): Promise<string[]> {
  const missing = await missingOf(admin, topics);
  if (missing.length === 0) return [];
  const copies = replication ?? Math.min(REPLICATION_DEFAULT_MAX, (await admin.describeCluster()).brokers.length);
  try {
    await admin.createTopics({ topics: missing.map(spec => ({ topic: spec.name, numPartitions: spec.partitions ?? partitions, replicationFactor: copies, configEntries: configOf(spec, copies) })), waitForLeaders: false });
  } catch (error) {
    // Why: another service may have made them at the same time. Whatever else it was, some are still missing.
    const still = await missingOf(admin, topics);
    if (still.length > 0) throw error;
  }
  await leadersOf(admin, missing.map(({ name }) => name));
  return missing.map(({ name }) => name);
}

async function missingOf(admin: Admin, topics: readonly TopicSpec[]): Promise<TopicSpec[]> {
  const there = new Set(await admin.listTopics());
  return topics.filter(({ name }) => !there.has(name));
}

async function leadersOf(admin: Admin, topics: readonly string[]): Promise<void> {
  for (const endsAt = Date.now() + LEADERS_WITHIN_MS; ;) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
      if (found.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))) return;
    } catch (error) {
      if (Date.now() > endsAt) throw error;
    }
    if (Date.now() > endsAt) throw new OperationalError('KAFKA_UNAVAILABLE', 'new topics have no leaders yet', { retryable: true });
    await new Promise(resolve => { setTimeout(resolve, 20); });
  }
}

function configOf({ retentionMs, logAppendTime }: TopicSpec, copies: number): { name: string; value: string }[] {
  return Object.entries({
    'cleanup.policy': 'delete', 'retention.ms': String(retentionMs ?? RETENTION_MS_DEFAULT), 'max.message.bytes': String(TOPIC_MESSAGE_BYTES_MAX),
    'min.insync.replicas': copies >= 3 ? '2' : '1', 'unclean.leader.election.enable': 'false',
    'message.timestamp.type': logAppendTime === true ? 'LogAppendTime' : 'CreateTime',
  }).map(([name, value]) => ({ name, value }));
}

async function check(admin: Admin, topics: readonly TopicSpec[], partitions: number, brokers: string): Promise<void> {
  if (topics.length === 0) return;
  const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false, resources: topics.map(({ name }) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: ['message.timestamp.type', 'max.message.bytes', 'cleanup.policy'] })),
  });
  for (const spec of topics) {
    const wanted = spec.partitions ?? partitions;
    const count = found.find(({ name }) => name === spec.name)?.partitions.length ?? 0;
    if (count !== wanted) throw misconfigured(spec.name, 'partitions', String(count), String(wanted), partitionsCommand(spec.name, count, wanted, brokers));
    const configOfTopic = new Map(resources.find(({ resourceName }) => resourceName === spec.name)?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    const requirements: [string, string, (value: string) => boolean][] = [
      ['message.timestamp.type', spec.logAppendTime === true ? 'LogAppendTime' : 'CreateTime', value => spec.logAppendTime !== true || value === 'LogAppendTime'],
      ['max.message.bytes', String(TOPIC_MESSAGE_BYTES_MAX), value => Number(value) >= TOPIC_MESSAGE_BYTES_MAX],
      ['cleanup.policy', 'delete', value => value === 'delete'],
    ];
    for (const [name, value, holds] of requirements) {
      const current = configOfTopic.get(name);
      if (current !== undefined && !holds(current)) throw misconfigured(spec.name, name, current, value, `kafka-configs.sh --bootstrap-server ${brokers} --alter --topic ${spec.name} --add-config ${name}=${value}`);
    }
  }
}

/** Why never more partitions: keys would move to others in the middle of their order. */
const partitionsCommand = (topic: string, found: number, wanted: number, brokers: string): string =>
  `set the number of partitions to ${found}, or with all services stopped and nothing left to handle: kafka-topics.sh --bootstrap-server ${brokers} --delete --topic ${topic} (it is made anew with ${wanted})`;

const misconfigured = (topic: string, setting: string, found: string, wanted: string, command: string): OperationalError =>
  new OperationalError('TOPIC_MISCONFIGURED', `topic \`${topic}\` has ${setting} ${found}, wanted is ${wanted}: ${command}`);

/** kafkajs gathers the errors of single topics in one. */
function detailOf(error: unknown): string {
  const errors = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors as unknown[] : [];
  return [messageOf(error), ...errors.map(messageOf)].join('; ');
}

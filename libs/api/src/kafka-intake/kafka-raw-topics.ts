import { randomBytes } from 'node:crypto';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { ConfigResourceTypes, Partitioners, type Admin, type Kafka, type Producer } from 'kafkajs';
import { KafkaRawConsumer } from './kafka-raw-consumer';
import type { NewRecord, RawConsumer, RawSubscription, RawTopics, TopicDescription } from './raw-topic';

/** A client with connections of its own; `destroy` ends them at once. */
export interface RawKafkaClient { readonly kafka: Kafka; destroy(): void }

export interface KafkaRawTopicsOptions {
  /** Makes a client; called again for every producer and consumer, and when one is replaced. */
  readonly client: () => RawKafkaClient;
  /** Deployments on the same brokers don't share groups. */
  readonly deployment: string;
  /** Before the name of every topic at the broker, for tests that share one. Default none. */
  readonly topicPrefix?: string;
  /** Of topics that are made here. Default: three, or as many as there are brokers. */
  readonly replicationFactor?: number;
  /** Told when a producer or consumer is given up and built anew. */
  readonly onRebuilding?: (error: unknown) => void;
}

const PRODUCE_TIMEOUT_MS = 15_000;
const REPLICATION_DEFAULT_MAX = 3;
/** Brokers tell each other of a new topic in their own time. */
const LEADERS_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/**
 * Topics of a Kafka broker by kafkajs, in the one way in which it loses nothing: a plain producer with one request under
 * way that is thrown away after any failure, and consumers whose positions are ours (`KafkaRawConsumer`).
 */
export class KafkaRawTopics implements RawTopics {
  private admin: Promise<{ readonly admin: Admin; readonly client: RawKafkaClient }> | null = null;
  private producer: { readonly producer: Producer; readonly client: RawKafkaClient } | null = null;
  private sending: Promise<unknown> = Promise.resolve();
  private readonly consumers = new Set<RawConsumer>();

  constructor(private readonly options: KafkaRawTopicsOptions) {}

  async describe(topic: string): Promise<TopicDescription | null> {
    const name = this.named(topic);
    return this.asAdmin(async admin => {
      const existing = await admin.listTopics();
      if (!existing.includes(name)) return null;
      const { topics: [metadata] } = await admin.fetchTopicMetadata({ topics: [name] });
      const { resources: [resource] } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name }] });
      const settings = Object.fromEntries((resource?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]));
      return { partitions: metadata?.partitions.length ?? 0, settings };
    });
  }

  async create(topic: string, { partitions, settings }: { readonly partitions: number; readonly settings: Readonly<Record<string, string>> }): Promise<void> {
    const name = this.named(topic);
    await this.asAdmin(async admin => {
      const copies = this.options.replicationFactor ?? Math.min(REPLICATION_DEFAULT_MAX, (await admin.describeCluster()).brokers.length);
      const all = { ...settings, 'min.insync.replicas': copies >= REPLICATION_DEFAULT_MAX ? '2' : '1', 'unclean.leader.election.enable': 'false' };
      await admin.createTopics({ topics: [{ topic: name, numPartitions: partitions, replicationFactor: copies, configEntries: Object.entries(all).map(([key, value]) => ({ name: key, value })) }] });
      for (const giveUpAt = Date.now() + LEADERS_WITHIN_MS; ;) {
        const { topics: [found] } = await admin.fetchTopicMetadata({ topics: [name] }).catch(error => { if (Date.now() > giveUpAt) throw error; return { topics: [] }; });
        if (found !== undefined && found.partitions.length === partitions && found.partitions.every(({ leader }) => leader >= 0)) return;
        if (Date.now() > giveUpAt) throw new Error(`topic \`${name}\` has no leaders yet`);
        await new Promise(resolve => { setTimeout(resolve, LOOK_AGAIN_MS); });
      }
    });
  }

  /** First and next offset of every partition. */
  async ends(topic: string): Promise<ReadonlyMap<number, { readonly low: number; readonly high: number }>> {
    const offsets = await this.asAdmin(admin => admin.fetchTopicOffsets(this.named(topic)));
    return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  }

  async subscribe(subscription: RawSubscription): Promise<RawConsumer> {
    const { client, deployment, onRebuilding } = this.options;
    const consumer = new KafkaRawConsumer(subscription, {
      client, name: this.named(subscription.topic), ends: topic => this.ends(topic), ...(onRebuilding && { onRebuilding }),
      // Why a new group each time: whoever subscribes holds its log alone, and need not wait for the session of a former member.
      groupId: () => `${deployment}.${subscription.group}.${randomBytes(9).toString('base64url')}`,
    });
    this.consumers.add(consumer);
    await consumer.start();
    return consumer;
  }

  produce(topic: string, records: readonly NewRecord[]): Promise<void> {
    const sent = this.sending.then(() => this.send(topic, records));
    this.sending = sent.catch(() => undefined);
    return sent;
  }

  async close(): Promise<void> {
    for (const consumer of this.consumers) await consumer.stop();
    await this.sending;
    const { producer, admin } = this;
    this.producer = null;
    this.admin = null;
    if (producer !== null) { await producer.producer.disconnect().catch(() => undefined); producer.client.destroy(); }
    await admin?.then(async ({ admin: connected, client }) => { await connected.disconnect().catch(() => undefined); client.destroy(); }, () => undefined);
  }

  private named(topic: string): string { return `${this.options.topicPrefix ?? ''}${topic}`; }

  private async send(topic: string, records: readonly NewRecord[]): Promise<void> {
    try {
      const producer = await this.connectedProducer();
      await producer.send({ topic: this.named(topic), acks: -1, timeout: PRODUCE_TIMEOUT_MS, messages: records.map(({ key, value, headers }) => ({ key, value, headers: { ...headers } })) });
    } catch (error) {
      // Why: what is still under way on its connections must not be acknowledged in the name of what comes next.
      const given = this.producer;
      this.producer = null;
      given?.client.destroy();
      void given?.producer.disconnect().catch(() => undefined);
      this.options.onRebuilding?.(error);
      throw new OperationalError('NOT_SENT', `kafka did not take records for \`${topic}\`: ${messageOf(error)}`, { retryable: true, cause: error });
    }
  }

  private async connectedProducer(): Promise<Producer> {
    if (this.producer !== null) return this.producer.producer;
    const client = this.options.client();
    const producer = client.kafka.producer({ idempotent: false, allowAutoTopicCreation: false, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner, retry: { retries: 0 } });
    this.producer = { producer, client };
    await producer.connect();
    return producer;
  }

  private async asAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    this.admin ??= this.connectedAdmin();
    try {
      return await work((await this.admin).admin);
    } catch (error) {
      const given = this.admin;
      this.admin = null;
      void given?.then(({ admin, client }) => admin.disconnect().catch(() => undefined).finally(() => client.destroy()), () => undefined);
      throw new OperationalError('KAFKA_UNAVAILABLE', `kafka did not answer: ${messageOf(error)}`, { retryable: true, cause: error });
    }
  }

  private async connectedAdmin(): Promise<{ admin: Admin; client: RawKafkaClient }> {
    const client = this.options.client();
    const admin = client.kafka.admin();
    try {
      await admin.connect();
    } catch (error) {
      client.destroy();
      throw error;
    }
    return { admin, client };
  }
}

import { OperationalError, messageOf } from '@aifirst/kernel';
import { ConfigResourceTypes, Partitioners, type Admin, type Kafka, type Producer } from 'kafkajs';
import { KafkaRawConsumer } from './kafka-raw-consumer';
import type { NewRecord, RawConsumer, RawSubscription, RawTopics, TopicDescription } from './raw-topic';

/** A client with connections of its own; `destroy` ends them at once. */
export interface RawKafkaClient { readonly kafka: Kafka; destroy(): void }

export interface KafkaRawTopicsOptions {
  /** Makes a client; called again for every producer and consumer, and when one is replaced. */
  readonly client: () => RawKafkaClient;
  /** Of topics that are made here. Default 1; in production 3. */
  readonly replicationFactor?: number;
  /** Told when a producer or consumer is given up and built anew. */
  readonly onRebuilding?: (error: unknown) => void;
}

const PRODUCE_TIMEOUT_MS = 15_000;

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
    return this.asAdmin(async admin => {
      const existing = await admin.listTopics();
      if (!existing.includes(topic)) return null;
      const { topics: [metadata] } = await admin.fetchTopicMetadata({ topics: [topic] });
      const { resources: [resource] } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] });
      const settings = Object.fromEntries((resource?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]));
      return { partitions: metadata?.partitions.length ?? 0, settings };
    });
  }

  async create(topic: string, { partitions, settings }: { readonly partitions: number; readonly settings: Readonly<Record<string, string>> }): Promise<void> {
    await this.asAdmin(async admin => {
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: partitions, replicationFactor: this.options.replicationFactor ?? 1, configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })) }],
      });
    });
  }

  /** First and next offset of every partition. */
  async ends(topic: string): Promise<ReadonlyMap<number, { readonly low: number; readonly high: number }>> {
    const offsets = await this.asAdmin(admin => admin.fetchTopicOffsets(topic));
    return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  }

  async subscribe(subscription: RawSubscription): Promise<RawConsumer> {
    const consumer = new KafkaRawConsumer(subscription, { client: this.options.client, ends: topic => this.ends(topic), ...(this.options.onRebuilding && { onRebuilding: this.options.onRebuilding }) });
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

  private async send(topic: string, records: readonly NewRecord[]): Promise<void> {
    try {
      const producer = await this.connectedProducer();
      await producer.send({ topic, acks: -1, timeout: PRODUCE_TIMEOUT_MS, messages: records.map(({ key, value, headers }) => ({ key, value, headers: { ...headers } })) });
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

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel, type IHeaders, type KafkaMessage, type Producer } from 'kafkajs';
import type { CloudEvent } from '@aifirst/contracts';
import { RecordCodec } from '@aifirst/bus-kafka/testing';
import type { Stack } from './stack';
import { until } from './wait';

export interface Written { readonly key: string; readonly value: Buffer; readonly headers?: IHeaders }

/** A Kafka client that somebody has who got to the broker; with a stack's service key, if that was stolen too. */
export class Records {
  private constructor(private readonly kafka: Kafka, private readonly producer: Producer, private readonly prefix: string, private readonly codec: RecordCodec) {}

  static async of(stack: Stack): Promise<Records> {
    const { KAFKA_BROKERS = '', KAFKA_TOPIC_PREFIX = '' } = stack.environment();
    const kafka = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'records', logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    return new Records(kafka, producer, KAFKA_TOPIC_PREFIX, new RecordCodec(Buffer.from(readFileSync(join(stack.dataDir, 'service.key'), 'utf8'), 'base64')));
  }

  /** As it is. */
  async put(topic: string, ...records: readonly Written[]): Promise<void> {
    await this.producer.send({ topic: this.prefix + topic, messages: records.map(({ key, value, headers = {} }) => ({ key, value, headers })) });
  }

  /** Under the MAC that services put on theirs. */
  sealed(topic: string, key: string, event: object, codec = this.codec): Written { return codec.encode(this.prefix + topic, { topic, key, event: event as CloudEvent }); }

  /** The first on a topic that fits, from its beginning on. */
  async find(topic: string, fits: (record: KafkaMessage) => boolean, withinMs = 20_000): Promise<KafkaMessage> {
    const consumer = this.kafka.consumer({ groupId: `records-${Math.random().toString(36).slice(2)}`, maxWaitTimeInMs: 100 });
    let found: KafkaMessage | undefined;
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: this.prefix + topic, fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => { if (fits(message)) found ??= message; } });
      return await until(`a record on ${topic}`, () => found, withinMs);
    } finally {
      await consumer.disconnect();
    }
  }

  async close(): Promise<void> { await this.producer.disconnect(); }
}

/** An envelope as a service makes it; what the test says goes over it. */
export const envelope = (more: { readonly type: string; readonly subject: string; readonly data: object } & Readonly<Record<string, unknown>>): object => ({
  specversion: '1.0', id: `by-hand-${Math.random().toString(36).slice(2)}`, source: '/aifirst/by-hand', time: new Date().toISOString(), tenant: 'default', producer: 'by-hand/0', ...more,
});

/** The value of one series on a page of metrics, added up over processes. */
export function seriesOf(page: string, name: string, labels: Readonly<Record<string, string>>): number {
  return page.split('\n').filter(line => line.startsWith(`${name}{`) && Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`))).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

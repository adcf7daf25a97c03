import { InvariantViolation, OperationalError, invariant, messageOf } from '@aifirst/kernel';
import { Partitioners, type Producer, type TopicMessages } from 'kafkajs';
import { kafkaClient, type KafkaClient } from './kafka-client';
import { REQUEST_TIMEOUT_MS, type KafkaLogEntry, type KafkaSettings } from './kafka-settings';

/**
 * The one safe way to produce with kafkajs (ADR 32): plain, acknowledged by all replicas, one request under way, and after
 * any failure the producer is given up with its connections, so that nothing of it can still be under way.
 */
export class SingleFlightProducer {
  private current: { readonly client: KafkaClient; readonly producer: Producer } | null = null;
  private readonly lastOffsets = new Map<string, number>();
  private sending = false;
  private closed = false;

  constructor(private readonly settings: KafkaSettings, private readonly onLog: (entry: KafkaLogEntry) => void) {}

  /**
   * Resolves when all is in Kafka.
   * @throws OperationalError NOT_SENT (retryable): some of it may be there; send the very same again before anything else
   */
  async send(topicMessages: readonly TopicMessages[]): Promise<void> {
    invariant(!this.sending, 'two requests under way on one producer');
    this.sending = true;
    try {
      const producer = await this.connected();
      const answers = await producer.sendBatch({ acks: -1, timeout: REQUEST_TIMEOUT_MS, topicMessages: [...topicMessages] });
      for (const { topicName, partition, baseOffset } of answers) this.assertRising(`${topicName}/${partition}`, Number(baseOffset));
    } catch (error) {
      this.discard(true);
      if (error instanceof InvariantViolation) throw error;
      throw new OperationalError('NOT_SENT', `kafka did not take a batch: ${messageOf(error)}`, { retryable: true, cause: error });
    } finally {
      this.sending = false;
    }
  }

  /** Ends the connection; a request under way fails. */
  async close(): Promise<void> {
    this.closed = true;
    this.discard(this.sending);
  }

  private async connected(): Promise<Producer> {
    if (this.closed) throw new Error('the producer is closed');
    if (this.current !== null) return this.current.producer;
    const client = kafkaClient(this.settings, this.onLog);
    const producer = client.kafka.producer({
      idempotent: false, allowAutoTopicCreation: false, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner, retry: { retries: 0 },
    });
    this.current = { client, producer };
    await producer.connect();
    return producer;
  }

  /** A broker that answers with an offset it has given before has not written this batch, but recognised another in it. */
  private assertRising(partition: string, offset: number): void {
    const last = this.lastOffsets.get(partition) ?? -1;
    this.lastOffsets.set(partition, offset);
    if (!(offset > last)) throw new Error(`${partition} answered offset ${offset} after ${last}`);
  }

  private discard(abruptly: boolean): void {
    const discarded = this.current;
    this.current = null;
    if (discarded === null) return;
    discarded.client.destroy(abruptly);
    discarded.producer.disconnect().catch(() => undefined);
  }
}

import { isLogGone } from '@aifirst/store';
import type { NewRecord, RawConsumer, RawRecord, RawSubscription, RawTopics, TopicDescription } from '../kafka-intake/raw-topic';
import { sourceOf } from '../kafka-intake/raw-topic';

interface Topic { readonly settings: Record<string, string>; readonly partitions: RawRecord[][] }
type Written = Partial<Pick<RawRecord, 'key' | 'value' | 'headers' | 'timestamp' | 'timestampType'>> & { readonly partition?: number };

/** Topics that live as long as the test; the broker's clock is the test's. */
export class MemoryRawTopics implements RawTopics {
  readonly topics = new Map<string, Topic>();
  /** The next calls of `produce` reject with this. */
  failure: Error | null = null;
  readonly retried: unknown[] = [];
  private readonly consumers = new Set<MemoryConsumer>();

  constructor(private readonly now: () => number) {}

  async describe(topic: string): Promise<TopicDescription | null> {
    const found = this.topics.get(topic);
    return found === undefined ? null : { partitions: found.partitions.length, settings: found.settings };
  }

  async create(topic: string, { partitions, settings }: { readonly partitions: number; readonly settings: Readonly<Record<string, string>> }): Promise<void> {
    if (!this.topics.has(topic)) this.topics.set(topic, { settings: { 'segment.ms': '86400000', ...settings }, partitions: Array.from({ length: partitions }, () => []) });
  }

  /** Appends as a broker does. @returns the record's place */
  append(topic: string, { partition = 0, ...record }: Written): RawRecord {
    const { partitions } = this.topics.get(topic)!;
    const full: RawRecord = { topic, partition, offset: partitions[partition]!.length, timestamp: this.now(), timestampType: 'LogAppendTime', key: null, value: null, headers: {}, ...record };
    partitions[partition]!.push(full);
    for (const consumer of this.consumers) consumer.wake();
    return full;
  }

  records(topic: string): readonly RawRecord[] { return this.topics.get(topic)?.partitions.flat() ?? []; }

  async produce(topic: string, records: readonly NewRecord[]): Promise<void> {
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    for (const { key, value, headers } of records) this.append(topic, { key: key === null ? null : Buffer.from(key), value, headers });
  }

  async subscribe(subscription: RawSubscription): Promise<RawConsumer> {
    const consumer = new MemoryConsumer(subscription, this, () => { this.consumers.delete(consumer); });
    this.consumers.add(consumer);
    consumer.wake();
    return consumer;
  }

  /** Resolves when all that was appended is taken. */
  async settled(): Promise<void> { for (const consumer of this.consumers) await consumer.idle(); }
  async close(): Promise<void> { for (const consumer of this.consumers) await consumer.stop(); }
}

class MemoryConsumer implements RawConsumer {
  private running: Promise<void> | null = null;
  private isStopped = false;
  private ended: unknown = null;

  constructor(private readonly subscription: RawSubscription, private readonly topics: MemoryRawTopics, private readonly gone: () => void) {}

  lag(): number { return this.running === null ? 0 : 1; }
  trouble(): string | null { return this.ended === null ? null : 'has ended'; }
  async stop(): Promise<void> { this.isStopped = true; this.gone(); await this.idle(); }
  async idle(): Promise<void> { while (this.running !== null) await this.running; }

  wake(): void { this.running ??= this.run().finally(() => { this.running = null; }); }

  private async run(): Promise<void> {
    const { topic, recordsMax = 500 } = this.subscription;
    for (let busy = true; busy && !this.isStopped && this.ended === null;) {
      busy = false;
      // Why: whatever is appended within one turn comes in one batch.
      await new Promise(resolve => { setImmediate(resolve); });
      for (const [partition, all] of this.topics.topics.get(topic)!.partitions.entries()) {
        const source = sourceOf(topic, partition);
        const records = all.slice((await this.subscription.from())[source] ?? 0).slice(0, recordsMax);
        if (records.length === 0) continue;
        busy = true;
        await this.subscription.handle(records, { [source]: records.at(-1)!.offset + 1 }).catch(async (error: unknown) => {
          this.topics.retried.push(error);
          if (isLogGone(error)) { this.ended = error; this.subscription.onEnded?.(error); return; }
          this.subscription.onRetrying?.(error, 1);
          await new Promise(resolve => { setTimeout(resolve, 1); });
        });
      }
    }
  }
}

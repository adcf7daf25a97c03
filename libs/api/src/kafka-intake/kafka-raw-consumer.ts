import { isLogGone, type Positions } from '@aifirst/store';
import { OperationalError, messageOf } from '@aifirst/kernel';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { RawKafkaClient } from './kafka-raw-topics';
import { sourceOf, type RawConsumer, type RawRecord, type RawSubscription } from './raw-topic';

interface Means {
  readonly client: () => RawKafkaClient;
  readonly groupId: () => string;
  /** The topic's at the broker. */
  readonly name: string;
  readonly ends: (topic: string) => Promise<ReadonlyMap<number, { readonly low: number; readonly high: number }>>;
  readonly onRebuilding?: (error: unknown) => void;
}

const RECORDS_MAX = 500;
const BYTES_MAX = 8 * 1024 * 1024;
const RETRY_DELAY_MS_MIN = 50;
const RETRY_DELAY_MS_MAX = 5_000;
const SESSION_TIMEOUT_MS = 30_000;
const REBALANCE_TIMEOUT_MS = 60_000;
const HEARTBEAT_MS = 3_000;
const FETCH_WAIT_MS = 500;
/** Longer without a sign of life than a session and several fetches: it will not come back by itself. */
const SILENCE_MS_MAX = SESSION_TIMEOUT_MS + 30_000;
const LOOK_EVERY_MS = 5_000;
const REBUILD_DELAY_MS = 1_000;
const STOP_MS_MAX = 5_000;
/** kafkajs' number for it. */
const LOG_APPEND_TIME = 1;

/**
 * A consumer whose positions are its subscriber's own: they are asked for whenever partitions are assigned, and Kafka's
 * are never committed. Its handler's errors never reach kafkajs, which would stop for good at some of them; when kafkajs
 * crashes or falls silent it is thrown away and built anew.
 */
export class KafkaRawConsumer implements RawConsumer {
  private current: { readonly client: RawKafkaClient; readonly consumer: Consumer } | null = null;
  /** Next offset to hand over, by partition. */
  private readonly next = new Map<number, number>();
  private readonly highs = new Map<number, number>();
  private turn: Promise<unknown> = Promise.resolve();
  private readonly halting = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private rebuilding: Promise<void> | null = null;
  private lastSignAt = Date.now();
  private inHandler = false;
  private failure: string | null = 'is joining';
  private ended = false;

  constructor(private readonly subscription: RawSubscription, private readonly means: Means) {}

  async start(): Promise<void> {
    await this.place();
    await this.look(true);
    this.timer = setInterval(() => { void this.look(false); }, LOOK_EVERY_MS).unref();
    await this.build();
  }

  lag(): number {
    let lag = 0;
    for (const [partition, high] of this.highs) lag += Math.max(0, high - (this.next.get(partition) ?? 0));
    return lag;
  }

  trouble(): string | null { return this.failure; }

  async stop(): Promise<void> {
    if (this.halting.signal.aborted) { await this.turn; return; }
    this.halting.abort();
    if (this.timer !== null) clearInterval(this.timer);
    await this.turn;
    await this.rebuilding;
    await this.discard();
  }

  private get isHalted(): boolean { return this.halting.signal.aborted || this.ended; }

  /** Where to go on from, as the subscriber says now. */
  private async place(): Promise<Positions> {
    const positions = await this.subscription.from();
    const prefix = sourceOf(this.subscription.topic, 0).slice(0, -1);
    for (const [source, position] of Object.entries(positions)) if (source.startsWith(prefix)) this.next.set(Number(source.slice(prefix.length)), position);
    return positions;
  }

  private async build(): Promise<void> {
    const { name } = this.means;
    const client = this.means.client();
    const consumer = client.kafka.consumer({
      groupId: this.means.groupId(), sessionTimeout: SESSION_TIMEOUT_MS, rebalanceTimeout: REBALANCE_TIMEOUT_MS, heartbeatInterval: HEARTBEAT_MS, maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: BYTES_MAX, allowAutoTopicCreation: false, retry: { retries: 5, restartOnFailure: async () => false },
    });
    this.current = { client, consumer };
    this.lastSignAt = Date.now();
    const { GROUP_JOIN, CRASH, FETCH, FETCH_START, HEARTBEAT, END_BATCH_PROCESS } = consumer.events;
    const isCurrent = (): boolean => this.current?.consumer === consumer;
    for (const sign of [FETCH, FETCH_START, HEARTBEAT, END_BATCH_PROCESS] as const) consumer.on(sign as typeof FETCH, () => { if (isCurrent()) this.lastSignAt = Date.now(); });
    consumer.on(GROUP_JOIN, ({ payload }) => {
      if (!isCurrent()) return;
      this.failure = null;
      // Why at once, from what is known: before this listener returns kafkajs has fetched nothing.
      for (const partition of payload.memberAssignment[name] ?? []) consumer.seek({ topic: name, partition: Number(partition), offset: String(this.next.get(Number(partition)) ?? 0) });
    });
    consumer.on(CRASH, ({ payload }) => { if (isCurrent()) this.rebuild(payload.error); });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [name], fromBeginning: true });
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: 1, eachBatch: payload => this.each(payload, isCurrent) });
    } catch (error) {
      await this.discard();
      throw new OperationalError('KAFKA_UNAVAILABLE', `kafka did not answer: ${messageOf(error)}`, { retryable: true, cause: error });
    }
  }

  private rebuild(error: unknown): void {
    if (this.isHalted || this.rebuilding !== null) return;
    this.failure = 'is being connected again';
    this.means.onRebuilding?.(error);
    this.rebuilding = (async () => {
      await this.discard();
      while (!this.isHalted) {
        await this.pause(REBUILD_DELAY_MS);
        if (this.isHalted) return;
        try {
          await this.inTurn(() => this.place());
          await this.build();
          return;
        } catch (failed) {
          this.means.onRebuilding?.(failed);
        }
      }
    })().finally(() => { this.rebuilding = null; });
  }

  private async discard(): Promise<void> {
    const given = this.current;
    this.current = null;
    if (given === null) return;
    const gone = given.consumer.disconnect().catch(() => undefined);
    await Promise.race([gone, new Promise(resolve => { setTimeout(resolve, STOP_MS_MAX).unref(); })]);
    given.client.destroy();
  }

  /** Never rejects: kafkajs takes some errors for the end. */
  private async each({ batch, heartbeat, isRunning, isStale, resolveOffset }: EachBatchPayload, isCurrent: () => boolean): Promise<void> {
    const { partition, messages } = batch;
    const goesOn = (): boolean => !this.isHalted && isCurrent() && isRunning() && !isStale();
    const beat = setInterval(() => { heartbeat().catch(() => undefined); }, HEARTBEAT_MS);
    try {
      this.highs.set(partition, Number(batch.highWatermark));
      if (Number(batch.highWatermark) < (this.next.get(partition) ?? 0)) await this.checkReplaced(partition, goesOn);
      for (const slice of slicesOf(messages, this.subscription.recordsMax ?? RECORDS_MAX, this.subscription.bytesMax ?? BYTES_MAX)) {
        if (!goesOn()) return;
        const done = await this.inTurn(() => this.handed(slice.map(message => recordOf(this.subscription.topic, partition, message)), partition, goesOn));
        if (!done) return;
        resolveOffset(slice.at(-1)!.offset);
      }
    } catch (error) {
      this.failure = messageOf(error);
    } finally {
      clearInterval(beat);
    }
  }

  /** @returns false where the records must come again, to whoever has the partition then */
  private async handed(all: readonly RawRecord[], partition: number, goesOn: () => boolean): Promise<boolean> {
    const from = this.next.get(partition) ?? 0;
    const records = all.filter(({ offset }) => offset >= from);
    const last = records.at(-1);
    if (last === undefined) return true;
    const positions = { [sourceOf(this.subscription.topic, partition)]: last.offset + 1 };
    for (let delayMs = RETRY_DELAY_MS_MIN; goesOn(); delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      this.inHandler = true;
      try {
        await this.subscription.handle(records, positions);
        this.next.set(partition, last.offset + 1);
        this.failure = null;
        return true;
      } catch (error) {
        if (isLogGone(error)) { this.end(error); return false; }
        this.failure = messageOf(error);
        this.subscription.onRetrying?.(error, delayMs);
      } finally {
        this.inHandler = false;
        this.lastSignAt = Date.now();
      }
      await this.pause(delayMs);
    }
    return false;
  }

  private end(error: unknown): void {
    if (this.isHalted) return;
    this.ended = true;
    this.failure = 'has ended: the log has another writer';
    if (this.timer !== null) clearInterval(this.timer);
    // Why not now: kafkajs waits for the batch that this is called from.
    setImmediate(() => { void this.discard().then(() => this.subscription.onEnded?.(error)); });
  }

  /** Asked of the broker: what a batch says may be old. */
  private async checkReplaced(partition: number, goesOn: () => boolean): Promise<void> {
    const high = (await this.means.ends(this.subscription.topic)).get(partition)?.high;
    if (high !== undefined && goesOn()) this.replaced(partition, high);
  }

  private replaced(partition: number, high: number): void {
    const position = this.next.get(partition) ?? 0;
    if (high >= position) return;
    this.subscription.onReplaced?.(sourceOf(this.subscription.topic, partition), position);
    this.next.set(partition, 0);
    this.current?.consumer.seek({ topic: this.means.name, partition, offset: '0' });
  }

  /** How far the partitions reach, and whether the consumer is alive. */
  private async look(first: boolean): Promise<void> {
    if (this.isHalted) return;
    if (!first && !this.inHandler && this.rebuilding === null && Date.now() - this.lastSignAt > SILENCE_MS_MAX) this.rebuild(new Error('the consumer has fallen silent'));
    try {
      for (const [partition, { low, high }] of await this.means.ends(this.subscription.topic)) {
        this.highs.set(partition, high);
        const position = this.next.get(partition) ?? 0;
        if (first && high < position) this.replaced(partition, high);
        else if (low > position) {
          if (position > 0) this.subscription.onLost?.(sourceOf(this.subscription.topic, partition), position, low);
          this.next.set(partition, low);
        }
      }
    } catch (error) {
      if (first) throw error;
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private pause(delayMs: number): Promise<void> {
    const { signal } = this.halting;
    if (signal.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const over = (): void => { clearTimeout(timer); signal.removeEventListener('abort', over); resolve(); };
      const timer = setTimeout(over, delayMs);
      signal.addEventListener('abort', over);
    });
  }
}

function* slicesOf(messages: readonly KafkaMessage[], recordsMax: number, bytesMax: number): Generator<readonly KafkaMessage[]> {
  let slice: KafkaMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = message.value?.length ?? 0;
    if (slice.length > 0 && (slice.length >= recordsMax || bytes + size > bytesMax)) { yield slice; slice = []; bytes = 0; }
    slice.push(message);
    bytes += size;
  }
  if (slice.length > 0) yield slice;
}

function recordOf(topic: string, partition: number, message: KafkaMessage): RawRecord {
  const { timestampType } = (message as { batchContext?: { timestampType?: number } }).batchContext ?? {};
  return {
    topic, partition, offset: Number(message.offset), timestamp: Number(message.timestamp), timestampType: timestampType === LOG_APPEND_TIME ? 'LogAppendTime' : 'CreateTime',
    key: message.key, value: message.value, headers: message.headers ?? {},
  };
}

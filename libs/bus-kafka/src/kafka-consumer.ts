import { GuardedHandler, Halted, RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN, positionsOfFirst, type ConsumerEvents, type Copy, type DeadLetters, type Delivery, type PausedConsumer, type Slice, type Subscription } from '@aifirst/bus';
import type { Message } from '@aifirst/contracts';
import { OperationalError, invariant, messageOf, type Clock } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import { GroupClient, failureOf, type Fetched, type GroupTiming, type Membership, type TopicPartition } from './group-client';
import type { KafkaLogEntry, KafkaSettings } from './kafka-settings';
import { PartitionLane, type ReadRecord } from './partition-lane';
import type { Refused, RecordReader } from './record-reader';
import { topicOffsets } from './topic-offsets';
import { whereToGoOn, type OffsetRange } from './where-to-go-on';

/** Messages per batch unless the subscription says otherwise, as on the embedded bus. */
const BATCH_MESSAGES_DEFAULT = 500;
/** A subscription is not waited for longer than this: the broker may be away. */
const BEGIN_WITHIN_MS = 10_000;
/** A consumer of which nothing was heard for so many sessions is given up and built anew. */
const SILENT_SESSIONS_MAX = 3;
/** How often ends are asked for of partitions that are not fetched at the moment. */
const ENDS_EVERY_MS = 5_000;

export interface KafkaConsumerOptions {
  readonly settings: KafkaSettings;
  /** A new one for each membership of an exclusive subscription. */
  readonly groupId: () => string;
  readonly topicPrefix: string;
  readonly timing: GroupTiming;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly events: ConsumerEvents;
  readonly reader: RecordReader;
  onRefused(refused: Refused): void;
  onLog(entry: KafkaLogEntry): void;
  /** Called once, after the last batch. */
  onEnded(consumer: KafkaConsumer): void;
}

/**
 * One subscription on Kafka: a client that fetches into a lane for each partition, and a single loop that takes what piled up
 * in them while the last batch was handled. Where to go on from is the subscriber's to say, never the broker's.
 */
export class KafkaConsumer implements Copy {
  /** Resolves when it knows where to go on from, or has ended before. */
  readonly begun: Promise<void>;
  private markBegun: () => void = () => undefined;
  private readonly topics: readonly string[];
  private readonly batchMax: number;
  private readonly guarded: GuardedHandler;
  private readonly lanes = new Map<string, PartitionLane>();
  private readonly gone = new Set<string>();
  private client: GroupClient | null = null;
  private readonly membership: Membership = { id: null };
  private assigned: readonly TopicPartition[] | null = null;
  private mustBegin = false;
  private hasBegun = false;
  private failure: unknown = null;
  private retryDelayMs = RETRY_DELAY_MS_MIN;
  private firstLane = 0;
  private processing: Promise<void> | null = null;
  private stopping = false;
  private ended = false;
  private running: Promise<void> | null = null;
  private waiting: (() => void)[] = [];
  private watch: NodeJS.Timeout | undefined;

  constructor(readonly subscription: Subscription, private readonly options: KafkaConsumerOptions) {
    const { group, share, exclusive, batchMax, topics } = subscription;
    this.topics = topics.map(topic => `${options.topicPrefix}${topic}`);
    this.batchMax = batchMax ?? BATCH_MESSAGES_DEFAULT;
    invariant(this.batchMax >= 1, `batches of group \`${group}\` take no messages`);
    invariant(share === undefined || exclusive === true, `group \`${group}\` takes a share, but others may too`);
    this.guarded = new GuardedHandler(subscription, options.deadLetters, options.clock, options.events, exclusive !== true);
    this.begun = new Promise(resolve => { this.markBegun = resolve; });
  }

  isActive(): boolean { return this.running !== null; }

  activate(): void {
    if (this.stopping) return;
    this.running ??= this.run();
  }

  pausing<T>(work: (consumer: PausedConsumer) => Promise<T>): Promise<{ readonly result: T } | null> { return this.guarded.pausing(work); }

  lag(): number {
    if (this.running === null || this.ended) return 0;
    let messages = 0;
    for (const lane of this.lanes.values()) messages += lane.lag();
    // Why: whoever asks whether it has caught up must not be told so while that is not known.
    return this.assigned === null || this.mustBegin || !this.hasBegun ? Math.max(1, messages) : messages;
  }

  lags(): readonly { readonly topic: string; readonly partition: number; readonly lag: number }[] {
    return [...this.lanes.values()].map(lane => ({ topic: lane.topic.slice(this.options.topicPrefix.length), partition: lane.partition, lag: lane.lag() }));
  }

  /** Why nothing reaches it at the moment, null while all is well. */
  problem(): string | null {
    if (this.running === null || this.ended) return null;
    if (this.failure !== null) return messageOf(this.failure);
    return this.assigned === null || this.mustBegin ? 'it has not joined yet' : null;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.guarded.halt();
    this.notify();
    if (this.running === null) this.end();
    else await this.running;
  }

  private async run(): Promise<void> {
    const { timing } = this.options;
    this.watch = setInterval(() => { this.lookAfter(); }, Math.min(ENDS_EVERY_MS, timing.sessionTimeoutMs));
    try {
      while (!this.stopping) {
        if (this.client === null) await this.join();
        else if (this.failure !== null && this.assigned === null) await this.rejoin();
        else if (this.mustBegin) await this.begin();
        else {
          const slice = this.gather();
          if (slice !== null) await this.process(slice);
          else await this.notified();
        }
      }
    } catch (error) {
      if (!(error instanceof Halted)) this.options.events.onStopped?.(this.subscription.group, error);
    } finally {
      clearInterval(this.watch);
      await this.guarded.stop();
      await this.client?.close();
      this.end();
    }
  }

  private async join(): Promise<void> {
    const { settings, groupId, timing, clock } = this.options;
    this.assigned = null;
    // Why: a private group has nobody else in it, and is another one each time.
    if (this.subscription.exclusive === true) this.membership.id = null;
    const client: GroupClient = new GroupClient({
      settings, timing, membership: this.membership, topics: this.topics, groupId: groupId(), share: this.subscription.share, patienceMs: this.subscription.patienceMs ?? 0, now: () => clock.now(), onLog: entry => { this.options.onLog(entry); },
      events: {
        onRevoked: () => this.revoked(client),
        onAssigned: assigned => { if (this.client === client) this.onAssigned(assigned); },
        onFetched: fetched => this.client === client && this.onFetched(fetched),
        onOutOfRange: ({ topic, partition }) => { this.gone.add(`${topic}/${partition}`); },
        onFailed: error => { if (this.client === client) this.onFailed(error); },
      },
    });
    this.client = client;
    await Promise.race([client.start(), this.stopped()]);
  }

  private async rejoin(): Promise<void> {
    const { client } = this;
    const error = failureOf(this.failure);
    this.lanes.clear();
    await client?.close();
    this.client = null;
    await this.pauseAfter(error);
  }

  private async pauseAfter(error: unknown): Promise<void> {
    const delayMs = this.retryDelayMs;
    this.retryDelayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
    this.options.events.onRetrying?.(this.subscription.group, error, delayMs);
    await this.guarded.pause(delayMs);
  }

  /** Why the wait: whoever gets these partitions next asks for positions that the batch under way is about to commit. */
  private async revoked(client: GroupClient): Promise<void> {
    if (this.client !== client) return;
    this.assigned = null;
    this.mustBegin = false;
    this.lanes.clear();
    await this.processing;
  }

  private onAssigned(assigned: readonly TopicPartition[]): void {
    this.lanes.clear();
    this.assigned = assigned;
    this.failure = null;
    this.mustBegin = true;
    this.notify();
  }

  private onFailed(error: unknown): void {
    this.lanes.clear();
    this.assigned = null;
    this.mustBegin = false;
    this.failure = error;
    this.notify();
  }

  /** Finds out where to go on from, and lets the client fetch from there. */
  private async begin(): Promise<void> {
    this.mustBegin = false;
    const { assigned, client } = this;
    if (assigned === null || client === null) return;
    const [positions, ranges] = await Promise.all([this.guarded.start(), this.ranges()]);
    if (this.assigned !== assigned || this.client !== client || this.stopping) return;
    if (ranges === null) { this.mustBegin = true; return; }
    for (const at of assigned) this.enter(client, at, positions, ranges);
    this.failure = null;
    this.retryDelayMs = RETRY_DELAY_MS_MIN;
    this.hasBegun = true;
    this.markBegun();
  }

  private async ranges(): Promise<ReadonlyMap<string, OffsetRange> | null> {
    try {
      return await topicOffsets(this.options.settings, this.topics, entry => { this.options.onLog(entry); });
    } catch (error) {
      this.failure = error;
      await this.pauseAfter(failureOf(error));
      return null;
    }
  }

  private enter(client: GroupClient, at: TopicPartition, positions: Positions, ranges: ReadonlyMap<string, OffsetRange>): void {
    const name = `${at.topic}/${at.partition}`;
    const source = name.slice(this.options.topicPrefix.length);
    const range = ranges.get(name);
    if (range === undefined) return;
    const { next, problem } = whereToGoOn(source, positions[source] ?? 0, range, this.gone.delete(name));
    if (problem !== null) this.options.events.onRetrying?.(this.subscription.group, problem, 0);
    this.lanes.set(name, new PartitionLane(at.topic, at.partition, source, next, range.high));
    client.seek(at, next);
    client.resume([at]);
  }

  private onFetched({ topic, partition, fetchedOffset, records, after, highWatermark }: Fetched): boolean {
    const lane = this.lanes.get(`${topic}/${partition}`);
    if (lane === undefined) return false;
    if (fetchedOffset !== lane.next) {
      // Why: from anywhere else something would be left out. What is fetched next is what the lane waits for, or all begin anew.
      this.client?.pause([lane]);
      this.mustBegin = true;
    } else {
      lane.add(records.map(record => this.read(topic, partition, record)), after, highWatermark);
      if (lane.isFull()) {
        lane.isPaused = true;
        this.client?.pause([lane]);
      }
    }
    this.notify();
    return !this.mustBegin;
  }

  private read(topic: string, partition: number, record: Fetched['records'][number]): ReadRecord {
    const offset = Number(record.offset);
    const bytes = record.value?.length ?? 0;
    let message: Message | string;
    try {
      message = this.options.reader.read(topic, record);
    } catch (error) {
      message = messageOf(error);
    }
    if (typeof message !== 'string') return { offset, bytes, message };
    this.options.onRefused({ topic: topic.slice(this.options.topicPrefix.length), partition, offset, reason: message });
    return { offset, bytes, message: null };
  }

  private gather(): Slice | null {
    const lanes = [...this.lanes.values()];
    const deliveries: Delivery[] = [];
    let room = this.batchMax;
    // Why: every lane is the first in its turn, so that a busy partition starves no other.
    const first = this.firstLane++;
    for (let i = 0; i < lanes.length && room > 0; i++) room -= lanes[(first + i) % lanes.length]!.take(room, deliveries);
    const positions: Record<string, number> = {};
    let moved = false;
    for (const lane of lanes) {
      const reached = lane.handOver();
      if (reached === null) continue;
      positions[lane.source] = reached;
      moved = true;
    }
    return moved ? { deliveries, positions, positionsAfter: count => positionsOfFirst(deliveries, count) } : null;
  }

  private async process(slice: Slice): Promise<void> {
    const lanes = [...this.lanes.values()];
    const processing = this.guarded.process(slice);
    this.processing = processing.catch(() => undefined);
    // Why before it is done: what is fetched meanwhile waits when it is.
    for (const lane of lanes) if (lane.isPaused && lane.hasRoom()) { lane.isPaused = false; this.client?.resume([lane]); }
    try {
      await processing;
      for (const lane of lanes) lane.settle();
    } finally {
      this.processing = null;
    }
  }

  /** The watchdog: a client that has fallen silent is given up. And of lanes that are not fetched the ends are asked for. */
  private lookAfter(): void {
    const { timing, clock } = this.options;
    const { client } = this;
    if (client === null || this.failure !== null) return;
    const silentMs = clock.now() - client.lastSign();
    if (silentMs > SILENT_SESSIONS_MAX * (timing.sessionTimeoutMs + timing.fetchWaitMs)) {
      this.onFailed(new OperationalError('CONSUMER_SILENT', `nothing was heard of the consumer for ${silentMs} ms`, { retryable: true }));
      return;
    }
    if ([...this.lanes.values()].some(lane => lane.isPaused)) void this.askForEnds();
  }

  private async askForEnds(): Promise<void> {
    try {
      for (const [name, { high }] of await topicOffsets(this.options.settings, this.topics, () => undefined)) this.lanes.get(name)?.endsAt(high);
    } catch {
      // Why: who can't fetch is told of by the client.
    }
  }

  private async stopped(): Promise<void> {
    while (!this.stopping) await this.notified();
  }

  private notified(): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise(resolve => { this.waiting.push(resolve); });
  }

  private notify(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.markBegun();
    this.lanes.clear();
    this.options.onEnded(this);
  }

  /** Waits until it has begun, but not for a broker that is away. */
  async hasBegunOrWaits(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.begun, new Promise<void>(resolve => { timer = setTimeout(resolve, BEGIN_WITHIN_MS); })]);
    clearTimeout(timer);
  }
}

import { messageOf, OperationalError } from '@aifirst/kernel';
import type { Share } from '@aifirst/bus';
import type { Consumer as KafkaJsConsumer, KafkaMessage } from 'kafkajs';
import { groupAssigner } from './group-assigner';
import { kafkaClient, within, type KafkaClient } from './kafka-client';
import type { KafkaLogEntry, KafkaSettings } from './kafka-settings';

export interface GroupTiming {
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  /** A fetch that finds nothing is answered after this long. One that finds something is answered at once. */
  readonly fetchWaitMs: number;
}
/** What a patient consumer is sent before its patience is over, bytes. */
const PATIENT_BYTES = 256 * 1024;
export const GROUP_TIMING: GroupTiming = { sessionTimeoutMs: 30_000, heartbeatMs: 3_000, rebalanceTimeoutMs: 60_000, fetchWaitMs: 100 };

/** A batch under way holds up a rebalance at most this share of the session, so that its member is not given up. */
const BARRIER_SHARE = 2 / 3;
const LEAVE_WITHIN_MS = 5_000;
const FETCH_BYTES_PER_PARTITION_MAX = 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;

export interface TopicPartition { readonly topic: string; readonly partition: number }

export interface Fetched extends TopicPartition {
  /** The offset that was asked for. */
  readonly fetchedOffset: number;
  readonly records: readonly KafkaMessage[];
  /** After the last record, those included that the library passes over. */
  readonly after: number;
  readonly highWatermark: number;
}

/** All are called synchronously; none may throw. */
export interface GroupEvents {
  /** The membership is to be renewed: what was fetched counts no longer. Resolves when nothing of it is under way. */
  onRevoked(): Promise<void>;
  /** Before anything of the new assignment is fetched. */
  onAssigned(assigned: readonly TopicPartition[]): void;
  /** @returns whether the records were taken; if not they are fetched again */
  onFetched(fetched: Fetched): boolean;
  /** There is nothing at the offset that was asked for. */
  onOutOfRange(partition: TopicPartition): void;
  /** It has ended and will not come back by itself. */
  onFailed(error: unknown): void;
}

/** A membership that was not ended: who takes it on need not wait for its session to be over. */
export interface Membership { id: string | null }

export interface GroupClientOptions {
  readonly settings: KafkaSettings;
  readonly groupId: string;
  readonly membership: Membership;
  /** As the broker knows them. */
  readonly topics: readonly string[];
  readonly share: Share | undefined;
  /** See `Subscription`. */
  readonly patienceMs: number;
  readonly timing: GroupTiming;
  readonly events: GroupEvents;
  readonly now: () => number;
  onLog(entry: KafkaLogEntry): void;
}

/** One life of a kafkajs consumer. Whatever goes wrong ends it; it is never restarted, but another takes its place. */
export class GroupClient {
  private readonly client: KafkaClient;
  private readonly consumer: KafkaJsConsumer;
  private lastSignMs: number;
  private over = false;

  constructor(private readonly options: GroupClientOptions) {
    const { settings, groupId, share, timing, patienceMs } = options;
    this.lastSignMs = options.now();
    this.client = kafkaClient(settings, entry => { this.heard(entry); });
    this.consumer = this.client.kafka.consumer({
      groupId, allowAutoTopicCreation: false, sessionTimeout: timing.sessionTimeoutMs, heartbeatInterval: timing.heartbeatMs, rebalanceTimeout: timing.rebalanceTimeoutMs,
      maxWaitTimeInMs: patienceMs > 0 ? patienceMs : timing.fetchWaitMs, minBytes: patienceMs > 0 ? PATIENT_BYTES : 1, maxBytesPerPartition: FETCH_BYTES_PER_PARTITION_MAX, maxBytes: FETCH_BYTES_MAX,
      partitionAssigners: [groupAssigner(share, cluster => { this.holdJoins(cluster); })],
      retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, restartOnFailure: async () => false },
    });
    this.listen();
  }

  /** Resolves when it has joined, or has failed (which is told too). */
  async start(): Promise<void> {
    try {
      await this.consumer.connect();
      await this.consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true });
      await this.consumer.run({
        autoCommit: false, eachBatchAutoResolve: false,
        eachBatch: async ({ batch, resolveOffset, isStale }) => {
          if (this.over || isStale()) return;
          const { topic, partition, messages, highWatermark } = batch;
          const after = Number(batch.lastOffset()) + 1;
          const taken = this.options.events.onFetched({ topic, partition, records: messages, after, highWatermark: Number(highWatermark), fetchedOffset: fetchedOffsetOf(batch) });
          if (taken) resolveOffset(batch.lastOffset());
        },
      });
    } catch (error) {
      this.failed(error);
    }
  }

  /** When something was last heard of the fetching or of the group. */
  lastSign(): number { return this.lastSignMs; }

  pause(partitions: readonly TopicPartition[]): void { this.tell(() => { this.consumer.pause(byTopic(partitions)); }); }
  resume(partitions: readonly TopicPartition[]): void { this.tell(() => { this.consumer.resume(byTopic(partitions)); }); }
  seek({ topic, partition }: TopicPartition, offset: number): void { this.tell(() => { this.consumer.seek({ topic, partition, offset: String(offset) }); }); }

  /** Leaves the group, so that others need not wait for the session to end, if the broker lets it. */
  async close(): Promise<void> {
    this.over = true;
    await within(LEAVE_WITHIN_MS, this.consumer.disconnect());
    this.client.destroy();
  }

  private tell(order: () => void): void {
    // Why: kafkajs throws for a consumer that has ended meanwhile; its successor is told anew.
    try { order(); } catch (error) { this.failed(error); }
  }

  private failed(error: unknown): void {
    if (this.over) return;
    this.over = true;
    this.options.events.onFailed(error);
  }

  private listen(): void {
    const { events, now } = this.options;
    const { FETCH, HEARTBEAT, END_BATCH_PROCESS, START_BATCH_PROCESS, GROUP_JOIN, CRASH } = this.consumer.events;
    const sign = (): void => { this.lastSignMs = now(); };
    this.consumer.on(FETCH, sign);
    this.consumer.on(HEARTBEAT, sign);
    this.consumer.on(END_BATCH_PROCESS, sign);
    this.consumer.on(START_BATCH_PROCESS, ({ payload: { topic, partition, batchSize, firstOffset, lastOffset, highWatermark } }) => {
      if (batchSize > 0 || this.over) return;
      // Why: of records that are nobody's (marks of transactions) the library tells in no other way.
      events.onFetched({ topic, partition, records: [], fetchedOffset: Number(firstOffset ?? lastOffset), after: Number(lastOffset) + 1, highWatermark: Number(highWatermark) });
    });
    this.consumer.on(GROUP_JOIN, ({ payload: { memberAssignment, memberId } }) => {
      sign();
      this.options.membership.id = memberId;
      if (this.over) return;
      const assigned = Object.entries(memberAssignment).flatMap(([topic, partitions]) => partitions.map(partition => ({ topic, partition })));
      this.pause(assigned);
      events.onAssigned(assigned);
    });
    this.consumer.on(CRASH, ({ payload: { error } }) => { this.failed(error); });
  }

  private heard({ message, fields, level }: KafkaLogEntry): void {
    const { topic, partition } = fields;
    if (message.endsWith('Offset out of range, resetting to default offset') && typeof topic === 'string' && typeof partition === 'number') this.options.events.onOutOfRange({ topic, partition });
    this.options.onLog({ message, fields, level });
  }

  /**
   * Two things that kafkajs does not do. It has no "partitions revoked": it joins again while a handler is still busy with
   * what it may lose by that; `joinGroup` is made to wait for the handler. And a new consumer knows nothing of the membership
   * of the one before it, for which the group would wait a whole session; it is taken on. The version is pinned, and tests
   * hold it to this.
   */
  private holdJoins(cluster: unknown): void {
    const holder = cluster as { findGroupCoordinator(args: { groupId: string }): Promise<Coordinator> };
    const held = new WeakSet<Coordinator>();
    const find = holder.findGroupCoordinator.bind(holder);
    holder.findGroupCoordinator = async args => {
      const broker = await find(args);
      if (!held.has(broker)) {
        held.add(broker);
        this.hold(broker);
      }
      return broker;
    };
  }

  private hold(broker: Coordinator): void {
    const { membership, timing, events } = this.options;
    const [join, leave] = [broker.joinGroup.bind(broker), broker.leaveGroup.bind(broker)];
    broker.joinGroup = async request => {
      if (this.over) throw new OperationalError('CONSUMER_CLOSED', 'the consumer is being closed');
      await within(timing.sessionTimeoutMs * BARRIER_SHARE, events.onRevoked());
      const memberId = request.memberId === '' ? membership.id ?? '' : request.memberId;
      try {
        return await join({ ...request, memberId });
      } catch (error) {
        // Why: whatever it was refused for, the next try shall not be refused for the old membership.
        if (error instanceof Error && 'type' in error) membership.id = null;
        throw error;
      }
    };
    broker.leaveGroup = async request => {
      const left = await leave(request);
      membership.id = null;
      return left;
    };
  }
}

interface Coordinator {
  joinGroup(request: { readonly memberId: string }): Promise<unknown>;
  leaveGroup(request: unknown): Promise<unknown>;
}

/** In kafkajs' batches, though not in their type. */
const fetchedOffsetOf = (batch: object): number => Number((batch as { readonly fetchedOffset: string }).fetchedOffset);

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return [...topics].map(([topic, list]) => ({ topic, partitions: list }));
}

/** What kafkajs says of a failure, with what is behind it. */
export function failureOf(error: unknown): OperationalError {
  const cause = error instanceof Error && error.cause instanceof Error && error.cause.message !== error.message ? ` (${error.cause.message})` : '';
  return new OperationalError('KAFKA_UNAVAILABLE', `kafka: ${messageOf(error)}${cause}`, { retryable: true, cause: error });
}

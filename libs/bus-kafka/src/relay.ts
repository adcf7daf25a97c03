import { FeedLane, RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN, shardOf, type Delivery, type Feed } from '@aifirst/bus';
import { OperationalError, messageOf, type Clock } from '@aifirst/kernel';
import { isLogGone } from '@aifirst/store';
import type { Message as KafkaMessage, TopicMessages } from 'kafkajs';
import { VALUE_BYTES_MAX } from './kafka-settings';
import { asKafkaMessage, type RecordCodec } from './record-codec';
import type { RelayPositions } from './relay-positions';

/** Rows that may wait in memory; beyond it the log is read. */
const QUEUE_ROWS_MAX = 20_000;
/** Rows that go into requests before the position moves. */
const ROWS_PER_TURN = 500;
/** One request carries about so much (or one message), far below what a broker takes in a batch. */
const REQUEST_BYTES_MAX = 1024 * 1024;
/** What a crash repeats at most, in time; what it costs the database. */
const SAVE_EVERY_MS = 500;

export interface BatchSender {
  /** @throws OperationalError (retryable) when it is not known whether all of it is there */
  send(topicMessages: readonly TopicMessages[]): Promise<void>;
  close(): Promise<void>;
}

export interface RelayOptions {
  readonly feed: Feed;
  readonly positions: RelayPositions;
  readonly sender: BatchSender;
  readonly codec: RecordCodec;
  readonly partitions: number;
  readonly topicPrefix: string;
  readonly clock: Clock;
  onRetrying(error: unknown, delayMs: number): void;
  onFatal(error: unknown): void;
}

/**
 * Sends a producer's log to its topics, row after row, one request at a time: in order per key, nothing left out, repeated
 * where it is not known what arrived. The position is what is in Kafka for sure.
 */
export class Relay {
  private lane: FeedLane | null = null;
  private position = 0;
  private saved = 0;
  private saving: Promise<void> | null = null;
  private cancelSave: () => void = () => undefined;
  private stopping = false;
  private halted = false;
  private failure: unknown = null;
  private waiting: (() => void)[] = [];
  private readonly detach: () => void;
  private readonly running: Promise<void>;
  private drained: (() => void)[] = [];

  /** @param after what has to end before: the relay of the log as it was opened before */
  constructor(private readonly options: RelayOptions, after: Promise<unknown> = Promise.resolve()) {
    const { feed } = options;
    this.detach = feed.onCommitted(rows => {
      this.lane?.offer(rows.map(({ position, messages }) => ({ position, deliveries: messages.map((message, index) => ({ source: feed.source, position, index, message })) })));
      this.notify();
    });
    this.running = after.then(() => this.run());
  }

  /** Every row up to here is in Kafka. */
  relayed(): number { return this.position; }
  /** As `relayed`, and known to be so after a crash. */
  relayedForGood(): number { return this.saved; }
  /** Messages known to wait, a row not yet read counts as one. */
  lag(): number { return this.lane?.lag() ?? Math.max(0, this.options.feed.head() - this.position); }
  /** Why the last try failed, null while it goes well. */
  problem(): string | null { return this.failure === null ? null : messageOf(this.failure); }

  /** Resolves when all that is committed by now is sent, or it can't be sent at the moment. */
  drain(): Promise<void> {
    if (this.stopping || this.isDone() || this.failure !== null) return Promise.resolve();
    return new Promise(resolve => {
      this.drained.push(resolve);
      this.notify();
    });
  }

  /** Resolves when nothing is under way any more and the position is saved, if it can be. What is not sent yet stays in the log. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.detach();
    this.notify();
    await this.running;
    this.cancelSave();
    await this.saving;
    await this.save();
    await this.options.sender.close();
  }

  /** Gives up at once, as a crash would: a request under way fails, nothing is saved. */
  async halt(): Promise<void> {
    this.stopping = true;
    this.halted = true;
    this.detach();
    this.cancelSave();
    this.notify();
    await this.options.sender.close();
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      await this.repeated(() => this.begin());
      while (!this.stopping) {
        const lane = this.lane!;
        if (lane.queuedRows() === 0 && lane.isBehind()) await this.repeated(() => lane.readOn(ROWS_PER_TURN));
        const deliveries: Delivery[] = [];
        lane.take(ROWS_PER_TURN, deliveries);
        const reached = lane.handOver();
        if (reached !== null) await this.relay(deliveries, reached);
        else if (!this.stopping) await this.notified();
      }
    } catch (error) {
      this.failure = error;
      // Why: whoever closed the log, or took it over, knows. The relay of the log as it is opened next goes on.
      if (!isLogGone(error)) this.options.onFatal(error);
    } finally {
      this.releaseDrained();
    }
  }

  private async begin(): Promise<void> {
    const { feed, positions } = this.options;
    const loaded = await positions.load();
    const head = feed.head();
    if (loaded > head) this.options.onFatal(new OperationalError('RELAY_AHEAD', `log \`${feed.source}\` ends at ${head}, but was relayed up to ${loaded}: it has lost rows; what follows is sent`));
    this.position = this.saved = Math.min(loaded, head);
    this.lane = new FeedLane(feed, () => true, this.position, QUEUE_ROWS_MAX);
  }

  private async relay(deliveries: readonly Delivery[], reached: number): Promise<void> {
    for (const request of this.requestsOf(deliveries)) {
      await this.repeated(() => this.options.sender.send(request));
      if (this.stopping && this.failure !== null) return;
    }
    this.position = reached;
    this.scheduleSave();
    if (this.isDone()) this.releaseDrained();
  }

  private *requestsOf(deliveries: readonly Delivery[]): Iterable<readonly TopicMessages[]> {
    const { codec, partitions, topicPrefix } = this.options;
    let byTopic = new Map<string, KafkaMessage[]>();
    let bytes = 0;
    for (const { message } of deliveries) {
      const topic = `${topicPrefix}${message.topic}`;
      const record = codec.encode(topic, message);
      if (record.value.length > VALUE_BYTES_MAX) {
        this.options.onFatal(new OperationalError('MESSAGE_TOO_LARGE', `message \`${message.event.id}\` of log \`${this.options.feed.source}\` for topic \`${message.topic}\` has ${record.value.length} bytes: sent to nobody`));
        continue;
      }
      if (bytes > 0 && bytes + record.value.length > REQUEST_BYTES_MAX) {
        yield requestOf(byTopic);
        byTopic = new Map();
        bytes = 0;
      }
      let messages = byTopic.get(topic);
      if (messages === undefined) byTopic.set(topic, messages = []);
      messages.push(asKafkaMessage(record, shardOf(message.key, partitions)));
      bytes += record.value.length;
    }
    if (bytes > 0) yield requestOf(byTopic);
  }

  /** Until it succeeds, or the relay is stopped. What is no failure of operation ends the relay. */
  private async repeated(work: () => Promise<void>): Promise<void> {
    for (let delayMs = RETRY_DELAY_MS_MIN; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        await work();
        this.failure = null;
        return;
      } catch (error) {
        this.failure = error;
        if (!(error instanceof OperationalError) || !error.retryable) throw error;
        this.releaseDrained();
        if (this.stopping) return;
        this.options.onRetrying(error, delayMs);
        await this.pause(delayMs);
        if (this.stopping) return;
      }
    }
  }

  private isDone(): boolean { return this.position >= this.options.feed.head(); }

  private releaseDrained(): void {
    for (const resolve of this.drained.splice(0)) resolve();
  }

  private scheduleSave(): void {
    if (this.saving !== null || this.stopping) return;
    this.saving = new Promise<void>(resolve => {
      const due = this.options.clock.after(SAVE_EVERY_MS, () => { void this.save().then(resolve); });
      this.cancelSave = () => { due(); resolve(); };
    }).then(() => {
      this.saving = null;
      if (this.position > this.saved) this.scheduleSave();
    });
  }

  private async save(): Promise<void> {
    const { position } = this;
    if (position === this.saved || this.halted) return;
    try {
      await this.options.positions.save(position);
      this.saved = position;
    } catch (error) {
      // Why: the next save comes anyway; without one a restart repeats more.
      this.options.onRetrying(error, SAVE_EVERY_MS);
    }
  }

  private async pause(delayMs: number): Promise<void> {
    let cancel: () => void = () => undefined;
    await Promise.race([new Promise<void>(resolve => { cancel = this.options.clock.after(delayMs, resolve); }), this.stopped()]);
    cancel();
  }

  private async stopped(): Promise<void> {
    while (!this.stopping) await this.notified();
  }

  private notified(): Promise<void> {
    return new Promise(resolve => { this.waiting.push(resolve); });
  }

  private notify(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

const requestOf = (byTopic: ReadonlyMap<string, KafkaMessage[]>): readonly TopicMessages[] => [...byTopic].map(([topic, messages]) => ({ topic, messages }));

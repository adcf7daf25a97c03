import type { Message } from '@aifirst/contracts';
import type { Positions, StoredRow } from '@aifirst/store';

/** One message as a consumer gets it. Repeats and gaps in time are normal; order holds per key. */
export interface Delivery {
  /** Where it comes from: a producer's log (`orchestrator/0`), or a topic's partition. */
  readonly source: string;
  readonly position: number;
  /** Which of the messages at that position, from 0. Absent: 0. */
  readonly index?: number;
  readonly message: Message;
}

export interface Batch {
  /**
   * What piled up, in order per source; at most `batchMax` rows' worth. Empty when there is nothing to do but to move the
   * positions: past parked messages, or past many rows that hold nothing for the subscription.
   */
  readonly deliveries: readonly Delivery[];
  /**
   * To be committed together with the effect of the batch (`Unit.positions`): those that moved, each the last row of
   * which every message is done. `{}` when a parked message is handed over again.
   */
  readonly positions: Positions;
}

export interface Subscription {
  /** `<service>.<purpose>`, e.g. `orchestrator.workflows`. */
  readonly group: string;
  readonly topics: readonly string[];
  /** Where to go on from: the positions that the consumer committed last. Asked at every (re)start. */
  from(): Promise<Positions> | Positions;
  /**
   * Takes effect and commits `batch.positions` with it. The next batch comes when it has resolved. If it rejects with a
   * retryable error the batch is repeated after a pause; any other error is narrowed down to the message that causes it,
   * which is parked with its successors of the same key while the rest flows on.
   */
  handle(batch: Batch): Promise<void>;
  /** Messages whose order matters to nobody: nothing waits behind a bad one. Default false. */
  readonly unordered?: boolean;
  /** Rows per batch, default 500. */
  readonly batchMax?: number;
  /**
   * The caller holds the group's lease: nobody else may handle for it. It takes over without waiting for a former holder
   * that may still be a member somewhere. Default false: the copies of a group share its messages.
   */
  readonly exclusive?: boolean;
  /**
   * Messages may wait so long, ms, to come in larger batches: for whoever need not be quick. Default 0: they come as soon as they
   * can. Where handing over costs nothing it has no effect.
   */
  readonly patienceMs?: number;
  /** Takes only keys whose partition modulo `of` is `index`: one shard's. `of` must divide the number of partitions. Exclusive subscriptions only. */
  readonly share?: Share;
}

export interface Share { readonly index: number; readonly of: number }

export interface Consumer {
  /** How many messages are known to wait or are under way; a row not yet read counts as one. */
  lag(): number;
  /** Resolves when the batch under way has ended; no batch comes after. */
  stop(): Promise<void>;
}

/** A group's consumer in this process while no batch of it is under way. */
export interface PausedConsumer {
  readonly unordered: boolean;
  /** Calls the subscription's handler, once, without parking or repeating anything. */
  handle(batch: Batch): Promise<void>;
  /** Messages of the key are no longer parked behind others of it. */
  release(key: string): void;
}

/** A producer's log as the bus sees it. */
export interface Feed {
  /** `<service>/<shard>` */
  readonly source: string;
  head(): number;
  read(after: number, limit: number): Promise<readonly StoredRow[]>;
  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void;
}

/**
 * Carries what producers' logs hold to those who subscribe: at least once, in order per key. It may repeat and delay; a
 * handler must recognise what it has seen. Two implementations, one contract suite: the embedded log hands over in
 * process what was committed and reads the log only at start or after a gap; Kafka relays the log to topics.
 */
export interface MessageBus {
  /** A feed of a source that is attached already replaces it: its log was opened anew. Consumers ask `from` again. */
  attach(feed: Feed): Promise<void>;
  /**
   * Of several consumers of one group each message goes to one. Resolves without waiting for what there is to catch up,
   * but a first consumer's `lag` counts it. A handler that rejects with `Fenced` (or `LOG_CLOSED`) ends its consumer, as
   * does a failure of `from` that is not retryable.
   */
  subscribe(subscription: Subscription): Promise<Consumer>;
  /**
   * Runs `work` between two batches of the group's consumer, so that what was parked is handed over again by nobody
   * twice and in no other order. `null` where no consumer of the group runs in this process. Not from within a handler.
   * @param key of what is handed over: where shards consume as one group, whose consumer is meant
   */
  pausing<T>(group: string, work: (consumer: PausedConsumer | null) => Promise<T>, key?: string): Promise<T>;
  /** Ends all consumers as `Consumer.stop` does. Nothing can be attached or subscribed after. */
  stop(): Promise<void>;
}

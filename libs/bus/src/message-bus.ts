import type { Message } from '@aifirst/contracts';
import type { Positions, StoredRow } from '@aifirst/store';

/** One message as a consumer gets it. Repeats and gaps in time are normal; order holds per key. */
export interface Delivery {
  /** Where it comes from: a producer's log (`orchestrator/0`), or a topic's partition. */
  readonly source: string;
  readonly position: number;
  readonly message: Message;
}

export interface Batch {
  /** What piled up, in order per source; at most `batchMax` rows' worth. */
  readonly deliveries: readonly Delivery[];
  /** To be committed together with the effect of the batch (`Unit.positions`). */
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
}

export interface Consumer {
  /** How many messages are known to wait. */
  lag(): number;
  /** Resolves when the batch under way has ended; no batch comes after. */
  stop(): Promise<void>;
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
  attach(feed: Feed): Promise<void>;
  subscribe(subscription: Subscription): Promise<Consumer>;
  stop(): Promise<void>;
}

import type { Positions } from '@aifirst/store';

/** A record of a topic as somebody else wrote it: nothing of it is to be trusted. */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970; when the broker appended it, where `timestampType` is `LogAppendTime`. */
  readonly timestamp: number;
  readonly timestampType: 'LogAppendTime' | 'CreateTime';
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** A list where a name stands more than once. */
  readonly headers: Readonly<Record<string, RawHeader | readonly RawHeader[] | undefined>>;
}
export type RawHeader = Buffer | string | null;

export interface TopicDescription {
  readonly partitions: number;
  /** As the broker has them: `message.timestamp.type`, `retention.ms`, … */
  readonly settings: Readonly<Record<string, string>>;
}

export interface RawSubscription {
  readonly topic: string;
  /** `<service>.<purpose>` */
  readonly group: string;
  /** Where to go on from, by `sourceOf`: the next offset to read. Absent: the beginning. Asked whenever partitions are assigned. */
  from(): Positions | Promise<Positions>;
  /**
   * Takes effect and commits `positions` with it; called once at a time. If it rejects the same records come again after a
   * pause, except with `Fenced` or `LOG_CLOSED`, which end the consumer: no record is to blame, so that none is left out.
   * @param records of one partition, in order, none before `from`
   */
  handle(records: readonly RawRecord[], positions: Positions): Promise<void>;
  /** The partition ends before `position`: it is not the one that was read. It is read from its beginning. */
  onReplaced?(source: string, position: number): void;
  /** The broker no longer has records that were not read: from `position` up to before `low`. */
  onLost?(source: string, position: number, low: number): void;
  onRetrying?(error: unknown, delayMs: number): void;
  /** The consumer has ended by itself. */
  onEnded?(error: unknown): void;
  /** Default 500. */
  readonly recordsMax?: number;
  /** Bytes of values and headers per call, default 8 MiB. A record that is larger comes alone. */
  readonly bytesMax?: number;
}
export interface RawConsumer {
  /** Records known to wait. */
  lag(): number;
  /** Why it does not consume now, or null. */
  trouble(): string | null;
  /** Resolves when the call under way has ended; none comes after. */
  stop(): Promise<void>;
}

export interface NewRecord { readonly key: string | null; readonly value: Buffer; readonly headers: Readonly<Record<string, string>> }

/** Topics whose records are written and read as they are. */
export interface RawTopics {
  /** null: there is no such topic. @throws OperationalError (retryable) when the broker does not answer */
  describe(topic: string): Promise<TopicDescription | null>;
  /** Makes a topic; one that exists stays as it is. */
  create(topic: string, settings: { readonly partitions: number; readonly settings: Readonly<Record<string, string>> }): Promise<void>;
  subscribe(subscription: RawSubscription): Promise<RawConsumer>;
  /** Resolves when all in-sync replicas have the records; they may be there twice when it had to be tried again. @throws OperationalError (retryable) */
  produce(topic: string, records: readonly NewRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** What positions in a topic are called in a log; the position is the next offset to read. */
export const sourceOf = (topic: string, partition: number): string => `${topic}/${partition}`;

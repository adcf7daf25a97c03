import type { Message } from '@aifirst/contracts';
import type { KafkaMessage } from 'kafkajs';
import type { RecordCodec } from './record-codec';

export interface Refused { readonly topic: string; readonly partition: number; readonly offset: number; readonly reason: string }

/** A record of a topic that others than services write to. */
export interface ForeignRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  /** Milliseconds since 1970: when it was appended, where the topic says so (`message.timestamp.type=LogAppendTime`). */
  readonly timestampMs: number;
}
/** Makes a message of a record, or says in a stable code why not. Must not throw; what it throws refuses the record. */
export type ForeignReader = (record: ForeignRecord) => Message | string;

/** Makes messages of records: those of services under their MAC, those of others as their reader says. */
export class RecordReader {
  constructor(private readonly codec: RecordCodec, private readonly topicPrefix: string, private readonly foreign: Readonly<Record<string, ForeignReader>>) {}

  /** @param topic as the broker knows it. @returns a text where the record is refused */
  read(topic: string, record: KafkaMessage): Message | string {
    const name = topic.slice(this.topicPrefix.length);
    const reader = Object.hasOwn(this.foreign, name) ? this.foreign[name] : undefined;
    if (reader === undefined) return this.codec.decode(topic, record, name);
    return reader({ topic: name, key: record.key, value: record.value, headers: record.headers ?? {}, timestampMs: Number(record.timestamp) });
  }
}

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { CloudEvent, Message } from '@aifirst/contracts';
import type { Message as KafkaMessage } from 'kafkajs';

const CONTENT_TYPE = 'application/cloudevents+json';
export const MAC_HEADER = 'aifirst-mac';
/** Names the use and its version: another use of the service key gets another key. */
const MAC_LABEL = 'aifirst kafka record mac v1';
const MAC_KEY_BYTES = 32;
/** 32 bytes in base64url. Why text: clients of agents read the header of every record as UTF-8. */
const MAC_BYTES = 43;
const NAMES = ['id', 'type', 'source', 'tenant', 'producer'] as const;
const TEXTS = ['time', 'subject'] as const;
const OPTIONAL_TEXTS = ['causationid', 'traceparent'] as const;

/** Why a record is handed to nobody. Stable. */
export type RefusalReason = 'NO_MAC' | 'WRONG_MAC' | 'NOT_JSON' | 'NOT_AN_ENVELOPE' | 'NO_KEY';

export interface WireRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
}
export interface EncodedRecord { readonly key: string; readonly value: Buffer; readonly headers: Record<string, string | Buffer> }

/** Messages as records: a CloudEvent in structured mode under a MAC that only services have the key of. */
export class RecordCodec {
  private readonly macKey: Buffer;
  private readonly topics = new Map<string, Buffer>();

  constructor(serviceKey: Uint8Array) {
    this.macKey = Buffer.from(hkdfSync('sha256', serviceKey, new Uint8Array(0), MAC_LABEL, MAC_KEY_BYTES));
  }

  /** @param topic as the broker knows it */
  encode(topic: string, { key, event }: Message): EncodedRecord {
    const value = Buffer.from(JSON.stringify(event));
    const headers: Record<string, string | Buffer> = { 'content-type': CONTENT_TYPE, [MAC_HEADER]: this.mac(topic, Buffer.from(key), value) };
    if (event.traceparent !== undefined) headers['traceparent'] = event.traceparent;
    return { key, value, headers };
  }

  /** @param name the message's topic, where it is not what the broker calls it */
  decode(topic: string, { key, value, headers }: WireRecord, name = topic): Message | RefusalReason {
    if (key === null) return 'NO_KEY';
    const mac = headers?.[MAC_HEADER];
    if (!Buffer.isBuffer(mac)) return 'NO_MAC';
    if (value === null || mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.mac(topic, key, value))) return 'WRONG_MAC';
    let event: unknown;
    try { event = JSON.parse(value.toString()); } catch { return 'NOT_JSON'; }
    return isEnvelope(event) ? { topic: name, key: key.toString(), event } : 'NOT_AN_ENVELOPE';
  }

  /** Over topic, key and value, each with its length before it, so that no byte can pass from one to the other. */
  private mac(topic: string, key: Buffer, value: Buffer): Buffer {
    let prefix = this.topics.get(topic);
    if (prefix === undefined) this.topics.set(topic, prefix = sized(Buffer.from(topic)));
    return Buffer.from(createHmac('sha256', this.macKey).update(prefix).update(sized(key)).update(value).digest('base64url'));
  }
}

function sized(bytes: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(4 + bytes.length);
  whole.writeUInt32BE(bytes.length);
  bytes.copy(whole, 4);
  return whole;
}

function isEnvelope(event: unknown): event is CloudEvent {
  if (!isObject(event) || event['specversion'] !== '1.0' || !isObject(event['data'])) return false;
  const { sequence } = event;
  return NAMES.every(name => typeof event[name] === 'string' && event[name] !== '')
    && TEXTS.every(name => typeof event[name] === 'string')
    && OPTIONAL_TEXTS.every(name => event[name] === undefined || typeof event[name] === 'string')
    && (sequence === undefined || (Number.isSafeInteger(sequence) && (sequence as number) >= 1));
}
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

export const asKafkaMessage = ({ key, value, headers }: EncodedRecord, partition: number): KafkaMessage => ({ key, value, headers, partition });

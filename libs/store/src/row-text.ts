import type { CloudEvent, Draft, Message } from '@aifirst/contracts';
import { isFactTopic } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';
import type { Append, StoredRow } from './store';

/** What all rows of a log have in common, so that no row repeats it. */
export interface Origin { readonly producer: string; readonly source: string }

/** A message as it is stored: without what the row and its log say already. */
interface StoredMessage {
  topic: string; key: string; id: string; type: string; time: string; subject: string;
  tenant?: string; causationid?: string; traceparent?: string; intentid?: string; intentsource?: string; sequence?: number; data: JsonObject;
}
interface Body { state?: Json; messages: readonly StoredMessage[] }

export interface StampedRows {
  readonly rows: readonly StoredRow[];
  /** One per row: what `readRow` makes the row from again. */
  readonly texts: readonly string[];
  readonly head: number;
  readonly sequence: number;
}

/** Numbers appends and their facts, going on from `head` and `sequence`. Each event is serialised here, once. */
export function stampRows(appends: readonly Append[], origin: Origin, head: number, sequence: number): StampedRows {
  const rows: StoredRow[] = new Array<StoredRow>(appends.length);
  const texts: string[] = new Array<string>(appends.length);
  for (let i = 0; i < appends.length; i++) {
    const append = appends[i]!;
    const messages: Message[] = [];
    const stored: StoredMessage[] = [];
    for (const draft of append.messages) {
      const number = isFactTopic(draft.topic) ? ++sequence : undefined;
      messages.push({ topic: draft.topic, key: draft.key, event: eventOf(draft, origin, draft.tenant, number) });
      stored.push(storedMessage(draft, append.tenant, number));
    }
    const state = append.state ?? null;
    rows[i] = { position: ++head, tenant: append.tenant, stream: append.stream, version: append.version, key: append.key ?? null, state, messages };
    const body: Body = state === null ? { messages: stored } : { state, messages: stored };
    texts[i] = JSON.stringify(body);
  }
  return { rows, texts, head, sequence };
}

export function readRow(columns: Omit<StoredRow, 'state' | 'messages'>, text: string, origin: Origin): StoredRow {
  const body = JSON.parse(text) as Body;
  return {
    position: columns.position, tenant: columns.tenant, stream: columns.stream, version: columns.version, key: columns.key,
    state: body.state ?? null,
    messages: body.messages.map(message => ({
      topic: message.topic, key: message.key, event: eventOf(message, origin, message.tenant ?? columns.tenant, message.sequence),
    })),
  };
}

type Attributes = Pick<Draft, 'id' | 'type' | 'time' | 'subject' | 'causationid' | 'traceparent' | 'intentid' | 'intentsource' | 'data'>;

function eventOf(from: Attributes, origin: Origin, tenant: string, sequence: number | undefined): CloudEvent {
  const event: { -readonly [K in keyof CloudEvent]: CloudEvent[K] } = {
    specversion: '1.0', id: from.id, type: from.type, source: origin.source, time: from.time, subject: from.subject, tenant, producer: origin.producer, data: from.data,
  };
  if (from.causationid !== undefined) event.causationid = from.causationid;
  if (from.traceparent !== undefined) event.traceparent = from.traceparent;
  if (from.intentid !== undefined) event.intentid = from.intentid;
  if (from.intentsource !== undefined) event.intentsource = from.intentsource;
  if (sequence !== undefined) event.sequence = sequence;
  return event;
}

function storedMessage(draft: Draft, rowTenant: string, sequence: number | undefined): StoredMessage {
  const stored: StoredMessage = { topic: draft.topic, key: draft.key, id: draft.id, type: draft.type, time: draft.time, subject: draft.subject, data: draft.data };
  if (draft.tenant !== rowTenant) stored.tenant = draft.tenant;
  if (draft.causationid !== undefined) stored.causationid = draft.causationid;
  if (draft.traceparent !== undefined) stored.traceparent = draft.traceparent;
  if (draft.intentid !== undefined) stored.intentid = draft.intentid;
  if (draft.intentsource !== undefined) stored.intentsource = draft.intentsource;
  if (sequence !== undefined) stored.sequence = sequence;
  return stored;
}

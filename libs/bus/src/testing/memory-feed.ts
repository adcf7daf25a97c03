import { invariant, type JsonObject } from '@aifirst/kernel';
import type { Message } from '@aifirst/contracts';
import type { StoredRow } from '@aifirst/store';
import type { Feed } from '../message-bus';

/** A producer's log in an array, to which tests append whatever they like, forged commands too. */
export class MemoryFeed implements Feed {
  readonly rows: StoredRow[] = [];
  /** How often the log was read. */
  reads = 0;
  private readonly listeners = new Set<(rows: readonly StoredRow[]) => void>();

  constructor(readonly source: string) {}

  /** One commit: each argument is the messages of one row. */
  append(...rows: readonly (readonly Message[])[]): readonly StoredRow[] {
    const stored = this.appendSilently(...rows);
    for (const listener of this.listeners) listener(stored);
    return stored;
  }

  /** Stored, but nobody is told: what a listener misses. */
  appendSilently(...rows: readonly (readonly Message[])[]): readonly StoredRow[] {
    const stored = rows.map((messages, i): StoredRow => {
      const position = this.rows.length + 1 + i;
      return { position, tenant: messages[0]?.event.tenant ?? 'default', stream: `stream-${position}`, version: 1, key: null, state: null, messages };
    });
    this.rows.push(...stored);
    return stored;
  }

  head(): number { return this.rows.length; }

  async read(after: number, limit: number): Promise<readonly StoredRow[]> {
    this.reads++;
    invariant(after >= 0 && limit > 0, 'read from before the log, or nothing of it');
    return this.rows.slice(after, after + limit);
  }

  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  }
}

export interface MessageParts {
  readonly id: string;
  readonly topic?: string;
  readonly key?: string;
  readonly type?: string;
  readonly tenant?: string;
  readonly producer?: string;
  readonly traceparent?: string;
  readonly data?: JsonObject;
}

export const TEST_TOPIC = 'aifirst.test.thing.events.v1';

export function aMessage({ id, topic = TEST_TOPIC, key = 'k', type = 'aifirst.thing.happened.v1', tenant = 'default', producer = 'test/0', traceparent, data = {} }: MessageParts): Message {
  const service = producer.split('/')[0]!;
  return {
    topic, key,
    event: { specversion: '1.0', id, type, source: `/aifirst/${service}`, time: '2026-01-01T00:00:00.000Z', subject: key, tenant, producer, data, ...(traceparent === undefined ? {} : { traceparent }) },
  };
}

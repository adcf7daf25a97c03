import { MemoryFeed, aMessage, impatientClock, until } from '@aifirst/bus/testing';
import { shardOf } from '@aifirst/bus';
import { OperationalError } from '@aifirst/kernel';
import type { TopicMessages } from 'kafkajs';
import { RecordCodec } from './record-codec';
import { Relay, type BatchSender } from './relay';
import { MemoryRelayPositions } from './testing';

/** A topic in an array, which fails and forgets to answer as it is told. */
class RecordingSender implements BatchSender {
  readonly requests: (readonly TopicMessages[])[] = [];
  concurrentMax = 0;
  closed = false;
  private concurrent = 0;
  /** Called with each request's number, from 1. `after` = taken, but not acknowledged. */
  fails: (request: number) => 'before' | 'after' | null = () => null;
  private calls = 0;

  async send(topicMessages: readonly TopicMessages[]): Promise<void> {
    this.concurrentMax = Math.max(this.concurrentMax, ++this.concurrent);
    const fate = this.fails(++this.calls);
    await new Promise(resolve => { setImmediate(resolve); });
    this.concurrent--;
    if (fate !== 'before') this.requests.push(topicMessages);
    if (fate !== null) throw new OperationalError('NOT_SENT', 'the acknowledgement is lost', { retryable: true });
  }
  async close(): Promise<void> { this.closed = true; }
  ids(): string[] { return this.requests.flatMap(request => request.flatMap(({ messages }) => messages.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id))); }
}

describe('the relay of a log', () => {
  let feed: MemoryFeed;
  let sender: RecordingSender;
  let positions: MemoryRelayPositions;
  let relays: Relay[];
  let fatal: unknown[];
  beforeEach(() => { feed = new MemoryFeed('test/0'); sender = new RecordingSender(); positions = new MemoryRelayPositions(); relays = []; fatal = []; });
  afterEach(async () => { await Promise.all(relays.map(relay => relay.halt())); });

  const start = (after?: Promise<unknown>): Relay => {
    const relay = new Relay({ feed, positions, sender, codec: new RecordCodec(Buffer.from('key')), partitions: 6, topicPrefix: 'x.', clock: impatientClock, onRetrying: () => undefined, onFatal: error => { fatal.push(error); } }, after);
    relays.push(relay);
    return relay;
  };
  const append = (from: number, to: number): void => { for (let n = from; n <= to; n++) feed.append([aMessage({ id: `m${n}`, key: `k${n % 3}` })]); };
  const ids = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `m${from + i}`);

  it('sends what the log held and what comes, each once, to the partition of its key', async () => {
    append(1, 10);
    const relay = start();
    append(11, 20);
    await until('all is sent', () => relay.relayed() === 20);
    expect(sender.ids()).toEqual(ids(1, 20));
    for (const { topic, messages } of sender.requests.flat()) {
      expect(topic).toBe('x.aifirst.test.thing.events.v1');
      for (const { key, partition } of messages) expect(partition).toBe(shardOf(String(key), 6));
    }
  });

  it('has one request under way, and sends the very same again until it is acknowledged', async () => {
    sender.fails = request => ([2, 3].includes(request) ? 'after' : request === 5 ? 'before' : null);
    const relay = start();
    for (let n = 1; n <= 40; n++) { append(n, n); await new Promise(resolve => { setImmediate(resolve); }); }
    await until('all is sent', () => relay.relayed() === 40);
    expect(sender.concurrentMax).toBe(1);
    expect([...new Set(sender.ids())]).toEqual(ids(1, 40));
    expect(sender.requests[1]).toEqual(sender.requests[2]);
    expect(relay.problem()).toBeNull();
  });

  it('goes on after the saved position, never beyond what is acknowledged', async () => {
    append(1, 5);
    const first = start();
    await until('the position is saved', () => positions.position === 5);
    sender.fails = () => 'after';
    append(6, 8);
    await until('it is in trouble', () => first.problem() !== null);
    await first.stop();
    expect(positions.position).toBe(5);
    sender.fails = () => null;
    const second = start();
    await until('all is sent', () => second.relayed() === 8);
    expect([...new Set(sender.ids())]).toEqual(ids(1, 8));
    expect(sender.ids().slice(-3)).toEqual(ids(6, 8));
  });

  it('saves at the end what it has sent, and drains what is committed before', async () => {
    const relay = start();
    append(1, 2_000);
    await relay.drain();
    expect(relay.relayed()).toBe(2_000);
    await relay.stop();
    expect(positions.position).toBe(2_000);
    expect(sender.closed).toBe(true);
    expect(positions.saves).toBeLessThan(20);
  });

  it('cuts what piled up into requests of a bounded size', async () => {
    const relay = start();
    feed.append(...Array.from({ length: 40 }, (_, n) => [aMessage({ id: `m${n}`, data: { text: 'x'.repeat(100_000) } })]));
    await until('all is sent', () => relay.relayed() === 40);
    expect(sender.requests.length).toBeGreaterThanOrEqual(4);
  });

  it('sends a message that is too large to nobody, tells of it, and goes on', async () => {
    const relay = start();
    feed.append([aMessage({ id: 'large', data: { text: 'x'.repeat(2 * 1024 * 1024) } })], [aMessage({ id: 'small' })]);
    await until('it goes on', () => relay.relayed() === 2);
    expect(sender.ids()).toEqual(['small']);
    expect(fatal).toEqual([expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' })]);
  });

  it('tells of a log that has lost rows, and sends what follows', async () => {
    positions.position = 9;
    append(1, 3);
    const relay = start();
    await until('it is told', () => fatal.length === 1);
    append(4, 4);
    await until('the new row is sent', () => relay.relayed() === 4);
    expect(sender.ids()).toEqual(['m4']);
    expect(fatal).toEqual([expect.objectContaining({ code: 'RELAY_AHEAD' })]);
  });

  it('begins only when the relay of the log as it was opened before has ended', async () => {
    let release: () => void = () => undefined;
    append(1, 1);
    const relay = start(new Promise<void>(resolve => { release = resolve; }));
    await new Promise(resolve => { setTimeout(resolve, 10); });
    expect(sender.requests).toEqual([]);
    release();
    await until('it is sent', () => relay.relayed() === 1);
  });
});

import { OperationalError, type Clock } from '@aifirst/kernel';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { FeedLane, offered } from './feed-lane';
import { MemoryDeadLetters, MemoryFeed, RecordingService, TEST_TOPIC, aMessage, impatientClock, until } from './testing';

const GROUP = 'test.consumer';
const OTHER = 'aifirst.test.other.events.v1';
const rows = (from: number, to: number, topic = TEST_TOPIC) => Array.from({ length: to - from + 1 }, (_, i) => [aMessage({ id: `m${from + i}`, topic })]);

describe('the embedded bus', () => {
  const buses: EmbeddedMessageBus[] = [];
  afterEach(async () => { await Promise.all(buses.splice(0).map(bus => bus.stop())); });
  const aBus = (over: Partial<ConstructorParameters<typeof EmbeddedMessageBus>[0]> = {}) => {
    const letters = new MemoryDeadLetters();
    const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => letters, ...over });
    buses.push(bus);
    return bus;
  };

  it('reads the log at the start and after a gap only', async () => {
    const bus = aBus();
    const feed = new MemoryFeed('p/0');
    feed.append(...rows(1, 10));
    await bus.attach(feed);
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP }));
    await until('the log is read', () => service.handled.length === 10);
    expect(feed.reads).toBe(1);
    for (let n = 11; n <= 50; n++) { feed.append(...rows(n, n)); await new Promise(resolve => setImmediate(resolve)); }
    expect(service.handled).toHaveLength(50);
    expect(feed.reads).toBe(1);
    feed.appendSilently(...rows(51, 55));
    feed.append(...rows(56, 60));
    await until('the gap is filled', () => service.handled.length === 60);
    expect(feed.reads).toBe(2);
    expect(service.ids()).toEqual(rows(1, 60).map(([message]) => message!.event.id));
  });

  it('starts no timer in the normal path', async () => {
    const after = jest.fn<() => void, Parameters<Clock['after']>>(() => () => undefined);
    const bus = aBus({ clock: { now: () => 0, after } });
    const feed = new MemoryFeed('p/0');
    await bus.attach(feed);
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP }));
    feed.append(...rows(1, 1_000));
    await until('all is handled', () => service.handled.length === 1_000);
    expect(after).not.toHaveBeenCalled();
    expect(service.batches.map(({ deliveries }) => deliveries.length)).toEqual([500, 500]);
  });

  it('waits 50 ms before it repeats, then twice as long each time up to 5 s', async () => {
    const delays: number[] = [];
    const bus = aBus({ clock: { now: () => 0, after: (delayMs, callback) => { delays.push(delayMs); queueMicrotask(callback); return () => undefined; } } });
    const feed = new MemoryFeed('p/0');
    await bus.attach(feed);
    const service = new RecordingService();
    service.before = () => { if (service.calls <= 9) throw new OperationalError('DATABASE_DOWN', 'down', { retryable: true }); };
    await bus.subscribe(service.subscription({ group: GROUP }));
    feed.append(...rows(1, 1));
    await until('it is handled', () => service.handled.length === 1);
    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it('takes all messages of a row into one batch, and what piles up meanwhile into the next', async () => {
    const bus = aBus();
    const feed = new MemoryFeed('p/0');
    await bus.attach(feed);
    const service = new RecordingService();
    let release: () => void = () => undefined;
    service.before = () => new Promise(resolve => { release = resolve; });
    await bus.subscribe(service.subscription({ group: GROUP, batchMax: 2 }));
    const row = (n: number) => ['a', 'b', 'c'].map(part => aMessage({ id: `${n}${part}`, key: part }));
    feed.append(row(1));
    await until('the first is under way', () => service.concurrent === 1);
    for (let n = 2; n <= 4; n++) feed.append(row(n));
    service.before = () => undefined;
    release();
    await until('all is handled', () => service.handled.length === 12);
    expect(service.batches.map(({ deliveries, positions }) => [deliveries.length, positions['p/0']])).toEqual([[3, 1], [6, 3], [3, 4]]);
  });

  it('moves positions past rows that hold nothing for the group, after many of them without any message', async () => {
    const bus = aBus();
    const feed = new MemoryFeed('p/0');
    const quiet = new MemoryFeed('quiet/0');
    await bus.attach(feed);
    await bus.attach(quiet);
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP }));
    quiet.append(...rows(1, 7, OTHER));
    feed.append(...rows(1, 3, OTHER), ...rows(4, 4), ...rows(5, 6, OTHER));
    await until('the message is handled', () => service.handled.length === 1);
    expect(service.positions).toEqual({ 'p/0': 6, 'quiet/0': 7 });
    quiet.append(...rows(8, 5_008, OTHER));
    await until('the positions move', () => service.positions['quiet/0'] === 5_008);
    expect(service.batches.at(-1)).toMatchObject({ deliveries: [], positions: { 'quiet/0': 5_008 } });
    expect(service.batches).toHaveLength(2);
  });

  it('covers no row that is done in part only while it narrows a failure down', async () => {
    const bus = aBus();
    const feed = new MemoryFeed('p/0');
    await bus.attach(feed);
    const service = new RecordingService();
    service.before = ({ deliveries }) => { if (deliveries.some(({ message }) => message.event.id === '2b')) throw new TypeError('bad'); };
    await bus.subscribe(service.subscription({ group: GROUP }));
    feed.append(...[1, 2, 3].map(n => ['a', 'b', 'c'].map(part => aMessage({ id: `${n}${part}`, key: `${n}${part}` }))));
    await until('all but one are handled', () => service.handled.length === 8);
    const done = new Set<string>(['2b']);
    for (const { deliveries, positions } of service.batches) {
      for (const { message } of deliveries) done.add(message.event.id);
      const reached = positions['p/0'] ?? 0;
      for (let n = 1; n <= reached; n++) for (const part of ['a', 'b', 'c']) expect(done).toContain(`${n}${part}`);
    }
    expect(service.positions).toEqual({ 'p/0': 3 });
  });

  it('goes on with a log that was opened anew, from the positions committed', async () => {
    const bus = aBus();
    const before = new MemoryFeed('p/0');
    await bus.attach(before);
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP }));
    before.append(...rows(1, 5));
    await until('the first are handled', () => service.handled.length === 5);
    const anew = new MemoryFeed('p/0');
    anew.append(...rows(1, 7));
    await bus.attach(anew);
    anew.append(...rows(8, 9));
    before.append(...rows(100, 105));
    await until('the others are handled', () => service.handled.length === 9);
    expect(service.ids()).toEqual(rows(1, 9).map(([message]) => message!.event.id));
  });

  it('ends a consumer whose positions lie beyond the end of the log, and says so', async () => {
    const onStopped = jest.fn();
    const bus = aBus({ onStopped });
    const service = new RecordingService();
    service.positions = { 'p/0': 50 };
    await bus.subscribe(service.subscription({ group: GROUP }));
    const feed = new MemoryFeed('p/0');
    feed.append(...rows(1, 10));
    await bus.attach(feed);
    await until('the consumer has ended', () => onStopped.mock.calls.length === 1);
    expect(onStopped).toHaveBeenCalledWith(GROUP, expect.objectContaining({ message: 'group `test.consumer` is at 50 of log `p/0`, which ends at 10' }));
  });

  it('keeps other logs flowing while one can not be read', async () => {
    const onRetrying = jest.fn();
    const bus = aBus({ onRetrying });
    const broken = new MemoryFeed('broken/0');
    broken.append(...rows(1, 3));
    const read = broken.read.bind(broken);
    broken.read = () => Promise.reject(new OperationalError('DATABASE_DOWN', 'down', { retryable: true }));
    const feed = new MemoryFeed('p/0');
    await bus.attach(broken);
    await bus.attach(feed);
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP }));
    for (let n = 11; n <= 20; n++) { feed.append(...rows(n, n)); await new Promise(resolve => setImmediate(resolve)); }
    await until('the other flows', () => service.handled.length === 10 && onRetrying.mock.calls.length > 2);
    broken.read = read;
    await until('the broken one flows too', () => service.handled.length === 13);
  });

  it('takes turns between producers, so that a busy one starves none', async () => {
    const bus = aBus();
    const [busy, calm] = [new MemoryFeed('busy/0'), new MemoryFeed('calm/0')];
    await bus.attach(busy);
    await bus.attach(calm);
    const service = new RecordingService();
    let next = 1;
    service.before = () => { if (next < 200) { busy.append(...rows(next, next + 9)); next += 10; } };
    await bus.subscribe(service.subscription({ group: GROUP, batchMax: 5 }));
    busy.append(...rows(1_000, 1_009));
    calm.append([aMessage({ id: 'calm' })]);
    await until('the calm one is heard', () => service.ids().includes('calm'));
    expect(service.ids().indexOf('calm')).toBeLessThan(15);
  });

  it('ends when it is stopped while it reads what holds nothing for the group', async () => {
    const bus = aBus();
    const feed = new MemoryFeed('p/0');
    feed.append(...rows(1, 3, OTHER));
    const read = feed.read.bind(feed);
    let release: () => void = () => undefined;
    feed.read = async (after, limit) => {
      await new Promise<void>(resolve => { release = resolve; });
      return read(after, limit);
    };
    await bus.attach(feed);
    const consumer = await bus.subscribe(new RecordingService().subscription({ group: GROUP }));
    const stopped = consumer.stop();
    release();
    await stopped;
    expect(feed.reads).toBe(1);
  });

  it('refuses to be used after it was stopped', async () => {
    const bus = aBus();
    await bus.stop();
    await expect(bus.attach(new MemoryFeed('p/0'))).rejects.toMatchObject({ code: 'BUS_STOPPED' });
    await expect(bus.subscribe(new RecordingService().subscription({ group: GROUP }))).rejects.toMatchObject({ code: 'BUS_STOPPED' });
  });
});

describe('a lane', () => {
  it('lets go of a queue that grows too long and reads the log instead', async () => {
    const feed = new MemoryFeed('p/0');
    const lane = new FeedLane(feed, ({ topic }) => topic === TEST_TOPIC, 0, 100);
    for (let n = 1; n <= 1_000; n += 10) {
      lane.offer(offered('p/0', feed.append(...rows(n, n + 9))));
      expect(lane.queuedRows()).toBeLessThanOrEqual(100);
    }
    expect(lane.lag()).toBe(1_000);
    const deliveries: Parameters<FeedLane['take']>[1] = [];
    while (deliveries.length < 1_000) {
      await lane.readOn(50);
      lane.take(50, deliveries);
    }
    expect(deliveries.map(({ position }) => position)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
    expect(lane.isBehind()).toBe(false);
    expect(lane.lag()).toBe(0);
    lane.offer(offered('p/0', feed.append(...rows(1_001, 1_001))));
    expect(lane.queuedRows()).toBe(1);
  });

  it('passes over rows that the log no longer holds', async () => {
    const feed = new MemoryFeed('p/0');
    feed.append(...rows(1, 10));
    feed.read = async () => [];
    const lane = new FeedLane(feed, ({ topic }) => topic === TEST_TOPIC, 0, 100);
    await lane.readOn(50);
    expect(lane.isBehind()).toBe(false);
    expect(lane.handOver()).toBe(10);
  });

  it('takes rows committed while it reads neither twice nor not at all', async () => {
    const feed = new MemoryFeed('p/0');
    feed.append(...rows(1, 3));
    const lane = new FeedLane(feed, ({ topic }) => topic === TEST_TOPIC, 0, 100);
    const read = feed.read.bind(feed);
    feed.read = async (after, limit) => {
      const found = await read(after, limit);
      lane.offer(offered('p/0', feed.append(...rows(feed.head() + 1, feed.head() + 2))));
      feed.read = read;
      return found;
    };
    await lane.readOn(50);
    const deliveries: Parameters<FeedLane['take']>[1] = [];
    lane.take(50, deliveries);
    expect(deliveries.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
  });
});

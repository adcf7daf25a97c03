import type { Clock } from '@aifirst/kernel';
import { Retention, forgottenBefore, type RetainedLog } from './retention';
import type { Append, Log } from './store';
import { MemoryStore } from './testing';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const stream = (number: number): string => `019c0000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
const aRow = (number: number, version = 1): Append => ({ tenant: 'default', stream: stream(number), version, messages: [] });

/** A log `main` that grows by rows of a stream each, and a retention of 10 days over it. */
class Stand {
  now = 1_000 * DAY;
  readonly pauses: number[] = [];
  readonly store = new MemoryStore({ serviceName: 'test' });
  readonly forgetting: number[] = [];
  log!: Log;
  retention!: Retention;
  private rows = 0;
  readonly clock: Clock = {
    now: () => this.now,
    after: (delayMs, callback) => { this.pauses.push(delayMs); queueMicrotask(callback); return () => undefined; },
  };
  openMarks = (): Promise<Log> => this.store.open({ log: 'retention', shard: 0, owner: 'test' });

  async start(more: Partial<RetainedLog> = {}): Promise<this> {
    this.log = await this.store.open({ log: 'main', shard: 0, owner: 'test', takeOver: true });
    this.retention = new Retention({
      open: () => this.openMarks(), clock: this.clock,
      logs: [{ log: this.log, keptMs: 10 * DAY, bounds: {}, onForgetting: before => this.forgetting.push(before), ...more }],
    });
    return this;
  }

  async grow(count: number): Promise<void> {
    await this.log.commit({ appends: Array.from({ length: count }, () => aRow(++this.rows)), lowWater: 1_000_000 });
  }
  async run() { return (await this.retention.run())[0]!; }
  async left(): Promise<number[]> { return (await this.log.read(0, 100_000)).map(({ position }) => position); }
}

describe('retention', () => {
  it('removes rows when a mark made after them has come of age, and not before', async () => {
    const stand = await new Stand().start();
    await stand.grow(3);
    expect(await stand.run()).toEqual({ producer: 'main/0', removed: 0, upTo: 0, heldBy: null, error: null });
    await stand.grow(2);
    stand.now += 10 * DAY - 1;
    expect(await stand.run()).toMatchObject({ removed: 0, upTo: 0 });
    expect(stand.forgetting).toEqual([]);
    stand.now += 1;
    expect(await stand.run()).toMatchObject({ removed: 3, upTo: 3 });
    expect(await stand.left()).toEqual([4, 5]);
    expect(await stand.run()).toMatchObject({ removed: 0, upTo: 3 });
    stand.now += 10 * DAY;
    expect(await stand.run()).toMatchObject({ removed: 2, upTo: 5 });
    expect([await stand.left(), stand.log.head()]).toEqual([[], 5]);
  });

  it('goes on after a restart, and says what may be gone before anything is', async () => {
    const stand = await new Stand().start();
    const madeAt = stand.now;
    await stand.grow(3);
    await stand.run();
    stand.now += 11 * DAY;
    await stand.start({ onForgetting: before => { stand.forgetting.push(before); expect(stand.log.head()).toBe(3); } });
    expect(await forgottenBefore(stand.log, 'main/0')).toBe(0);
    expect((await stand.left()).length).toBe(3);
    expect(await stand.run()).toMatchObject({ removed: 3 });
    expect([stand.forgetting, await forgottenBefore(stand.log, 'main/0'), await forgottenBefore(stand.log, 'other/0')]).toEqual([[madeAt], madeAt, 0]);
  });

  it('leaves what somebody has not taken, and says who', async () => {
    let taken = 2;
    const stand = await new Stand().start({ bounds: { audit: () => Infinity, consumers: async () => taken } });
    await stand.grow(5);
    await stand.run();
    stand.now += 11 * DAY;
    expect(await stand.run()).toMatchObject({ removed: 2, upTo: 2, heldBy: 'consumers' });
    taken = 0;
    expect(await stand.run()).toMatchObject({ removed: 0, upTo: 0, heldBy: 'consumers' });
    taken = 5;
    expect(await stand.run()).toMatchObject({ removed: 3, upTo: 5, heldBy: null });
  });

  it('leaves what recovery reads, and asks what to keep after it has looked how far that goes', async () => {
    const asked: number[] = [];
    const stand = new Stand();
    await stand.start({ keep: async () => { asked.push(stand.log.lowWater()); return [stream(1)]; } });
    await stand.log.commit({ appends: [1, 2, 3, 4].map(number => aRow(number)), lowWater: 4 });
    await stand.run();
    stand.now += 11 * DAY;
    expect(await stand.run()).toMatchObject({ removed: 2, upTo: 3, heldBy: 'recovery' });
    expect([asked, await stand.left()]).toEqual([[4], [1, 4]]);
  });

  it('pauses between pieces for as long as the last one took', async () => {
    const stand = await new Stand().start();
    await stand.grow(12_000);
    await stand.run();
    stand.now += 11 * DAY;
    const trim = stand.log.trim.bind(stand.log);
    jest.spyOn(stand.log, 'trim').mockImplementation((...given) => { stand.now += 300; return trim(...given); });
    expect(await stand.run()).toMatchObject({ removed: 12_000 });
    expect(stand.pauses).toEqual([300, 300]);
  });

  it('keeps about a hundred marks, whatever comes, and none of a clock that was ahead', async () => {
    const stand = await new Stand().start({ keptMs: 1_000 * DAY });
    const marks = async () => (await stand.log.getDocument('store.retention', 'system', 'main/0'))?.data['marks'] as { position: number; at: number }[];
    for (let i = 0; i < 1_500; i++) {
      await stand.grow(1);
      await stand.run();
      stand.now += DAY;
    }
    expect((await marks()).length).toBeLessThanOrEqual(103);
    expect((await stand.left()).length).toBeLessThanOrEqual(1_010);
    expect((await stand.left()).length).toBeGreaterThanOrEqual(1_000);
    const rightNow = stand.now;
    stand.now += 500 * DAY;
    await stand.grow(1);
    await stand.run();
    stand.now = rightNow;
    await stand.grow(1);
    await stand.run();
    expect((await marks()).every(({ at }) => at <= rightNow)).toBe(true);
  });

  it('makes a mark at most every hour, and none where nothing has come', async () => {
    const stand = await new Stand().start({ keptMs: DAY });
    const marks = async () => ((await stand.log.getDocument('store.retention', 'system', 'main/0'))?.data['marks'] as unknown[] | undefined)?.length ?? 0;
    await stand.run();
    expect(await marks()).toBe(0);
    await stand.grow(1);
    await stand.run();
    await stand.grow(1);
    stand.now += HOUR - 1;
    await stand.run();
    expect(await marks()).toBe(1);
    stand.now += 1;
    await stand.run();
    stand.now += HOUR;
    await stand.run();
    expect(await marks()).toBe(2);
  });

  it('goes on with the other logs when one fails, and ends at once when it is stopped', async () => {
    const stand = await new Stand().start();
    const other = await stand.store.open({ log: 'other', shard: 0, owner: 'test' });
    const both = new Retention({
      open: stand.openMarks, clock: stand.clock,
      logs: [{ log: other, keptMs: DAY, bounds: { audit: () => { throw new Error('away'); } } }, { log: stand.log, keptMs: DAY, bounds: {} }],
    });
    await other.commit({ appends: [aRow(1)], lowWater: 9 });
    await stand.grow(1);
    await both.run();
    stand.now += 2 * DAY;
    expect(await both.run()).toMatchObject([{ producer: 'other/0', removed: 0, error: new Error('away') }, { producer: 'main/0', removed: 1, error: null }]);
    await stand.grow(1);
    await both.stop();
    expect(await both.run()).toEqual([]);
  });

  it('is one: somebody else at it is told of, and the marks are let go of after each run', async () => {
    const stand = await new Stand().start();
    const others = await stand.openMarks();
    await expect(stand.run()).rejects.toMatchObject({ code: 'LEASE_HELD' });
    await others.close();
    const [first, second] = await Promise.all([stand.retention.run(), stand.retention.run()]);
    expect([first, second]).toMatchObject([[{ removed: 0 }], [{ removed: 0 }]]);
  });
});

import fc from 'fast-check';
import { ChaoticMessageBus, MemoryDeadLetters, MemoryFeed, RecordingService, aMessage, type Chaos } from '.';

const GROUP = 'test.consumer';

/** A whole run in virtual time: everything due is done in order of its time, then of its asking. */
class World {
  now = 0;
  readonly log: string[] = [];
  readonly letters = new MemoryDeadLetters(() => '2026-01-01T00:00:00.000Z');
  readonly feed = new MemoryFeed('p/0');
  readonly service = new RecordingService();
  readonly bus: ChaoticMessageBus;
  private readonly due: { at: number; callback: () => void }[] = [];
  private state: number;

  constructor(seed: number, chaos: Partial<Chaos>) {
    this.state = seed;
    this.bus = new ChaoticMessageBus({
      chaos, chance: () => this.chance(), deadLetters: () => this.letters,
      schedule: (callback, delayMs) => { this.due.push({ at: this.now + delayMs, callback }); },
    });
    this.service.before = ({ deliveries, positions }) => { this.log.push(`${this.now} ${deliveries.map(({ message }) => message.event.id).join(' ')} ${JSON.stringify(positions)}`); };
  }

  /** Until nothing is due any more. */
  async run(): Promise<void> {
    for (await settled(); this.due.length > 0; await settled()) {
      this.due.sort((one, other) => one.at - other.at);
      const next = this.due.shift()!;
      this.now = Math.max(this.now, next.at);
      next.callback();
    }
  }

  /** 40 rows of one message, over four keys. */
  append(from: number, to: number): void {
    for (let n = from; n <= to; n++) this.feed.append([aMessage({ id: `m${n}`, key: `k${n % 4}` })]);
  }

  private chance(): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.state / 2 ** 32;
  }
}
const settled = () => new Promise<void>(resolve => setImmediate(resolve));
const idsOfKey = (key: number, from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i).filter(n => n % 4 === key).map(n => `m${n}`);

describe('the chaotic bus', () => {
  const ran = async (seed: number, chaos: Partial<Chaos>) => {
    const world = new World(seed, chaos);
    await world.bus.attach(world.feed);
    await world.bus.subscribe(world.service.subscription({ group: GROUP, batchMax: 6 }));
    world.append(1, 40);
    await world.run();
    return world;
  };

  it('does the same again for the same seed, and something else for another', async () => {
    const chaos = { repeat: 0.3, drop: 0.2, delayMsMax: 50 };
    const [one, again, other] = [await ran(1, chaos), await ran(1, chaos), await ran(2, chaos)];
    expect(again.log).toEqual(one.log);
    expect(other.log).not.toEqual(one.log);
  });

  it('lets keys overtake one another, each in its order', async () => {
    const { service } = await ran(3, { delayMsMax: 50 });
    for (let key = 0; key < 4; key++) expect(service.idsOfKey(`k${key}`)).toEqual(idsOfKey(key, 1, 40));
    expect(service.ids()).not.toEqual(Array.from({ length: 40 }, (_, i) => `m${i + 1}`));
    expect(service.positions).toEqual({ 'p/0': 40 });
  });

  it('repeats a message together with what followed it', async () => {
    const { service } = await ran(4, { repeat: 0.5, delayMsMax: 20 });
    expect(service.handled.length).toBeGreaterThan(40);
    for (let key = 0; key < 4; key++) {
      const expected = idsOfKey(key, 1, 40);
      const indexes = service.idsOfKey(`k${key}`).map(id => expected.indexOf(id));
      let reached = -1;
      for (const [i, index] of indexes.entries()) {
        // Either the next new one, or one back; after a step back the same ones follow.
        expect(index <= reached + 1 && (i === 0 || index <= indexes[i - 1]! + 1)).toBe(true);
        reached = Math.max(reached, index);
      }
      expect(reached).toBe(expected.length - 1);
    }
  });

  it('loses what it drops, with positions moving past it, until it is asked to redeliver', async () => {
    const world = await ran(5, { drop: 0.3 });
    expect(world.service.handled.length).toBeLessThan(40);
    expect(world.service.handled.length).toBeGreaterThan(10);
    // Why: what was dropped at the very end has nothing after it that would carry the position past.
    const handledLast = Math.max(...world.service.handled.map(({ position }) => position));
    expect(world.service.positions['p/0']).toBeGreaterThanOrEqual(handledLast);
    world.bus.chaos.drop = 0;
    const missing = 40 - world.service.handled.length;
    expect(world.bus.redeliver()).toBe(missing);
    await world.run();
    expect(new Set(world.service.ids()).size).toBe(40);
    expect(world.bus.redeliver()).toBe(0);
  });

  it('lets nothing more reach a consumer whose process has died, and another go on from what was committed', async () => {
    const world = new World(6, { delayMsMax: 10 });
    await world.bus.attach(world.feed);
    const dead = new RecordingService();
    dead.before = () => new Promise(() => undefined);
    const consumer = await world.bus.subscribe(dead.subscription({ group: GROUP }));
    world.append(1, 10);
    await world.run();
    expect(dead.concurrent).toBe(1);
    world.bus.kill(consumer);
    await world.bus.subscribe(world.service.subscription({ group: GROUP }));
    world.append(11, 20);
    await world.run();
    expect(dead.handled).toEqual([]);
    for (let key = 0; key < 4; key++) expect(world.service.idsOfKey(`k${key}`)).toEqual(idsOfKey(key, 1, 20));
    await consumer.stop();
  });

  it('loses nothing but what it drops, whatever the seed, through crashes of the consumer', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(), fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 }), async (seed, crashes) => {
      const world = new World(seed, { repeat: 0.2, drop: 0.1, delayMsMax: 30 });
      await world.bus.attach(world.feed);
      const pending = new Set(crashes);
      const subscription = world.service.subscription({ group: GROUP, batchMax: 5 });
      const before = world.service.before;
      let killed = false;
      world.service.before = batch => {
        if (pending.delete(world.service.calls)) {
          killed = true;
          world.bus.kill(consumer);
          throw new Error('killed');
        }
        return before(batch);
      };
      let consumer = await world.bus.subscribe(subscription);
      for (let n = 1; n <= 40; n += 10) {
        world.append(n, n + 9);
        await world.run();
        while (killed) { killed = false; consumer = await world.bus.subscribe(subscription); await world.run(); }
      }
      world.bus.chaos.repeat = 0;
      world.bus.chaos.drop = 0;
      world.bus.redeliver();
      await world.run();
      while (killed) { killed = false; consumer = await world.bus.subscribe(subscription); await world.run(); }
      expect(new Set(world.service.ids()).size).toBe(40);
      expect(await world.letters.list({ tenant: null, limit: 9 })).toEqual([]);
    }), { numRuns: 25 });
  });
});

import fc from 'fast-check';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { shardOf, takes } from './shard-of';
import { MemoryDeadLetters, MemoryFeed, RecordingService, aMessage, impatientClock, until } from './testing';

describe('shards of keys', () => {
  it('never change', () => {
    expect(['', 'k', 'workflow', 'ü', '0190a6f0-0000-7000-8000-000000000001'].map(key => shardOf(key, 1_024))).toEqual([257, 680, 311, 399, 342]);
  });

  it('are spread evenly over ids that follow one another', () => {
    const counts = new Array<number>(12).fill(0);
    for (let n = 0; n < 12_000; n++) counts[shardOf(`0190a6f0-0000-7000-8000-${String(n).padStart(12, '0')}`, 12)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });

  it('agree with partitions: what of a divisor of their number takes is what the partition modulo it says', () => {
    fc.assert(fc.property(fc.string(), fc.constantFrom(1, 2, 3, 4, 6, 12), (key, of) => {
      expect(shardOf(key, of)).toBe(shardOf(key, 12) % of);
      expect([...Array(of).keys()].filter(index => takes({ index, of }, key))).toEqual([shardOf(key, of)]);
    }));
  });

  it('go each to its consumer on the embedded bus, as does what is parked', async () => {
    const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => new MemoryDeadLetters() });
    try {
      const feed = new MemoryFeed('producer/0');
      await bus.attach(feed);
      const shards = [new RecordingService(), new RecordingService()];
      for (const [index, service] of shards.entries()) await bus.subscribe(service.subscription({ group: 'test.consumer', exclusive: true, share: { index, of: 2 } }));
      for (let n = 1; n <= 50; n++) feed.append([aMessage({ id: `m${n}`, key: `k${n}` })]);
      await until('all are handled', () => shards[0]!.handled.length + shards[1]!.handled.length === 50);
      for (const [index, service] of shards.entries()) {
        expect(service.handled.every(({ message }) => shardOf(message.key, 2) === index)).toBe(true);
        const [delivery] = service.handled;
        const { calls } = service;
        await bus.pausing('test.consumer', async consumer => consumer!.handle({ deliveries: [delivery!], positions: {} }), delivery!.message.key);
        expect(service.calls).toBe(calls + 1);
      }
    } finally {
      await bus.stop();
    }
  });
});

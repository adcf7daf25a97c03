import { GuardedHandler, type Slice } from './guarded-handler';
import type { Delivery } from './message-bus';
import { aMessage, MemoryDeadLetters } from './testing';

const GROUP = 'test.consumer';
const clock = { after: (delayMs: number, callback: () => void) => { const timer = setTimeout(callback, delayMs); return () => { clearTimeout(timer); }; } };
const delivery = (position: number, key: string): Delivery => ({ source: 'producer/0', position, message: aMessage({ id: `m${position}`, key }) });
const slice = (...deliveries: readonly Delivery[]): Slice => ({ deliveries, positions: { 'producer/0': deliveries.at(-1)!.position }, positionsAfter: count => ({ 'producer/0': deliveries[count - 1]!.position }) });

describe('a message that comes while its key is being freed', () => {
  it('is handled when the key is free by then: nobody would come for it among the parked', async () => {
    const letters = new MemoryDeadLetters();
    const handled: string[] = [];
    const guarded = new GuardedHandler({
      group: GROUP, topics: [], from: () => ({}),
      handle: async ({ deliveries }) => { handled.push(...deliveries.map(({ message }) => message.event.id)); },
    }, letters, clock, {});
    await letters.park(GROUP, [{ delivery: delivery(1, 'k'), code: 'CANNOT_READ', detail: 'no' }]);
    await guarded.start();
    // Why: from then on it knows behind what others of the key have to wait.
    await guarded.process(slice(delivery(2, 'k')));
    expect((await letters.ofKey(GROUP, 'k')).map(({ delivery: { message } }) => message.event.id)).toEqual(['m1', 'm2']);

    let free: () => void = () => undefined;
    const gate = new Promise<void>(resolve => { free = resolve; });
    const replay = guarded.pausing(async consumer => {
      await gate;
      for (const { letter } of await letters.ofKey(GROUP, 'k')) await letters.settle(letter.id, 'replayed');
      consumer.release('k');
    });
    // Why another key before: what waits for its turn has to keep its place among the others.
    const coming = guarded.process(slice(delivery(3, 'other'), delivery(4, 'k'), delivery(5, 'k')));
    await new Promise(resolve => setImmediate(resolve));
    free();
    await Promise.all([replay, coming]);

    expect(handled).toEqual(['m3', 'm4', 'm5']);
    expect(await letters.parkedKeys(GROUP)).toEqual([]);
    await guarded.stop();
  });
});

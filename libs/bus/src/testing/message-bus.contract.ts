import { Fenced, type Positions } from '@aifirst/store';
import { OperationalError } from '@aifirst/kernel';
import fc from 'fast-check';
import { DeadLetterDesk } from '../dead-letter-desk';
import type { DeadLetters } from '../dead-letters';
import type { Batch, Delivery, MessageBus } from '../message-bus';
import { MemoryDeadLetters } from './memory-dead-letters';
import { MemoryFeed, TEST_TOPIC, aMessage } from './memory-feed';
import { RecordingService, idsOf, until } from './recorder';

export interface BusHarness {
  /** Runs of the law over random histories; default 40. Fewer where each takes its time. */
  readonly runs?: number;
  /**
   * A bus that holds nothing yet. Retry delays may be shorter than the product's.
   * @param onStopped what the bus must tell of consumers that end by themselves
   */
  start(options: { readonly deadLetters: DeadLetters; readonly onStopped: (group: string, error: unknown) => void }): Promise<BusUnderTest>;
}
export interface BusUnderTest {
  readonly bus: MessageBus;
  /** The bus as another copy of a service sees it: of another process where the implementation has such, else the same. */
  another(): Promise<MessageBus>;
  stop(): Promise<void>;
}

const BY = { kind: 'person', id: 'admin', tenant: 'default' } as const;
const GROUP = 'test.consumer';
const numbered = (from: number, to: number, key: (n: number) => string = () => 'k') =>
  Array.from({ length: to - from + 1 }, (_, i) => [aMessage({ id: `m${from + i}`, key: key(from + i) })]);
const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `m${from + i}`);
const poisoned = (...bad: readonly string[]) => ({ deliveries }: Batch): void => {
  const found = idsOf(deliveries).find(id => bad.includes(id));
  if (found !== undefined) throw new OperationalError('CANNOT_READ', `message \`${found}\` makes no sense`);
};

/** What every `MessageBus` does. Positions are opaque here: what a consumer is given it commits, and hands back when asked. */
export function describeMessageBus(name: string, harness: BusHarness): void {
  describe(`${name} as a message bus`, () => {
    let letters: MemoryDeadLetters;
    let stopped: { group: string; error: unknown }[];
    let running: BusUnderTest[];
    beforeEach(() => { letters = new MemoryDeadLetters(); stopped = []; running = []; });
    afterEach(async () => { await Promise.all(running.map(under => under.stop())); });

    const start = async (deadLetters: DeadLetters = letters): Promise<BusUnderTest> => {
      const under = await harness.start({ deadLetters, onStopped: (group, error) => stopped.push({ group, error }) });
      running.push(under);
      return under;
    };
    const attached = async (bus: MessageBus, source = 'producer/0'): Promise<MemoryFeed> => {
      const feed = new MemoryFeed(source);
      await bus.attach(feed);
      return feed;
    };
    const handledAll = (service: RecordingService, count: number) => until(`${count} messages are handled`, () => service.handled.length >= count);

    describe('in the normal path', () => {
      it('hands over what is committed, unchanged, of the topics asked for alone', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        await bus.subscribe(service.subscription({ group: GROUP, topics: [TEST_TOPIC, 'aifirst.test.other.events.v1'] }));
        const traced = aMessage({ id: 'a', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', data: { deep: { list: [1, 'ü', null] } } });
        feed.append([traced, aMessage({ id: 'b', topic: 'aifirst.test.unasked.events.v1' }), aMessage({ id: 'c', topic: 'aifirst.test.other.events.v1' })]);
        await handledAll(service, 2);
        expect(service.ids().sort()).toEqual(['a', 'c']);
        expect(service.handled.find(({ message }) => message.event.id === 'a')!.message).toEqual(traced);
      });

      it('keeps the order of each key over many batches', async () => {
        const { bus } = await start();
        const [one, two] = [await attached(bus, 'producer/0'), await attached(bus, 'producer/1')];
        const service = new RecordingService();
        service.before = () => new Promise(resolve => setImmediate(resolve));
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 7 }));
        for (let n = 1; n <= 300; n += 3) {
          one.append(...numbered(n, n + 2, i => `one-${i % 5}`));
          two.append(...numbered(n + 1_000, n + 1_002, i => `two-${i % 5}`));
          await new Promise(resolve => setImmediate(resolve));
        }
        await handledAll(service, 600);
        for (let k = 0; k < 5; k++) {
          expect(service.idsOfKey(`one-${k}`)).toEqual(ids(1, 300).filter((_, i) => (i + 1) % 5 === k));
          expect(service.idsOfKey(`two-${k}`)).toEqual(ids(1_001, 1_300).filter((_, i) => (i + 1_001) % 5 === k));
        }
      });

      it('makes batches of what piled up, none beyond batchMax', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        feed.append(...numbered(1, 1_000, n => `k${n % 10}`));
        const service = new RecordingService();
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 200 }));
        await until('all are handled, some perhaps again', () => new Set(service.ids()).size === 1_000);
        expect(service.batches.length).toBeLessThan(100);
        expect(Math.max(...service.batches.map(({ deliveries }) => deliveries.length))).toBeLessThanOrEqual(200);
      });

      it('hands over the next batch only when the former is done', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = () => new Promise(resolve => setTimeout(resolve, 3));
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 5 }));
        for (let n = 1; n <= 40; n += 2) {
          feed.append(...numbered(n, n + 1));
          await new Promise(resolve => setTimeout(resolve, 1));
        }
        await handledAll(service, 40);
        expect(service.concurrentMax).toBe(1);
      });

      it('gives every group everything', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const services = [new RecordingService(), new RecordingService()];
        for (const [i, service] of services.entries()) await bus.subscribe(service.subscription({ group: `test.group${i}` }));
        feed.append(...numbered(1, 20));
        for (const service of services) {
          await handledAll(service, 20);
          expect(service.ids()).toEqual(ids(1, 20));
        }
      });

      it('picks up logs attached later, and what they held before', async () => {
        const { bus } = await start();
        const service = new RecordingService();
        await bus.subscribe(service.subscription({ group: GROUP }));
        const feed = new MemoryFeed('late/0');
        feed.append(...numbered(1, 10));
        await bus.attach(feed);
        feed.append(...numbered(11, 20));
        await handledAll(service, 20);
        expect(service.ids()).toEqual(ids(1, 20));
      });

      it('tells how many messages wait', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        let release: () => void = () => undefined;
        service.before = () => new Promise(resolve => { release = resolve; });
        const consumer = await bus.subscribe(service.subscription({ group: GROUP, batchMax: 3 }));
        feed.append(...numbered(1, 10));
        await until('a batch is under way', () => service.concurrent === 1);
        await until('all ten are known to wait', () => consumer.lag() === 10);
        service.before = () => undefined;
        release();
        await until('nothing waits', () => consumer.lag() === 0);
        expect(service.ids()).toEqual(ids(1, 10));
      });

      it('carries a slow consumer through a flood, in order', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = () => new Promise(resolve => setTimeout(resolve, 2));
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 300 }));
        for (let n = 1; n <= 9_000; n += 1_000) {
          feed.append(...numbered(n, n + 999));
          await new Promise(resolve => setImmediate(resolve));
        }
        await handledAll(service, 9_000);
        expect(service.ids()).toEqual(ids(1, 9_000));
      });
    });

    describe('across crashes', () => {
      const crash = (): never => { throw new Fenced('test/0', 7); };

      it('repeats a batch whose effect was not followed by its positions', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const effects: string[] = [];
        const service = new RecordingService();
        service.before = ({ deliveries }) => { effects.push(...idsOf(deliveries)); crash(); };
        await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, 5));
        await until('the consumer has ended', () => stopped.length === 1);
        service.before = ({ deliveries }) => { effects.push(...idsOf(deliveries)); };
        await bus.subscribe(service.subscription({ group: GROUP }));
        await handledAll(service, 5);
        expect(service.ids()).toEqual(ids(1, 5));
        expect(effects.length).toBeGreaterThan(5);
        expect(effects.slice(-5)).toEqual(ids(1, 5));
      });

      it('goes on after the committed positions, with what came meanwhile', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        const first = await bus.subscribe(service.subscription({ group: GROUP, batchMax: 4 }));
        feed.append(...numbered(1, 10));
        await handledAll(service, 10);
        await first.stop();
        feed.append(...numbered(11, 20));
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 4 }));
        await handledAll(service, 20);
        feed.append(...numbered(21, 25));
        await handledAll(service, 25);
        expect(service.ids()).toEqual(ids(1, 25));
      });

      it('parks nothing when it is the consumer\'s own log that is gone', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = () => { throw new OperationalError('LOG_CLOSED', 'log `test/0` is closed'); };
        await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, 5));
        await until('the consumer has ended', () => stopped.length === 1);
        expect(await letters.list({ tenant: null, limit: 10 })).toEqual([]);
      });

      it('tells of a consumer that can not find out where to go on from', async () => {
        const { bus } = await start();
        const service = new RecordingService();
        const error = new TypeError('there are no positions');
        await bus.subscribe(service.subscription({ group: GROUP, from: () => { throw error; } }));
        await until('the consumer has ended', () => stopped.length === 1);
        expect(stopped).toEqual([{ group: GROUP, error }]);
      });

      it('tells of a fenced consumer and hands it nothing more, also when the fence falls in the middle of narrowing down', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = batch => { if (batch.deliveries.length > 2) throw new TypeError('not this many'); crash(); };
        await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, 8));
        await until('the consumer has ended', () => stopped.length === 1);
        const calls = service.calls;
        feed.append(...numbered(9, 10));
        await new Promise(resolve => setTimeout(resolve, 20));
        expect(stopped).toEqual([{ group: GROUP, error: expect.any(Fenced) }]);
        expect(service.calls).toBe(calls);
        expect(await letters.list({ tenant: null, limit: 10 })).toEqual([]);
      });

      it('lets one copy of a consumer take over from another, and never two handle one key at once', async () => {
        const under = await start();
        const feed = await attached(under.bus);
        const service = new RecordingService();
        const busy = new Set<string>();
        const clashes: string[] = [];
        service.before = async ({ deliveries }) => {
          const keys = [...new Set(deliveries.map(({ message }) => message.key))];
          clashes.push(...keys.filter(key => busy.has(key)));
          keys.forEach(key => busy.add(key));
          await new Promise(resolve => setTimeout(resolve, 1));
          keys.forEach(key => busy.delete(key));
        };
        const first = await under.bus.subscribe(service.subscription({ group: GROUP, batchMax: 5 }));
        const second = await (await under.another()).subscribe(service.subscription({ group: GROUP, batchMax: 5 }));
        feed.append(...numbered(1, 60, n => `k${n % 4}`));
        await handledAll(service, 10);
        await first.stop();
        feed.append(...numbered(61, 80, n => `k${n % 4}`));
        await until('each is handled', () => new Set(service.ids()).size === 80);
        await second.stop();
        expect(clashes).toEqual([]);
        for (let k = 0; k < 4; k++) expect([...new Set(service.idsOfKey(`k${k}`))]).toEqual(ids(1, 80).filter((_, i) => (i + 1) % 4 === k));
      });

      it('waits in stop for the batch under way and hands over none after', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        let release: () => void = () => undefined;
        service.before = () => new Promise(resolve => { release = resolve; });
        const consumer = await bus.subscribe(service.subscription({ group: GROUP, batchMax: 1 }));
        feed.append(...numbered(1, 3));
        await until('a batch is under way', () => service.concurrent === 1);
        let hasStopped = false;
        const stopping = consumer.stop().then(() => { hasStopped = true; });
        await new Promise(resolve => setTimeout(resolve, 20));
        expect(hasStopped).toBe(false);
        release();
        await stopping;
        feed.append(...numbered(4, 6));
        await new Promise(resolve => setTimeout(resolve, 20));
        expect(service.ids()).toEqual(['m1']);
        expect(stopped).toEqual([]);
      });

      it('stops during the pause before a repetition', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = () => { throw new OperationalError('DATABASE_DOWN', 'the database is down', { retryable: true }); };
        const consumer = await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, 3));
        await until('it was tried', () => service.calls > 0);
        await consumer.stop();
        expect(service.handled).toEqual([]);
        expect(stopped).toEqual([]);
      });
    });

    describe('when a handler fails', () => {
      it('repeats after a retryable error, then goes on, and parks nothing', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = () => { if (service.calls <= 3) throw new OperationalError('DATABASE_DOWN', 'the database is down', { retryable: true }); };
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 10 }));
        feed.append(...numbered(1, 30));
        await handledAll(service, 30);
        expect(service.ids()).toEqual(ids(1, 30));
        expect(await letters.list({ tenant: null, limit: 10 })).toEqual([]);
      });

      it('parks the message that can not be handled with its successors, while other keys flow', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = poisoned('m4');
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 6 }));
        feed.append(...numbered(1, 20, n => (n % 2 === 0 ? 'even' : 'odd')));
        await until('eleven are handled, nine parked', async () => service.handled.length === 11 && (await letters.list({ tenant: null, limit: 50 })).length === 9);
        expect(service.idsOfKey('odd')).toEqual(['m1', 'm3', 'm5', 'm7', 'm9', 'm11', 'm13', 'm15', 'm17', 'm19']);
        expect(service.idsOfKey('even')).toEqual(['m2']);
        const parked = await letters.list({ tenant: null, limit: 50 });
        expect(parked.map(letter => letter.messageId)).toEqual(['m4', 'm6', 'm8', 'm10', 'm12', 'm14', 'm16', 'm18', 'm20']);
        expect(parked.map(letter => letter.code)).toEqual(['CANNOT_READ', ...Array.from({ length: 8 }, () => 'BEHIND_PARKED')]);
        expect(parked[0]).toMatchObject({ group: GROUP, key: 'even', topic: TEST_TOPIC, tenant: 'default', status: 'parked', detail: 'message `m4` makes no sense' });
      });

      it('moves past what is parked, and parks its successors also after a restart', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = poisoned('m1');
        const first = await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, 2));
        await until('both are parked and passed', async () => (await letters.list({ tenant: null, limit: 50 })).length === 2 && first.lag() === 0);
        await first.stop();
        const seen: string[] = [];
        service.before = ({ deliveries }) => { seen.push(...idsOf(deliveries)); };
        await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(3, 3), [aMessage({ id: 'other', key: 'other' })]);
        await handledAll(service, 1);
        expect(service.ids()).toEqual(['other']);
        expect(seen).toEqual(['other']);
        expect((await letters.ofKey(GROUP, 'k')).map(({ letter }) => letter.messageId)).toEqual(['m1', 'm2', 'm3']);
      });

      it('lets nothing wait behind a bad message where order matters to nobody', async () => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = poisoned('m2', 'm3');
        await bus.subscribe(service.subscription({ group: GROUP, unordered: true }));
        feed.append(...numbered(1, 10));
        await handledAll(service, 8);
        expect(service.ids()).toEqual(ids(1, 10).filter(id => id !== 'm2' && id !== 'm3'));
        expect((await letters.list({ tenant: null, limit: 50 })).map(letter => letter.messageId)).toEqual(['m2', 'm3']);
      });

      it('commits no position past a message that is parked nowhere yet', async () => {
        let refusals = 3;
        const wavering: DeadLetters = Object.assign(Object.create(letters) as DeadLetters, {
          park: async (...args: Parameters<DeadLetters['park']>) => {
            if (refusals-- > 0) throw new Error('the disk is full');
            await letters.park(...args);
          },
        });
        const { bus } = await start(wavering);
        const feed = await attached(bus);
        const service = new RecordingService();
        const early: Positions[] = [];
        let bad: Delivery | undefined;
        service.before = async batch => {
          bad ??= batch.deliveries.find(({ message }) => message.event.id === 'm3');
          poisoned('m3')(batch);
          if (bad !== undefined && (batch.positions[bad.source] ?? 0) >= bad.position && (await letters.parkedKeys(GROUP)).length === 0) early.push(batch.positions);
        };
        await bus.subscribe(service.subscription({ group: GROUP, batchMax: 2 }));
        feed.append(...numbered(1, 5, n => `k${n}`));
        await handledAll(service, 4);
        expect(early).toEqual([]);
        expect(service.ids().sort()).toEqual(['m1', 'm2', 'm4', 'm5']);
        expect((await letters.parkedKeys(GROUP))).toEqual(['k3']);
      });
    });

    describe('with its dead letters', () => {
      const withParked = async (bad: string[], count: number) => {
        const { bus } = await start();
        const feed = await attached(bus);
        const service = new RecordingService();
        service.before = poisoned(...bad);
        await bus.subscribe(service.subscription({ group: GROUP }));
        feed.append(...numbered(1, count));
        const first = Number(bad[0]!.slice(1));
        await until('all are handled or parked', async () => service.handled.length + (await letters.ofKey(GROUP, 'k')).length === count);
        const parked = (await letters.ofKey(GROUP, 'k')).map(({ letter }) => letter);
        expect(parked.map(letter => letter.messageId)).toEqual(ids(first, count));
        return { feed, service, parked, desk: new DeadLetterDesk(bus, letters) };
      };

      it('replays a key in order, unchanged, after which it flows again', async () => {
        const { feed, service, parked, desk } = await withParked(['m2'], 5);
        service.before = () => undefined;
        const replayed = await desk.replay({ tenant: null, id: parked[2]!.id, by: BY });
        expect(replayed).toMatchObject({ by: BY, left: 0, failed: null, letter: { id: parked[2]!.id, status: 'replayed' } });
        expect(replayed.replayed.map(letter => letter.messageId)).toEqual(ids(2, 5));
        expect(service.ids()).toEqual(ids(1, 5));
        feed.append(...numbered(6, 7));
        await handledAll(service, 7);
        expect(service.ids()).toEqual(ids(1, 7));
        expect((await letters.list({ tenant: null, limit: 9 })).map(letter => letter.status)).toEqual(['replayed', 'replayed', 'replayed', 'replayed']);
      });

      it('stops a replay at the first that fails again and keeps what is behind it parked', async () => {
        const { feed, service, parked, desk } = await withParked(['m2'], 5);
        service.before = poisoned('m4');
        const replayed = await desk.replay({ tenant: null, id: parked[0]!.id, by: BY });
        expect(replayed.replayed.map(letter => letter.messageId)).toEqual(['m2', 'm3']);
        expect(replayed).toMatchObject({ left: 2, failed: { letter: { messageId: 'm4' }, code: 'CANNOT_READ' } });
        feed.append(...numbered(6, 6));
        await until('the next is parked behind', async () => (await letters.ofKey(GROUP, 'k')).length === 3);
        expect(service.ids()).toEqual(['m1', 'm2', 'm3']);
      });

      it('discards one, after which the next is released by a replay only', async () => {
        const { feed, service, parked, desk } = await withParked(['m2'], 3);
        expect(await desk.discard({ tenant: null, id: parked[0]!.id, by: BY })).toMatchObject({ by: BY, letter: { messageId: 'm2', status: 'discarded' }, left: 1 });
        feed.append(...numbered(4, 4));
        await until('the next is parked behind', async () => (await letters.ofKey(GROUP, 'k')).length === 2);
        expect(service.ids()).toEqual(['m1']);
        await desk.replay({ tenant: null, id: parked[1]!.id, by: BY });
        expect(service.ids()).toEqual(['m1', 'm3', 'm4']);
      });

      it('frees a key when its last letter is discarded', async () => {
        const { feed, service, parked, desk } = await withParked(['m2'], 2);
        expect(await desk.discard({ tenant: null, id: parked[0]!.id, by: BY })).toMatchObject({ left: 0 });
        feed.append(...numbered(3, 3));
        await handledAll(service, 2);
        expect(service.ids()).toEqual(['m1', 'm3']);
      });

      it('hands over again while batches keep coming, and nothing twice or out of order', async () => {
        const { feed, service, parked, desk } = await withParked(['m2'], 5);
        service.before = () => new Promise(resolve => setTimeout(resolve, 1));
        const replaying = desk.replay({ tenant: null, id: parked[0]!.id, by: BY });
        for (let n = 6; n <= 30; n++) {
          feed.append(...numbered(n, n));
          await new Promise(resolve => setImmediate(resolve));
        }
        await replaying;
        await until('all is settled', async () => {
          const [left] = await letters.ofKey(GROUP, 'k');
          if (left !== undefined) await desk.replay({ tenant: null, id: left.letter.id, by: BY });
          return service.handled.length === 30;
        });
        expect(service.ids()).toEqual(ids(1, 30));
        expect(service.concurrentMax).toBe(1);
      });
    });

    it('handles each message in the order of its key, or parks it, whatever fails', async () => {
      const run = fc.record({
        rows: fc.array(fc.array(fc.record({ key: fc.integer({ min: 0, max: 3 }), fate: fc.constantFrom('good', 'good', 'good', 'good', 'bad') }), { maxLength: 3 }), { minLength: 1, maxLength: 25 }),
        batchMax: fc.integer({ min: 1, max: 8 }),
        retries: fc.array(fc.nat(20), { maxLength: 2 }),
        crashes: fc.array(fc.nat(20), { maxLength: 2 }),
        bursts: fc.integer({ min: 1, max: 6 }),
      });
      await fc.assert(fc.asyncProperty(run, async ({ rows, batchMax, retries, crashes, bursts }) => {
        const own = new MemoryDeadLetters();
        let ended = 0;
        const under = await harness.start({ deadLetters: own, onStopped: () => { ended++; } });
        try {
          const feed = await attached(under.bus);
          const service = new RecordingService();
          const bad = new Set<string>();
          const all: { id: string; key: string }[] = [];
          const messages = rows.map(row => row.map(({ key, fate }) => {
            const id = `m${all.length}`;
            all.push({ id, key: `k${key}` });
            if (fate === 'bad') bad.add(id);
            return aMessage({ id, key: `k${key}` });
          }));
          const pending = { retries: new Set(retries), crashes: new Set(crashes) };
          service.before = batch => {
            if (pending.crashes.delete(service.calls)) throw new Fenced('test/0', 1);
            if (pending.retries.delete(service.calls)) throw new OperationalError('DATABASE_DOWN', 'the database is down', { retryable: true });
            poisoned(...bad)(batch);
          };
          let restarts = 0;
          await under.bus.subscribe(service.subscription({ group: GROUP, batchMax }));
          for (let i = 0; i < messages.length; i += bursts) {
            feed.append(...messages.slice(i, i + bursts));
            await new Promise(resolve => setImmediate(resolve));
          }
          await until('all are handled or parked', async () => {
            if (ended > restarts) { restarts++; await under.bus.subscribe(service.subscription({ group: GROUP, batchMax })); }
            return new Set(service.ids()).size + (await own.list({ tenant: null, limit: 1_000 })).length >= all.length;
          });
          for (const key of ['k0', 'k1', 'k2', 'k3']) {
            const parked = (await own.ofKey(GROUP, key)).map(({ letter }) => letter.messageId);
            expect([...new Set(service.idsOfKey(key)), ...parked]).toEqual(all.filter(message => message.key === key).map(({ id }) => id));
            if (parked.length > 0) expect(bad.has(parked[0]!)).toBe(true);
          }
        } finally {
          await under.stop();
        }
      }), { numRuns: harness.runs ?? 40 });
    });
  });
}

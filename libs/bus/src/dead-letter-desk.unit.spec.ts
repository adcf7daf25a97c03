import { OperationalError } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import { DeadLetterDesk } from './dead-letter-desk';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { MemoryDeadLetters, MemoryFeed, RecordingService, aMessage, impatientClock, until } from './testing';

const BY = { kind: 'person', id: 'admin', tenant: 'default' } as const;
const GROUP = 'test.consumer';

describe('DeadLetterDesk', () => {
  const letters = new MemoryDeadLetters();
  const parked = (position: number, tenant = 'default', key = `k${position}`) =>
    letters.park(GROUP, [{ delivery: { source: 'p/0', position, message: aMessage({ id: `m${position}`, tenant, key }) }, code: 'X', detail: 'x' }]);
  const idOf = async (position: number) => (await letters.list({ tenant: null, limit: 100 })).find(letter => letter.position === position)!.id;
  let bus: EmbeddedMessageBus;
  let desk: DeadLetterDesk;
  const stopped: unknown[] = [];
  beforeEach(() => {
    bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => letters, onStopped: (_group, error) => stopped.push(error) });
    desk = new DeadLetterDesk(bus, letters);
  });
  afterEach(() => bus.stop());

  it('does not know the letters of another tenant', async () => {
    await parked(1, 'acme');
    const order = { tenant: 'default', id: await idOf(1), by: BY };
    await expect(desk.replay(order)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(desk.discard(order)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(desk.discard({ ...order, tenant: null, id: 'nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await desk.discard({ ...order, tenant: 'acme' })).toMatchObject({ letter: { status: 'discarded' } });
  });

  it('refuses what is settled already, naming the status', async () => {
    await parked(2);
    const order = { tenant: null, id: await idOf(2), by: BY };
    await bus.subscribe(new RecordingService().subscription({ group: GROUP }));
    const [one, other] = await Promise.allSettled([desk.replay(order), desk.replay(order)]);
    expect([one.status, other.status].sort()).toEqual(['fulfilled', 'rejected']);
    await expect(desk.discard(order)).rejects.toMatchObject({ code: 'WRONG_STATE', extra: { status: 'replayed' } });
  });

  it('discards without a consumer, but does not replay', async () => {
    await parked(3);
    const order = { tenant: null, id: await idOf(3), by: BY };
    await expect(desk.replay(order)).rejects.toMatchObject({ code: 'NO_CONSUMER', retryable: true });
    expect(await desk.discard(order)).toMatchObject({ by: BY, letter: { status: 'discarded' }, left: 0 });
  });

  it('replays one alone where order matters to nobody', async () => {
    await parked(4, 'default', 'same');
    await parked(5, 'default', 'same');
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP, unordered: true }));
    expect(await desk.replay({ tenant: null, id: await idOf(5), by: BY })).toMatchObject({ replayed: [{ messageId: 'm5' }], left: 1 });
    expect(service.batches).toMatchObject([{ deliveries: [{ position: 5 }], positions: {} }]);
  });

  it('settles nothing when the replay is fenced', async () => {
    await parked(6);
    const service = new RecordingService();
    service.before = () => { throw new Fenced('test/0', 2); };
    await bus.subscribe(service.subscription({ group: GROUP }));
    await expect(desk.replay({ tenant: null, id: await idOf(6), by: BY })).rejects.toBeInstanceOf(Fenced);
    expect((await letters.ofKey(GROUP, 'k6'))).toHaveLength(1);
  });

  it('replays also while the consumer waits to repeat a batch', async () => {
    await parked(7);
    const feed = new MemoryFeed('p/0');
    await bus.attach(feed);
    const service = new RecordingService();
    service.before = ({ deliveries }) => { if (deliveries[0]?.message.key === 'stuck') throw new OperationalError('DATABASE_DOWN', 'down', { retryable: true }); };
    await bus.subscribe(service.subscription({ group: GROUP }));
    feed.append([aMessage({ id: 'stuck', key: 'stuck' })]);
    await until('the batch was tried', () => service.calls > 1);
    expect(await desk.replay({ tenant: null, id: await idOf(7), by: BY })).toMatchObject({ replayed: [{ messageId: 'm7' }] });
    service.before = () => undefined;
    await until('the batch went through', () => service.ids().includes('stuck'));
  });

  it('lists by page', async () => {
    const first = await desk.list({ tenant: 'default', limit: 3 });
    expect(first.items).toHaveLength(3);
    const second = await desk.list({ tenant: 'default', limit: 100, after: first.next! });
    expect(second.next).toBeNull();
    expect([...first.items, ...second.items]).toEqual(await letters.list({ tenant: 'default', limit: 100 }));
    expect((await desk.list({ tenant: 'default', limit: 100, status: 'parked' })).items.every(letter => letter.status === 'parked')).toBe(true);
  });
});

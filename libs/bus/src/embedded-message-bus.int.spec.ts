import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Draft } from '@aifirst/contracts';
import { BASE_MIGRATIONS, PostgresStore, feedOf, migrate, type Append, type Log } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { MemoryDeadLetters, impatientClock, until } from './testing';

const ASKED = 'aifirst.test.work.commands.v1';
const DONE = 'aifirst.test.work.events.v1';
const uuid = (n: number): string => `0190a6f0-0000-7000-8000-${String(n).padStart(12, '0')}`;
const draft = (topic: string, n: number, kind: string): Draft =>
  ({ topic, key: uuid(n), id: `${kind}-${n}`, type: `aifirst.work.${kind}.v1`, time: '2026-01-01T00:00:00.000Z', subject: uuid(n), tenant: 'default', data: { n } });
const append = (topic: string, n: number, kind: string, version = 1): Append => ({ tenant: 'default', stream: uuid(n), version, messages: [draft(topic, n, kind)] });

describe('the embedded bus over logs on PostgreSQL', () => {
  let postgres: TestPostgres;
  let connections: ReadonlyMap<string, ClientConfig>;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
    connections = await migrate({ admin: postgres.connection, services: ['asker', 'worker'].map(name => ({ schema: name, role: name, migrations: BASE_MIGRATIONS })) });
  });
  afterAll(() => postgres?.stop());
  afterEach(async () => { for (const close of closing.splice(0).reverse()) await close(); });

  const open = async (name: string): Promise<Log> => {
    const store = new PostgresStore({ connection: connections.get(name)!, schema: name, serviceName: name });
    closing.push(() => store.close());
    return store.open({ log: name, shard: 0, owner: 'test', takeOver: true });
  };

  /** Both services from what is stored, as after a crash of the process. */
  const start = async () => {
    const [asker, worker] = [await open('asker'), await open('worker')];
    const letters = new MemoryDeadLetters();
    const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => letters });
    closing.push(() => bus.stop());
    await bus.attach(feedOf(asker));
    const consumer = await bus.subscribe({
      group: 'worker.work', topics: [ASKED], batchMax: 50, from: () => worker.positions(),
      handle: async ({ deliveries, positions }) => {
        await worker.commit({ appends: deliveries.map(({ message }) => append(DONE, Number(message.event.data['n']), 'done')), positions });
      },
    });
    await bus.attach(feedOf(worker));
    return { asker, worker, bus, consumer };
  };
  const closeAll = async () => { for (const close of closing.splice(0).reverse()) await close(); };

  it('carries each message to its effect once, through restarts of everything', async () => {
    const first = await start();
    for (let n = 1; n <= 300; n += 3) await first.asker.commit({ appends: [n, n + 1, n + 2].map(one => append(ASKED, one, 'asked')) });
    await until('some are done', () => first.worker.head() >= 100);
    await closeAll();

    const second = await start();
    await second.asker.commit({ appends: [301, 302].map(one => append(ASKED, one, 'asked')) });
    await until('all are done', () => second.worker.head() === 302 && second.consumer.lag() === 0);
    expect(second.worker.positions()).toMatchObject({ 'asker/0': 302 });
    const rows = await second.worker.read(0, 1_000);
    expect(rows.map(({ messages }) => messages[0]!.event.data['n'])).toEqual(Array.from({ length: 302 }, (_, i) => i + 1));
  });
});

import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { BASE_MIGRATIONS, migrate } from '@aifirst/store';
import { Client, type ClientConfig } from 'pg';
import { DEAD_LETTER_MIGRATIONS } from './dead-letter-migrations';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { PostgresDeadLetters } from './postgres-dead-letters';
import { MemoryFeed, RecordingService, aMessage, describeDeadLetters, impatientClock, until } from './testing';

describe('dead letters on PostgreSQL', () => {
  const schema = 'some_service';
  let postgres: TestPostgres;
  let connection: ClientConfig;
  let letters: PostgresDeadLetters;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const services = [{ schema, role: 'some_service', migrations: [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS] }];
    connection = (await migrate({ admin: postgres.connection, services })).get(schema)!;
    letters = new PostgresDeadLetters({ connection, schema });
  });
  afterAll(async () => {
    await letters?.close();
    await postgres?.stop();
  });
  beforeEach(async () => {
    const client = new Client(postgres.connection);
    await client.connect();
    await client.query(`TRUNCATE ${schema}.dead_letter`);
    await client.end();
  });

  describeDeadLetters('a table', async () => letters);

  it('shows a tenant its own letters alone, even to a statement that forgets to ask', async () => {
    const parked = (tenant: string) => ({ delivery: { source: 'p/0', position: 1, message: aMessage({ id: tenant, tenant }) }, code: 'X', detail: 'x' });
    await letters.park('test.consumer', [parked('acme'), parked('other')]);
    const client = new Client(connection);
    await client.connect();
    try {
      const seen = async () => (await client.query<{ tenant: string }>('SELECT tenant FROM some_service.dead_letter ORDER BY tenant')).rows.map(({ tenant }) => tenant);
      expect(await seen()).toEqual([]);
      await client.query(`SET aifirst.tenant = 'acme'`);
      expect(await seen()).toEqual(['acme']);
      await client.query(`SET aifirst.tenant = '*'`);
      expect(await seen()).toEqual(['acme', 'other']);
    } finally {
      await client.end();
    }
  });

  it('says that it can be tried again when the database is gone', async () => {
    const nowhere = new PostgresDeadLetters({ connection: { ...connection, host: '/nowhere' }, schema });
    await expect(nowhere.parkedKeys('g')).rejects.toMatchObject({ code: 'DEAD_LETTERS_UNAVAILABLE', retryable: true });
    await nowhere.close();
  });

  it('keeps a key parked across a restart of its consumer', async () => {
    const feed = new MemoryFeed('producer/0');
    const recording = new RecordingService();
    recording.before = ({ deliveries }) => { if (deliveries.some(({ message }) => message.event.id === 'bad')) throw new TypeError('cannot read this'); };
    const run = async (work: () => Promise<void>) => {
      const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => letters });
      await bus.attach(feed);
      const consumer = await bus.subscribe(recording.subscription({ group: 'test.consumer' }));
      await work();
      await until('nothing waits', () => consumer.lag() === 0);
      await bus.stop();
    };
    await run(async () => { feed.append([aMessage({ id: 'good' })], [aMessage({ id: 'bad' })]); });
    await run(async () => { feed.append([aMessage({ id: 'behind' })], [aMessage({ id: 'free', key: 'other' })]); });
    expect(recording.ids()).toEqual(['good', 'free']);
    expect((await letters.ofKey('test.consumer', 'k')).map(({ letter }) => [letter.messageId, letter.code])).toEqual([['bad', 'UNEXPECTED_ERROR'], ['behind', 'BEHIND_PARKED']]);
  });
});

import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { Client, Pool } from 'pg';
import { DataSource } from 'typeorm';
import { DEAD_LETTER_MIGRATIONS } from './dead-letter-migrations';
import { PostgresDeadLetters } from './postgres-dead-letters';
import { EmbeddedMessageBus } from './embedded-message-bus';
import { MemoryFeed, RecordingService, aMessage, describeDeadLetters, impatientClock, until } from './testing';

describe('dead letters on PostgreSQL', () => {
  let postgres: TestPostgres;
  let pool: Pool;
  const service = () => ({ ...postgres.connection, user: 'some_service', password: 'secret' });

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const source = new DataSource({ type: 'postgres', ...withoutUndefined(postgres.connection), migrations: [...DEAD_LETTER_MIGRATIONS] });
    await source.initialize();
    await source.runMigrations();
    await source.query(`CREATE ROLE some_service LOGIN PASSWORD 'secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letter TO some_service`);
    await source.destroy();
    pool = new Pool({ ...service(), max: 3 });
    pool.on('error', () => undefined);
  });
  afterAll(async () => {
    await pool?.end();
    await postgres?.stop();
  });
  beforeEach(async () => {
    const client = new Client(postgres.connection);
    await client.connect();
    await client.query('TRUNCATE dead_letter');
    await client.end();
  });

  describeDeadLetters('a table', async () => new PostgresDeadLetters(pool));

  it('shows a tenant its own letters alone, even to a statement that forgets to ask', async () => {
    const letters = new PostgresDeadLetters(pool);
    const parked = (tenant: string) => ({ delivery: { source: 'p/0', position: 1, message: aMessage({ id: tenant, tenant }) }, code: 'X', detail: 'x' });
    await letters.park('test.consumer', [parked('acme'), parked('other')]);
    const client = new Client(service());
    await client.connect();
    try {
      const seen = async () => (await client.query<{ tenant: string }>('SELECT tenant FROM dead_letter ORDER BY tenant')).rows.map(({ tenant }) => tenant);
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
    const nowhere = new Pool({ host: '127.0.0.1', port: 1, user: 'x', database: 'x' });
    await expect(new PostgresDeadLetters(nowhere).parkedKeys('g')).rejects.toMatchObject({ code: 'DEAD_LETTERS_UNAVAILABLE', retryable: true });
    await nowhere.end();
  });

  it('keeps a key parked across a restart of its consumer', async () => {
    const feed = new MemoryFeed('producer/0');
    const recording = new RecordingService();
    recording.before = ({ deliveries }) => { if (deliveries.some(({ message }) => message.event.id === 'bad')) throw new TypeError('cannot read this'); };
    const run = async (work: () => Promise<void>) => {
      const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => new PostgresDeadLetters(pool) });
      await bus.attach(feed);
      const consumer = await bus.subscribe(recording.subscription({ group: 'test.consumer' }));
      await work();
      await until('nothing waits', () => consumer.lag() === 0);
      await bus.stop();
    };
    await run(async () => { feed.append([aMessage({ id: 'good' })], [aMessage({ id: 'bad' })]); });
    await run(async () => { feed.append([aMessage({ id: 'behind' })], [aMessage({ id: 'free', key: 'other' })]); });
    expect(recording.ids()).toEqual(['good', 'free']);
    expect((await new PostgresDeadLetters(pool).ofKey('test.consumer', 'k')).map(({ letter }) => [letter.messageId, letter.code])).toEqual([['bad', 'UNEXPECTED_ERROR'], ['behind', 'BEHIND_PARKED']]);
  });
});

const withoutUndefined = <T extends object>(value: T): { host: string; port: number; username: string; password: string; database: string } => {
  const { user, ...rest } = value as T & { user: string };
  return { ...rest, username: user } as never;
};

import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { BASE_MIGRATIONS, migrate } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import { KAFKA_MIGRATIONS } from './kafka-migrations';
import { PostgresRelayPositions } from './postgres-relay-positions';

describe('relay positions in PostgreSQL', () => {
  let postgres: TestPostgres;
  let connection: ClientConfig;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    connection = (await migrate({ admin: postgres.connection, services: [{ schema: 'producer', role: 'producer', migrations: [...BASE_MIGRATIONS, ...KAFKA_MIGRATIONS] }] })).get('producer')!;
  });
  afterAll(() => postgres?.stop());

  it('start at nothing, keep each source its own, and outlive the process', async () => {
    const first = new PostgresRelayPositions({ connection, schema: 'producer' });
    expect(await first.of('a/0').load()).toBe(0);
    await first.of('a/0').save(7);
    await first.of('a/0').save(9);
    await first.of('a/1').save(3);
    await first.close();
    const second = new PostgresRelayPositions({ connection, schema: 'producer' });
    expect([await second.of('a/0').load(), await second.of('a/1').load()]).toEqual([9, 3]);
    await second.of('a/0').save(4);
    expect(await second.of('a/0').load()).toBe(4);
    await second.close();
  });

  it('say that trying again can help when the database is away, and that it can not when there is no table', async () => {
    const away = new PostgresRelayPositions({ connection: { ...connection, host: '/nowhere' }, schema: 'producer' });
    await expect(away.of('a/0').load()).rejects.toMatchObject({ code: 'RELAY_POSITIONS_UNAVAILABLE', retryable: true });
    await away.close();
    const elsewhere = new PostgresRelayPositions({ connection, schema: 'nowhere' });
    await expect(elsewhere.of('a/0').load()).rejects.toMatchObject({ code: 'RELAY_POSITIONS_UNAVAILABLE', retryable: false });
    await elsewhere.close();
  });
});

import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { CannotDo } from '@aifirst/execution';
import { Pools } from './pools';
import { openStand, type SqlStand } from './testing';

let postgres: TestPostgres;
let stand: SqlStand;
beforeAll(async () => { postgres = await startTestPostgres(); stand = await openStand(postgres, 'CREATE TABLE t (id int)'); });
afterAll(async () => { await stand.close(); await postgres.stop(); });

describe('a client from a pool', () => {
  it('may lose its server at any time: whoever uses it next is told, and nobody else', async () => {
    const pools = new Pools(async () => postgres.connection.password);
    const { client } = await pools.client(stand.connection);
    const { pid } = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!;
    const ended = new Promise(resolve => client.once('end', resolve));
    await stand.other.query('SELECT pg_terminate_backend($1)', [pid]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
    client.release(true);
    const next = await pools.client(stand.connection);
    expect((await next.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    next.client.release();
    await pools.close();
  });

  it('is not to be had without a connection', async () => {
    await expect(new Pools(async () => '').client(null)).rejects.toBeInstanceOf(CannotDo);
  });
});

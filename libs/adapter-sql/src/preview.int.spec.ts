import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Json } from '@aifirst/kernel';
import * as fc from 'fast-check';
import { openStand, RANDOM_ROWS, RANDOM_SCHEMA, randomChange, snapshotOf, type SqlStand } from './testing';

let postgres: TestPostgres;
let stand: SqlStand;
beforeAll(async () => {
  postgres = await startTestPostgres();
  stand = await openStand(postgres, RANDOM_SCHEMA);
  await stand.adapter.probeConnection(stand.connection);
});
afterAll(async () => { await stand.close(); await postgres.stop(); });
beforeEach(async () => { await stand.other.query(RANDOM_ROWS); });

const preview = (sql: string, params?: readonly Json[], capability = 'sql.execute') => stand.adapter.preview(stand.call(capability, sql, params));
async function traces(): Promise<Json> {
  const { rows: sequences } = await stand.other.query<{ name: string }>(`SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname = 'public' ORDER BY 1`);
  const states: Json[] = [];
  for (const { name } of sequences) states.push([name, (await stand.other.query<{ state: string }>(`SELECT s::text AS state FROM (SELECT last_value, is_called FROM ${name}) s`)).rows[0]!.state]);
  const { rows: own } = await stand.other.query('SELECT step FROM aifirst.effects UNION ALL SELECT relation::text FROM aifirst.images');
  const { rows: locks } = await stand.other.query(`SELECT relation::regclass::text, mode FROM pg_locks WHERE pid <> pg_backend_pid() AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
  return { tables: await snapshotOf(stand.other), states, own, locks };
}

it('tells what would change, of cascades and triggers too', async () => {
  const before = await traces();
  expect(await preview('DELETE FROM account WHERE id = 3')).toMatchObject({
    summary: expect.stringMatching(/^changes \d+ rows of \d tables$/), truncated: false,
    footprint: expect.arrayContaining(['sql://crm/public.account', 'sql://crm/public.by_cascade', 'sql://crm/public.below_cascade', 'sql://crm/public.log', 'sql://crm/public.by_null']),
    changes: expect.arrayContaining([
      expect.objectContaining({ kind: 'rows', resource: 'sql://crm/public.account', inserted: 0, updated: 0, deleted: 1, rows: [{ before: expect.objectContaining({ id: 3, code: 'c3', data: { n: '12345678901234567890' } }), after: null }] }),
      expect.objectContaining({ resource: 'sql://crm/public.by_null', updated: 2 }),
    ]),
  });
  expect(await traces()).toEqual(before);
});

it('draws numbers from sequences and gives them back', async () => {
  const before = await traces();
  const seen = await preview(`INSERT INTO by_cascade (account, note) SELECT id, code FROM account RETURNING id`);
  expect(seen.changes).toMatchObject([{ inserted: 8, rows: expect.arrayContaining([{ before: null, after: expect.objectContaining({ id: 17 }) }]) }]);
  expect(await traces()).toEqual(before);
  const { output } = await stand.done(`INSERT INTO by_cascade (account, note) VALUES (1, 'n') RETURNING id`);
  expect(output.rows).toEqual([{ id: 17 }]);
});

it('leaves no trace, whatever it is given', async () => {
  await fc.assert(fc.asyncProperty(randomChange, async ({ sql, params, capability }) => {
    const before = await traces();
    await preview(sql, params, capability).catch(error => { if ((error as Error).name !== 'CannotDo') throw error; });
    expect(await traces()).toEqual(before);
  }), { numRuns: 40, seed: 7, endOnFailure: true });
});

it('fails as the step would, and leaves no trace of that', async () => {
  const before = await traces();
  await expect(preview('DELETE FROM account WHERE id = 1')).rejects.toMatchObject({ name: 'CannotDo', code: 'SQL_ERROR', message: expect.stringMatching(/23001|23503/) });
  await expect(preview('INSERT INTO account (id) VALUES ($1)', [1])).rejects.toMatchObject({ code: 'SQL_ERROR' });
  expect(await traces()).toEqual(before);
});

it('says that there is more than it shows', async () => {
  const seen = await preview('UPDATE account SET big = repeat(\'y\', 30000)');
  expect(seen.truncated).toBe(true);
  expect(JSON.stringify(seen).length).toBeLessThan(300_000);
});

it('tells what a query reads', async () => {
  await stand.other.query('CREATE OR REPLACE VIEW glance AS SELECT a.id FROM account a JOIN tree t USING (id)');
  await stand.adapter.probeConnection(stand.connection);
  expect(await preview('SELECT * FROM glance', [], 'sql.query')).toEqual({ summary: 'reads 8 rows', footprint: ['sql://crm/public.account', 'sql://crm/public.tree'], changes: [], truncated: false });
});

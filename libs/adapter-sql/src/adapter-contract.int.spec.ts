import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { describeAdapter, type AdapterCase, type AdapterHarness } from '@aifirst/execution/testing';
import type { Json } from '@aifirst/kernel';
import { openStand, snapshotOf, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE customer (id int PRIMARY KEY, name text UNIQUE, credit numeric NOT NULL DEFAULT 0);
  CREATE TABLE invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customer ON DELETE CASCADE, total numeric, doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
  CREATE TABLE note (text text);
  INSERT INTO customer VALUES (1, 'ana', 10), (2, 'bo', 20.50), (3, 'cy', 30);
  INSERT INTO invoice (customer, total) VALUES (1, 5), (1, 6), (2, 7);
  INSERT INTO note VALUES ('x'), ('x'), ('y');`;

let postgres: TestPostgres;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });

interface Harness extends AdapterHarness { readonly stand: SqlStand }
async function open(): Promise<Harness> {
  const stand = await openStand(postgres, SCHEMA);
  expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
  let left: number | null = null;
  return {
    stand, connection: stand.connection,
    adapter: stand.newAdapter({ boundary: () => { if (left !== null && left-- <= 0) throw new Error('killed'); } }),
    snapshot: () => snapshotOf(stand.other),
    reopen: async () => stand.newAdapter(),
    interrupt: changes => { left = changes; },
    close: () => stand.close(),
  };
}

const writing = (title: string, sql: string, params: readonly Json[], theirs: string) => ({
  title,
  of: ({ stand }: Harness): AdapterCase => ({ title, capability: 'sql.execute', input: { connection: 'crm', sql, params }, disturb: async () => { await stand.other.query(theirs); } }),
});

describeAdapter<Harness>('to PostgreSQL', open, [
  { title: 'sql.query', of: () => ({ title: 'sql.query', capability: 'sql.query', input: { connection: 'crm', sql: 'SELECT id, name FROM customer WHERE id > $1 ORDER BY id', params: [1] }, probeKnows: false }) },
  writing('insert', 'INSERT INTO customer VALUES ($1, $2, 1) RETURNING *', [4, 'di'], 'UPDATE customer SET credit = 5 WHERE id = 4'),
  writing('update', 'UPDATE customer SET credit = credit + $1 WHERE id < 3 RETURNING id, credit', [5], 'UPDATE customer SET credit = 0 WHERE id = 2'),
  writing('delete with a cascade', 'DELETE FROM customer WHERE id = $1', [1], "INSERT INTO customer VALUES (1, 'new', 1)"),
  writing('a table without key', 'DELETE FROM note WHERE text = $1', ['x'], "SELECT 1; INSERT INTO customer VALUES (9)"),
].map(found => (found.title === 'a table without key' ? { ...found, of: (harness: Harness) => { const { disturb: _, ...rest } = found.of(harness) as AdapterCase; return rest; } } : found)));

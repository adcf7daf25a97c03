import { startTestPostgres, until, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { REFUSED_SCRIPTS } from '@aifirst/sql-syntax/testing';
import type { Json } from '@aifirst/kernel';
import { randomUUID } from 'node:crypto';
import { kept, openCuttingProxy, openStand, snapshotOf, type CuttingProxy, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE customer (id int PRIMARY KEY, name text UNIQUE, credit numeric NOT NULL DEFAULT 0);
  CREATE TABLE invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customer ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, total numeric);
  CREATE TABLE history (what text);
  CREATE TABLE loose (number int);
  CREATE TABLE bent (id int PRIMARY KEY, at timestamptz DEFAULT '2024-01-02 03:04:05+00');
  CREATE SCHEMA evil; CREATE TABLE evil.customer (id int PRIMARY KEY, name text, credit numeric);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO history VALUES (TG_OP); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION note();
  CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('search_path', 'evil, public', false), set_config('datestyle', 'German', false), set_config('timezone', 'Asia/Tokyo', false), set_config('role', 'none', false); RETURN NULL; END $$;
  CREATE TRIGGER bend AFTER INSERT ON bent FOR EACH ROW EXECUTE FUNCTION bend();
  INSERT INTO customer VALUES (1, 'ana', 10), (2, 'bo', 20), (3, 'cy', 30);
  INSERT INTO evil.customer VALUES (1, 'evil', 1);
  INSERT INTO invoice (customer, total) VALUES (1, 5), (1, 6), (2, 7); INSERT INTO loose VALUES (1), (1), (2)`;
const MOVE = `INSERT INTO customer VALUES ($1, $2, 0); UPDATE invoice SET customer = $1 WHERE customer = $3;
  UPDATE customer SET credit = credit + 1; DELETE FROM customer WHERE id = $3; SELECT id, total FROM invoice WHERE customer = $1 ORDER BY id; DELETE FROM loose WHERE number = 1;`;
const GIVEN: readonly Json[] = [9, 'new', 1];

let postgres: TestPostgres;
let proxy: CuttingProxy;
let stand: SqlStand;
beforeAll(async () => {
  postgres = await startTestPostgres();
  proxy = await openCuttingProxy(`${postgres.connection.host}/.s.PGSQL.${postgres.connection.port}`);
});
afterAll(async () => { await proxy.close(); await postgres.stop(); });
beforeEach(async () => {
  stand = await openStand(postgres, SCHEMA, { at: { host: '127.0.0.1', port: proxy.port } });
  expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
});
afterEach(async () => { proxy.cutAt(null); await stand.close(); });

const run = async (sql: string, params?: readonly Json[]) => {
  const call = stand.call('sql.script', sql, params);
  return stand.adapter.execute(call, kept(await stand.adapter.prepare(call)));
};
const undone = { outcome: 'undone', verified: true, reason: null };

it('runs its statements in order, and is undone as one', async () => {
  const before = await snapshotOf(stand.other);
  const { call, before: image, after, output } = await stand.done(MOVE, GIVEN, 'sql.script');
  expect(output).toEqual({ results: [
    { rows: [], rowCount: 1 }, { rows: [], rowCount: 2 }, { rows: [], rowCount: 4 }, { rows: [], rowCount: 1 }, { rows: [{ id: 1, total: '5' }, { id: 2, total: '6' }], rowCount: 2 }, { rows: [], rowCount: 2 },
  ] });
  expect((await stand.other.query(`SELECT string_agg(c::text, ' ' ORDER BY id) AS c, (SELECT count(*)::int FROM history) AS h, (SELECT count(*)::int FROM aifirst.effects) AS e FROM customer c`)).rows).toEqual([{ c: '(2,bo,21) (3,cy,31) (9,new,1)', h: 9, e: 1 }]);
  expect(await stand.adapter.undo(call, image, after)).toEqual(undone);
  expect(await stand.adapter.undo(call, image, after)).toEqual(undone);
  expect(await snapshotOf(stand.other)).toEqual(before);
  await stand.adapter.forget(call, image);
  expect((await stand.other.query('SELECT 1 FROM aifirst.effects UNION ALL SELECT 1 FROM aifirst.images')).rowCount).toBe(0);
});

it('leaves nothing where its statements take each other back', async () => {
  const before = await snapshotOf(stand.other);
  const { call, before: image, after } = await stand.done(`DELETE FROM loose WHERE number = 2; INSERT INTO loose VALUES (2); UPDATE invoice SET total = total + 1; UPDATE invoice SET total = total - 1`, [], 'sql.script');
  expect(await snapshotOf(stand.other)).toEqual(before);
  await stand.other.query('UPDATE invoice SET total = total + 5');
  expect(await stand.adapter.undo(call, image, after)).toEqual(undone);
  expect((await stand.other.query('SELECT sum(total)::int AS sum FROM invoice')).rows).toEqual([{ sum: 33 }]);
});

it('does nothing where one of its statements fails, and says which', async () => {
  const before = await snapshotOf(stand.other);
  expect(await run(`DELETE FROM loose; INSERT INTO customer VALUES (10, $1, 0), (11, $1, 0); DELETE FROM customer`, ['canary'])).toEqual({
    outcome: 'failed', error: { code: 'SQL_ERROR', clean: true, detail: expect.stringMatching(/^statement 2 of 3: .*unique.*\[23505\]$/) },
  });
  // A foreign key that is put off to the end fails there.
  expect(await run('DELETE FROM loose; INSERT INTO invoice (customer, total) VALUES (77, 1)')).toMatchObject({ outcome: 'failed', error: { clean: true, detail: expect.stringContaining('[23503]') } });
  expect(await snapshotOf(stand.other)).toEqual(before);
});

it('may break for a while what holds at its end', async () => {
  const before = await snapshotOf(stand.other);
  const { call, before: image, after } = await stand.done('INSERT INTO invoice (customer, total) VALUES (50, 1); INSERT INTO customer VALUES (50, \'late\', 0)', [], 'sql.script');
  expect(await stand.adapter.undo(call, image, after)).toEqual(undone);
  expect((await snapshotOf(stand.other) as { contents: object }).contents).toEqual((before as { contents: object }).contents);
});

it('is not led elsewhere by what a trigger of an earlier statement sets', async () => {
  const { output } = await stand.done(`INSERT INTO bent (id) VALUES (1); UPDATE customer SET credit = 99 WHERE id = 1 RETURNING name; SELECT at FROM bent`, [], 'sql.script');
  expect(output).toMatchObject({ results: [{}, { rows: [{ name: 'ana' }] }, { rows: [{ at: '2024-01-02 03:04:05+00' }] }] });
  expect((await stand.other.query('SELECT credit FROM evil.customer')).rows).toEqual([{ credit: '1' }]);
  await stand.other.query('CREATE TABLE secret (id int); REVOKE ALL ON secret FROM PUBLIC');
  expect(await run('INSERT INTO bent (id) VALUES (2); DELETE FROM secret')).toMatchObject({ outcome: 'failed', error: { code: 'FORBIDDEN', detail: expect.stringMatching(/^statement 2 of 2: .*\[42501\]$/) } });
});

it('answers with no more than one statement may', async () => {
  const half = `SELECT ${Array.from({ length: 7 }, (_, i) => `repeat('x', 90000) AS c${i}`).join(', ')}`;
  expect(await run(`${half}; DELETE FROM loose`)).toMatchObject({ outcome: 'succeeded' });
  expect(await run(`INSERT INTO loose VALUES (7); ${half}; ${half}`)).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', clean: true, detail: expect.stringMatching(/^statement 3 of 3: /) } });
  expect(await run(`INSERT INTO loose VALUES (7); SELECT i FROM generate_series(1, 6000) i; SELECT i FROM generate_series(1, 6000) i`)).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', clean: true } });
  // Few bytes as they come, many as JSON.
  expect(await run(`INSERT INTO loose VALUES (7); ${Array.from({ length: 7 }, () => `SELECT repeat('"', 90000) AS a`).join('; ')}`)).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', clean: true } });
  expect((await stand.other.query('SELECT 1 FROM loose')).rowCount).toBe(0);
});

it('fails alone in a transaction that its workflow keeps: what earlier steps did there stands', async () => {
  const workflow = randomUUID();
  const held: string[] = [];
  const act = async (step: string, capability: string, sql: string, phase: 'work' | 'prepare' | 'commit' = 'work') => {
    const call = stand.call(capability, sql, undefined, { workflow, step, key: `${workflow}/${step}/1/forward`, transaction: { phase, held: [...held] }, ...(phase === 'work' ? {} : { input: { connection: 'crm' } }) });
    const result = await stand.adapter.execute(call, kept(await stand.adapter.prepare(call)));
    if (result.outcome === 'succeeded' && phase === 'work') held.push(call.key);
    return result;
  };
  expect(await act('a', 'sql.script', 'DELETE FROM loose WHERE number = 2; INSERT INTO bent (id) VALUES (1)')).toMatchObject({ outcome: 'succeeded' });
  expect(await act('b', 'sql.script', `DELETE FROM loose; INSERT INTO customer VALUES (1, 'twice', 0)`)).toMatchObject({ outcome: 'failed', error: { code: 'SQL_ERROR', clean: true, detail: expect.stringMatching(/^statement 2 of 2: .*\[23505\]$/) } });
  expect(await act('c', 'sql.script', 'UPDATE customer SET credit = 5 WHERE id = 1; SELECT count(*)::int AS n FROM loose')).toMatchObject({ outcome: 'succeeded', output: { results: [{ rowCount: 1 }, { rows: [{ n: 2 }] }] } });
  for (const phase of ['prepare', 'commit'] as const) expect(await act(phase, `sql.${phase}`, '', phase)).toMatchObject({ outcome: 'succeeded' });
  expect((await stand.other.query('SELECT (SELECT count(*)::int FROM loose) AS loose, (SELECT credit::int FROM customer WHERE id = 1) AS credit')).rows).toEqual([{ loose: 2, credit: 5 }]);
});

it('is previewed by its net effect, without a trace', async () => {
  const before = await snapshotOf(stand.other);
  const sequence = async () => (await stand.other.query(`SELECT last_value, is_called FROM invoice_id_seq`)).rows;
  const drawn = await sequence();
  const seen = await stand.adapter.preview(stand.call('sql.script', `INSERT INTO invoice (customer, total) VALUES (2, 9); ${MOVE}`, GIVEN));
  expect(seen).toMatchObject({
    summary: 'changes 15 rows of 4 tables',
    footprint: ['sql://crm/public.customer', 'sql://crm/public.history', 'sql://crm/public.invoice', 'sql://crm/public.loose'],
    changes: [{ resource: 'sql://crm/public.customer', inserted: 1, updated: 2, deleted: 1 }, { inserted: 6 }, { inserted: 1, updated: 2, rows: expect.arrayContaining([{ before: null, after: { id: 4, customer: 2, total: 9 } }]) }, { deleted: 2 }],
  });
  expect(await stand.adapter.preview(stand.call('sql.script', 'DELETE FROM loose WHERE number = 2; INSERT INTO loose VALUES (2)'))).toMatchObject({ summary: 'changes no row (2 rows met)', changes: [] });
  expect(await snapshotOf(stand.other)).toEqual(before);
  expect(await sequence()).toEqual(drawn);
  expect((await stand.other.query('SELECT 1 FROM aifirst.effects')).rowCount).toBe(0);
});

it('draws no number in a preview where a later statement inserts', async () => {
  const sequence = async () => (await stand.other.query(`SELECT last_value, is_called FROM invoice_id_seq`)).rows;
  const drawn = await sequence();
  expect(await stand.adapter.preview(stand.call('sql.script', 'DELETE FROM invoice; INSERT INTO invoice (customer, total) VALUES (2, 9)'))).toMatchObject({ summary: expect.not.stringContaining('drew') });
  expect(await sequence()).toEqual(drawn);
});

it('is refused by the adapter too, whatever the gateway let pass', async () => {
  const before = await snapshotOf(stand.other);
  for (const { sql } of REFUSED_SCRIPTS) await expect(stand.adapter.prepare(stand.call('sql.script', sql))).rejects.toMatchObject({ name: 'CannotDo', code: expect.stringMatching(/^INVALID_SQL$/) });
  await expect(stand.adapter.prepare(stand.call('sql.script', 'DELETE FROM loose WHERE number = $1', []))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(await run('DELETE FROM loose; DELETE FROM nowhere')).toMatchObject({ outcome: 'failed', error: { code: 'INVALID_SQL', clean: true } });
  expect(await snapshotOf(stand.other)).toEqual(before);
});

it('is blocked by one foreign row of all it changed, and puts nothing back', async () => {
  const { call, before: image, after } = await stand.done(MOVE, GIVEN, 'sql.script');
  await stand.other.query('UPDATE customer SET credit = 500 WHERE id = 3');
  const disturbed = await snapshotOf(stand.other);
  expect(await stand.adapter.undo(call, image, after)).toMatchObject({ outcome: 'blocked', conflict: { resource: 'sql://crm/public.customer' } });
  expect(await snapshotOf(stand.other)).toEqual(disturbed);
});

describe('a COMMIT of a script whose answer is lost', () => {
  it.each([['before', 'didNotHappen'], ['after', 'succeeded']] as const)('is unknown when the line is cut %s it, and a probe tells: %s', async (cut, truth) => {
    const before = await snapshotOf(stand.other);
    const call = stand.call('sql.script', MOVE, GIVEN);
    const image = kept(await stand.adapter.prepare(call));
    proxy.cutAt(cut);
    expect(await stand.adapter.execute(call, image)).toMatchObject({ outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', clean: false } });
    const found = await stand.newAdapter().probe(call, image);
    expect(found).toMatchObject(truth === 'succeeded' ? { outcome: truth, output: { results: { length: 6 } } } : { outcome: truth });
    expect((await stand.adapter.execute(call, image)).outcome).toBe(truth === 'succeeded' ? 'succeeded' : 'failed');
    expect((await stand.other.query('SELECT 1 FROM customer WHERE id = 9')).rowCount).toBe(truth === 'succeeded' ? 1 : 0);
    if (found.outcome === 'succeeded') expect(await stand.adapter.undo(call, image, found.after)).toEqual(undone);
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('lets go of everything when its time is over between two statements', async () => {
    await stand.other.query('BEGIN; SELECT * FROM customer WHERE id = 3 FOR UPDATE');
    const abort = new AbortController();
    const call = stand.call('sql.script', 'DELETE FROM loose; UPDATE customer SET credit = 0', [], { signal: abort.signal });
    const image = kept(await stand.adapter.prepare(call));
    const executing = stand.adapter.execute(call, image);
    await until(async () => (await stand.other.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount! > 0, 5_000, 'the second statement to wait');
    abort.abort();
    expect(await executing).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
    await stand.other.query('ROLLBACK');
    expect(await stand.adapter.probe({ ...call, signal: new AbortController().signal }, image)).toEqual({ outcome: 'didNotHappen' });
    expect((await stand.other.query('SELECT 1 FROM loose')).rowCount).toBe(3);
  });
});

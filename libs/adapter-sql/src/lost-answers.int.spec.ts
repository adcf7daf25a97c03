import { startTestPostgres, until, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { Client } from 'pg';
import { kept, openCuttingProxy, openStand, type CuttingProxy, type SqlStand } from './testing';

const SCHEMA = `CREATE TABLE counter (id int PRIMARY KEY, number int NOT NULL); INSERT INTO counter VALUES (1, 0); CREATE TABLE entry (text text)`;
const RAISE = 'UPDATE counter SET number = number + 1 WHERE id = 1 RETURNING number';

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

const number = async (client = stand.other): Promise<number> => (await client.query<{ number: number }>('SELECT number FROM counter')).rows[0]!.number;

describe('a COMMIT whose answer is lost', () => {
  it.each([['before', 'didNotHappen'], ['after', 'succeeded']] as const)('is unknown when the line is cut %s it, and a probe tells: %s', async (cut, truth) => {
    const call = stand.call('sql.execute', RAISE);
    const image = kept(await stand.adapter.prepare(call));
    proxy.cutAt(cut);
    expect(await stand.adapter.execute(call, image)).toMatchObject({ outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', clean: false } });
    const found = await stand.newAdapter().probe(call, image);
    expect(found.outcome).toBe(truth);
    expect(await number()).toBe(truth === 'succeeded' ? 1 : 0);
    // The same key again: never a second effect.
    const again = await stand.adapter.execute(call, image);
    expect(again.outcome).toBe(truth === 'succeeded' ? 'succeeded' : 'failed');
    expect(await number()).toBe(truth === 'succeeded' ? 1 : 0);
    if (found.outcome !== 'succeeded') return;
    expect(found.output).toEqual({ rows: [{ number: 1 }], rowCount: 1 });
    expect(again).toEqual(found);
    expect(await stand.adapter.undo(call, image, found.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await number()).toBe(0);
  });

  it('is settled one way when the line is cut as it arrives', async () => {
    for (let round = 0; round < 5; round++) {
      const before = await number();
      const call = stand.call('sql.execute', RAISE);
      const image = kept(await stand.adapter.prepare(call));
      proxy.cutAt('during');
      expect(await stand.adapter.execute(call, image)).toMatchObject({ outcome: 'unknown' });
      const found = await stand.adapter.probe(call, image);
      expect(found.outcome).not.toBe('cannotTell');
      expect(await number()).toBe(before + (found.outcome === 'succeeded' ? 1 : 0));
      expect((await stand.adapter.probe(call, image)).outcome).toBe(found.outcome);
    }
  });

  it('is a time-out that was in truth a success', async () => {
    const abort = new AbortController();
    const call = stand.call('sql.execute', RAISE, undefined, { signal: abort.signal });
    const image = kept(await stand.adapter.prepare(call));
    proxy.cutAt('silent');
    const executing = stand.adapter.execute(call, image);
    await until(async () => await number() === 1, 5_000, 'the commit');
    abort.abort();
    expect(await executing).toMatchObject({ outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(await stand.adapter.probe({ ...call, signal: new AbortController().signal }, image)).toMatchObject({ outcome: 'succeeded', output: { rows: [{ number: 1 }], rowCount: 1 } });
  });

  it('of an undo is carried on by a second undo', async () => {
    for (const cut of ['before', 'during', 'after'] as const) {
      const { call, before, after } = await stand.done(RAISE);
      proxy.cutAt(cut);
      expect(await stand.adapter.undo(call, before, after)).toMatchObject({ outcome: 'unknown' });
      expect(await stand.adapter.undo(call, before, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
      expect(await number()).toBe(0);
    }
  });
});

it('fails clean when the time is over before COMMIT, and lets go of its rows', async () => {
  await stand.other.query('BEGIN; UPDATE counter SET number = 7');
  const abort = new AbortController();
  const call = stand.call('sql.execute', RAISE, undefined, { signal: abort.signal });
  const image = kept(await stand.adapter.prepare(call));
  const executing = stand.adapter.execute(call, image);
  setTimeout(() => abort.abort(), 100);
  expect(await executing).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
  await stand.other.query('ROLLBACK');
  expect(await stand.adapter.probe({ ...call, signal: new AbortController().signal }, image)).toEqual({ outcome: 'didNotHappen' });
  expect(await number()).toBe(0);
});

it('is waited for by a probe that comes while it works', async () => {
  await stand.other.query('BEGIN; SELECT * FROM counter FOR UPDATE');
  const call = stand.call('sql.execute', RAISE);
  const image = kept(await stand.adapter.prepare(call));
  const executing = stand.adapter.execute(call, image);
  await until(async () => (await stand.other.query(`SELECT 1 FROM pg_locks WHERE NOT granted`)).rowCount! > 0, 5_000, 'the statement to wait');
  const probing = stand.newAdapter().probe(call, image);
  await stand.other.query('COMMIT');
  expect(await executing).toMatchObject({ outcome: 'succeeded' });
  expect(await probing).toMatchObject({ outcome: 'succeeded', output: { rows: [{ number: 1 }] } });
});

it.each(['query', 'commit'])('is proven done or not done when the server is killed at `%s`', async point => {
  let isArmed = true;
  let backend = 0;
  const adapter = stand.newAdapter({
    boundary: name => { if (isArmed && backend > 0 && name === point) { isArmed = false; process.kill(backend, 'SIGKILL'); } },
  });
  const call = stand.call('sql.execute', RAISE);
  const image = kept(await adapter.prepare(call));
  // The first client of its pool: asked once which process serves it.
  expect(await adapter.execute(stand.call('sql.query', 'SELECT 1 AS one'), {})).toMatchObject({ outcome: 'succeeded' });
  backend = (await stand.other.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE application_name = 'aifirst' AND datname = current_database() ORDER BY backend_start DESC LIMIT 1`)).rows[0]!.pid;
  const result = await adapter.execute(call, image);
  expect(result.outcome).not.toBe('succeeded');
  const again = new Client({ ...postgres.connection, database: stand.other.database! });
  again.on('error', () => undefined);
  await until(async () => {
    const found = await adapter.probe(call, image);
    return found.outcome !== 'cannotTell' && (await adapter.probe(call, image)).outcome === found.outcome;
  }, 30_000, 'the server to be back');
  await again.connect();
  const found = await adapter.probe(call, image);
  expect(await number(again)).toBe(found.outcome === 'succeeded' ? 1 : 0);
  if (result.outcome === 'failed') expect(found.outcome).toBe('didNotHappen');
  await again.end();
});

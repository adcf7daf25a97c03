import { randomUUID } from 'node:crypto';
import type { StepCall } from '@aifirst/execution';
import { startTestPostgres, until, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { JsonObject } from '@aifirst/kernel';
import { transactionNameOf } from './kept-transactions';
import { kept, openCuttingProxy, openStand, snapshotOf, type CuttingProxy, type SqlStand } from './testing';
import type { SqlAdapter } from './sql-adapter';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL CHECK (amount >= 0)); INSERT INTO account VALUES (1, 100), (2, 0);
  CREATE TABLE entry (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int REFERENCES account ON DELETE CASCADE, amount int)`;
const TAKE = 'UPDATE account SET amount = amount - 10 WHERE id = 1 RETURNING amount';
const GIVE = 'UPDATE account SET amount = amount + 10 WHERE id = 2 RETURNING amount';

let postgres: TestPostgres;
let proxy: CuttingProxy;
let stand: SqlStand;
beforeAll(async () => {
  postgres = await startTestPostgres({ max_prepared_transactions: '20' });
  proxy = await openCuttingProxy(`${postgres.connection.host}/.s.PGSQL.${postgres.connection.port}`);
});
afterAll(async () => { await proxy.close(); await postgres.stop(); });
beforeEach(async () => {
  stand = await openStand(postgres, SCHEMA, { at: { host: '127.0.0.1', port: proxy.port } });
  expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
});
afterEach(async () => {
  proxy.cutAt(null);
  const name = stand.connection.digest.slice(7);
  expect((await stand.other.query('SELECT gid FROM pg_prepared_xacts WHERE database = $1', [name])).rows).toEqual([]);
  await stand.close();
});

/** The calls of one workflow on the connection, in order, as the journal makes them. */
function workflowOn(own: SqlStand) {
  const workflow = randomUUID();
  const held: string[] = [];
  const images = new Map<string, { readonly call: StepCall; readonly before: JsonObject; after: JsonObject }>();
  const callOf = (step: string, phase: 'work' | 'prepare' | 'commit', sql: string): StepCall => {
    const capability = phase === 'work' ? (/^select/i.test(sql) ? 'sql.query' : sql.includes(';') ? 'sql.script' : 'sql.execute') : `sql.${phase}`;
    return own.call(capability, sql, undefined, { workflow, step, key: `${workflow}/${step}/1/forward`, transaction: { phase, held: [...held] }, ...(phase === 'work' ? {} : { input: { connection: 'crm' } }) });
  };
  return {
    workflow, callOf, images,
    get name() { return transactionNameOf({ workflow, connection: own.connection }); },
    async run(step: string, sql: string, adapter: SqlAdapter = own.adapter, phase: 'work' | 'prepare' | 'commit' = 'work') {
      const call = callOf(step, phase, sql);
      const before = kept(await adapter.prepare(call)) as JsonObject;
      const result = await adapter.execute(call, before);
      const entry = { call, before, after: {} as JsonObject };
      images.set(step, entry);
      if (result.outcome === 'succeeded') {
        entry.after = kept(result.after) as JsonObject;
        if (['sql.execute', 'sql.script'].includes(call.capability)) held.push(call.key);
      }
      return result;
    },
    async undo(step: string, adapter: SqlAdapter = own.adapter) { const { call, before, after } = images.get(step)!; return adapter.undo(call, before, after); },
    async probe(step: string, adapter: SqlAdapter = own.adapter) { const { call, before } = images.get(step)!; return adapter.probe(call, before); },
  };
}
const amounts = async (): Promise<number[]> => (await stand.other.query<{ amount: number }>('SELECT amount FROM account ORDER BY id')).rows.map(({ amount }) => amount);
const UNDONE = { outcome: 'undone', verified: true, reason: null };

describe('what a workflow does on a connection in mode `atomic`', () => {
  it('is seen by its own reads, by nobody else before the commit, and is undone step by step afterwards', async () => {
    const before = await snapshotOf(stand.other);
    const flow = workflowOn(stand);
    expect(await flow.run('early', 'SELECT amount FROM account WHERE id = 1')).toMatchObject({ output: { rows: [{ amount: 100 }] } });
    expect(await flow.run('take', TAKE)).toMatchObject({ outcome: 'succeeded', output: { rows: [{ amount: 90 }] } });
    expect(await flow.run('look', 'SELECT amount FROM account WHERE id = 1')).toMatchObject({ output: { rows: [{ amount: 90 }] } });
    expect(await flow.run('give', GIVE)).toMatchObject({ outcome: 'succeeded' });
    expect(await amounts()).toEqual([100, 0]);
    expect(await flow.run('p', '', stand.adapter, 'prepare')).toMatchObject({ outcome: 'succeeded' });
    expect(await amounts()).toEqual([100, 0]);
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
    expect(await amounts()).toEqual([90, 10]);
    expect([await flow.undo('c'), await flow.undo('p'), await flow.undo('give'), await flow.undo('take')]).toEqual([UNDONE, UNDONE, UNDONE, UNDONE]);
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it.each(['open', 'prepared'])('is gone when it is taken back while it is %s, and can\'t come any more', async state => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    if (state === 'prepared') await flow.run('p', '', stand.adapter, 'prepare');
    const other = stand.newAdapter();
    if (state === 'prepared') expect(await flow.undo('p', other)).toEqual(UNDONE);
    expect(await flow.undo('take', other)).toEqual(UNDONE);
    expect(await flow.undo('take', other)).toEqual(UNDONE);
    expect(await amounts()).toEqual([100, 0]);
    expect(await flow.run('take', TAKE)).toMatchObject({ outcome: 'failed', error: { clean: true } });
    expect(await amounts()).toEqual([100, 0]);
  });

  it('fails cleanly where its transaction is in another process or was cut, and nothing of it stands', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    expect(await flow.run('give', GIVE, stand.newAdapter())).toMatchObject({ outcome: 'failed', error: { code: 'TRANSACTION_LOST', clean: true } });
    await stand.other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [flow.name]);
    await until(async () => (await stand.other.query('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [flow.name])).rows.length === 0, 5_000, 'the end of the session');
    expect(await flow.run('give', GIVE)).toMatchObject({ outcome: 'failed', error: { code: 'TRANSACTION_LOST' } });
    expect(await flow.run('p', '', stand.adapter, 'prepare')).toMatchObject({ outcome: 'failed', error: { code: 'TRANSACTION_LOST' } });
    expect(await flow.undo('take')).toEqual(UNDONE);
    expect(await amounts()).toEqual([100, 0]);
  });

  it('goes on after a statement that the database refuses, and keeps what was done before', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    expect(await flow.run('bad', 'UPDATE account SET amount = -1 WHERE id = 2')).toMatchObject({ outcome: 'failed', error: { clean: true } });
    expect(await flow.run('bad read', 'SELECT 1/(amount - 90) FROM account WHERE id = 1')).toMatchObject({ outcome: 'failed' });
    expect(await flow.run('give', GIVE)).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.run('p', '', stand.adapter, 'prepare')).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
    expect(await amounts()).toEqual([90, 10]);
  });

  it('captures cascades and a TRUNCATE with later statements on the same table', async () => {
    await stand.other.query('INSERT INTO entry (account, amount) VALUES (1, 5), (2, 6)');
    const before = await snapshotOf(stand.other);
    const flow = workflowOn(stand);
    expect(await flow.run('truncate', 'TRUNCATE entry')).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.run('insert', 'INSERT INTO entry (account, amount) VALUES (1, 7)')).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.run('delete', 'DELETE FROM account WHERE id = 1')).toMatchObject({ outcome: 'succeeded' });
    await flow.run('p', '', stand.adapter, 'prepare');
    await flow.run('c', '', stand.adapter, 'commit');
    expect((await stand.other.query('SELECT * FROM entry')).rows).toEqual([]);
    for (const step of ['delete', 'insert', 'truncate']) expect(await flow.undo(step)).toEqual(UNDONE);
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('may be scripts, and is not led astray by what a trigger of an earlier step has set', async () => {
    await stand.other.query(`CREATE SCHEMA astray; CREATE TABLE astray.account (id int, amount int);
      CREATE FUNCTION astray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'astray', true); RETURN NULL; END $$;
      CREATE TRIGGER astray AFTER UPDATE ON account EXECUTE FUNCTION astray()`);
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    expect(await flow.run('look', 'SELECT amount FROM account WHERE id = 1')).toMatchObject({ output: { rows: [{ amount: 90 }] } });
    expect(await flow.run('script', `${GIVE}; INSERT INTO entry (account, amount) VALUES (2, 10)`)).toMatchObject({ outcome: 'succeeded', output: { results: [{ rowCount: 1 }, { rowCount: 1 }] } });
    await flow.run('p', '', stand.adapter, 'prepare');
    await flow.run('c', '', stand.adapter, 'commit');
    expect(await amounts()).toEqual([90, 10]);
    for (const step of ['script', 'take']) expect(await flow.undo(step)).toEqual(UNDONE);
    expect(await amounts()).toEqual([100, 0]);
  });

  it('is over when the time of a step is over', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    const abort = new AbortController();
    const call = { ...flow.callOf('slow', 'work', 'UPDATE account SET amount = amount WHERE id = 2'), signal: abort.signal };
    await stand.other.query('BEGIN; SELECT 1 FROM account WHERE id = 2 FOR UPDATE');
    const image = await stand.adapter.prepare(call);
    const running = stand.adapter.execute(call, image);
    setTimeout(() => abort.abort(), 100);
    expect(await running).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
    await stand.other.query('ROLLBACK');
    expect(await flow.run('give', GIVE)).toMatchObject({ error: { code: 'TRANSACTION_LOST' } });
    expect(await flow.undo('take')).toEqual(UNDONE);
    expect(await amounts()).toEqual([100, 0]);
  });

  it('leaves no session where nothing that writes succeeded', async () => {
    const flow = workflowOn(stand);
    expect(await flow.run('bad', 'UPDATE account SET amount = -1')).toMatchObject({ outcome: 'failed' });
    await until(async () => (await stand.other.query('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [flow.name])).rows.length === 0, 5_000, 'the end of the session');
  });
});

describe('a process that is gone', () => {
  it('between two statements has left nothing', async () => {
    const flow = workflowOn(stand);
    const gone = stand.newAdapter();
    await flow.run('take', TAKE, gone);
    expect(await flow.probe('take')).toEqual({ outcome: 'didNotHappen' });
    expect(await amounts()).toEqual([100, 0]);
    expect(await flow.run('p', '', gone, 'prepare')).toMatchObject({ outcome: 'failed' });
  });

  it.each(['prepare', 'prepared'])('at %s is found out about, and the transaction is carried on or gone', async at => {
    const flow = workflowOn(stand);
    const gone = stand.newAdapter({ boundary: name => { if (name === at) throw new Error('killed'); } });
    await flow.run('take', TAKE, gone);
    await expect(flow.run('p', '', gone, 'prepare')).rejects.toThrow();
    flow.images.set('p', { call: flow.callOf('p', 'prepare', ''), before: {}, after: {} });
    const found = await flow.probe('p');
    expect(found.outcome).toBe(at === 'prepare' ? 'didNotHappen' : 'succeeded');
    if (found.outcome === 'succeeded') {
      expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
      expect(await amounts()).toEqual([90, 0]);
    } else {
      expect(await flow.undo('take')).toEqual(UNDONE);
      expect(await amounts()).toEqual([100, 0]);
    }
  });

  it('before the commit leaves what is prepared to whoever comes next', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    await flow.run('p', '', stand.adapter, 'prepare');
    const gone = stand.newAdapter({ boundary: name => { if (name === 'commit prepared') throw new Error('killed'); } });
    await expect(flow.run('c', '', gone, 'commit')).rejects.toThrow();
    flow.images.set('c', { call: flow.callOf('c', 'commit', ''), before: {}, after: {} });
    expect(await flow.probe('c')).toEqual({ outcome: 'didNotHappen' });
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.probe('c')).toMatchObject({ outcome: 'succeeded' });
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
    expect(await amounts()).toEqual([90, 0]);
  });
});

describe('a commit', () => {
  it('of what somebody has rolled back by hand fails, and says so', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    await flow.run('p', '', stand.adapter, 'prepare');
    await stand.other.query(`ROLLBACK PREPARED '${flow.name}'`);
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'failed', error: { code: 'TRANSACTION_LOST', clean: true } });
    expect(await flow.undo('take')).toEqual(UNDONE);
  });

  it('is unknown while the database can\'t be reached, and a probe can\'t tell', async () => {
    const flow = workflowOn(stand);
    await flow.run('take', TAKE);
    await flow.run('p', '', stand.adapter, 'prepare');
    const nowhere = { ...stand.connection, config: { url: 'postgres://nobody@127.0.0.1:1/none' }, revision: 2 };
    const call = { ...flow.callOf('c', 'commit', ''), connection: nowhere };
    expect(await stand.newAdapter().execute(call, {})).toMatchObject({ outcome: 'unknown' });
    expect(await stand.newAdapter().probe(call, {})).toMatchObject({ outcome: 'cannotTell' });
    expect(await flow.run('c', '', stand.adapter, 'commit')).toMatchObject({ outcome: 'succeeded' });
  });
});

it('a database that keeps no prepared transactions says so, and everything is taken back', async () => {
  const plain = await startTestPostgres({ max_prepared_transactions: '0' });
  const own = await openStand(plain, SCHEMA);
  try {
    expect(await own.adapter.probeConnection(own.connection)).toMatchObject({ limitations: expect.arrayContaining([expect.stringContaining('max_prepared_transactions')]) });
    const flow = workflowOn(own);
    await flow.run('take', TAKE);
    expect(await flow.run('p', '', own.adapter, 'prepare')).toMatchObject({ outcome: 'failed', error: { clean: true, detail: expect.stringContaining('max_prepared_transactions') } });
    expect(await flow.undo('take')).toEqual(UNDONE);
    expect((await own.other.query('SELECT amount FROM account ORDER BY id')).rows).toEqual([{ amount: 100 }, { amount: 0 }]);
  } finally { await own.close(); await plain.stop(); }
});

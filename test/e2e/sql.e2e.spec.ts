import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { after, expectStatus, noop, ref, stepOf, type AgentClient, type Step } from '../support/agent';
import { useStack } from '../support/stack';

const TABLES = `
  CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, credit numeric NOT NULL DEFAULT 0, tags text[] NOT NULL DEFAULT '{}');
  CREATE TABLE invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customer ON DELETE CASCADE, amount numeric NOT NULL);
  CREATE TABLE history (at int GENERATED ALWAYS AS IDENTITY, what text NOT NULL);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO history (what) VALUES (TG_OP || ' ' || coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
  CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION note();
  INSERT INTO customer VALUES (1, 'Ada', 10, '{a,b}'), (2, 'Bob', 20, '{}'), (3, 'Cy', 30, '{}');
  INSERT INTO invoice (customer, amount) VALUES (1, 5), (1, 6), (2, 7)`;

describe('a database as a target', () => {
  const running = useStack({ env: { LOG_LEVEL: 'debug' } });
  const canary = `canary-${randomBytes(12).toString('hex')}`;
  let postgres: TestPostgres;
  let db: Client;
  let agent: AgentClient;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const reached = await postgres.createDatabase('crm');
    db = new Client(reached);
    await db.connect();
    await db.query(`SET search_path = public; ${TABLES}`);
    const { stack } = running;
    expect(await stack.database('crm', reached)).toMatchObject({ name: 'crm', adapter: 'sql' });
    const files = await stack.connection();
    agent = await stack.agent({ connection: files, connections: [files.name, 'crm'] });
  }, 120_000);
  afterAll(async () => { await db?.end(); await postgres?.stop(); });

  const execute = (id: string, sql: string, params: readonly unknown[] = [], more: object = {}): Step => ({ id, capability: 'sql.execute', input: { connection: 'crm', sql, params }, ...more });
  const query = (id: string, sql: string, params: readonly unknown[] = [], more: object = {}): Step => ({ id, capability: 'sql.query', input: { connection: 'crm', sql, params }, ...more });
  /** Every row of every table, as text. */
  const state = async (): Promise<unknown> => (await db.query(`SELECT (SELECT array_agg(c::text ORDER BY id) FROM customer c) AS c, (SELECT array_agg(i::text ORDER BY id) FROM invoice i) AS i, (SELECT array_agg(h::text ORDER BY at) FROM history h) AS h`)).rows[0];

  it('is read and changed, its rows flow into files, and policy sees its tables', async () => {
    const done = await agent.run([
      execute('raise', 'UPDATE customer SET credit = $1 WHERE id = $2 RETURNING name, credit', [5000, 1]),
      { ...agent.fs('write', 'letter', { path: 'letters/1.txt', content: ref('raise', '/rows/0/name') }) },
      query('all', 'SELECT id, credit FROM customer ORDER BY id', [], after('raise')),
    ]);
    expectStatus(done, 'completed');
    expect(stepOf(done, 'raise').output).toEqual({ rows: [{ name: 'Ada', credit: '5000' }], rowCount: 1 });
    expect(stepOf(done, 'all').output.rows).toEqual([{ id: 1, credit: '5000' }, { id: 2, credit: '20' }, { id: 3, credit: '30' }]);
    expect(stepOf(done, 'raise').resources).toEqual(['sql://crm/public.customer']);
    expect(readFileSync(join(agent.root, 'letters/1.txt'), 'utf8')).toBe('Ada');
  });

  it('is as before when a later step fails: rows, cascades and what triggers wrote', async () => {
    const before = await state();
    const back = await agent.run([
      execute('gone', 'DELETE FROM customer WHERE id = 1'), execute('more', `INSERT INTO customer (id, name) VALUES (9, $1)`, ['New'], after('gone')),
      agent.fs('write', 'note', { path: 'note.txt', content: 'x' }, after('more')), noop('fail', { fail: 'clean' }, after('note')),
    ]);
    expectStatus(back, 'rolledBack');
    expect(['gone', 'more', 'note'].map(id => stepOf(back, id).undo)).toEqual(Array.from({ length: 3 }, () => ({ status: 'done', verified: true, reason: null })));
    expect(await state()).toEqual(before);
    expect(existsSync(join(agent.root, 'note.txt'))).toBe(false);
  });

  it('is not taken back over a later workflow that changed the same row, unless that was seen', async () => {
    const { stack } = running;
    const raise = (id: number) => agent.run([execute('a', 'UPDATE customer SET credit = credit + 1 WHERE id = $1', [id])]);
    const [one, two] = [await raise(2), await raise(2)];
    const refused = await stack.admin.post(`/v1/workflows/${one.id}/rollback`, { reason: 'a mistake' });
    expect(refused.body).toMatchObject({ status: 409, code: 'IN_USE', dependents: [{ workflow: two.id, kind: 'overwrote', blocks: true }] });
    for (const { id } of [two, one]) {
      await stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'a mistake' } });
      expectStatus(await agent.reaches(id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    }
  });

  it('is taken back on request long after, unless somebody else has changed the row since: theirs stays', async () => {
    const before = await state();
    const [one, two] = [await agent.run([execute('a', 'UPDATE customer SET credit = credit + 1 WHERE id = 2')]), await agent.run([execute('a', 'UPDATE customer SET credit = credit + 1 WHERE id = 3')])];
    await db.query('UPDATE customer SET credit = 77 WHERE id = 3');
    const { stack } = running;
    // The other one has changed the same table since, but another row.
    const { dependents } = await stack.admin.must(200, 'POST', `/v1/workflows/${one.id}/rollback`, { body: { preview: true } });
    expect(dependents).toMatchObject([{ workflow: two.id, step: 'a', kind: 'overwrote', resource: 'sql://crm/public.customer', blocks: false }]);
    await stack.admin.must(202, 'POST', `/v1/workflows/${one.id}/rollback`, { body: { reason: 'a mistake' } });
    const shown = await stack.admin.must(200, 'POST', `/v1/workflows/${two.id}/rollback`, { body: { preview: true } });
    expect(shown.steps).toMatchObject([{ id: 'a', outcome: 'wouldBlock', conflicts: [{ resource: 'sql://crm/public.customer', before: { id: 3, credit: 30 }, after: { id: 3, credit: 31 }, current: { id: 3, credit: 77 } }] }]);
    await stack.admin.must(202, 'POST', `/v1/workflows/${two.id}/rollback`, { body: { reason: 'a mistake' } });
    expectStatus(await agent.reaches(one.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    const blocked = await agent.reaches(two.id, ['rolledBack', 'rollbackBlocked']);
    expectStatus(blocked, 'rollbackBlocked');
    expect(blocked.residue).toEqual([expect.objectContaining({ step: 'a', resource: 'sql://crm/public.customer' })]);
    expect((await db.query('SELECT credit FROM customer WHERE id = 3')).rows).toEqual([{ credit: '77' }]);
    await db.query('UPDATE customer SET credit = 31 WHERE id = 3');
    await stack.admin.must(202, 'POST', `/v1/workflows/${two.id}/rollback`, { body: { reason: 'again' } });
    expectStatus(await agent.reaches(two.id, ['rolledBack']), 'rolledBack');
    const now = await state() as { c: unknown };
    expect(now.c).toEqual((before as { c: unknown }).c);
  });

  it.each<[string, Step, string, string]>([
    ['two statements', execute('a', 'DELETE FROM invoice; DELETE FROM customer'), 'INVALID_SQL', '/steps/0/input/sql'],
    ['a change where only reads are allowed', query('a', 'WITH d AS (DELETE FROM invoice RETURNING *) SELECT * FROM d'), 'INVALID_SQL', '/steps/0/input/sql'],
    ['a function that could do anything', query('a', "SELECT pg_read_file('/etc/passwd')"), 'INVALID_SQL', '/steps/0/input/sql'],
    ['a setting', query('a', "SELECT set_config('search_path', 'x', false)"), 'INVALID_SQL', '/steps/0/input/sql'],
    ['no SQL', execute('a', 'UPDATE customer SET'), 'INVALID_SQL', '/steps/0/input/sql'],
    ['a definition', execute('a', 'DROP TABLE customer'), 'INVALID_SQL', '/steps/0/input/sql'],
    ['our own schema', execute('a', 'DELETE FROM aifirst.effects'), 'INVALID_SQL', '/steps/0/input/sql'],
    ['a parameter too few', execute('a', 'DELETE FROM customer WHERE id = $1'), 'INVALID_INPUT', '/steps/0/input/params'],
  ])('refuses %s at once, and nothing is done', async (_, step, code, pointer) => {
    const before = await state();
    const { status, body } = await agent.submit([step]);
    expect([status, body.code, body.errors[0].pointer]).toEqual([422, code, pointer]);
    expect(await state()).toEqual(before);
  });

  it('takes no statement from another step, only values', async () => {
    const { status, body } = await agent.submit([noop('a', { value: 'DELETE FROM customer' }), { id: 'b', capability: 'sql.execute', input: { connection: 'crm', sql: ref('a', '/value') } }]);
    expect([status, body.code, body.errors[0].pointer]).toEqual([422, 'INVALID_REFERENCE', '/steps/1/input/sql']);
    const done = await agent.run([noop('a', { value: 3 }), query('b', 'SELECT name FROM customer WHERE id = $1', [ref('a', '/value')])]);
    expect(stepOf(done, 'b').output.rows).toEqual([{ name: 'Cy' }]);
  });

  it('is allowed and denied table by table', async () => {
    const { stack } = running;
    await stack.admin.put('/v1/policies/no-history', { cedar: 'forbid (principal, action, resource) when { context.resources.contains("sql://crm/public.history") };' });
    await stack.admin.must(200, 'POST', '/v1/policies/activate', { body: { name: 'no-history', version: 1 } });
    const denied = await agent.run([query('a', 'SELECT count(*) AS n FROM customer c JOIN history h ON true')]);
    expectStatus(denied, 'rejected');
    expect(stepOf(denied, 'a').error.code).toBe('POLICY_DENIED');
    expectStatus(await agent.run([query('a', 'SELECT count(*) AS n FROM customer')]), 'completed');
  });

  it('keeps a password out of configurations, and values out of logs and facts', async () => {
    const { stack } = running;
    const { status, body } = await stack.admin.put('/v1/connections/other', { adapter: 'sql', config: { url: 'postgres://u:secret@h/db' } });
    expect([status, body.code]).toEqual([422, 'SECRET_IN_CONFIG']);
    const done = await agent.run([execute('a', 'INSERT INTO customer (id, name) VALUES (50, $1) RETURNING name', [canary])]);
    expectStatus(done, 'completed');
    expect(stepOf(done, 'a').output.rows).toEqual([{ name: canary }]);
    const twice = await agent.run([execute('a', 'INSERT INTO customer (id, name) VALUES (50, $1)', [canary])]);
    expectStatus(twice, 'rolledBack');
    expect(stepOf(twice, 'a').error).toMatchObject({ code: 'SQL_ERROR', clean: true });
    const told = JSON.stringify([twice.steps[0].error, await stack.admin.all(`/v1/workflows/${done.id}/events`), await stack.admin.all(`/v1/workflows/${twice.id}/events`)]);
    expect(told).not.toContain(canary);
    expect(stack.output).not.toContain(canary);
  });
});

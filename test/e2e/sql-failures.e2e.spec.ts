import { killServer } from '@aifirst/adapter-sql/testing';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { after, briefly, expectStatus, noop, ref, sleep, stepOf, type AgentClient, type Step } from '../support/agent';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const TABLES = `
  CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, credit numeric NOT NULL DEFAULT 0);
  CREATE TABLE invoice (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer ON DELETE CASCADE, amount numeric NOT NULL);
  CREATE TABLE history (at int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL, times int NOT NULL DEFAULT 1);
  CREATE VIEW due AS SELECT id, amount FROM invoice;
  CREATE TABLE counter (id int PRIMARY KEY, number int NOT NULL);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE history SET times = times + 1 WHERE what = TG_OP; RETURN NULL; END $$;
  CREATE TRIGGER noted AFTER UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION note();
  INSERT INTO customer VALUES (1, 'Ada', 10), (2, 'Bob', 20), (3, 'Cy', 30);
  INSERT INTO invoice VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7);
  INSERT INTO history (what) VALUES ('UPDATE'), ('DELETE');
  INSERT INTO counter SELECT i, 0 FROM generate_series(1, 100) i`;

describe('a database as a target, when things go wrong', () => {
  const running = useStack({ env: { LOG_LEVEL: 'debug' } });
  let postgres: TestPostgres;
  let db: Client;
  let agent: AgentClient;
  async function connect(): Promise<Client> {
    return until('the database answers', async () => {
      const client = new Client({ ...postgres.connection, database: 'crm' });
      client.on('error', () => undefined);
      try { await client.connect(); } catch { return undefined; }
      await client.query('SET search_path = public');
      return client;
    }, 30_000);
  }

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const reached = await postgres.createDatabase('crm');
    db = await connect();
    await db.query(TABLES);
    const { stack } = running;
    await stack.database('crm', reached);
    const files = await stack.connection();
    agent = await stack.agent({ connection: files, connections: [files.name, 'crm'] });
  }, 120_000);
  afterAll(async () => { await db?.end(); await postgres?.stop(); });

  const sql = (verb: 'query' | 'execute' | 'script', id: string, text: string, params: readonly unknown[] = [], more: object = {}): Step => ({ id, capability: `sql.${verb}`, input: { connection: 'crm', sql: text, params }, ...more });
  const state = async (): Promise<unknown> => (await db.query(`SELECT (SELECT array_agg(c::text ORDER BY id) FROM customer c) AS c, (SELECT array_agg(i::text ORDER BY id) FROM invoice i) AS i, (SELECT array_agg(h::text ORDER BY at) FROM history h) AS h, (SELECT sum(number)::int FROM counter) AS n`)).rows[0];
  const rollBack = async (id: string): Promise<void> => { await running.stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'a mistake' } }); };
  const settled = (id: string) => agent.reaches(id, ['rolledBack', 'rollbackBlocked'], 20_000);

  describe('a script', () => {
    const MOVE = 'INSERT INTO customer (id, name) VALUES ($1, $2); UPDATE invoice SET customer = $1 WHERE customer = $3; DELETE FROM customer WHERE id = $3; SELECT id FROM invoice WHERE customer = $1 ORDER BY id;';

    it('is one step: planned, done, referred to, and taken back with the others', async () => {
      const before = await state();
      const steps = [sql('script', 'move', MOVE, [9, 'New', 1]), sql('query', 'look', 'SELECT name FROM customer WHERE id = (SELECT customer FROM invoice WHERE id = $1)', [ref('move', '/results/3/rows/1/id')]), noop('fail', { fail: 'clean' }, after('look'))];
      const { body: plan } = await agent.post('/v1/plans', { goal: 'test', steps });
      expect(plan.steps[0]).toMatchObject({ risk: { factors: expect.arrayContaining([expect.objectContaining({ factor: 'statement' })]) }, preview: { summary: 'changes 5 rows of 3 tables', footprint: ['sql://crm/public.customer', 'sql://crm/public.history', 'sql://crm/public.invoice'] } });
      expect(await state()).toEqual(before);
      const back = await agent.run(steps);
      expectStatus(back, 'rolledBack');
      expect(stepOf(back, 'move').output.results.map(({ rowCount }: { rowCount: number }) => rowCount)).toEqual([1, 2, 1, 2]);
      expect(stepOf(back, 'move').resources.toSorted()).toEqual(['sql://crm/public.customer', 'sql://crm/public.invoice']);
      expect(stepOf(back, 'look').output.rows).toEqual([{ name: 'New' }]);
      expect(stepOf(back, 'move').undo).toEqual({ status: 'done', verified: true, reason: null });
      expect(await state()).toEqual(before);
    });

    it.each([
      ['DELETE FROM invoice; COMMIT; DELETE FROM customer', 'statement 2 of 3'], ["DELETE FROM invoice; SELECT set_config('role', 'x', false)", 'statement 2 of 2'], ['SELECT 1; SELECT 2', 'sql.query'],
      ['DELETE FROM invoice; /* DELETE */ DROP TABLE customer --', 'statement 2 of 2'], ['DELETE FROM aifirst.effects; DELETE FROM invoice', 'statement 1 of 2'],
    ])('is refused whole, at once: %s', async (text, why) => {
      const before = await state();
      const { status, body } = await agent.submit([sql('script', 'a', text)]);
      expect([status, body.code, body.errors[0].pointer, body.errors[0].detail]).toEqual([422, 'INVALID_SQL', '/steps/0/input/sql', expect.stringContaining(why)]);
      expect(await state()).toEqual(before);
    });
  });

  it('seals what a script is given and what it answers', async () => {
    const { stack } = running;
    const canary = `canary-${randomBytes(12).toString('hex')}`;
    const text = 'INSERT INTO customer (id, name) VALUES (70, $1) RETURNING name; SELECT name FROM customer WHERE name = $1';
    const done = await agent.run([sql('script', 'a', text, [canary])]);
    expectStatus(done, 'completed');
    expect(stepOf(done, 'a').output.results).toEqual([{ rows: [{ name: canary }], rowCount: 1 }, { rows: [{ name: canary }], rowCount: 1 }]);
    const failed = await agent.run([sql('script', 'a', `DELETE FROM invoice; ${text}`, [canary])]);
    expectStatus(failed, 'rolledBack');
    expect(stepOf(failed, 'a').error).toMatchObject({ code: 'SQL_ERROR', clean: true, detail: expect.stringMatching(/^statement 2 of 3: /) });
    const { body: plan } = await agent.post('/v1/plans', { goal: 'test', steps: [sql('script', 'a', text.replace('70', '71'), [canary])] });
    const told = JSON.stringify([stepOf(failed, 'a').error, plan.steps[0].preview.summary, ...await Promise.all([done, failed].map(({ id }) => stack.admin.all(`/v1/workflows/${id}/events`)))]);
    expect(told).not.toContain(canary);
    expect(stack.output).not.toContain(canary);
    const hex = Buffer.from('canary-').toString('hex');
    const { rows } = await db.query<{ row: string }>('SELECT e::text AS row FROM aifirst.effects e');
    expect(rows.filter(({ row }) => row.includes('canary-') || row.includes(hex))).toEqual([]);
    await rollBack(done.id);
    expectStatus(await settled(done.id), 'rolledBack');
  });

  it('keeps others off tables that only a cascade or a view reaches', async () => {
    const before = await state();
    const first = await agent.start([sql('execute', 'a', 'UPDATE invoice SET amount = 60 WHERE id = 2'), sleep('hold', 5_000, after('a')), noop('fail', { fail: 'clean' }, after('hold'))]);
    await until('the first is at work', async () => stepOf(await agent.workflow(first), 'hold').status === 'running');
    const [byCascade, byView] = await Promise.all([agent.start([sql('execute', 'b', 'DELETE FROM customer WHERE id = 1'), noop('fail', { fail: 'clean' }, after('b'))]), agent.start([sql('query', 'b', 'SELECT sum(amount)::int AS due FROM due')])]);
    await until('both wait', async () => (await Promise.all([byCascade, byView].map(id => agent.workflow(id)))).every(({ statusReason }) => statusReason?.code === 'LOCKED'));
    expectStatus(await agent.rest(first), 'rolledBack');
    expectStatus(await agent.rest(byCascade), 'rolledBack');
    const seen = await agent.rest(byView);
    expectStatus(seen, 'completed');
    expect([stepOf(seen, 'b').output.rows, stepOf(seen, 'b').resources]).toEqual([[{ due: 18 }], ['sql://crm/public.due', 'sql://crm/public.invoice']]);
    expect(await state()).toEqual(before);
  });

  it('is denied what a cascade or a view would reach', async () => {
    const { admin } = running.stack;
    await admin.put('/v1/policies/no-invoices', { cedar: 'forbid (principal, action, resource) when { context.resources.contains("sql://crm/public.invoice") };' });
    await admin.must(200, 'POST', '/v1/policies/activate', { body: { name: 'no-invoices', version: 1 } });
    try {
      for (const step of [sql('execute', 'a', 'DELETE FROM customer WHERE id = 1'), sql('query', 'a', 'SELECT * FROM due'), sql('script', 'a', 'UPDATE customer SET credit = 1 WHERE id = 1; DELETE FROM customer WHERE id = 3')]) {
        const denied = await agent.run([step]);
        expectStatus(denied, 'rejected');
        expect(stepOf(denied, 'a').error.code).toBe('POLICY_DENIED');
      }
      expectStatus(await agent.run([sql('query', 'a', 'SELECT count(*) AS n FROM customer')]), 'completed');
    } finally {
      await admin.put('/v1/policies/no-invoices', { cedar: 'forbid (principal, action, resource) when { context.resources.contains("sql://nowhere") };' });
      await admin.must(200, 'POST', '/v1/policies/activate', { body: { name: 'no-invoices', version: 2 } });
    }
  });

  it('takes back what others did by a cascade and what went before, each as it found it', async () => {
    const before = await state();
    const first = await agent.run([sql('execute', 'a', 'UPDATE invoice SET amount = 60 WHERE id = 2')]);
    const between = await state();
    // One invoice goes by cascade, as the other left it.
    const second = await agent.run([sql('execute', 'a', 'DELETE FROM customer WHERE id = 1')]);
    for (const done of [first, second]) expectStatus(done, 'completed');
    expect(stepOf(second, 'a').resources).toEqual(['sql://crm/public.customer', 'sql://crm/public.invoice']);
    await rollBack(second.id);
    expectStatus(await settled(second.id), 'rolledBack');
    expect(await state()).toEqual(between);
    await rollBack(first.id);
    expectStatus(await settled(first.id), 'rolledBack');
    expect(await state()).toEqual(before);
  });

  it('finds out when two meet by a trigger alone, which no lock knows of, and overwrites neither', async () => {
    const before = await state();
    const raised = await agent.run([sql('execute', 'a', `UPDATE history SET times = times + 100 WHERE what = 'UPDATE'`)]);
    const second = await agent.run([sql('execute', 'a', 'UPDATE customer SET credit = 1 WHERE id = 2')]);
    const now = await state();
    await rollBack(raised.id);
    const blocked = await settled(raised.id);
    expectStatus(blocked, 'rollbackBlocked');
    expect(blocked.residue).toEqual([expect.objectContaining({ step: 'a', resource: 'sql://crm/public.history' })]);
    expect(await state()).toEqual(now);
    await rollBack(second.id);
    expectStatus(await settled(second.id), 'rolledBack');
    await rollBack(raised.id);
    expectStatus(await agent.reaches(raised.id, ['rolledBack']), 'rolledBack');
    expect(await state()).toEqual(before);
  });

  it('does every step once or not at all while its server is killed, and settles every workflow', async () => {
    const count = 40;
    const ids: string[] = [];
    for (let i = 1; i <= count; i++) {
      const raise = i % 2 === 0 ? sql('execute', 'raise', 'UPDATE counter SET number = number + 1 WHERE id = $1', [i]) : sql('script', 'raise', 'SELECT number FROM counter WHERE id = $1; UPDATE counter SET number = number + 1 WHERE id = $1', [i]);
      ids.push(await agent.start([{ ...raise, retry: { attemptsMax: 8 } }, ...(i % 4 === 0 ? [noop('fail', { fail: 'clean' }, after('raise'))] : [])]));
      if (i !== 15 && i !== 30) continue;
      await (await connect()).end();
      killServer(postgres);
    }
    const found = [];
    for (const id of ids) found.push(await agent.rest(id, 60_000));
    await db.end().catch(() => undefined);
    db = await connect();
    const { rows } = await db.query<{ id: number; number: number }>('SELECT id, number FROM counter WHERE id <= $1 ORDER BY id', [count]);
    const wrong = found.filter((workflow, index) => rows[index]!.number !== (workflow.status === 'completed' ? 1 : 0) || !['completed', 'rolledBack', 'failed'].includes(workflow.status));
    expect(wrong.map(briefly)).toEqual([]);
    expect(found.some(({ status }) => status === 'completed')).toBe(true);
    for (const workflow of found.filter(({ status }) => status === 'completed')) await rollBack(workflow.id);
    for (const workflow of found.filter(({ status }) => status === 'completed')) expectStatus(await settled(workflow.id), 'rolledBack');
    expect((await state() as { n: number }).n).toBe(0);
  }, 180_000);
});

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { after, expectStatus, noop, ref, stepOf, type AgentClient, type Step } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';

describe('a plan', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });
  const plan = (steps: readonly Step[], more: object = {}): Promise<Body> => agent.must(200, 'POST', '/v1/plans', { body: { goal: 'test', steps, ...more } });
  const run = (planId: string, headers: Readonly<Record<string, string>> = {}) => agent.post('/v1/intents', { planId }, { prefer: 'wait=30', ...headers });
  const at = (path: string): string => join(agent.root, path);

  it('shows order, decision, risk, change and undo of each step, and changes nothing', async () => {
    writeFileSync(at('a.txt'), 'one\ntwo\n');
    // Why: putting the connection has made it; now nothing may.
    rmSync(at('.aifirst'), { recursive: true });
    const before = treeOf(agent.root);
    const made = await plan([
      agent.fs('delete', 'last', { path: 'a.txt' }, after('first')), agent.fs('write', 'first', { path: 'a.txt', content: 'one\nthree\n' }),
      agent.fs('write', 'new', { path: 'deep/b.txt', content: 'b' }), agent.fs('read', 'read', { path: 'a.txt' }), noop('noop', { value: ref('read', '/size') }),
    ]);
    expect(made).toMatchObject({ planId: expect.stringMatching(/^[0-9a-f-]{36}$/), digest: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/), pointOfNoReturn: null });
    expect(made.steps.map(({ order, id }: Body) => [order, id])).toEqual([[1, 'first'], [2, 'last'], [3, 'new'], [4, 'read'], [5, 'noop']]);
    expect(stepOf(made, 'first')).toMatchObject({
      capability: 'fs.write', decision: { outcome: 'allow', policies: [expect.stringContaining('role/')], policyVersion: expect.any(String), reason: expect.any(String) }, risk: { level: 'low', score: expect.any(Number) },
      approvals: [], undo: { how: 'exact', detail: expect.any(String) }, preview: { footprint: [`file://${agent.connection.name}/a.txt`], truncated: false, changes: [{ kind: 'file', action: 'change', diff: expect.stringContaining('-two\n+three\n') }] },
    });
    expect(stepOf(made, 'new').preview.changes.map(({ action, resource }: Body) => `${action} ${resource}`)).toEqual([`create file://${agent.connection.name}/deep`, `create file://${agent.connection.name}/deep/b.txt`]);
    expect(stepOf(made, 'read')).toMatchObject({ preview: { summary: 'reads `a.txt` (8 bytes)', changes: [] }, undo: { how: 'exact' } });
    expect(stepOf(made, 'noop')).toMatchObject({ decision: { outcome: 'defer' }, preview: null, previewError: { code: 'REFERENCE_UNRESOLVED' } });
    expect(treeOf(agent.root)).toEqual(before);
    expect(existsSync(at('.aifirst'))).toBe(false);
    expect(await agent.must(200, 'GET', '/v1/workflows')).toEqual({ items: [], next: null });
    expect(await agent.must(200, 'GET', `/v1/plans/${made.planId}`)).toEqual(made);
    expect(await world.stack.admin.must(200, 'GET', `/v1/plans/${made.planId}`)).toEqual(made);
  });

  it('shows a denied step without looking at its target, and what would fail with its reason', async () => {
    const narrow = await world.stack.agent({ capabilities: ['fs.write'] });
    writeFileSync(join(narrow.root, 'secret.txt'), 'secret');
    const made = await narrow.must(200, 'POST', '/v1/plans', { body: { goal: 'test', steps: [narrow.fs('read', 'r', { path: 'secret.txt' }), narrow.fs('write', 'w', { path: 'secret.txt', content: 'x', ifExists: 'fail' })] } });
    expect(stepOf(made, 'r')).toMatchObject({ decision: { outcome: 'deny', code: 'POLICY_DENIED' }, preview: null, previewError: { code: 'POLICY_DENIED' } });
    expect(stepOf(made, 'w')).toMatchObject({ decision: { outcome: 'allow' }, preview: null, previewError: { code: 'EXISTS' } });
    expect(JSON.stringify(made)).not.toContain('"secret"');
  });

  it('is run exactly, once per Idempotency-Key, though it has changed its own target by then', async () => {
    writeFileSync(at('a.txt'), 'old');
    const { planId } = await plan([agent.fs('write', 'w', { path: 'a.txt', content: 'new' }), agent.fs('copy', 'c', { path: 'a.txt', to: 'b.txt' }, after('w'))]);
    const first = await run(planId, { 'idempotency-key': 'once' });
    expect(first.status).toBe(200);
    expectStatus(first.body, 'completed');
    expect([readFileSync(at('a.txt'), 'utf8'), readFileSync(at('b.txt'), 'utf8')]).toEqual(['new', 'new']);
    const again = await run(planId, { 'idempotency-key': 'once' });
    expect([again.status, again.body.id, again.headers['idempotent-replayed']]).toEqual([200, first.body.id, 'true']);
    expect((await run(planId)).body).toMatchObject({ status: 409, code: 'PLAN_STALE', moved: [{ what: 'target', step: 'w' }, { what: 'target', step: 'c' }] });
    const intent = await agent.must(200, 'GET', `/v1/intents/${first.body.intentId}`);
    expect(intent.intent.steps[0].input.content).toBe('new');
  });

  it('is stale when its target has changed', async () => {
    writeFileSync(at('a.txt'), 'old');
    const { planId } = await plan([agent.fs('write', 'w', { path: 'a.txt', content: 'new' })]);
    writeFileSync(at('a.txt'), 'ol!');
    const answer = await run(planId);
    expect([answer.status, answer.body.code, answer.body.moved]).toEqual([409, 'PLAN_STALE', [{ what: 'target', step: 'w', pointer: '/steps/0' }]]);
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('ol!');
    writeFileSync(at('a.txt'), 'old');
    expectStatus((await run(planId)).body, 'completed');
  });

  it('is stale when policy has changed', async () => {
    const { planId } = await plan([agent.fs('write', 'w', { path: 'a.txt', content: 'new' })]);
    await world.stack.admin.must(200, 'PUT', `/v1/roles/${agent.role}`, { body: { capabilities: ['fs.read'], connections: [agent.connection.name] } });
    const answer = await run(planId);
    expect([answer.status, answer.body.code, answer.body.moved.map(({ what }: Body) => what)]).toEqual([409, 'PLAN_STALE', ['policy', 'policy']]);
    expect(existsSync(at('a.txt'))).toBe(false);
  });

  it('is stale when its connection has changed', async () => {
    const { planId } = await plan([agent.fs('write', 'w', { path: 'a.txt', content: 'new' })]);
    await world.stack.admin.must(200, 'PUT', `/v1/connections/${agent.connection.name}`, { body: { adapter: 'os', config: { root: agent.root }, labels: { env: 'prod' } } });
    const answer = await run(planId);
    expect([answer.status, answer.body.code, answer.body.moved]).toEqual([409, 'PLAN_STALE', [{ what: 'connection', step: 'w', pointer: '/steps/0' }]]);
  });

  it('of another agent is not there', async () => {
    const other = await world.stack.agent();
    const { planId } = await plan([noop('a')]);
    expect((await other.get(`/v1/plans/${planId}`)).status).toBe(404);
    expect((await other.post('/v1/intents', { planId })).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect((await world.stack.admin.post('/v1/intents', { planId })).status).toBe(404);
  });

  it('is refused as its intent would be', async () => {
    expect((await agent.post('/v1/plans', { goal: 'g', steps: [agent.fs('write', 'w', { path: '../x', content: '' })] })).body).toMatchObject({ status: 422, code: 'INVALID_PATH', pointer: '/steps/0/input/path' });
    expect((await agent.post('/v1/plans', { planId: 'x' })).body).toMatchObject({ status: 422, code: 'INVALID_FIELD', pointer: '/planId' });
  });
});

describe('a plan over a database', () => {
  const world = useStack();
  let postgres: TestPostgres;
  let db: Client;
  let agent: AgentClient;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    const reached = await postgres.createDatabase('crm');
    db = new Client(reached);
    await db.connect();
    await db.query(`CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, seen timestamptz NOT NULL DEFAULT clock_timestamp());
      CREATE TABLE invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customer ON DELETE CASCADE);
      INSERT INTO customer (id, name) SELECT n, 'name ' || n FROM generate_series(1, 30) n; INSERT INTO invoice (customer) SELECT n FROM generate_series(1, 30) n`);
    const { stack } = world;
    await stack.database('crm', reached, { env: 'prod' });
    const files = await stack.connection();
    agent = await stack.agent({ connection: files, connections: [files.name, 'crm'] });
  }, 120_000);
  afterAll(async () => { await db?.end(); await postgres?.stop(); });

  const execute = (id: string, sql: string, params: readonly unknown[] = []): Step => ({ id, capability: 'sql.execute', input: { connection: 'crm', sql, params } });
  const plan = (...steps: Step[]): Promise<Body> => agent.must(200, 'POST', '/v1/plans', { body: { goal: 'test', steps } });
  const run = (planId: string) => agent.post('/v1/intents', { planId }, { prefer: 'wait=30' });
  const state = async (): Promise<unknown> => (await db.query('SELECT (SELECT array_agg(c::text ORDER BY id) FROM customer c) AS c, (SELECT array_agg(i::text ORDER BY id) FROM invoice i) AS i, (SELECT last_value FROM invoice_id_seq) AS drawn')).rows[0];

  it('shows rows before and after, cascades included, weighs how many, and leaves no trace', async () => {
    const before = await state();
    const made = await plan(execute('gone', 'DELETE FROM customer'), execute('rename', 'UPDATE customer SET name = $1 WHERE id = $2', ['new', 7]));
    const { preview, risk, undo } = stepOf(made, 'gone');
    expect(preview.changes.map(({ resource, deleted }: Body) => [resource, deleted])).toEqual(expect.arrayContaining([['sql://crm/public.customer', 30], ['sql://crm/public.invoice', 30]]));
    // 20 as reversible, 5 for sixty rows, 30 without a condition, 20 in production, 5 for the first time.
    expect(risk).toEqual({ level: 'high', score: 80, factors: ['reversibility', 'reach', 'statement', 'environment', 'novelty'].map(factor => expect.objectContaining({ factor })) });
    expect(undo.how).toBe('exact');
    const renamed = stepOf(made, 'rename').preview.changes[0];
    expect(renamed).toMatchObject({ kind: 'rows', updated: 1, rows: [{ before: { id: 7, name: 'name 7' }, after: { id: 7, name: 'new' } }] });
    expect(await state()).toEqual(before);
  });

  it('is run as planned though it writes the time of day, and is stale when its rows have changed', async () => {
    const { planId } = await plan(execute('touch', 'UPDATE customer SET seen = clock_timestamp(), name = $1 WHERE id = $2', ['touched', 1]), execute('add', 'INSERT INTO customer (id, name) VALUES ($1, $2)', [100, 'new']));
    const other = await plan(execute('rename', 'UPDATE customer SET name = $1 WHERE id = 2', ['x']));
    await db.query("UPDATE customer SET name = 'changed' WHERE id = 2");
    const done = await run(planId);
    expectStatus(done.body, 'completed');
    expect(stepOf(done.body, 'touch').risk.factors).toEqual(expect.arrayContaining([{ factor: 'environment', weight: 20, value: 1 }]));
    expect((await db.query('SELECT name FROM customer WHERE id IN (1, 100) ORDER BY id')).rows).toEqual([{ name: 'touched' }, { name: 'new' }]);
    expect((await run(other.planId)).body).toMatchObject({ status: 409, code: 'PLAN_STALE', moved: [{ what: 'target', step: 'rename' }] });
  });
});

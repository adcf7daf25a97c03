import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { after, expectStatus, noop, ref, sleep, stepOf, type AgentClient, type Step } from '../support/agent';
import { isDistributed } from '../support/distribution';
import { Stack } from '../support/stack';
import { sizeOf, until } from '../support/wait';

const TABLES = 'CREATE TABLE entry (id text PRIMARY KEY, amount int NOT NULL CHECK (amount > 0)); CREATE TABLE total (one int PRIMARY KEY, amount int NOT NULL); INSERT INTO total VALUES (1, 0)';
/** The acts of a transfer: a statement and two in the other database, two prepares, a file, two commits. */
const PREPARED = 5, DECIDED = 6, LAST = 8;
const REST_MS_MAX = 60_000;

/** Mode `atomic` over two databases on two servers, and a file. */
describe('an atomic workflow', () => {
  let stack: Stack;
  let agent: AgentClient;
  let count = 0;
  const databases: { readonly server: TestPostgres; readonly reached: ClientConfig }[] = [];

  beforeAll(async () => {
    stack = await Stack.start({ env: { LOG_LEVEL: 'warn' } });
    for (const name of ['left', 'right']) {
      const server = await startTestPostgres();
      const reached = await server.createDatabase(name);
      databases.push({ server, reached });
      await rowsOf(databases.length - 1, `SET search_path = public; ${TABLES}`);
      await stack.database(name, reached);
    }
    const files = await stack.connection();
    agent = await stack.agent({ connection: files, connections: [files.name, 'left', 'right'] });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    for (const { server } of databases) await server.stop();
  });

  const execute = (id: string, connection: string, sql: string, params: readonly unknown[] = [], more: object = {}): Step => ({ id, capability: 'sql.execute', input: { connection, sql, params }, ...more });
  const transfer = (key: string, amount = 5): Step[] => [
    agent.fs('write', 'file', { path: `transfers/${key}.txt`, content: ref('total', '/rows/0/amount') }, { retry: { attemptsMax: 1 } }),
    execute('left', 'left', 'INSERT INTO entry VALUES ($1, $2) RETURNING id', [key, amount]),
    execute('right', 'right', 'INSERT INTO entry VALUES ($1, $2)', [ref('left', '/rows/0/id'), amount]),
    execute('total', 'right', 'UPDATE total SET amount = amount + $1 RETURNING amount::text', [amount], after('right')),
  ];
  /** On a connection of its own, which a server that was killed takes along. */
  async function rowsOf(index: number, sql: string, params?: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    const db = new Client(databases[index]!.reached);
    await db.connect();
    try { return (await db.query(sql, params as unknown[])).rows ?? []; } finally { await db.end(); }
  }
  const inBoth = <T>(ask: (index: number) => Promise<T>): Promise<T[]> => Promise.all([ask(0), ask(1)]);
  /** Where it stands: in each database, and as a file. */
  const standing = async (key: string): Promise<boolean[]> =>
    [...await inBoth(async index => (await rowsOf(index, 'SELECT 1 FROM public.entry WHERE id = $1', [key])).length > 0), existsSync(join(agent.root, `transfers/${key}.txt`))];
  const leftBehind = async (): Promise<unknown[]> =>
    (await inBoth(index => rowsOf(index, `SELECT gid FROM pg_prepared_xacts UNION ALL SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'aifirst/%'`))).flat();
  const key = (): string => `t${++count}`;
  const atomic = { mode: 'atomic' };

  it('does everything or nothing, and shows the steps that were sent', async () => {
    const mine = key();
    const done = await agent.run(transfer(mine), atomic);
    expectStatus(done, 'completed');
    expect(done).toMatchObject({ mode: 'atomic', steps: [{ id: 'file' }, { id: 'left' }, { id: 'right' }, { id: 'total', output: { rows: [{ amount: expect.any(String) }] } }] });
    expect(await standing(mine)).toEqual([true, true, true]);
    expect((await agent.must(200, 'GET', `/v1/intents/${done.intentId}`)).intent.steps.map(({ id }: { id: string }) => id)).toEqual(['file', 'left', 'right', 'total']);
    expect(await leftBehind()).toEqual([]);
  });

  it('stands nowhere when a statement, or what runs last, fails', async () => {
    for (const more of [[execute('bad', 'left', 'INSERT INTO entry VALUES ($1, -1)', ['bad'], after('left'))], [noop('bad', { fail: 'clean' }, after('file'))]]) {
      const mine = key();
      const back = await agent.run([...transfer(mine), ...more], atomic);
      expectStatus(back, 'rolledBack');
      expect(stepOf(back, 'bad').status).toBe('failed');
      expect(await standing(mine)).toEqual([false, false, false]);
      expect(await leftBehind()).toEqual([]);
    }
  });

  it('is undone as a whole when that is ordered later', async () => {
    const mine = key();
    const done = await agent.run(transfer(mine), atomic);
    expectStatus(done, 'completed');
    await stack.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'test' } });
    const back = await agent.reaches(done.id, ['rolledBack', 'rollbackBlocked']);
    expectStatus(back, 'rolledBack');
    for (const { id, undo } of back.steps) expect([id, undo]).toEqual([id, { status: 'done', verified: true, reason: null }]);
    expect(await standing(mine)).toEqual([false, false, false]);
  });

  it('is refused with what can be part of no transaction, and with another word for failures', async () => {
    expect((await agent.submit(transfer(key()), { ...atomic, onFailure: 'keep' })).body).toMatchObject({ status: 422, code: 'INVALID_FIELD', pointer: '/onFailure' });
    const backwards = [noop('first'), execute('then', 'left', 'DELETE FROM entry WHERE id = $1', ['x'], after('first'))];
    expect((await agent.submit(backwards, atomic)).body).toMatchObject({ status: 422, code: 'INVALID_FIELD', pointer: '/steps/1' });
  });

  it('can be planned: the plan names the steps that were sent, and runs', async () => {
    const mine = key();
    const plan = await agent.must(200, 'POST', '/v1/plans', { body: { goal: 'test', steps: transfer(mine), ...atomic } });
    expect(plan.steps.map(({ id, order }: { id: string; order: number }) => [order, id]).sort()).toMatchObject([[expect.any(Number), 'left'], [expect.any(Number), 'right'], [expect.any(Number), 'total'], [expect.any(Number), 'file']]);
    expect(await standing(mine)).toEqual([false, false, false]);
    const answer = await agent.post('/v1/intents', { planId: plan.planId }, { prefer: 'wait=30' });
    expectStatus(answer.body, 'completed');
    expect(await standing(mine)).toEqual([true, true, true]);
  });

  it('commits what was prepared when everything was killed in between, and the databases too', async () => {
    const mine = key();
    // Why the sleep: it is waited for with everything prepared.
    const started = await agent.start([...transfer(mine), sleep('wait', 3_000)], atomic);
    await until('both are prepared', async () => ((await inBoth(index => rowsOf(index, 'SELECT gid FROM pg_prepared_xacts'))).every(({ length }) => length === 1) ? true : undefined), REST_MS_MAX);
    await until('the file is there', () => existsSync(join(agent.root, `transfers/${mine}.txt`)) || undefined, REST_MS_MAX);
    await stack.kill9();
    for (const { server } of databases) process.kill(server.pid, 'SIGQUIT');
    await stack.launch();
    await stack.ready();
    expectStatus(await agent.rest(started, REST_MS_MAX), 'completed');
    expect(await standing(mine)).toEqual([true, true, true]);
    expect(await leftBehind()).toEqual([]);
  }, 180_000);

  // In the distributed form a process dies alone, which other specs are about; here everything dies at once.
  const every = ['before', 'after'].flatMap(side => Array.from({ length: LAST - PREPARED + 2 }, (_, place) => [`adapter.act.${side}`, PREPARED - 1 + place, place % 2 === 0] as const));
  const some = [['adapter.act.before', PREPARED, true], ['adapter.act.after', PREPARED, false], ['adapter.act.before', DECIDED + 1, true], ['adapter.act.after', DECIDED + 1, false], ['adapter.outcome.before', DECIDED, true]] as const;
  const points = isDistributed ? [] : sizeOf('AIFIRST_CRASH_PASSES', 1) > 1 ? every : some;
  if (points.length > 0) it.each(points)('stands everywhere or nowhere when the process dies at %s of act %i, and the databases with it: %s', async (point, pass, alsoDatabases) => {
    const mine = key();
    await stack.terminate();
    await stack.launch({ AIFIRST_CRASH_AT: `${point}:${pass}` });
    await stack.ready();
    const started = await agent.start(transfer(mine), atomic);
    expect(await stack.ended).toEqual({ code: null, signal: 'SIGKILL' });
    if (alsoDatabases) for (const { server } of databases) process.kill(server.pid, 'SIGQUIT');
    stack.http.renew();
    await stack.launch();
    await stack.ready();
    const end = await agent.rest(started, REST_MS_MAX);
    expect(['completed', 'rolledBack']).toContain(end.status);
    expect(await standing(mine)).toEqual(Array(3).fill(end.status === 'completed'));
    expect(await leftBehind()).toEqual([]);
    const [left, right] = await inBoth(async index => (await rowsOf(index, 'SELECT coalesce(sum(amount), 0)::int AS sum FROM public.entry'))[0]!['sum']);
    expect(left).toBe(right);
    expect(await rowsOf(1, 'SELECT amount FROM public.total')).toEqual([{ amount: right }]);
    await until('no lock is held', async () => ((await stack.admin.all('/v1/locks')).length === 0 ? true : undefined), REST_MS_MAX);
  }, 120_000);
});

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { readConfig } from './config';
import { startRuntime, type Runtime } from './runtime';

const TOKEN = 'an-administrators-token';
const NEVER_OVER = 8_000_000_000_000_000;
const HOUR_MS = 3_600_000;

let folder: string;
let postgres: TestPostgres;
let runtime: Runtime | undefined;
let ours: Client;
let crm: Client;
let agent = '';
const fatal: string[] = [];

const addressOf = ({ host, port, user, password, database }: { host: string; port: number; user: string; password: string; database: string }): string =>
  `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
const start = async (): Promise<void> => {
  const env = { DATA_DIR: join(folder, 'data'), DATABASE_URL: addressOf(postgres.connection), PORT: '0', ADMIN_TOKEN: TOKEN, DEMO: '0', LOG_LEVEL: 'error' };
  runtime = await startRuntime(readConfig(env), reason => fatal.push(reason), { auditThread: 'here' });
};
const stop = async (): Promise<void> => { await runtime?.stop(); runtime = undefined; };

async function call(method: string, path: string, body?: unknown, token = TOKEN, headers: Record<string, string> = {}) {
  const response = await fetch(`${runtime!.url}${path}`, {
    method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  return { status: response.status, body: await response.json() as any };
}
/** How many rows each of the journals has. */
const journals = async (): Promise<{ os: number; sql: number }> => (await ours.query('SELECT (SELECT count(*)::int FROM aifirst_adapter_os.log) AS os, (SELECT count(*)::int FROM aifirst_adapter_sql.log) AS sql')).rows[0];
const settle = async (until: number | null): Promise<void> => {
  for (const host of ['adapter-os', 'adapter-sql']) {
    const table = `aifirst_${host.replace('-', '_')}.document`;
    if (until === null) await ours.query(`DELETE FROM ${table} WHERE kind = 'adapter.sqlHeldUntil'`);
    else await ours.query(`UPDATE ${table} SET data = $1 WHERE kind = 'adapter.sqlHeldUntil'`, [JSON.stringify({ until })]);
  }
};
const settled = async (): Promise<number[]> => Promise.all(['os', 'sql'].map(async host => JSON.parse((await ours.query(`SELECT data FROM aifirst_adapter_${host}.document WHERE kind = 'adapter.sqlHeldUntil'`)).rows[0].data).until));
const credits = async (): Promise<string> => (await crm.query(`SELECT string_agg(credit::text, ' ' ORDER BY id) AS all FROM public.customer`)).rows[0].all;

const raise = (customer: number) => ({ id: 'raise', capability: 'sql.execute', input: { connection: 'crm', sql: 'UPDATE customer SET credit = credit + 1 WHERE id = $1', params: [customer] } });
const run = async (steps: readonly object[], more: object = {}) => (await call('POST', '/v1/intents', { goal: 'test', steps, ...more }, agent, { prefer: 'wait=30' })).body;
async function reaches(id: string, status: string) {
  let last;
  for (const until = Date.now() + 30_000; Date.now() < until; await new Promise(resolve => setTimeout(resolve, 50))) {
    last = (await call('GET', `/v1/workflows/${id}`)).body;
    if (last.status === status) return last;
  }
  throw new Error(`workflow ${id} is not ${status}: ${JSON.stringify(last)}`);
}
async function takeBack(id: string): Promise<void> {
  expect((await call('POST', `/v1/workflows/${id}/rollback`, { reason: 'test' })).status).toBe(202);
  const { steps } = await reaches(id, 'rolledBack');
  expect(steps[0].undo).toEqual({ status: 'done', verified: true, reason: null });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aifirst-earlier-'));
  chmodSync(folder, 0o711);
  postgres = await startTestPostgres();
  ours = new Client(postgres.connection);
  const target = await postgres.createDatabase('crm');
  crm = new Client(target);
  await Promise.all([ours.connect(), crm.connect()]);
  await crm.query('CREATE TABLE public.customer (id int PRIMARY KEY, credit int NOT NULL); INSERT INTO public.customer SELECT n, 0 FROM generate_series(1, 4) n');
  await start();
  writeFileSync(join(folder, 'password'), target.password);
  await call('PUT', '/v1/connections/crm', { adapter: 'sql', config: { url: `postgres://${target.user}@socket/crm?host=${encodeURIComponent(target.host)}&port=${target.port}` }, secretRefs: { password: `file:${join(folder, 'password')}` } });
  await call('PUT', '/v1/roles/clerk', { capabilities: ['*'], connections: ['*'] });
  agent = (await call('POST', '/v1/agents', { name: 'an agent', owner: 'ana', roles: ['clerk'] })).body.token;
}, 120_000);
afterAll(async () => {
  await stop();
  await Promise.all([ours?.end(), crm?.end()]);
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('in a new deployment SQL is its own service\'s from the start', async () => {
  expect(await settled()).toEqual([0, 0]);
  const { id, status } = await run([raise(1)]);
  expect([status, await credits(), (await journals()).os]).toEqual(['completed', '1 0 0 0', 0]);
  await takeBack(id);
  expect(await credits()).toBe('0 0 0 0');
}, 60_000);

it('what `adapter-os` carried out before there was another service it takes back after, whole workflows and for ever', async () => {
  // A deployment of the version before: whatever is SQL is in the journal of `adapter-os`, and nothing is settled.
  await stop();
  await settle(NEVER_OVER);
  await ours.query('CREATE TABLE public.was AS SELECT count(*)::int AS rows FROM aifirst_adapter_sql.log');
  await start();
  const done = await run([raise(1)]);
  const open = await run([raise(2), { id: 'fails', capability: 'noop', input: { fail: 'clean' }, dependsOn: ['raise'] }], { onFailure: 'pause' });
  expect([done.status, open.status, await credits()]).toEqual(['completed', 'paused', '1 1 0 0']);
  const { rows: was } = (await ours.query('SELECT rows FROM public.was')).rows[0];
  const before = await journals();
  expect([before.os > 0, before.sql]).toEqual([true, was]);

  await stop();
  await settle(null);
  const upgradedAt = Date.now();
  await start();
  const [os, sql] = await settled();
  expect(sql).toBe(os);
  expect(Math.abs(os! - upgradedAt - HOUR_MS)).toBeLessThan(60_000);
  expect((await call('GET', '/v1/capabilities?adapter=sql')).body.items.length).toBeGreaterThan(1);
  // In this order: as long as it is open it holds its lock.
  await takeBack(open.id);
  await takeBack(done.id);
  const young = await run([raise(3)]);
  expect([young.status, await credits(), (await journals()).sql]).toEqual(['completed', '0 0 1 0', was]);

  // The hour is over.
  await stop();
  await settle(Date.now());
  await start();
  const later = await run([raise(4)]);
  const between = await journals();
  expect([later.status, await credits(), between.sql > was]).toEqual(['completed', '0 0 1 1', true]);
  await takeBack(young.id);
  const after = await journals();
  expect([after.os > between.os, after.sql]).toEqual([true, between.sql]);
  await takeBack(later.id);
  expect([(await journals()).os, await credits(), fatal]).toEqual([after.os, '0 0 0 0', []]);
}, 120_000);

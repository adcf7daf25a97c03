import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyExport } from '@aifirst/audit';
import { readConfig } from './config';
import { startRuntime, type Runtime } from './runtime';

const DAY_MS = 86_400_000;
const TOKEN = 'an-administrators-token';
const GATEWAY = 'gateway/0', ORCHESTRATOR = 'orchestrator/0', POLICY = 'policy/0', JOURNAL = 'adapter-os/0';

let folder: string;
let runtime: Runtime;
const fatal: string[] = [];
const start = async () => {
  const env = { DATA_DIR: join(folder, 'data'), PORT: '0', ADMIN_TOKEN: TOKEN, DEMO: '0', LOG_LEVEL: 'error', HISTORY_DAYS: '90', IDEMPOTENCY_DAYS: '60' };
  runtime = await startRuntime(readConfig(env), reason => fatal.push(reason), { auditThread: 'here' });
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aifirst-retention-'));
  chmodSync(folder, 0o711);
  await start();
});
afterAll(async () => {
  await runtime?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown, token = TOKEN, headers: Record<string, string> = {}) {
  const response = await fetch(`${runtime.url}${path}`, {
    method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return { status: response.status, headers: response.headers, bytes, body: (isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : {}) as Record<string, string> };
}

it('removes what is old and no more, and a new start carries on', async () => {
  await call('PUT', '/v1/roles/clerk', { capabilities: ['*'], connections: ['*'] });
  const { body: { token } } = await call('POST', '/v1/agents', { name: 'an agent', owner: 'ana', roles: ['clerk'] });
  const submit = (goal: string, key: string) => call('POST', '/v1/intents', { goal, steps: [{ id: 'a', capability: 'noop', input: { value: goal } }, { id: 'b', capability: 'noop', input: {}, dependsOn: ['a'] }] }, token,
    { 'idempotency-key': key, prefer: 'wait=20' });
  const byLog = async (nowMs: number) => Object.fromEntries((await runtime.retain(nowMs)).map(({ producer, ...trimmed }) => [producer, trimmed]));
  const audited = async () => {
    const { bytes } = await call('GET', '/v1/audit/export');
    return verifyExport(bytes, {});
  };

  const old = [];
  for (const n of [1, 2, 3]) old.push(await submit(`old ${n}`, `old-${n}`));
  expect(old.map(({ status, body }) => [status, body['status']])).toEqual(Array(3).fill([200, 'completed']));
  const began = Date.now();
  expect(Object.values(await byLog(began))).toEqual(Array(5).fill({ removed: 0, upTo: 0, heldBy: null, error: null }));
  const young = await submit('young', 'young');
  expect(young.body['status']).toBe('completed');

  // Of age: what was there when the mark was made goes, as later work moves the orchestrator's low-water mark.
  const later = began + 91 * DAY_MS;
  let total: Record<string, number> = {};
  for (let tries = 0; tries < 60 && ![GATEWAY, ORCHESTRATOR, POLICY, JOURNAL].every(producer => (total[producer] ?? 0) > 0); tries++) {
    await submit('more', `more-${tries}`);
    const trimmed = await byLog(later);
    for (const [producer, { removed, error }] of Object.entries(trimmed)) {
      expect(error).toBeNull();
      total = { ...total, [producer]: (total[producer] ?? 0) + removed };
    }
    await new Promise(resolve => setTimeout(resolve, 250));
  }
  expect(total[JOURNAL]).toBe(3 * 4);
  for (const producer of [GATEWAY, ORCHESTRATOR, POLICY]) expect(total[producer]).toBeGreaterThanOrEqual(3);
  expect(await audited()).toMatchObject({ ok: true, problems: [] });

  await runtime.stop();
  await start();
  expect(await byLog(later)).toMatchObject({ [GATEWAY]: { removed: 0, error: null }, [ORCHESTRATOR]: { removed: 0, error: null }, [POLICY]: { removed: 0, error: null }, [JOURNAL]: { removed: 0, error: null } });
  const repeated = await submit('young', 'young');
  expect([repeated.body['id'], repeated.headers.get('idempotent-replayed')]).toEqual([young.body['id'], 'true']);
  expect((await submit('another', 'young')).status).toBe(409);
  const anew = await submit('anew', 'old-1');
  expect([anew.status, anew.body['status'], anew.headers.get('idempotent-replayed')]).toEqual([200, 'completed', null]);

  // What has its rows can be undone; what has none is no more, but for its view and the audit log.
  expect((await call('POST', `/v1/workflows/${young.body['id']}/rollback`, {}, token)).status).toBe(202);
  expect((await call('POST', `/v1/workflows/${old[0]!.body['id']}/rollback`, {}, token)).status).toBe(404);
  expect((await call('GET', `/v1/workflows/${old[0]!.body['id']}`, undefined, token)).status).toBe(200);
  const { ok, problems, summary } = await audited();
  expect({ ok, problems }).toEqual({ ok: true, problems: [] });
  expect(Object.keys(summary.producers).sort()).toEqual([JOURNAL, GATEWAY, ORCHESTRATOR, POLICY]);
  for (const { first } of Object.values(summary.producers)) expect(first).toBeLessThan(20);
  expect(fatal).toEqual([]);
  expect(readFileSync(join(folder, 'data', 'master.key')).length).toBeGreaterThan(0);
}, 120_000);

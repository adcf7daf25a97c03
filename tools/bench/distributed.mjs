// The same load on the distributed form: a Kafka broker, a PostgreSQL server, every service its own process, all on this machine.
// Prints one JSON line for each of COPIES (default: one of everything, then two and four of orchestrator and adapter), with the
// share of each process in the CPU that a workflow costs. Says in one line what is missing where there is no Java.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const require = createRequire(join(root, 'package.json'));
const TICK_MS = 10;
/** As many shards as copies share them, unless SHARDS says otherwise. */
const FORMS = (process.env.COPIES === undefined ? [['1', 1], ['1,orchestrator=2,adapter-os=2', 2], ['1,orchestrator=4,adapter-os=4', 4]] : [[process.env.COPIES, 1]])
  .map(([copies, shards]) => [copies, process.env.SHARDS ?? String(shards)]);

if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0) {
  console.log(JSON.stringify({ benchmark: 'distributed', skipped: 'no Java for the Kafka broker' }));
  process.exit(0);
}

const ends = [];
const ended = child => new Promise(resolve => { if (child.exitCode !== null || child.signalCode !== null) resolve(); else child.once('exit', resolve); });
const endWith = child => ends.push(async () => { child.kill('SIGTERM'); await ended(child); });

/** Processes by what they are to us, with their CPU so far. */
function ticksByPart(pids) {
  const table = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(pid), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
    } catch { return []; }
  });
  const ours = new Map(pids.map(pid => [pid, true]));
  for (let grew = true; grew;) { grew = false; for (const p of table) if (ours.has(p.parent) && !ours.has(p.pid)) { ours.set(p.pid, true); grew = true; } }
  const sum = {};
  for (const { pid, ticks, command } of table) {
    if (!ours.has(pid)) continue;
    const part = /service\.js ([a-z-]+)/.exec(command)?.[1] ?? (/java/.test(command) ? 'kafka' : /postgres/.test(command) ? 'postgres' : 'other');
    sum[part] = (sum[part] ?? 0) + ticks;
  }
  return sum;
}

async function line(child, wanted, what) {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { text += chunk; });
  for (const until = Date.now() + 120_000; !wanted.test(text);) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`${what} did not start: ${text.slice(-2_000)}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return wanted.exec(text);
}

async function call(port, token, method, path, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Mean ms that an intent's way spends in each stage, over all processes that listen from `port` on. */
async function stageMs(port, processes) {
  const sums = {};
  for (let at = 0; at < processes; at++) {
    const page = await fetch(`http://127.0.0.1:${port + at}/metrics`).then(answer => answer.text(), () => '');
    for (const [, what, stage, value] of page.matchAll(/^aifirst_stage_duration_seconds_(sum|count)\{[^}]*stage="([a-z]+)"[^}]*\} (\S+)$/gm)) {
      const mine = (sums[stage] ??= { sum: 0, count: 0 });
      mine[what] += Number(value);
    }
  }
  return Object.fromEntries(Object.entries(sums).map(([stage, { sum, count }]) => [stage, Number((1000 * sum / count).toFixed(2))]));
}

async function measure(copies, shards, at) {
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-bench-'));
  chmodSync(folder, 0o711);
  ends.push(async () => { rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); });
  const port = 21_000 + (process.pid % 500) * 10 + at * 100;
  const kafka = spawn(process.execPath, [join(root, 'tools/kafka/kafka.mjs')], { cwd: root, env: { ...process.env, KAFKA_PORT: String(port + 90), KAFKA_DATA_DIR: join(folder, 'kafka'), KAFKA_VIA: 'jars' }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  endWith(kafka);
  await line(kafka, /ready/i, 'kafka');
  const { startEmbeddedPostgres } = require(join(root, 'libs/embedded-postgres/dist/index.js'));
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'database'), settings: { max_connections: '200' } });
  ends.push(() => postgres.stop());
  const { host, user, password, database, port: socketPort } = postgres.connection;
  const env = {
    ...process.env, DATA_DIR: join(folder, 'data'), PORT: String(port), LOG_LEVEL: 'warn', COPIES: copies, SHARDS: shards, KAFKA_BROKERS: `127.0.0.1:${port + 90}`,
    DATABASE_URL: `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${socketPort}`,
  };
  const startedAt = performance.now();
  const services = spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', '--max-semi-space-size=32', join(root, 'apps/runtime/dist/distributed.js')], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  endWith(services);
  await line(services, /is ready on/, 'the services');
  const readyMs = Math.round(performance.now() - startedAt);
  const admin = readFileSync(join(folder, 'data/admin.token'), 'utf8').trim();
  await call(port, admin, 'PUT', '/v1/roles/bench', { capabilities: ['noop'], connections: [] });
  const { token } = await call(port, admin, 'POST', '/v1/agents', { name: 'bench', owner: 'bench', roles: ['bench'] });
  const pids = [kafka.pid, services.pid, postgres.pid];
  const before = ticksByPart(pids);
  const driver = spawn(process.execPath, [join(here, 'driver.mjs'), `http://127.0.0.1:${port}`, token], { stdio: ['ignore', 'pipe', 'inherit'], env: process.env });
  let text = '';
  driver.stdout.on('data', chunk => { text += chunk; });
  await ended(driver);
  const after = ticksByPart(pids);
  const load = JSON.parse(text);
  const workflows = Object.values(load).reduce((sum, part) => sum + (part?.count ?? 0), 0);
  const cpuMs = Object.fromEntries(Object.entries(after).map(([part, ticks]) => [part, Number((((ticks - (before[part] ?? 0)) * TICK_MS) / workflows).toFixed(3))]));
  console.log(JSON.stringify({ benchmark: 'three-step noop workflows over HTTP, every service its own process on Kafka', copies, shards: Number(shards), node: process.version, cores: cpus().length, ...load, startMs: readyMs, perWorkflow: { cpuMs }, stageMs: await stageMs(port, 80) }));
}

const endAll = async () => { for (const end of ends.splice(0).reverse()) await Promise.resolve().then(end).catch(error => { console.error(String(error)); }); };
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { void endAll().then(() => process.exit(1)); });
try {
  for (const [at, [copies, shards]] of FORMS.entries()) { await measure(copies, shards, at); await endAll(); }
} finally {
  await endAll();
}

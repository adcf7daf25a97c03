// `npm run bench`: starts the product on a fresh data folder with everything on (policy, journal, seal, audit, fsync), loads it
// from a process of its own over HTTP, and prints one JSON line: rates, latencies, start-up, memory, and what a workflow costs.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const FLAGS = ['--no-turbo-inline-js-wasm-calls', '--max-semi-space-size=64'];

const folderBytes = folder => readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
  const path = join(folder, entry.name);
  try { return sum + (entry.isDirectory() ? folderBytes(path) : entry.isFile() ? statSync(path).blocks * 512 : 0); } catch { return sum; }
}, 0);

const processTable = () => readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return [{ pid: Number(pid), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), kiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0), sharedKiB: Number(/RssShmem:\s+(\d+)/.exec(status)?.[1] ?? 0), name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) }];
  } catch { return []; }
});

function treeOf(pid) {
  const table = processTable();
  const tree = new Set([pid]);
  for (let grew = true; grew;) { grew = false; for (const p of table) if (tree.has(p.parent) && !tree.has(p.pid)) { tree.add(p.pid); grew = true; } }
  return table.filter(p => tree.has(p.pid));
}

async function startServer(dataDir, port) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...FLAGS, join(root, 'apps/runtime/dist/main.js')], { cwd: root, env: { ...process.env, DATA_DIR: dataDir, PORT: String(port), DEMO: '0', LOG_LEVEL: 'warn' }, stdio: ['ignore', 'ignore', 'inherit'] });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    try { if ((await fetch(`http://127.0.0.1:${port}/health/ready`)).ok) break; } catch { /* not yet */ }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return { child, readyMs: Math.round(performance.now() - startedAt) };
}
const stopServer = child => new Promise(resolve => { child.once('exit', resolve); child.kill('SIGTERM'); });

async function call(port, token, method, path, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Where the database's files lie: beside the rest, or where its user can reach them (then `postgres.path` names the place). */
const placeOf = dataDir => { try { return readFileSync(join(dataDir, 'postgres.path'), 'utf8').trim(); } catch { return join(dataDir, 'postgres'); } };

/** Commits and row writes of the whole cluster, from PostgreSQL's own statistics. */
async function databaseCounts(dataDir) {
  const { Client } = createRequire(join(root, 'package.json'))('pg');
  const place = placeOf(dataDir);
  const options = /unix_socket_directories=(\S+)/.exec(treeOf(server.child.pid).map(({ pid }) => { try { return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '); } catch { return ''; } }).find(line => line.includes('unix_socket_directories=')) ?? '');
  if (options === null) return null;
  const client = new Client({ host: options[1], user: 'aifirst', database: 'postgres', password: readFileSync(join(place, 'password'), 'utf8').trim() });
  await client.connect();
  // Why: a backend hands its counts in when it is idle for a second.
  await new Promise(resolve => setTimeout(resolve, 1_500));
  const { rows: [counts] } = await client.query('SELECT sum(xact_commit)::float8 AS commits, sum(tup_inserted + tup_updated + tup_deleted)::float8 AS rows FROM pg_stat_database');
  await client.end();
  return counts;
}

const dataDir = mkdtempSync(join(tmpdir(), 'aifirst-bench-'));
const port = 17_400 + (process.pid % 500);
let server;
try {
  const first = await startServer(dataDir, port);
  await stopServer(first.child);
  server = await startServer(dataDir, port);
  const admin = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  await call(port, admin, 'PUT', '/v1/roles/bench', { capabilities: ['noop'], connections: [] });
  const { token } = await call(port, admin, 'POST', '/v1/agents', { name: 'bench', owner: 'bench', roles: ['bench'] });
  const before = { bytes: folderBytes(placeOf(dataDir)), counts: await databaseCounts(dataDir), ticks: treeOf(server.child.pid).reduce((sum, p) => sum + p.ticks, 0) };
  const driver = spawn(process.execPath, [join(here, 'driver.mjs'), `http://127.0.0.1:${port}`, token], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], env: process.env });
  let memory = null;
  driver.on('message', ({ phase }) => { if (phase === 'inFlight200') memory = treeOf(server.child.pid).reduce((sum, { name, kiB, sharedKiB }) => { const of = sum[name] ??= { processes: 0, ownMiB: 0 }; of.processes++; of.ownMiB += Math.round((kiB - sharedKiB) / 1024); return sum; }, {}); });
  let text = '';
  driver.stdout.on('data', chunk => { text += chunk; });
  const code = await new Promise(resolve => driver.once('exit', resolve));
  if (code !== 0) throw new Error(`the driver ended with code ${code}`);
  const load = JSON.parse(text);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const workflows = [...metrics.matchAll(/^aifirst_workflows_total\{[^}]*\} (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  const after = { bytes: folderBytes(placeOf(dataDir)), counts: await databaseCounts(dataDir), ticks: treeOf(server.child.pid).reduce((sum, p) => sum + p.ticks, 0) };
  const each = (a, b) => (a === null || b === null ? null : Number(((b - a) / workflows).toFixed(2)));
  console.log(JSON.stringify({
    benchmark: 'three-step noop workflows over HTTP', node: process.version, cores: cpus().length, ...load,
    startMs: { first: first.readyMs, next: server.readyMs }, memory,
    perWorkflow: {
      workflows, bytesOnDisk: each(before.bytes, after.bytes), rowWrites: each(before.counts?.rows ?? null, after.counts?.rows ?? null),
      commits: each(before.counts?.commits ?? null, after.counts?.commits ?? null), cpuMs: Number((((after.ticks - before.ticks) * 10) / workflows).toFixed(3)),
    },
  }));
} finally {
  if (server !== undefined && server.child.exitCode === null) await stopServer(server.child);
  const place = placeOf(dataDir);
  rmSync(place, { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
}

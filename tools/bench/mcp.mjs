// `npm run bench:mcp`: many clients of MCP at once, each doing short transactions (begin, two calls, commit) on the runtime with
// everything on, and what a governed call costs over the bare one: the same write done directly, and by a server on the same
// transport that nobody governs. Prints a table and one JSON line; ends with 1 if anything went wrong.
// AIFIRST_MCP_CLIENTS (500), AIFIRST_MCP_ROUNDS (2) transactions of each, AIFIRST_MCP_AGENTS (10), AIFIRST_MCP_ALONE (200) calls by one client.
import { fork, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const FLAGS = ['--no-turbo-inline-js-wasm-calls', '--max-semi-space-size=64'];
const READY_MS_MAX = 90_000;
const SETTLED_MS_MAX = 30_000;
const USAGE = 2;
/** Calls of each kind before those that count. */
const WARM = 20;

function sizeOf(name, byDefault) {
  const given = process.env[name] || String(byDefault);
  if (!/^[1-9]\d{0,5}$/.test(given)) { console.error(`${name} is "${given}": it must be a whole number from 1 to 999999`); process.exit(USAGE); }
  return Number(given);
}
const [clients, rounds, agents, alone] = [sizeOf('AIFIRST_MCP_CLIENTS', 500), sizeOf('AIFIRST_MCP_ROUNDS', 2), sizeOf('AIFIRST_MCP_AGENTS', 10), sizeOf('AIFIRST_MCP_ALONE', 200)];

const freePort = () => new Promise(resolve => { const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => { resolve(port); }); }); });
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const folder = mkdtempSync(join(tmpdir(), 'aifirst-bench-mcp-'));
const dataDir = join(folder, 'data');
const url = `http://127.0.0.1:${await freePort()}`;
const ends = [];

async function cleanUp() {
  for (const end of ends.splice(0).reverse()) await end();
  const elsewhere = join(dataDir, 'postgres.path');
  if (existsSync(elsewhere)) rmSync(readFileSync(elsewhere, 'utf8').trim(), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { void cleanUp().finally(() => process.exit(1)); });

async function startRuntime() {
  const child = spawn(process.execPath, [...FLAGS, join(root, 'apps/runtime/dist/main.js')], { cwd: root, env: { ...process.env, DATA_DIR: dataDir, PORT: new URL(url).port, DEMO: '0', LOG_LEVEL: 'warn' }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const gone = new Promise(resolve => { child.once('exit', resolve); });
  ends.push(async () => { child.kill('SIGTERM'); await gone; });
  const untilMs = Date.now() + READY_MS_MAX;
  while (!(await fetch(`${url}/health/ready`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null || Date.now() > untilMs) throw new Error('the runtime did not start');
    await pause(50);
  }
  return child.pid;
}

async function startBare() {
  const child = fork(join(here, 'mcp-bare.mjs'), [join(folder, 'bare')]);
  ends.push(() => { child.disconnect(); });
  return new Promise((resolve, reject) => { child.once('message', message => { resolve(message.url); }).once('exit', () => { reject(new Error('the bare server did not start')); }); });
}

async function admin(method, path, body) {
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  const answer = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function drive(argument) {
  const driver = spawn(process.execPath, [join(here, 'mcp-driver.mjs'), JSON.stringify(argument)], { cwd: root, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  ends.push(() => { driver.kill('SIGKILL'); });
  let memory = null;
  driver.on('message', ({ phase }) => { if (phase === 'load') memory = peakMiB(pid); });
  let text = '';
  driver.stdout.setEncoding('utf8').on('data', chunk => { text += chunk; });
  return new Promise((resolve, reject) => { driver.once('close', code => { if (code === 0) resolve({ ...JSON.parse(text), memory }); else reject(new Error(`the clients ended with ${code}`)); }); });
}

/** What the process of the runtime has held at most; null where that can't be told. */
function peakMiB(of) {
  try { return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${of}/status`, 'utf8'))[1]) / 1024); } catch { return null; }
}

/** Workflows by how they ended, once all that were begun have. */
async function outcomes(expected) {
  const untilMs = Date.now() + SETTLED_MS_MAX;
  for (;;) {
    const page = await (await fetch(`${url}/metrics`)).text();
    const found = Object.fromEntries([...page.matchAll(/^aifirst_workflows_total\{[^}]*status="(\w+)"[^}]*\} (\d+)/gm)].map(([, status, number]) => [status, Number(number)]));
    if (Object.values(found).reduce((sum, number) => sum + number, 0) >= expected || Date.now() > untilMs) return found;
    await pause(100);
  }
}

const filesBeneath = at => (existsSync(at) ? readdirSync(at, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()) : []).filter(({ parentPath, path = parentPath }) => !path.includes('.aifirst')).length;

function table({ one, load }) {
  const ways = [['direct write', 'direct'], ['bare tool call', 'bare'], ['governed call, in a transaction', 'call'], ['governed call by itself', 'single'], ['begin_transaction', 'begin'], ['commit_transaction', 'commit'], ['connecting, list of tools', 'connect']];
  const cell = value => String(value ?? '-').padStart(10);
  const lines = ways.map(([name, key]) => `${name.padEnd(34)}${[one?.[key]?.p50, one?.[key]?.p99, load[key]?.p50, load[key]?.p99].map(cell).join('')}`);
  return [`${'milliseconds'.padEnd(34)}${['1: p50', '1: p99', `${clients}: p50`, `${clients}: p99`].map(cell).join('')}`, ...lines].join('\n');
}

/** What governing adds to a call, in milliseconds. */
const over = (call, bare) => (call == null || bare == null || call.p50 === null || bare.p50 === null ? null : { p50: Number((call.p50 - bare.p50).toFixed(2)), p99: Number((call.p99 - bare.p99).toFixed(2)) });

let pid;
try {
  pid = await startRuntime();
  const bare = await startBare();
  const target = join(folder, 'root');
  // Why a folder for each: acts that put entries into one folder follow one another, as its time of change is put back too.
  for (const name of ['alone', 'calone', ...Array.from({ length: clients }, (_, at) => `c${at}`)]) mkdirSync(join(target, name), { recursive: true });
  await admin('PUT', '/v1/connections/bench', { adapter: 'os', config: { root: target } });
  await admin('PUT', '/v1/roles/bench', { capabilities: ['fs.*'], connections: ['bench'] });
  const tokens = [];
  for (let at = 0; at < agents; at++) tokens.push((await admin('POST', '/v1/agents', { name: `bench-${at}`, owner: 'bench', roles: ['bench'] })).token);
  const { memory, ...found } = await drive({ governed: `${url}/mcp`, bare, tokens, connection: 'bench', folder: join(folder, 'direct'), clients, rounds, alone, warm: WARM });
  const { transactions } = found.load;
  const calls = found.load.call.count;
  const byOne = found.one ?? { single: { count: 0 }, call: { count: 0 }, begin: { count: 0 } };
  // Of the one client: its calls by themselves with those that warmed up, the transaction of all others, and the short ones.
  const expected = clients * (rounds + 1) + byOne.single.count + WARM + 1 + byOne.begin.count;
  const [ended, files] = [await outcomes(expected), filesBeneath(target)];
  const lost = [
    ...(transactions === clients * rounds ? [] : [`${transactions} transactions of ${clients * rounds}`]), ...(calls === 2 * clients * rounds ? [] : [`${calls} calls of ${2 * clients * rounds}`]),
    ...(ended.completed === expected && Object.keys(ended).length === 1 ? [] : [`workflows: ${JSON.stringify(ended)} of ${expected}`]),
    ...(files === clients * (rounds + 1) + byOne.single.count + byOne.call.count + 2 * WARM + byOne.begin.count ? [] : [`${files} files`]),
  ];
  const errors = found.errors + lost.length;
  console.log(table(found));
  console.log(JSON.stringify({
    benchmark: 'short transactions by MCP', node: process.version, cores: cpus().length, clients, agents, transactions, transactionsPerSecond: found.load.transactionsPerSecond, calls, errors,
    one: found.one, load: found.load, cost: { one: over(found.one?.call, found.one?.bare), load: over(found.load.call, found.load.bare) }, peakMiB: memory, ...(errors > 0 && { lost, firstErrors: found.firstErrors }),
  }));
  if (errors > 0) process.exitCode = 1;
} finally {
  await cleanUp();
}

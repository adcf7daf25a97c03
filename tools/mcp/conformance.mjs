// Runs the server scenarios of the protocol's own conformance suite, of both revisions, and prints what passes: on the runtime
// itself where a scenario takes whatever tools there are, and on a fixture with the same transport where it calls tools,
// prompts or resources by name. Fetches the suite (and, before Node 22, a newer Node to run it) from the registry.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createProbe } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const REVISIONS = ['2025-11-25', '2026-07-28'];
const READY_MS_MAX = 90_000;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const SESSION = 'the server would have to ask the client something in the middle of a call, which takes a session; this one has none and asks nothing';
const EXTENSION = 'an extension that is not offered';
/** Scenarios that do not pass on the fixture, and why. */
const NOT_THERE = {
  'tools-call-sampling': SESSION, 'tools-call-elicitation': SESSION, 'elicitation-sep1034-defaults': SESSION, 'elicitation-sep1330-enums': SESSION,
  'http-custom-header-server-validation': 'arguments are not mirrored in headers', ...Object.fromEntries(['lifecycle', 'capability-negotiation', 'wire-fields', 'request-state-removal', 'mrtr-input', 'request-headers', 'dispatch-and-envelope', 'required-task-error', 'mrtr-composition'].map(name => [`tasks-${name}`, EXTENSION])),
};
/** Scenarios that call nothing by name. */
const FOR_ANY = { '2025-11-25': ['server-initialize', 'ping', 'tools-list', 'server-sse-multiple-streams', 'dns-rebinding-protection'], '2026-07-28': ['tools-list', 'server-sse-multiple-streams', 'dns-rebinding-protection', 'http-header-validation'] };

const folder = mkdtempSync(join(tmpdir(), 'aifirst-conformance-'));
const ends = [];

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { output += text; });
    child.once('error', reject).once('close', () => { resolve(output); });
  });
}

const newerNode = Number(process.versions.node.split('.')[0]) >= 22 ? [] : [`--package=node-${process.platform}-${process.arch}@24`];

/** @returns by scenario: checks that passed and failed */
async function suite(url, revision) {
  const output = await run('npm', ['exec', '--yes', `--package=${SUITE}`, ...newerNode, '--', 'conformance', 'server', '--url', url, '--requirements', revision]);
  const found = [...output.slice(output.lastIndexOf('=== SUMMARY')).matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed$/gm)].map(([, scenario, passed, failed]) => ({ scenario, passed: Number(passed), failed: Number(failed) }));
  if (found.length === 0) throw new Error(`the suite did not run:\n${output.slice(-2_000)}`);
  return found;
}

const freePort = () => new Promise(resolve => { const probe = createProbe().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => { resolve(port); }); }); });

/** The runtime with its agent `demo`, whose token is put on every request, as the suite knows none. */
async function startRuntime() {
  const [port, dataDir] = [await freePort(), join(folder, 'data')];
  const child = spawn(process.execPath, ['apps/runtime/dist/main.js'], { cwd: root, env: { ...process.env, DATA_DIR: dataDir, PORT: String(port), DEMO: '1', LOG_LEVEL: 'error' }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const gone = new Promise(resolve => { child.once('close', resolve); });
  ends.push(async () => { child.kill('SIGTERM'); await gone; const elsewhere = join(dataDir, 'postgres.path'); if (existsSync(elsewhere)) rmSync(readFileSync(elsewhere, 'utf8').trim(), { recursive: true, force: true }); });
  const untilMs = Date.now() + READY_MS_MAX;
  while (!(await fetch(`http://127.0.0.1:${port}/health/ready`).then(({ ok }) => ok, () => false))) {
    if (Date.now() > untilMs || child.exitCode !== null) throw new Error('the runtime did not start');
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  const authorization = `Bearer ${readFileSync(join(dataDir, 'demo.token'), 'utf8').trim()}`;
  const relay = createServer((asked, answer) => {
    const onward = request({ hostname: '127.0.0.1', port, path: asked.url, method: asked.method, headers: { ...asked.headers, authorization } }, given => { answer.writeHead(given.statusCode, given.headers); given.pipe(answer); });
    onward.once('error', () => { answer.destroy(); });
    answer.once('close', () => { onward.destroy(); });
    asked.pipe(onward);
  });
  await new Promise(resolve => relay.listen(0, '127.0.0.1', resolve));
  ends.push(() => { relay.closeAllConnections(); relay.close(); });
  return `http://localhost:${relay.address().port}/mcp`;
}

let unexpected = 0;
try {
  const { startFixtureServer } = await import('./fixture-server.mjs');
  const fixture = await startFixtureServer();
  ends.push(fixture.end);
  const runtime = await startRuntime();
  for (const revision of REVISIONS) {
    for (const [name, url, expected] of [
      ['the runtime', runtime, scenario => FOR_ANY[revision].includes(scenario)],
      ['the fixture', fixture.url.replace('127.0.0.1', 'localhost'), scenario => NOT_THERE[scenario] === undefined],
    ]) {
      const all = (await suite(url, revision)).filter(({ scenario }) => name === 'the fixture' || expected(scenario));
      const passed = all.filter(({ failed }) => failed === 0);
      const wrong = all.filter(({ scenario, failed }) => failed > 0 && expected(scenario));
      unexpected += wrong.length;
      console.log(`${revision} on ${name}: ${passed.length} of ${all.length} scenarios pass, ${passed.reduce((sum, one) => sum + one.passed, 0)} checks`);
      for (const { scenario, failed } of all.filter(one => one.failed > 0)) console.log(`  ${expected(scenario) ? 'FAILED' : 'not there'}: ${scenario}${expected(scenario) ? `, ${failed} checks` : `: ${NOT_THERE[scenario]}`}`);
    }
  }
  console.log(unexpected === 0 ? 'nothing fails that should pass' : `${unexpected} scenarios fail that should pass`);
} finally {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = unexpected === 0 ? 0 : 1;

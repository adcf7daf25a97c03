// What the demonstration needs, in one temporary folder: the runtime as a process of its own, and a customer's database beside it.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(join(root, 'package.json'));
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 15_000;

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => { resolve(port); }); });
});
const pause = ms => new Promise(resolve => { setTimeout(resolve, ms); });
const hasEnded = child => child.exitCode !== null || child.signalCode !== null;

export class World {
  #ends = [];
  #ended = null;
  #starting = null;
  folder = mkdtempSync(join(tmpdir(), 'aifirst-demo-'));
  dataDir = join(this.folder, 'data');
  files = join(this.folder, 'files');

  /** Everything that `files` (path: content) and `tables` (SQL) say is there, and the runtime is ready. */
  start(tables, files) { return this.#starting = this.#start(tables, files); }

  async #start(tables, files) {
    chmodSync(this.folder, 0o711); // Why: as root the database runs as another user, which must get to its folder in this one.
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.files, path)), { recursive: true });
      writeFileSync(join(this.files, path), content);
      chmodSync(join(this.files, path), 0o644);
    }
    await Promise.all([this.#startRuntime(), this.#startDatabase(tables)]);
    this.admin = readFileSync(this.at('data/admin.token'), 'utf8').trim();
  }

  async #startDatabase(tables) {
    const { startEmbeddedPostgres } = require(join(root, 'libs/embedded-postgres/dist/index.js'));
    const { Client } = require('pg');
    const folder = join(this.folder, 'customer');
    const postgres = await startEmbeddedPostgres({ dataDir: folder });
    this.#ends.push(async () => { await postgres.stop(); removeElsewhere(folder); });
    const first = new Client(postgres.connection);
    await first.connect();
    await first.query('CREATE DATABASE crm');
    await first.end();
    this.reached = { ...postgres.connection, database: 'crm' };
    this.database = new Client(this.reached);
    this.database.on('error', () => undefined); // Why: it is cut when the server stops.
    this.#ends.push(() => this.database.end());
    await this.database.connect();
    // Why: our own schema may come first for the user that the database was made with.
    await this.database.query(`SET search_path = public; ${tables}`);
    writeFileSync(this.at('crm.password'), this.reached.password, { mode: 0o600 });
  }

  async #startRuntime() {
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
    // Why detached: Ctrl-C is for us, who end the others in order. Why a channel: should we be killed, the runtime notices and ends.
    const child = spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', join(root, 'apps/runtime/dist/main.js')], {
      cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { PATH, HOME, LANG, DATA_DIR: this.dataDir, PORT: String(port), DEMO: '0', LOG_LEVEL: 'warn' },
    });
    let written = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { written = (written + text).slice(-4_000); });
    let isStopped = false;
    this.stopRuntime = async () => {
      if (isStopped) return;
      isStopped = true;
      await endOf(child);
      removeElsewhere(this.dataDir);
    };
    this.#ends.push(this.stopRuntime);
    for (const until = performance.now() + READY_MS_MAX; ; await pause(50)) {
      if (hasEnded(child) || performance.now() > until) throw new Error(`the runtime did not start: ${written}`);
      try { if ((await fetch(`${this.url}/health/ready`)).ok) return; } catch { /* not yet */ }
    }
  }

  at(path) { return join(this.folder, path); }

  async ask(method, path, body, token = this.admin) {
    const response = await fetch(`${this.url}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** The command line. @returns what it writes, line by line as it comes, and in the end its exit code and all it wrote */
  aifirst(args, more = {}) {
    const env = { PATH: process.env.PATH, HOME: this.folder, AIFIRST_URL: this.url, DATA_DIR: this.dataDir, ...more };
    const child = spawn(process.execPath, [join(root, 'apps/cli/dist/main.js'), ...args], { cwd: this.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#ends.push(() => endOf(child));
    const [texts, later, waiting] = [[], [], []];
    let isOver = false;
    const wake = () => { for (const one of waiting.splice(0)) one(); };
    createInterface({ input: child.stdout }).on('line', text => { texts.push(text); wake(); });
    // Why later: nobody could say which of the two comes first.
    createInterface({ input: child.stderr }).on('line', text => { later.push(text); });
    const code = new Promise((resolve, reject) => { child.once('close', resolve).once('error', reject); }).finally(() => { texts.push(...later); isOver = true; wake(); });
    async function* lines() {
      for (let at = 0; ; at++) {
        while (at >= texts.length) { if (isOver) return; await new Promise(resolve => { waiting.push(resolve); }); }
        yield texts[at];
      }
    }
    return { lines: lines(), ended: code.then(exit => ({ code: exit, text: texts.join('\n') })) };
  }

  /** Every row of every table as text, and of every file content, mode and time of change. */
  async state() {
    const { rows: names } = await this.database.query("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1");
    const tables = {};
    for (const { name } of names) tables[name] = (await this.database.query(`SELECT t::text AS row FROM public."${name}" t ORDER BY 1`)).rows.map(({ row }) => row);
    const paths = readdirSync(this.files, { recursive: true }).filter(path => !path.startsWith('.aifirst') && statSync(join(this.files, path)).isFile()).sort();
    const files = Object.fromEntries(paths.map(path => {
      const { mode, uid, gid, mtimeNs } = statSync(join(this.files, path), { bigint: true });
      return [path, `${mode} ${uid}:${gid} ${mtimeNs} ${readFileSync(join(this.files, path), 'hex')}`];
    }));
    return { tables, files };
  }

  /** Ends everything and removes every file. */
  end() {
    this.#ended ??= (async () => {
      await this.#starting?.catch(() => undefined); // Why: what is half started can't be ended in order.
      for (const end of this.#ends.splice(0).reverse()) await Promise.resolve().then(end).catch(error => { process.stderr.write(`${error}\n`); });
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    })();
    return this.#ended;
  }
}

async function endOf(child) {
  if (hasEnded(child)) return;
  const ended = new Promise(resolve => { child.once('exit', resolve); });
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(late);
}

/** A database whose user can't reach its folder lies elsewhere, where this file says. */
function removeElsewhere(dataDir) {
  const named = join(dataDir, 'postgres.path');
  if (existsSync(named)) rmSync(readFileSync(named, 'utf8').trim(), { recursive: true, force: true });
}

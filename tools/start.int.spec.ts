import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TYPESCRIPT_LOADER } from '@aifirst/embedded-postgres/testing';

const root = join(__dirname, '..');

/** Why exec: some shells stay between npm and what they run, and hand on no signal: npm's SIGINT would reach nobody, its SIGTERM the shell alone. */
const SCRIPT = 'exec node --max-semi-space-size=64 tools/start.mjs';

/** Stands where the runtime is built to: drains for a moment, as the real one does, and writes down what happens to it. */
const MAIN = `
  require(${JSON.stringify(TYPESCRIPT_LOADER)});
  const { onShutdown } = require(${JSON.stringify(join(root, 'apps/runtime/src/lifecycle.ts'))});
  const { appendFileSync } = require('node:fs');
  const note = (what, more) => appendFileSync(process.env.NOTES, JSON.stringify({ what, pid: process.pid, ppid: process.ppid, ...more }) + '\\n');
  process.on('exit', code => note('exit', { code }));
  onShutdown(async () => { note('drain'); await new Promise(resolve => setTimeout(resolve, 300)); note('drained'); });
  note('ready');
  setInterval(() => {}, 1000);
  if (process.env.FAIL) setTimeout(() => process.exit(7), 50);
`;

interface Note { what: string; pid: number; ppid: number; code?: number }

describe('npm start', () => {
  let folder: string;
  let notesFile: string;
  let npm: ChildProcess;
  let pids: number[];
  const notes = (): Note[] => { try { return readFileSync(notesFile, 'utf8').trim().split('\n').map(line => JSON.parse(line) as Note); } catch { return []; } };
  const saw = (what: string) => notes().find(note => note.what === what);
  const alive = (pid: number) => { try { return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; } };

  async function until(condition: () => boolean, withinMs: number): Promise<void> {
    for (const endsAtMs = Date.now() + withinMs; !condition();) {
      if (Date.now() > endsAtMs) throw new Error(`not within ${withinMs} ms; seen: ${JSON.stringify(notes())}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  async function start(env: NodeJS.ProcessEnv = {}): Promise<{ npm: number; child: number; runtime: number; exited: Promise<number | NodeJS.Signals | null> }> {
    npm = spawn('npm', ['start'], { cwd: folder, env: { ...process.env, NOTES: notesFile, ...env }, stdio: 'ignore', detached: true });
    const exited = new Promise<number | NodeJS.Signals | null>(resolve => npm.once('exit', (code, signal) => { resolve(code ?? signal); }));
    await until(() => saw('ready') !== undefined, 20_000);
    const runtime = saw('ready')!.pid;
    const parent = saw('ready')!.ppid;
    pids = [npm.pid!, parent, runtime];
    return { npm: npm.pid!, child: parent === npm.pid ? runtime : parent, runtime, exited };
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'aifirst-test-'));
    notesFile = join(folder, 'notes');
    for (const path of ['tools', 'apps/runtime/dist']) mkdirSync(join(folder, path), { recursive: true });
    copyFileSync(join(root, 'tools/start.mjs'), join(folder, 'tools/start.mjs'));
    writeFileSync(join(folder, 'tools/build.mjs'), 'export async function build() { return 0; }');
    writeFileSync(join(folder, 'apps/runtime/dist/main.js'), MAIN);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'fixture', scripts: { start: SCRIPT } }));
    pids = [];
  });
  afterEach(() => {
    for (const pid of pids) { try { process.kill(pid, 'SIGKILL'); } catch { /* gone */ } }
    rmSync(folder, { recursive: true, force: true });
  });

  it('is the script that is tested here', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
    expect(scripts.start).toBe(SCRIPT);
  });

  const nothingLeft = () => until(() => pids.every(pid => !alive(pid)), 10_000);

  it.each(['SIGTERM', 'SIGINT'] as const)('drains once and exits 0 when npm gets %s', async signal => {
    const { exited } = await start();
    npm.kill(signal);
    await nothingLeft();
    expect(notes().map(({ what }) => what)).toEqual(['ready', 'drain', 'drained', 'exit']);
    expect(await exited).toBe(0);
  });

  it('drains once and exits 0 on Ctrl-C, which everybody in the terminal gets', async () => {
    const { exited } = await start();
    process.kill(-npm.pid!, 'SIGINT');
    await nothingLeft();
    expect(notes().map(({ what }) => what)).toEqual(['ready', 'drain', 'drained', 'exit']);
    expect(await exited).toBe(0);
  });

  it.each([['npm', 'SIGKILL'], ['runtime', 'SIGTERM'], ['runtime', 'SIGINT'], ['runtime', 'SIGHUP']] as const)('drains and leaves nothing when the %s gets %s', async (who, signal) => {
    const started = await start();
    process.kill(started[who], signal);
    await nothingLeft();
    expect(notes().map(({ what }) => what)).toEqual(['ready', 'drain', 'drained', 'exit']);
    expect(saw('exit')).toMatchObject({ code: 0 });
  });

  it.each([['npm', 'SIGKILL'], ['child', 'SIGKILL'], ['child', 'SIGTERM']] as const)('drains and leaves nothing, with a shell that stays in between, when the %s gets %s', async (who, signal) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'fixture', scripts: { start: 'node tools/start.mjs; exit $?' } }));
    const started = await start();
    expect(started.child).not.toBe(started.runtime);
    process.kill(started[who], signal);
    await nothingLeft();
    expect(notes().map(({ what }) => what)).toEqual(['ready', 'drain', 'drained', 'exit']);
    expect(saw('exit')).toMatchObject({ code: 0 });
  });

  it('leaves nothing when the runtime is killed', async () => {
    const started = await start();
    process.kill(started.runtime, 'SIGKILL');
    await nothingLeft();
    expect(await started.exited).not.toBe(0);
  });

  it('hands on the exit code', async () => {
    const { exited } = await start({ FAIL: '1' });
    expect(await exited).toBe(7);
    await nothingLeft();
  });
});

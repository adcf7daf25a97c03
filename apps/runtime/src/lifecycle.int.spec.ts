import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { TYPESCRIPT_LOADER, exitOf, firstJsonLine, runScript, untilGone } from '@aifirst/embedded-postgres/testing';

const LIFECYCLE = JSON.stringify(join(__dirname, 'lifecycle.ts'));

/** A process that says on standard error what its drain does. */
const script = (drain: string, more = '') => `
  const { onShutdown } = require(${LIFECYCLE});
  const shutdown = onShutdown(async () => { console.error('drain'); ${drain} });
  console.log(JSON.stringify({ pid: process.pid }));
  setInterval(() => {}, 1000);
  ${more}`;
const SLOWLY = 'await new Promise(() => {});';
const NO_NPM = { npm_lifecycle_event: undefined };

describe('the end of the process', () => {
  const children: ChildProcess[] = [];
  afterEach(() => { for (const child of children.splice(0)) child.kill('SIGKILL'); });

  async function run(code: string, env: NodeJS.ProcessEnv = NO_NPM) {
    const child = runScript(code, { env });
    children.push(child);
    let log = '';
    child.stderr!.on('data', chunk => { log += chunk; });
    await firstJsonLine(child);
    return { child, log: () => log, exit: () => exitOf(child), said: async (text: string) => { while (!log.includes(text)) await new Promise(resolve => setTimeout(resolve, 10)); } };
  }

  it('exits 1 when the drain fails, and says why', async () => {
    const { child, exit, log } = await run(script(`throw new Error('the log is \\\`gone\\\`');`));
    child.kill('SIGTERM');
    expect(await exit()).toEqual({ code: 1, signal: null });
    expect(log()).toContain('not in order: the log is `gone`');
  });

  it('exits 1 within 10 s when the drain takes too long', async () => {
    const { child, exit } = await run(script(SLOWLY));
    const beganAtMs = Date.now();
    child.kill('SIGTERM');
    expect(await exit()).toEqual({ code: 1, signal: null });
    expect(Date.now() - beganAtMs).toBeGreaterThan(9_000);
    expect(Date.now() - beganAtMs).toBeLessThan(10_000);
  });

  it('exits at once on a second signal, but takes two in one moment for one', async () => {
    const { child, exit, log, said } = await run(script(SLOWLY));
    child.kill('SIGINT');
    await said('drain');
    child.kill('SIGINT');
    await new Promise(resolve => setTimeout(resolve, 1_200)); // The moment that counts as one is a second.
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await exit()).toEqual({ code: 1, signal: null });
    expect(log().match(/drain/g)).toHaveLength(1);
  });

  it('drains for a reason of our own too, with its exit code', async () => {
    const { exit, log } = await run(script('', `shutdown.begin('the database is gone', 3); shutdown.begin('again', 4);`));
    expect(await exit()).toEqual({ code: 3, signal: null });
    expect(log()).toContain('ending: the database is gone\n');
  });

  it('drains although nobody reads its output any more', async () => {
    const { child, exit } = await run(script(`for (let i = 0; i < 50; i++) { console.log('x'.repeat(1000)); console.error('x'); await new Promise(resolve => setTimeout(resolve, 2)); }`));
    child.stdout!.destroy();
    child.stderr!.destroy();
    child.kill('SIGTERM');
    expect(await exit()).toEqual({ code: 0, signal: null });
  });

  it('stays when a shell that started it leaves, and not when npm does', async () => {
    const orphan = (env: string) => `const { runScript, firstJsonLine } = require('@aifirst/embedded-postgres/testing');
      firstJsonLine(runScript(${JSON.stringify(script(''))}, { env: ${env} })).then(line => console.log(JSON.stringify(line)));
      setInterval(() => {}, 1000);`;
    const [shell, npm] = [runScript(orphan('{ npm_lifecycle_event: undefined }'), { env: NO_NPM }), runScript(orphan(`{ npm_lifecycle_event: 'start' }`))];
    children.push(shell, npm);
    const [stays, goes] = await Promise.all([firstJsonLine<{ pid: number }>(shell), firstJsonLine<{ pid: number }>(npm)]);
    shell.kill('SIGKILL');
    npm.kill('SIGKILL');
    await untilGone(goes.pid, 2_000);
    expect(() => process.kill(stays.pid, 'SIGKILL')).not.toThrow();
  });

  it('comes when a parent with a channel to it is gone', async () => {
    const child = spawn(process.execPath, ['-r', TYPESCRIPT_LOADER, '-e', script('')], {
      env: { ...process.env, ...NO_NPM }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    children.push(child);
    await firstJsonLine(child);
    child.disconnect();
    expect(await exitOf(child)).toEqual({ code: 0, signal: null });
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../processes';

/** For `node -r`. */
export const TYPESCRIPT_LOADER = join(__dirname, 'run-typescript.cjs');

/** Runs JavaScript that may `require` our TypeScript in a Node of its own. */
export function runScript(code: string, options: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv; execArgv?: readonly string[] } = {}): ChildProcess {
  const { uid, gid, env } = options;
  return spawn(process.execPath, [...(options.execArgv ?? []), '-r', TYPESCRIPT_LOADER, '-e', code], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], ...(uid === undefined ? {} : { uid, cwd: '/' }), ...(gid === undefined ? {} : { gid }),
  });
}

/** The first line of its output that is JSON; rejects with what it wrote if it ends before. */
export function firstJsonLine<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr?.on('data', chunk => { text += chunk; });
    child.stdout?.on('data', chunk => {
      text += chunk;
      const line = text.split('\n').slice(0, -1).find(candidate => candidate.startsWith('{'));
      if (line !== undefined) resolve(JSON.parse(line) as T);
    });
    child.once('close', code => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

export const exitOf = (child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> =>
  new Promise(resolve => {
    if (child.exitCode !== null || child.signalCode !== null) resolve({ code: child.exitCode, signal: child.signalCode });
    else child.once('exit', (code, signal) => resolve({ code, signal }));
  });

export async function until(condition: () => boolean | Promise<boolean>, withinMs: number, what: string): Promise<void> {
  for (const endsAtMs = Date.now() + withinMs; Date.now() < endsAtMs;) {
    if (await condition()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}

export const untilGone = (pid: number, withinMs = 8_000): Promise<void> => until(() => !isAlive(pid), withinMs, `end of process ${pid}`);

/** Processes whose command line names this text (Linux). */
export function processesNaming(text: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try { return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text); } catch { return false; }
  });
}

/** A temporary folder that other users may pass through. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'aifirst-test-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }) };
}

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { pause } from './wait';

/** The repository. */
export const ROOT = join(__dirname, '..', '..');

const LOCK = join(tmpdir(), `aifirst-build-${createHash('sha256').update(ROOT).digest('hex').slice(0, 16)}.lock`);
const LOCK_MS_MAX = 120_000;
let built = false;

/**
 * Compiles what is stale, once per test file and never twice at a time: test files run side by side, and one must not
 * start what another is still writing. With everything fresh it costs a tenth of a second.
 */
export async function ensureBuilt(): Promise<void> {
  if (built) return;
  const release = await lock();
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/build.mjs'], { cwd: ROOT, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the build failed: ${stdout}${stderr}`);
    built = true;
  } finally {
    release();
  }
}

async function lock(): Promise<() => void> {
  for (const endsAtMs = Date.now() + LOCK_MS_MAX; ;) {
    try {
      const fd = openSync(LOCK, 'wx');
      writeSync(fd, String(process.pid));
      closeSync(fd);
      return () => { rmSync(LOCK, { force: true }); };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!isAlive(holder())) rmSync(LOCK, { force: true });
    if (Date.now() > endsAtMs) throw new Error(`another build holds \`${LOCK}\``);
    await pause(50);
  }
}

function holder(): number {
  try { return Number(readFileSync(LOCK, 'utf8')) || process.pid; } catch { return process.pid; }
}

function isAlive(pid: number): boolean {
  try { process.kill(pid, 0); return true; } catch (error) { return (error as NodeJS.ErrnoException).code === 'EPERM'; }
}

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperationalError } from '@aifirst/kernel';
import { hasEnded, isAlive, send } from './processes';

/** Positive, and above what any system gives out. */
const NOBODYS_PID = 2_147_483_646;
const FAST_SHUTDOWN_MS_MAX = 1_500;
const IMMEDIATE_SHUTDOWN_MS_MAX = 6_000;

export function postmasterPid(dataPath: string): number | undefined {
  const path = join(dataPath, 'postmaster.pid');
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return pid > 0 ? pid : undefined;
}

/**
 * Ends a server that outlived the process that started it, and clears what a killed one left, so that the next can start.
 * Only for whoever holds the lock on the folder: nobody else may be using that server.
 */
export async function endLeftover(dataPath: string, onLog: (line: string) => void): Promise<void> {
  const pid = postmasterPid(dataPath);
  if (pid === undefined) return;
  if (!isAlive(pid) || !servesFolder(pid, dataPath)) {
    forgetPid(dataPath, pid);
    return;
  }
  onLog(`ending the database server (process ${pid}) that an earlier start left behind`);
  send(pid, 'SIGINT');
  if (await hasEnded(pid, FAST_SHUTDOWN_MS_MAX)) return;
  send(pid, 'SIGQUIT');
  if (await hasEnded(pid, IMMEDIATE_SHUTDOWN_MS_MAX)) return;
  throw new OperationalError('POSTGRES_LEFTOVER', `the database server (process ${pid}) of an earlier start does not end: end it, and start again`);
}

/**
 * Why: PostgreSQL refuses to start if the process id in a stale postmaster.pid is some other program's by now, or a zombie, as happens in containers.
 * Why not removed: its last lines let PostgreSQL see whether backends of the dead server still hold the shared memory.
 */
function forgetPid(dataPath: string, pid: number): void {
  const path = join(dataPath, 'postmaster.pid');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\d+/, String(NOBODYS_PID)));
  const lock = socketLock(dataPath);
  if (lock !== undefined && existsSync(lock) && Number.parseInt(readFileSync(lock, 'utf8'), 10) === pid) {
    writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^\d+/, String(NOBODYS_PID)));
  }
}

/** The fourth and fifth line of postmaster.pid are the port and the folder of the socket. */
function socketLock(dataPath: string): string | undefined {
  const [, , , port, folder] = readFileSync(join(dataPath, 'postmaster.pid'), 'utf8').split('\n');
  return port !== undefined && folder !== undefined && folder !== '' ? join(folder, `.s.PGSQL.${port}.lock`) : undefined;
}

function servesFolder(pid: number, dataPath: string): boolean {
  if (process.platform !== 'linux') {
    try {
      return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(dataPath);
    } catch { return false; } // Why: ps exits 1 where the process has ended meanwhile.
  }
  return attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dataPath))
    || attempt(() => readlinkSync(`/proc/${pid}/cwd`) === dataPath);
}

/** What /proc refuses to show of a process is not ours, or has ended. */
function attempt(check: () => boolean): boolean {
  try { return check(); } catch { return false; }
}

import { readFileSync } from 'node:fs';

const POLL_MS = 10;

/** Whether there is such a process that still runs. One that has ended and waits for a parent to notice (in containers for ever) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'; // Why: it has ended between the two looks.
  }
}

/** Sends a signal; a process that has ended meanwhile is none to send it to. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try { process.kill(pid, signal); } catch (error) { if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; }
}

/** Waits for the end of a process that is not our child. */
export async function hasEnded(pid: number, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    if (!isAlive(pid)) return true;
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  return !isAlive(pid);
}

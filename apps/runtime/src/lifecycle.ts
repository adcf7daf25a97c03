import { readFileSync } from 'node:fs';
import { messageOf } from '@aifirst/kernel';

/** An end takes at most 10 s; what is not drained by then is as after a kill, which everything here survives. */
const DRAIN_MS_MAX = 9_500;
/** Ctrl-C reaches us twice when npm hands it on: from the terminal and from npm. One key stroke is one wish. */
const SAME_WISH_MS_MAX = 1_000;
const PARENT_POLL_MS = 250;

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export interface Shutdown {
  /** Begins the end for a reason of our own, such as a database that is gone for good. Without effect once it has begun. */
  begin(reason: string, exitCode: number): void;
}

// Why read when the module loads: a parent that dies while we start must be missed too.
const bornTo = ancestors();

/**
 * Ends this process in order: on SIGTERM, SIGINT or SIGHUP, or when whoever started it is gone (npm, or a parent with an IPC channel).
 * `drain` runs once; then the exit code is 0, or 1 if it failed or took longer than 9.5 s. A second signal ends it at once.
 * Call it before anything is started that needs an end; signals are only caught from then on.
 * @param onLog lines for the operator
 */
export function onShutdown(drain: () => Promise<void>, onLog: (line: string) => void = line => { console.error(line); }): Shutdown {
  let beganAtMs: number | undefined;

  function begin(reason: string, exitCode: number): void {
    if (beganAtMs !== undefined) return;
    beganAtMs = performance.now();
    onLog(`ending: ${reason}`);
    setTimeout(() => { onLog(`ending at once: not drained after ${DRAIN_MS_MAX} ms`); process.exit(1); }, DRAIN_MS_MAX);
    Promise.resolve().then(drain).then(
      () => { process.exit(exitCode); },
      error => { onLog(`ending, but not in order: ${messageOf(error)}`); process.exit(1); },
    );
  }

  keepWritingSafe();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (beganAtMs !== undefined && performance.now() - beganAtMs > SAME_WISH_MS_MAX) {
        onLog(`ending at once: ${signal} again`);
        process.exit(1);
      }
      begin(signal, 0);
    });
  }
  if (process.channel !== undefined && process.channel !== null) process.once('disconnect', () => { begin('the parent process is gone', 0); });
  // Why only then: who starts us from a shell in the background and leaves wants us to stay.
  if (process.env['npm_lifecycle_event'] !== undefined) watchParent(() => { begin('the parent process is gone', 0); });
  return { begin };
}

function watchParent(onGone: () => void): void {
  const poll = setInterval(() => {
    if (ancestors() === bornTo) return;
    clearInterval(poll);
    onGone();
  }, PARENT_POLL_MS);
  poll.unref();
}

/** Our parent, and its parent: some shells stay between npm and us, and outlive npm. */
function ancestors(): string {
  const parent = process.ppid;
  if (process.platform !== 'linux') return String(parent);
  try {
    return `${parent} ${/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${parent}/status`, 'utf8'))?.[1] ?? ''}`;
  } catch { return String(parent); } // Why: /proc may hide other users' processes, or the parent has just ended: then the number tells.
}

/** A terminal or parent that is gone makes every line written to it an error; none of them may end us before the drain does. */
function keepWritingSafe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', error => {
      if (!['EPIPE', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  }
}

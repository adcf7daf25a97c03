import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { send } from './processes';
import { asUser, type ServerUser } from './server-user';

/** How long a guarded program may take over its orderly end before it is told to end at once. */
const ORDERLY_END_SECONDS_MAX = 4;

/**
 * Runs a program for as long as somebody holds the other end of its standard input: a pipe into Node, which the kernel closes
 * when Node ends, also by SIGKILL. A child of the shell, so there is no moment at which the program runs unguarded.
 * SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
 */
const SCRIPT = `
seconds=$1; shift
exec 3<&0 </dev/null
"$@" >&2 3<&- &
program=$!
trap '' HUP INT TERM PIPE
echo "$program"
exec >/dev/null
{
  read -r _ <&3
  kill -INT "$program"
  while kill -0 "$program" && [ "$seconds" -gt 0 ]; do sleep 1; seconds=$((seconds - 1)); done
  kill -0 "$program" && kill -QUIT "$program"
} 2>/dev/null &
guard=$!
exec 3<&-
wait "$program"
code=$?
kill -KILL "$guard" 2>/dev/null
exit "$code"
`;

export interface Guarded {
  /** The program's own, not the shell's. */
  readonly pid: Promise<number | undefined>;
  /** Its exit code, once it has ended; null if the shell was killed. */
  readonly ended: Promise<number | null>;
  /** The last lines that it wrote. */
  readonly tail: readonly string[];
  /** Ends it, orderly if that is quick. Resolves when it has ended. */
  stop(): Promise<void>;
}

const TAIL_LINES_MAX = 40;

/** In a session of its own, so that Ctrl-C in a terminal reaches us first and the program later, in order. */
export function runGuarded(user: ServerUser, program: string, args: readonly string[], onLine: (line: string) => void): Guarded {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'aifirst-postgres-guard', String(ORDERLY_END_SECONDS_MAX), program, ...args], {
    ...asUser(user), stdio: ['pipe', 'pipe', 'pipe'], detached: true,
  });
  const tail: string[] = [];
  shell.stdin.on('error', () => undefined); // Why: the shell may be gone before we close its input; its end is reported below.
  createInterface({ input: shell.stderr }).on('line', line => {
    tail.push(line);
    if (tail.length > TAIL_LINES_MAX) tail.shift();
    onLine(line);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    shell.once('error', reject);
    // Why 'close': all that it wrote has been read by then. The guard's own processes hold no end of these pipes.
    shell.once('close', code => resolve(code));
  });
  ended.catch(() => undefined);
  const pid = new Promise<number | undefined>(resolve => {
    createInterface({ input: shell.stdout }).once('line', line => resolve(Number(line))).once('close', () => resolve(undefined));
  });
  let running = true;
  ended.then(() => { running = false; }, () => { running = false; });
  return {
    pid, ended, tail,
    async stop() {
      shell.stdin.end();
      // Why again, from here: whoever kills the guard alone must not keep us from ending.
      const id = await pid;
      if (id !== undefined && running) send(id, 'SIGINT');
      const overdue = setTimeout(() => { if (id !== undefined && running) send(id, 'SIGQUIT'); }, ORDERLY_END_SECONDS_MAX * 1_000);
      await ended.finally(() => clearTimeout(overdue));
    },
  };
}

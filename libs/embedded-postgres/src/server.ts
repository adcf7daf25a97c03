import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries';
import { runGuarded, type Guarded } from './guard';
import type { ServerUser } from './server-user';
import { failureOf } from './start-failure';

/** The port is part of the socket's name; nothing listens on TCP. */
export const PORT = 5432;

/** A server whose postmaster was killed frees its memory only when its last backend has noticed. */
const OLD_BACKENDS_MS_MAX = 3_000;
const OLD_BACKENDS_POLL_MS = 100;
const READY_POLL_MS = 5;

export const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  port: String(PORT),
  unix_socket_permissions: '0700',
  max_connections: '100',
  max_prepared_transactions: '64',
  wal_level: 'logical',
  fsync: 'on',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  jit: 'off',
  // Why: parallel queries need /dev/shm, of which containers have little, and our queries are short.
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '',
  log_checkpoints: 'off',
  // Why: a conflict between writers is an everyday answer, and would write a line each time. The order is … error, log, fatal, panic.
  log_min_messages: 'log',
  // Why: a failing statement's text and values may hold what agents sent.
  log_min_error_statement: 'panic',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
};

export interface ServerPlan {
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly place: string;
  readonly dataPath: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly onLog: (line: string) => void;
  readonly onServerLog: (line: string) => void;
}

/** Starts the server and waits until it takes connections, recovery included. */
export async function startServer({ binaries, user, place, dataPath, settings, onServerLog }: ServerPlan): Promise<{ server: Guarded; pid: number }> {
  const args = ['-D', dataPath, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  for (const beganAtMs = Date.now(); ; ) {
    const server = runGuarded(user, binaries.postgres, args, onServerLog);
    const pid = await server.pid;
    if (pid !== undefined && await becomesReady(server, pid, dataPath)) return { server, pid };
    const code = await server.ended;
    const heldByOldBackends = server.tail.some(line => line.includes('pre-existing shared memory block'));
    if (!heldByOldBackends || Date.now() - beganAtMs > OLD_BACKENDS_MS_MAX) throw failureOf(server.tail, place, `the database server ended with code ${code}`);
    await new Promise(resolve => setTimeout(resolve, OLD_BACKENDS_POLL_MS));
  }
}

/** @returns false when it ended before */
async function becomesReady(server: Guarded, pid: number, dataPath: string): Promise<boolean> {
  let ended = false;
  const end = () => { ended = true; };
  server.ended.then(end, end);
  while (!ended) {
    if (isReady(dataPath, pid)) return true;
    await new Promise(resolve => setTimeout(resolve, READY_POLL_MS));
  }
  return false;
}

/** The server's own word: the first line of postmaster.pid is whose it is, the eighth its state. */
function isReady(dataPath: string, pid: number): boolean {
  const path = join(dataPath, 'postmaster.pid');
  if (!existsSync(path)) return false;
  const lines = readFileSync(path, 'utf8').split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinaries, prepareBinaries, type Binaries } from './binaries';
import { SUPERUSER, ensureCluster } from './cluster';
import { makeDataDir } from './data-dir';
import { holdOrRefuse } from './data-dir-lock';
import { runGuarded, type Guarded } from './guard';
import { endLeftover } from './leftover';
import { findPlace, ownerOf } from './place';
import { serverUser, type ServerUser } from './server-user';
import { PORT, makeSocketFolder } from './socket';
import { failureOf } from './start-failure';

/** For `pg`'s ClientConfig and TypeORM alike. The user is the server's superuser: for migrations and for making roles. */
export interface PostgresConnection {
  /** The folder of a Unix socket: there is no TCP. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgresOptions {
  /** Made if it is not there. */
  readonly dataDir: string;
  /** What the start does that an operator should know, and the server's own log, line by line. */
  readonly onLog?: (line: string) => void;
  /** Settings of PostgreSQL over those below. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  readonly connection: PostgresConnection;
  /** The folder of the database's files. */
  readonly dataPath: string;
  /** The server's process. */
  readonly pid: number;
  /** Resolves when the server has ended, whoever ended it, with why. After `stop` it says nothing more than that. */
  readonly ended: Promise<string>;
  /** Ends the server in order and lets go of the folder. Close the pools first: their connections are cut. Repeating it is a no-op. */
  stop(): Promise<void>;
}

/** A server whose postmaster was killed frees its memory only when its last backend has noticed. */
const OLD_BACKENDS_MS_MAX = 3_000;
const READY_POLL_MS = 5;

const SETTINGS: Readonly<Record<string, string>> = {
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
  // Why: parallel queries need /dev/shm, of which containers have little; ours are short.
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '',
  log_checkpoints: 'off',
  // Why: a failing statement's text and values may hold what agents sent.
  log_min_error_statement: 'panic',
  log_parameter_max_length_on_error: '0',
};

/**
 * Starts the PostgreSQL that comes with us on a folder of its own. It ends with this process, however that ends; what was committed stays.
 * As root it runs as the owner of the data, or `postgres`, or `nobody`.
 * @throws DataDirInUse, or an OperationalError that says what to do (DISK_FULL, POSTGRES_OTHER_VERSION, POSTGRES_UNAVAILABLE …)
 */
export function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  return start(options, true);
}

/** @param durable false in tests only */
export async function start({ dataDir: path, onLog = () => undefined, settings = {} }: EmbeddedPostgresOptions, durable: boolean): Promise<EmbeddedPostgres> {
  const dataDir = makeDataDir(path);
  const user = { ...serverUser(), ...ownerOf(dataDir) };
  const place = findPlace(dataDir, user, onLog);
  const lock = holdOrRefuse(join(place, 'lock'), dataDir);
  try {
    const binaries = prepareBinaries(findBinaries(), user, place, onLog);
    const { dataPath, password } = await ensureCluster(place, binaries, user, durable, onLog);
    await endLeftover(dataPath, onLog);
    const socket = makeSocketFolder(place, user);
    const all = { ...SETTINGS, ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }), unix_socket_directories: socket.folder, ...settings };
    const { server, pid } = await startServer(binaries, user, place, dataPath, all, onLog);
    let stopping: Promise<void> | undefined;
    const ended = server.ended.then(
      code => { lock.release(); socket.remove(); return stopping === undefined ? failureOf(server.tail, place, `the database server ended with code ${code}`).message : 'the database server was stopped'; },
    );
    return {
      connection: { host: socket.folder, port: PORT, user: SUPERUSER, password, database: 'postgres' }, dataPath, pid, ended,
      stop: () => (stopping ??= server.stop().then(async () => { await ended; })),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startServer(binaries: Binaries, user: ServerUser, place: string, dataPath: string, settings: Readonly<Record<string, string>>, onLog: (line: string) => void): Promise<{ server: Guarded; pid: number }> {
  const args = ['-D', dataPath, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  for (const beganAtMs = Date.now(); ; ) {
    const server = runGuarded(user, binaries.postgres, args, onLog);
    const pid = await server.pid;
    let code: number | null | undefined;
    server.ended.then(ended => { code = ended; }, () => { code = null; });
    while (code === undefined) {
      if (pid !== undefined && isReady(dataPath, pid)) return { server, pid };
      await new Promise(resolve => setTimeout(resolve, READY_POLL_MS));
    }
    const heldByOldBackends = server.tail.some(line => line.includes('pre-existing shared memory block'));
    if (!heldByOldBackends || Date.now() - beganAtMs > OLD_BACKENDS_MS_MAX) throw failureOf(server.tail, place, `the database server ended with code ${code}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

/** The server's own word: the first line of postmaster.pid is whose it is, the eighth its state. */
function isReady(dataPath: string, pid: number): boolean {
  const path = join(dataPath, 'postmaster.pid');
  if (!existsSync(path)) return false;
  const lines = readFileSync(path, 'utf8').split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

import { join } from 'node:path';
import { messageOf } from '@aifirst/kernel';
import { findBinaries, prepareBinaries } from './binaries';
import { SUPERUSER, ensureCluster } from './cluster';
import { makeDataDir } from './data-dir';
import { holdOrRefuse } from './data-dir-lock';
import type { FileLock } from './file-lock';
import { endLeftover } from './leftover';
import { findPlace, serverUserFor } from './place';
import { PORT, SETTINGS, startServer, type ServerPlan } from './server';
import { makeSocketFolder, type SocketFolder } from './socket';
import { explained, failureOf } from './start-failure';

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
  /** What an operator should know: where the database is, that it was made or started again. */
  readonly onLog?: (line: string) => void;
  /** The server's own log, line by line: its starts and ends, FATAL and PANIC. Errors of statements go to whoever sent them, and not here. */
  readonly onServerLog?: (line: string) => void;
  /** Settings of PostgreSQL over our own. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  readonly connection: PostgresConnection;
  /** The folder of the database's files. */
  readonly dataPath: string;
  /** The server's process; another one after a restart. */
  readonly pid: number;
  /** Resolves with the reason when the server is gone for good: after `stop`, or when it could not be started again. */
  readonly ended: Promise<string>;
  /** Ends the server in order and lets go of the folder. Close the pools first: their connections are cut. Repeating it is a no-op. */
  stop(): Promise<void>;
}

/** A server that ends unasked (killed for want of memory, say) is started again, but not for ever. */
const RESTARTS_MAX = 5;
const RESTARTS_WITHIN_MS = 60_000;

/**
 * Starts the PostgreSQL that comes with us on a folder of its own. It ends with this process, however that ends; what was committed stays.
 * As root it runs as the owner of the data, or `postgres`, or `nobody`. A server that ends unasked is started again: connections break, pools make new ones.
 * @throws DataDirInUse, or an OperationalError that says what to do (DISK_FULL, POSTGRES_OTHER_VERSION, POSTGRES_UNAVAILABLE …)
 */
export const startEmbeddedPostgres = (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => start(options, true);

/** @param durable false in tests only */
export async function start({ dataDir: path, onLog = () => undefined, onServerLog = () => undefined, settings = {} }: EmbeddedPostgresOptions, durable: boolean): Promise<EmbeddedPostgres> {
  const dataDir = makeDataDir(path);
  let lock: FileLock | undefined;
  let socket: SocketFolder | undefined;
  const letGo = () => { socket?.remove(); lock?.release(); };
  try {
    const user = serverUserFor(dataDir);
    const place = findPlace(dataDir, user, onLog);
    lock = holdOrRefuse(join(place, 'lock'), dataDir);
    const binaries = prepareBinaries(findBinaries(), user, place, onLog);
    const { dataPath, password } = await ensureCluster(place, binaries, user, durable, onLog);
    await endLeftover(dataPath, onLog);
    socket = makeSocketFolder(place, user);
    const { folder } = socket;
    const unsafe = durable ? {} : { fsync: 'off', full_page_writes: 'off' };
    const running = await keepRunning({ binaries, user, place, dataPath, settings: { ...SETTINGS, ...unsafe, unix_socket_directories: folder, ...settings }, onLog, onServerLog });
    const ended = running.ended.finally(letGo);
    return {
      connection: { host: folder, port: PORT, user: SUPERUSER, password, database: 'postgres' },
      dataPath, ended,
      get pid() { return running.pid(); },
      async stop() { running.stop(); await ended; },
    };
  } catch (error) {
    letGo();
    throw explained(error, dataDir);
  }
}

async function keepRunning(plan: ServerPlan): Promise<{ pid(): number; ended: Promise<string>; stop(): void }> {
  let current = await startServer(plan);
  let stopping = false;
  const end = () => void current.server.stop().catch(() => undefined); // Why: how the server ends is awaited below.
  const restartsAtMs: number[] = [];

  async function untilItStays(): Promise<string> {
    for (;;) {
      const code = await current.server.ended.catch(messageOf);
      if (stopping) return 'it was stopped';
      const { message } = failureOf(current.server.tail, plan.place, `the database server ended with code ${code}`);
      const recent = restartsAtMs.filter(atMs => atMs > Date.now() - RESTARTS_WITHIN_MS).length;
      if (recent >= RESTARTS_MAX) return `${message} (it was started again ${recent} times within a minute)`;
      restartsAtMs.push(Date.now());
      plan.onLog(`${message}; starting it again`);
      try {
        current = await startServer(plan);
      } catch (error) {
        return messageOf(error);
      }
      if (stopping) end();
    }
  }

  return { pid: () => current.pid, ended: untilItStays(), stop() { if (!stopping) { stopping = true; end(); } } };
}

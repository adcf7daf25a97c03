import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres, type PostgresConnection } from './index';
import { isRoot, serverUser } from './server-user';
import { exitOf, firstJsonLine, processesNaming, runScript, temporaryFolder, until, untilGone } from './testing/child-process';

const INDEX = JSON.stringify(join(__dirname, 'index.ts'));
const asRoot = isRoot() ? it : it.skip;
if (!isRoot()) console.log('not root: what root does as another user is not tested');

interface Started { pid: number; connection: PostgresConnection; dataPath: string }
const START = (dataDir: string) => `
  const { startEmbeddedPostgres } = require(${INDEX});
  startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} }).then(
    ({ pid, connection, dataPath }) => { console.log(JSON.stringify({ pid, connection, dataPath })); setInterval(() => {}, 1000); },
    error => { console.log(JSON.stringify({ code: error.code, message: error.message })); });`;

async function query<T>(connection: PostgresConnection, text: string): Promise<T[]> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  try { return (await client.query(text)).rows as T[]; } finally { await client.end(); }
}

process.umask(0o022); // What the tests lay out must be reachable by others unless they say otherwise.

describe('the embedded PostgreSQL', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let dataDir: string;
  const running: EmbeddedPostgres[] = [];
  const children: ChildProcess[] = [];
  const log: string[] = [];
  async function start(at = dataDir): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ dataDir: at, onLog: line => { log.push(line); } });
    running.push(postgres);
    return postgres;
  }
  function startInChild(user: { uid?: number; gid?: number } = {}, at = dataDir): ChildProcess {
    const child = runScript(START(at), user);
    children.push(child);
    return child;
  }

  /** The inner one first: the outer one's end makes Node let go of the pipe, at which the inner one ends the server. */
  function killGuards(): void {
    const guards = processesNaming('aifirst-postgres-guard').filter(pid => processesNaming(dataDir).includes(pid));
    for (const guard of guards.sort((a, b) => b - a)) process.kill(guard, 'SIGKILL');
  }

  beforeEach(() => {
    folder = temporaryFolder();
    dataDir = join(folder.path, 'data');
    log.length = 0;
  });
  afterEach(async () => {
    for (const child of children.splice(0)) { child.kill('SIGKILL'); await exitOf(child); }
    for (const postgres of running.splice(0)) await postgres.stop();
    const pathFile = join(dataDir, 'postgres.path');
    if (existsSync(pathFile)) rmSync(readFileSync(pathFile, 'utf8').trim(), { recursive: true, force: true });
    await until(() => processesNaming(`${folder.path}/`).length === 0, 10_000, `end of every process in ${folder.path}`);
    folder.remove();
  });

  describe('starting', () => {
    it('makes a database, durable and unreachable over TCP, and finds it again', async () => {
      const first = await start();
      await query(first.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      const settings = await query<{ name: string; setting: string }>(first.connection,
        `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'max_prepared_transactions', 'wal_level', 'server_encoding', 'data_checksums')`);
      await first.stop();
      const beganAtMs = Date.now();
      const second = await start();
      const tookMs = Date.now() - beganAtMs;
      const kept = await query(second.connection, 'SELECT answer FROM kept');
      expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
        fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', listen_addresses: '', max_prepared_transactions: '64', wal_level: 'logical', server_encoding: 'UTF8', data_checksums: 'on',
      });
      expect(kept).toEqual([{ answer: 42 }]);
      expect(second.connection).toEqual(first.connection);
      expect(tookMs).toBeLessThan(5_000);
    });

    it('lets in nobody without the password, which only its owner can read', async () => {
      const { connection, dataPath } = await start();
      await expect(query({ ...connection, password: 'guess' }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      expect(statSync(join(dirname(dataPath), 'password')).mode & 0o777).toBe(0o600);
      expect(statSync(connection.host).mode & 0o777).toBe(0o700);
      expect(statSync(dataDir).mode & 0o777).toBe(isRoot() ? 0o710 : 0o700);
    });

    it('begins again after a first start that was killed half-way', async () => {
      const half = startInChild();
      await until(() => processesNaming(`${dataDir}/postgres/data-partial-`).length > 0, 10_000, 'initdb');
      half.kill('SIGKILL');
      const { connection, dataPath } = await start();
      expect(await query(connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(dataPath).toBe(join(dataDir, 'postgres', 'data'));
    });

    it('puts the socket elsewhere where its path would be too long', async () => {
      const deep = join(dataDir, 'd'.repeat(60), 'e'.repeat(60));
      const postgres = await start(deep);
      const { host } = postgres.connection;
      expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await postgres.stop();
      expect(host.startsWith(dataDir)).toBe(false);
      expect(existsSync(host)).toBe(false);
    });

    it('refuses a folder that another process works on, and names that process', async () => {
      await start();
      const refusal = await firstJsonLine(startInChild());
      expect(refusal).toEqual({ code: 'DATA_DIR_IN_USE', message: expect.stringContaining(`process ${process.pid}`) });
    });

    it('refuses data of another major version and leaves them alone', async () => {
      const { dataPath, stop } = await start();
      await stop();
      writeFileSync(join(dataPath, 'PG_VERSION'), '17\n');
      await expect(start()).rejects.toMatchObject({ code: 'POSTGRES_OTHER_VERSION', message: expect.stringMatching(/PostgreSQL 17 .*PostgreSQL 18/) });
      writeFileSync(join(dataPath, 'PG_VERSION'), '18\n');
      await start();
    });

    it('refuses data whose password is gone', async () => {
      const { dataPath, stop } = await start();
      await stop();
      rmSync(join(dirname(dataPath), 'password'));
      await expect(start()).rejects.toMatchObject({ code: 'POSTGRES_NO_PASSWORD' });
    });
  });

  describe('ending', () => {
    it('ends with its Node process, killed or not, and keeps what was committed', async () => {
      const child = startInChild();
      const { pid, connection } = await firstJsonLine<Started>(child);
      await query(connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      child.kill('SIGKILL');
      await untilGone(pid);
      await until(() => processesNaming(dataDir).length === 0, 3_000, 'end of the guard');
      const next = await start();
      expect(await query(next.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    });

    it('can be started at once after a kill, within 5 s, also if its guard was killed too', async () => {
      const child = startInChild();
      const { pid, connection } = await firstJsonLine<Started>(child);
      await query(connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      killGuards();
      child.kill('SIGKILL');
      await exitOf(child);
      const beganAtMs = Date.now();
      const next = await start();
      const tookMs = Date.now() - beganAtMs;
      expect(await query(next.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      await untilGone(pid, 100);
      expect(log).toContainEqual(expect.stringContaining(`process ${pid}`));
      expect(tookMs).toBeLessThan(5_000);
    });

    it('stops although its guard was killed', async () => {
      const postgres = await start();
      killGuards();
      await postgres.stop();
      await untilGone(postgres.pid, 1_000);
    });

    it('is started again when the server alone is killed', async () => {
      const postgres = await start();
      const { pid } = postgres;
      await query(postgres.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      process.kill(pid, 'SIGKILL');
      await until(() => postgres.pid !== pid, 20_000, 'a new server');
      expect(await query(postgres.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      await postgres.stop();
      expect(await postgres.ended).toBe('it was stopped');
    });

    it('is started again, under a new guard, when its guard is killed', async () => {
      const postgres = await start();
      const { pid } = postgres;
      await query(postgres.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      process.kill(Math.min(...processesNaming('aifirst-postgres-guard').filter(guard => processesNaming(dataDir).includes(guard))), 'SIGKILL');
      await until(() => postgres.pid !== pid, 20_000, 'a new server');
      expect(await query(postgres.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    });

    it('starts where a stale postmaster.pid names a process that is something else by now', async () => {
      const { dataPath, stop } = await start();
      await stop();
      const user = serverUser();
      const other = spawn('sleep', ['60'], user.other ? { uid: user.uid, gid: user.gid } : {});
      children.push(other);
      const pidFile = join(dataPath, 'postmaster.pid');
      writeFileSync(pidFile, `${other.pid}\n${dataPath}\n1700000000\n5432\n${join(dataDir, 'postgres', 'socket')}\n\n  5432001         0\nready   \n`, { mode: 0o600 });
      chownSync(pidFile, user.uid, user.gid);
      const lock = join(dataDir, 'postgres', 'socket', '.s.PGSQL.5432.lock');
      writeFileSync(lock, `${other.pid}\n${dataPath}\n1700000000\n5432\n${join(dataDir, 'postgres', 'socket')}\n`, { mode: 0o600 });
      chownSync(lock, user.uid, user.gid);
      const { connection } = await start();
      expect(await query(connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(other.exitCode).toBeNull();
    });
  });

  describe('as root', () => {
    asRoot('runs the server as a user without rights', async () => {
      const { pid } = await start();
      const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      expect(Number(uid)).toBe(serverUser().uid);
    });

    asRoot('keeps the database elsewhere beneath a folder that only root can enter, and says where', async () => {
      chmodSync(folder.path, 0o700);
      const first = await start();
      const place = readFileSync(join(dataDir, 'postgres.path'), 'utf8').trim();
      await query(first.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first.stop();
      const second = await start();
      const kept = await query(second.connection, 'SELECT answer FROM kept');
      await second.stop();
      expect(first.dataPath).toBe(join(place, 'data'));
      expect(log).toContainEqual(expect.stringContaining(`the database is in \`${place}\`, because the user \`${serverUser().name}\``));
      expect(kept).toEqual([{ answer: 42 }]);

      renameSync(place, `${place}-away`);
      await expect(start()).rejects.toMatchObject({ code: 'POSTGRES_DATA_GONE' });
      rmSync(`${place}-away`, { recursive: true });
      rmSync(join(dataDir, 'postgres.path'));
      const fresh = await start();
      expect(await query(fresh.connection, `SELECT to_regclass('kept') AS kept`)).toEqual([{ kept: null }]);
    });

    asRoot('takes the data along when their folder has been closed to others', async () => {
      const first = await start();
      await query(first.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first.stop();
      chmodSync(folder.path, 0o700);
      const second = await start();
      expect(await query(second.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
    });

    asRoot('goes on with what another user began', async () => {
      const nobody = { uid: 65_534, gid: 65_534 };
      mkdirSync(join(folder.path, 'theirs'));
      chownSync(join(folder.path, 'theirs'), nobody.uid, nobody.gid);
      dataDir = join(folder.path, 'theirs', 'data');
      const child = startInChild(nobody);
      const { connection, pid } = await firstJsonLine<Started>(child);
      await query(connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
      const mode = statSync(dataDir).mode & 0o777;
      child.kill('SIGTERM');
      await untilGone(pid);
      const next = await start();
      expect(await query(next.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      expect(mode).toBe(0o700);
      await next.stop();

      const again = await firstJsonLine<Started>(startInChild(nobody));
      expect(await query(again.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    });

    asRoot('says so when another user starts what root began', async () => {
      const { stop } = await start();
      await stop();
      chmodSync(dataDir, 0o755);
      const refusal = await firstJsonLine<{ code: string; message: string }>(startInChild({ uid: 65_534, gid: 65_534 }));
      expect(refusal).toEqual({ code: 'POSTGRES_NO_ACCESS', message: expect.stringContaining('start as the user that made it') });
    });

    asRoot('says so when the disk is full, at the first start and later, and loses nothing', async () => {
      const disk = join(folder.path, 'disk');
      mkdirSync(disk, { mode: 0o755 });
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]).status !== 0) {
        console.log('this root may not mount: a full disk is not tested');
        return;
      }
      try {
        dataDir = join(disk, 'data');
        await expect(start()).rejects.toMatchObject({ code: 'DISK_FULL' });
        spawnSync('mount', ['-o', 'remount,size=80m', disk]);
        const first = await start();
        await query(first.connection, 'CREATE TABLE kept AS SELECT 42 AS answer');
        await first.stop();
        const filler = join(disk, 'filler');
        try { for (;;) appendFileSync(filler, Buffer.alloc(1 << 20)); } catch { /* full */ }
        try { for (;;) appendFileSync(filler, Buffer.alloc(1 << 10)); } catch { /* full to the last page */ }
        await expect(start()).rejects.toMatchObject({ code: 'DISK_FULL' });
        rmSync(filler);
        const second = await start();
        expect(await query(second.connection, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
        await second.stop();
      } finally {
        spawnSync('umount', ['-l', disk]);
      }
    });
  });
});

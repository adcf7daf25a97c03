import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Clock } from '@aifirst/kernel';
import { BASE_MIGRATIONS, Fenced, migrate, PostgresStore } from '@aifirst/store';
import { Client, type ClientConfig } from 'pg';
import { SharedLocks } from '../application/shared-locks';
import { LockReplica, type LockBatch } from '../domain/lock-replica';
import { LOCK_MIGRATIONS } from './lock-migrations';
import { PostgresLockLog } from './postgres-lock-log';

const SCHEMA = 'orchestrator';
let postgres: TestPostgres;
let connection: ClientConfig;
let admin: Client;
let store: PostgresStore;
const logs: PostgresLockLog[] = [];
const keepers: SharedLocks[] = [];

const clock: Clock = { now: () => Date.now(), after: (delayMs, callback) => { const timer = setTimeout(callback, delayMs); return () => clearTimeout(timer); } };
const aLog = (more: Partial<ConstructorParameters<typeof PostgresLockLog>[0]> = {}): PostgresLockLog => {
  const log = new PostgresLockLog({ connection, schema: SCHEMA, ...more });
  logs.push(log);
  return log;
};
/** A new writer of the shard. */
const take = async (shard: number): Promise<number> => (await store.open({ log: 'orchestrator', shard, owner: 'test', takeOver: true })).epoch;
const aBatch = (shard: number, epoch: number, batch: number, workflow = `${shard}-${batch}`): LockBatch =>
  ({ shard, epoch, batch, at: batch, operations: [{ op: 'request', workflow, ask: batch, locks: [{ resource: workflow, mode: 'write' }], late: false }] });
const numbers = (count: number, first = 1): readonly number[] => Array.from({ length: count }, (_, i) => first + i);
async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = Date.now() + 10_000; !(await condition());) {
    if (Date.now() > endMs) throw new Error(`not in time: ${what}`);
    await pause(5);
  }
}

beforeAll(async () => {
  postgres = await startTestPostgres();
  connection = (await migrate({ admin: postgres.connection, services: [{ schema: SCHEMA, role: SCHEMA, migrations: [...BASE_MIGRATIONS, ...LOCK_MIGRATIONS] }] })).get(SCHEMA)!;
  admin = new Client({ ...postgres.connection, options: `-c search_path=${SCHEMA}` });
  await admin.connect();
  store = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'orchestrator' });
});
afterEach(async () => {
  await Promise.all(keepers.splice(0).map(keeper => keeper.close()));
  await Promise.all(logs.splice(0).map(log => log.close()));
  await admin.query('DELETE FROM lock_entry; DELETE FROM lock_snapshot; DELETE FROM lock_shard; UPDATE lock_head SET number = 0');
});
afterAll(async () => {
  await store?.close();
  await admin?.end().catch(() => undefined);
  await postgres?.stop();
});

describe('the log of locks in PostgreSQL', () => {
  it('puts what several append at once into one order without gaps, and gives everybody the same', async () => {
    const [zero, one] = [aLog(), aLog()];
    const epochs = [await take(0), await take(1)];
    const seen: number[][] = [[], []];
    await Promise.all([zero, one].map(async (log, shard) => {
      let after = 0;
      for (const batch of numbers(100)) {
        const { snapshot, entries, head } = await log.append(aBatch(shard, epochs[shard]!, batch), after);
        expect([snapshot, entries.map(({ number }) => number)]).toEqual([null, numbers(entries.length, after + 1)]);
        expect(entries.filter(entry => entry.shard === shard).map(entry => entry.batch)).toEqual([batch]);
        expect(head).toBe(entries.at(-1)!.number);
        after = head;
        seen[shard]!.push(...entries.map(({ number }) => number));
      }
    }));
    const all = await zero.read(0);
    expect(all.entries.map(({ number }) => number)).toEqual(numbers(200));
    expect((await one.read(0)).entries).toEqual(all.entries);
    expect(all.entries[0]).toEqual({ ...aBatch(all.entries[0]!.shard, epochs[all.entries[0]!.shard]!, 1), number: 1 });
    expect([all.head, (await one.read(200)).entries]).toEqual([200, []]);
    for (const numbersSeen of seen) expect(numbersSeen).toEqual(numbers(numbersSeen.length));
  });

  it('refuses a writer that was replaced, also while it waited for its turn', async () => {
    const log = aLog();
    const epoch = await take(0);
    await log.append(aBatch(0, epoch, 1), 0);
    await admin.query('BEGIN; SELECT FROM lock_head FOR UPDATE');
    const zombie = expect(log.append(aBatch(0, epoch, 2), 1)).rejects.toBeInstanceOf(Fenced);
    await until(async () => (await admin.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%append_locks%'`)).rowCount === 1, 'the append waits');
    const next = await take(0);
    await admin.query('COMMIT');
    await zombie;
    await expect(log.append(aBatch(0, epoch, 3), 1)).rejects.toMatchObject({ code: 'FENCED', retryable: false });
    await expect(log.append(aBatch(7, 1, 1), 1)).rejects.toBeInstanceOf(Fenced);
    const { entries } = await log.append(aBatch(0, next, 1), 1);
    expect(entries.map(entry => [entry.number, entry.epoch])).toEqual([[2, next]]);
  });

  it('stores what is appended again once', async () => {
    const log = aLog();
    const epoch = await take(0);
    await log.append(aBatch(0, epoch, 1), 0);
    await log.append(aBatch(0, epoch, 2), 1);
    expect((await log.append(aBatch(0, epoch, 2), 1)).entries.map(({ batch }) => batch)).toEqual([2]);
    expect((await log.append(aBatch(0, epoch, 1), 2)).entries).toEqual([]);
    const next = await take(0);
    expect((await log.append(aBatch(0, next, 1), 2)).entries.map(({ number }) => number)).toEqual([3]);
  });

  it('tells those that share it of what others append', async () => {
    const log = aLog();
    const told: number[] = [];
    const stop = log.onAppended(shard => { told.push(shard); });
    await log.append(aBatch(0, await take(0), 1), 0);
    stop();
    await log.append(aBatch(1, await take(1), 1), 0);
    expect(told).toEqual([0]);
  });

  it('drops what lies well before a snapshot, and goes on from there for who lies behind', async () => {
    const log = aLog({ entriesKept: 2 });
    const epoch = await take(0);
    const replica = new LockReplica();
    for (const batch of numbers(6)) for (const entry of (await log.append(aBatch(0, epoch, batch), replica.number)).entries) replica.apply(entry);
    await log.saveSnapshot(replica.state());
    expect((await log.read(4)).snapshot).toBeNull();
    await log.append(aBatch(0, epoch, 7), 6);
    const news = await log.read(0);
    expect([news.snapshot, news.entries.map(({ number }) => number), news.head]).toEqual([replica.state(), [7], 7]);
    const behind = await log.append(aBatch(0, epoch, 8), 2);
    expect([behind.snapshot?.number, behind.entries.map(({ number }) => number)]).toEqual([6, [7, 8]]);
    // An older one changes nothing.
    await log.saveSnapshot({ ...replica.state(), number: 5 });
    expect((await log.read(0)).snapshot!.number).toBe(6);
  });

  it('gives much in pages', async () => {
    const log = aLog();
    await take(0);
    await admin.query(`INSERT INTO lock_entry (number, shard, epoch, data) SELECT n, 0, 1, $1 FROM generate_series(1, 1200) AS n`, [JSON.stringify(aBatch(0, 1, 1))]);
    await admin.query('UPDATE lock_head SET number = 1200');
    const first = await log.read(0);
    expect([first.entries.length, first.head, (await log.read(1_000)).entries.length]).toEqual([500, 1_200, 200]);
  });

  it('says that trying again can help when the database is away, and that it can not when there is no table', async () => {
    await expect(aLog({ connection: { ...connection, host: '/nowhere' } }).read(0)).rejects.toMatchObject({ code: 'LOCKS_UNAVAILABLE', retryable: true });
    await expect(aLog({ schema: 'nowhere' }).read(0)).rejects.toMatchObject({ code: 'LOCKS_UNAVAILABLE', retryable: false });
  });
});

describe('shards of two processes', () => {
  const begin = async (shard: number, log: PostgresLockLog, fatal: unknown[] = []): Promise<SharedLocks> => {
    const keeper = new SharedLocks({ log, shard, epoch: await take(shard), clock, onFatal: error => { fatal.push(error); } });
    keepers.push(keeper);
    await keeper.begin([]);
    return keeper;
  };
  const told = (keeper: SharedLocks): readonly string[] => { const granted = keeper.grantWaiting().map(({ workflow }) => workflow); keeper.flush(); return granted; };
  const ask = (keeper: SharedLocks, workflow: string): void => { keeper.request(workflow, [{ resource: 'x', mode: 'write' }], false, 0, []); keeper.flush(); };
  const heard = async (keeper: SharedLocks, workflow: string): Promise<void> => { await until(() => told(keeper).includes(workflow), `\`${workflow}\` is granted what it waits for`); };

  it('hand locks to one another', async () => {
    const [zero, one] = [await begin(0, aLog()), await begin(1, aLog())];
    ask(zero, '11');
    await heard(zero, '11');
    ask(one, '12');
    for (const turn of numbers(10, 12)) {
      const [holder, waiter] = turn % 2 === 0 ? [zero, one] : [one, zero];
      await until(() => waiter.waitOf(`${turn}`)?.holder === `${turn - 1}`, 'it waits');
      ask(holder, `${turn + 1}`);
      holder.release(`${turn - 1}`);
      holder.flush();
      await heard(waiter, `${turn}`);
      expect(holder.view()).toEqual([]);
    }
  });

  it.each(['cut', 'swallow', 'refuse'] as const)('lose nothing and double nothing in an outage (%s)', async how => {
    const proxy = await new Proxy(connection).start();
    try {
      const fatal: unknown[] = [];
      const [zero, one] = [await begin(0, aLog(), fatal), await begin(1, aLog({ connection: { ...connection, host: proxy.host } }), fatal)];
      ask(zero, '1');
      await heard(zero, '1');
      proxy.fail(how);
      ask(one, '2');
      await pause(150);
      zero.release('1');
      zero.flush();
      await pause(150);
      proxy.heal();
      await heard(one, '2');
      expect(fatal).toEqual([]);
      const { rows } = await admin.query<{ data: string }>('SELECT data FROM lock_entry ORDER BY number');
      expect(rows.map(({ data }) => (JSON.parse(data) as LockBatch).operations.map(({ op }) => op)).flat().sort()).toEqual(['hold', 'request', 'request', 'reset', 'reset']);
    } finally {
      await proxy.stop();
    }
  });

  it('end when another takes their shard over', async () => {
    const fatal: unknown[] = [];
    const zero = await begin(0, aLog(), fatal);
    const next = await begin(0, aLog());
    ask(zero, '1');
    await until(() => fatal.length === 1, 'it is told');
    expect(fatal).toEqual([expect.any(Fenced)]);
    ask(next, '2');
    await heard(next, '2');
  });
});

/** Between a client and the server's socket. `swallow`: the server hears and does, and its answer is lost. */
class Proxy {
  readonly host = mkdtempSync(join(tmpdir(), 'aifirst-proxy-'));
  private readonly sockets = new Set<Socket>();
  private mode: 'pass' | 'cut' | 'swallow' | 'refuse' = 'pass';
  private readonly server: Server;

  constructor(private readonly target: ClientConfig) {
    this.server = createServer(client => {
      if (this.mode !== 'pass') { client.destroy(); return; }
      const server = connect(join(this.target.host!, `.s.PGSQL.${this.target.port}`));
      for (const socket of [client, server]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => { this.sockets.delete(socket); client.destroy(); server.destroy(); });
      }
      client.on('data', chunk => { server.write(chunk); });
      server.on('data', chunk => { if (this.mode === 'pass') client.write(chunk); else { client.destroy(); server.destroy(); } });
    });
  }
  async start(): Promise<this> {
    await new Promise<void>(resolve => this.server.listen(join(this.host, `.s.PGSQL.${this.target.port}`), resolve));
    return this;
  }
  fail(mode: 'cut' | 'swallow' | 'refuse'): void {
    this.mode = mode;
    if (mode !== 'swallow') for (const socket of this.sockets) socket.destroy();
    // Why: it is one answer that is lost; what comes then is to get through.
    if (mode === 'cut') this.mode = 'pass';
  }
  heal(): void { this.mode = 'pass'; }
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise(resolve => this.server.close(resolve));
    rmSync(this.host, { recursive: true, force: true });
  }
}

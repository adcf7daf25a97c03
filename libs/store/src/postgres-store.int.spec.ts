import { startTestPostgres } from '@aifirst/embedded-postgres/testing';
import type { TestPostgres } from '@aifirst/embedded-postgres/testing';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { BASE_MIGRATIONS, CommitsLost, Fenced, LeaseHeld, PostgresStore, VersionConflict, feedOf, migrate, tenantIsolation } from './index';
import type { Append, PostgresStoreOptions, StoredRow, Unit } from './index';
import { COMMIT } from './postgres/statements';
import { LossyProxy } from './testing/lossy-proxy';
import { describeStore } from './testing';

const SCHEMA = 'aifirst_orchestrator';
const SERVICE = { schema: SCHEMA, role: 'aifirst_orchestrator', migrations: BASE_MIGRATIONS };
let postgres: TestPostgres;
let admin: Client;
let connection: ClientConfig;

beforeAll(async () => {
  postgres = await startTestPostgres();
  admin = new Client(postgres.connection);
  admin.on('error', () => undefined);
  await admin.connect();
  connection = (await migrate({ admin: postgres.connection, services: [SERVICE] })).get(SCHEMA)!;
});
afterAll(async () => {
  await admin?.end().catch(() => undefined);
  await postgres?.stop();
});

const storeWith = (more: Partial<PostgresStoreOptions> = {}) => new PostgresStore({ connection, schema: SCHEMA, serviceName: 'orchestrator', ...more });
const uuid = (number: number): string => `019c0000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
const anAppend = (version: number, more: Partial<Append> = {}): Append => ({
  tenant: 'default', stream: uuid(1), version,
  messages: [{ topic: 'aifirst.workflow.events.v1', key: 'k', id: 'i', type: 't', time: '2026-01-02T03:04:05.678Z', subject: 's', tenant: 'default', data: { version } }], ...more,
});
const versionsOf = (rows: readonly StoredRow[]) => rows.map(row => row.version);
const sequencesOf = (rows: readonly StoredRow[]) => rows.map(row => row.messages[0]!.event.sequence);
let names = 0;
const aLog = () => ({ log: `pg-${++names}`, shard: 0, owner: 'test', takeOver: true });
async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = Date.now() + 10_000; !(await condition());) {
    if (Date.now() > endMs) throw new Error(`not in time: ${what}`);
    await pause(5);
  }
}
const never = { after: () => () => undefined };

describeStore('PostgreSQL', async () => {
  const store = storeWith();
  const asleep = storeWith({ timers: never });
  return {
    store,
    openAsleep: options => asleep.open(options),
    passTime: async ms => { await pause(ms); },
    stop: async () => { await store.close(); await asleep.close(); },
  };
});

describe('the schema of a service', () => {
  class Views1790000000000 implements MigrationInterface {
    readonly name = 'Views1790000000000';
    async up(runner: QueryRunner) { await runner.query(`CREATE TABLE view (tenant text NOT NULL, id text NOT NULL, PRIMARY KEY (tenant, id));${tenantIsolation('view')}`); }
    async down(runner: QueryRunner) { await runner.query('DROP TABLE view'); }
  }

  it('is made once by starts that come together, and again, and grows with a later start', async () => {
    const database = await postgres.createDatabase('concurrent');
    const services = ['aifirst_gateway', 'aifirst_policy'].map(name => ({ schema: name, role: name, password: 'given', migrations: BASE_MIGRATIONS }));
    const made = await Promise.all([1, 2, 3].map(() => migrate({ admin: database, services })));
    await migrate({ admin: database, services: [{ ...services[0]!, migrations: [...BASE_MIGRATIONS, Views1790000000000] }, services[1]!] });
    const client = new Client(made[0]!.get('aifirst_gateway')!);
    await client.connect();
    const { rows } = await client.query(`SELECT table_name FROM information_schema.table_privileges WHERE table_schema = 'aifirst_gateway' AND privilege_type = 'SELECT' ORDER BY 1`);
    await expect(client.query('SELECT * FROM aifirst_policy.log')).rejects.toThrow('permission denied for schema aifirst_policy');
    await client.end();
    expect(rows.map(row => row.table_name)).toEqual(['document', 'incarnation', 'log', 'view', 'writer']);
  });

  it('lets in whom it has told the password, and holds it as a verifier alone', async () => {
    const services = [{ ...SERVICE, schema: 'other', role: 'other' }];
    const first = await migrate({ admin: postgres.connection, services });
    const { user, password, host, port, database } = postgres.connection;
    const second = await migrate({ admin: { connectionString: `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}` }, services });
    await expect(new Client(first.get('other')!).connect()).rejects.toThrow('password authentication failed');
    const client = new Client(second.get('other')!);
    await client.connect();
    await client.end();
  });

  it('refuses a role that passes row-level security', async () => {
    await admin.query('CREATE ROLE mighty BYPASSRLS');
    for (const role of ['mighty', postgres.connection.user]) {
      await expect(migrate({ admin: postgres.connection, services: [{ schema: 'mighty', role, migrations: BASE_MIGRATIONS }] })).rejects.toMatchObject({ code: 'ROLE_TOO_STRONG' });
    }
  });

  it('lets its role append to the log, never change or remove', async () => {
    const client = new Client({ ...connection, options: `-c search_path=${SCHEMA} -c aifirst.tenant=*` });
    await client.connect();
    for (const statement of ['UPDATE log SET data = data', 'DELETE FROM log', 'TRUNCATE log', 'DELETE FROM writer', 'ALTER TABLE log DISABLE ROW LEVEL SECURITY', 'UPDATE migration SET name = name', 'CREATE TABLE mine ()']) {
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    }
    await client.end();
  });
});

describe('trimming in the database', () => {
  const asRole = async <T>(options: string, work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ ...connection, options });
    await client.connect();
    try { return await work(client); } finally { await client.end(); }
  };
  const seesAll = `-c search_path=${SCHEMA} -c aifirst.tenant=*`;

  it('is for who sees all tenants, names the writer\'s epoch, and is cheated by no table of the caller\'s', async () => {
    const store = storeWith();
    const log = await store.open(aLog());
    await log.commit({ appends: [anAppend(1, { key: log.producer })], lowWater: 9 });
    const { rows: [{ id }] } = await admin.query(`SELECT id FROM ${SCHEMA}.writer WHERE name = $1`, [log.producer]);
    const trim = (client: Client, epoch = 1) => client.query(`SELECT removed, more FROM ${SCHEMA}.trim_log($1, $2, 1, 10, '{}')`, [id, epoch]);
    const release = (client: Client) => client.query(`SELECT ${SCHEMA}.release_keys($1, 1, 1, $2) AS released`, [id, [log.producer]]);
    for (const tenant of ['', 'default']) {
      await asRole(`-c search_path=${SCHEMA} -c aifirst.tenant=${tenant}`, async client => {
        await expect(trim(client)).rejects.toMatchObject({ code: '42501' });
        await expect(release(client)).rejects.toMatchObject({ code: '42501' });
      });
    }
    await asRole(seesAll, async client => {
      await client.query(`CREATE TEMP TABLE log AS SELECT * FROM ${SCHEMA}.log WHERE false; CREATE TEMP TABLE writer AS SELECT 1::int2 AS id, 1::int8 AS epoch, 99::int8 AS low_water, 99::int8 AS head`);
      expect((await trim(client, 2)).rows).toEqual([{ removed: null, more: null }]);
      for (const statement of ['UPDATE log_trim SET up_to = 0', 'DELETE FROM log_gap', 'SELECT FROM log_trim']) await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
      expect((await release(client)).rows).toEqual([{ released: 1 }]);
      expect((await trim(client)).rows).toEqual([{ removed: '1', more: false }]);
    });
    expect([await log.read(0, 10), log.head()]).toEqual([[], 1]);
    const other = 'aifirst_nobody';
    await migrate({ admin: postgres.connection, services: [{ schema: other, role: other, password: 'given', migrations: BASE_MIGRATIONS }] });
    await admin.query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${other}`);
    const stranger = new Client({ ...connection, user: other, password: 'given', options: seesAll });
    await stranger.connect();
    await expect(trim(stranger)).rejects.toMatchObject({ code: '42501' });
    await stranger.end();
    await store.close();
  });

  it('leaves reads as quick as before although freed pages are used anew', async () => {
    const schema = 'aifirst_trimmed';
    const made = await migrate({ admin: postgres.connection, services: [{ schema, role: schema, migrations: BASE_MIGRATIONS }] });
    const store = storeWith({ connection: made.get(schema)!, schema });
    const log = await store.open(aLog());
    const state = 'x'.repeat(2_000);
    const fill = async (from: number) => {
      for (let i = 0; i < 6; i++) await log.commit({ appends: Array.from({ length: 500 }, (_, n) => anAppend(from + i * 500 + n, { stream: uuid(from + i * 500 + n), state })), lowWater: 1_000_000 });
    };
    const blocksRead = async () => {
      const { rows } = await admin.query(`BEGIN; SET LOCAL enable_seqscan = off; EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM ${schema}.log WHERE position > 5200 AND position <= 5300; ROLLBACK`).then(results => (results as unknown as { rows: Record<string, string>[] }[])[2]!);
      const text = JSON.stringify(rows);
      return Number(/"Exact Heap Blocks":\s*(\d+)/.exec(text)![1]) + Number(/"Lossy Heap Blocks":\s*(\d+)/.exec(text)![1]);
    };
    await fill(0);
    await admin.query(`SELECT brin_summarize_new_values('${schema}.log_position')`);
    while ((await log.trim(2_900, 700)).more);
    await admin.query(`VACUUM ${schema}.log`);
    await fill(3_000);
    await admin.query(`SELECT brin_summarize_new_values('${schema}.log_position')`);
    const untidy = await blocksRead();
    await admin.query(`UPDATE ${schema}.log_gap SET since = since - interval '1 hour'`);
    await log.trim(2_900);
    expect((await admin.query(`SELECT count(*)::int AS left FROM ${schema}.log_gap`)).rows).toEqual([{ left: 0 }]);
    const tidy = await blocksRead();
    expect(tidy).toBeLessThan(untidy / 2);
    expect((await log.read(0, 10)).map(({ position }) => position)).toEqual([2901, 2902, 2903, 2904, 2905, 2906, 2907, 2908, 2909, 2910]);
    expect(await log.read(5_200, 100)).toHaveLength(100);
    await store.close();
  });
});

describe('tenants', () => {
  it('are set apart in every table that has the column, and the role can not pass', async () => {
    const { rows: tables } = await admin.query(`
      SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner) AS owner, (SELECT count(*)::int FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
        AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped) ORDER BY 1`, [SCHEMA]);
    expect(tables).toEqual(['document', 'log'].map(name => ({ name, forced: true, owner: postgres.connection.user, policies: 1 })));
    const { rows: [role] } = await admin.query(`SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = $1`, [SERVICE.role]);
    expect(role).toEqual({ rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, rolcanlogin: true });
  });

  it('see nothing of each other, and who names none sees nothing', async () => {
    const store = storeWith();
    const options = aLog();
    const log = await store.open(options);
    await log.commit({
      appends: [anAppend(1, { tenant: 'acme' }), anAppend(2, { tenant: 'globex' }), anAppend(3, { tenant: 'acme' })],
      documents: ['acme', 'globex'].map(tenant => ({ kind: options.log, tenant, id: 'd', data: { tenant } })),
    });
    const seenBy = (tenant: string) => store.withTenant(tenant, async reader => ({
      rows: (await reader.query<{ version: string }>('SELECT version FROM log WHERE writer = (SELECT id FROM writer WHERE name = $1) ORDER BY position', [log.producer])).map(row => Number(row.version)),
      documents: (await reader.query<{ tenant: string }>('SELECT tenant FROM document WHERE kind = $1', [options.log])).map(row => row.tenant),
    }));
    // Why twenty at once: the pool hands its few connections from tenant to tenant.
    const seen = await Promise.all(Array.from({ length: 20 }, (_, i) => seenBy(i % 2 === 0 ? 'acme' : 'globex')));
    seen.forEach((each, i) => expect(each).toEqual(i % 2 === 0 ? { rows: [1, 3], documents: ['acme'] } : { rows: [2], documents: ['globex'] }));
    expect(await seenBy(`acme' OR '1'='1`)).toEqual({ rows: [], documents: [] });
    // Why: not even past the end of the transaction, nor by forgetting the tenant, does a connection see more.
    const after = (statement: string) => store.withTenant('acme', async reader => {
      await reader.query(statement);
      return (await reader.query('SELECT FROM log')).length;
    });
    expect([await after('COMMIT'), await after('RESET aifirst.tenant')]).toEqual([0, 0]);
    await expect(seenBy('*')).rejects.toMatchObject({ code: 'NOT_STORABLE' });
    await expect(store.withTenant('acme', reader => reader.query('DELETE FROM document'))).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: false });
    await expect(store.withTenant('acme', async () => { throw new Error('of the caller'); })).rejects.toThrow('of the caller');

    const client = new Client({ ...connection, options: `-c search_path=${SCHEMA}` });
    await client.connect();
    const count = async () => (await client.query('SELECT (SELECT count(*) FROM log)::int + (SELECT count(*) FROM document)::int AS count')).rows[0].count;
    expect(await count()).toBe(0);
    await client.query(`BEGIN; SET LOCAL aifirst.tenant = 'acme'; COMMIT`);
    expect(await count()).toBe(0);
    await expect(client.query(`INSERT INTO document VALUES ('k', 'acme', 'x', 1, '{}')`)).rejects.toThrow('row-level security');
    await client.end();
    await store.close();
  });
});

describe('a lost connection', () => {
  let proxy: LossyProxy;
  const behindProxy = (more: Partial<PostgresStoreOptions> = {}) => storeWith({ connection: { ...connection, host: proxy.host }, ...more });
  beforeEach(async () => { proxy = await new LossyProxy(postgres.connection).start(); });
  afterEach(async () => { await proxy.stop(); });

  it.each([
    ['killed while idle', async (log: string) => { await terminate(log); }],
    ['whose answer to a commit is lost', async () => { proxy.mode = 'swallowing'; }],
    ['cut as the commit is sent, the server left with it', async () => { proxy.mode = 'leaving'; }],
  ])('%s stores each unit exactly once', async (_, disturb) => {
    const store = behindProxy();
    const options = aLog();
    const log = await store.open(options);
    const heard: number[] = [];
    feedOf(log).onCommitted(rows => heard.push(...versionsOf(rows)));
    for (let version = 1; version <= 8; version++) {
      if (version % 2 === 0) await disturb(options.log);
      const unit: Unit = { appends: [anAppend(version, { key: `key-${version}` })], positions: { source: version }, documents: version % 4 === 0 ? [{ kind: options.log, tenant: 'default', id: 'd', data: { version } }] : [] };
      expect(versionsOf(await log.commit(unit))).toEqual([version]);
    }
    const rows = await log.read(0, 100);
    expect([versionsOf(rows), sequencesOf(rows), heard]).toEqual(Array(3).fill([1, 2, 3, 4, 5, 6, 7, 8]));
    expect([log.positions(), (await log.getDocument(options.log, 'default', 'd'))?.revision]).toEqual([{ source: 8 }, 2]);
    await store.close();
  });

  it('killed while the commit waits in the database stores it exactly once', async () => {
    const store = storeWith();
    const options = aLog();
    const log = await store.open(options);
    const locker = new Client(postgres.connection);
    await locker.connect();
    await locker.query('BEGIN');
    await locker.query(`SELECT FROM ${SCHEMA}.writer WHERE name = $1 FOR UPDATE`, [log.producer]);
    const commit = log.commit({ appends: [anAppend(1)] });
    await until(async () => (await admin.query(`SELECT FROM pg_stat_activity WHERE application_name LIKE $1 AND wait_event_type = 'Lock'`, [`aifirst ${options.log}/%`])).rowCount === 1, 'the commit waits');
    await terminate(options.log);
    await pause(50);
    await locker.end();
    expect(versionsOf(await commit)).toEqual([1]);
    expect(sequencesOf(await log.read(0, 10))).toEqual([1]);
    await store.close();
  });

  it('whose statement comes late to the database stores nothing any more', async () => {
    const store = storeWith();
    const log = await store.open(aLog());
    const standing = async () => (await admin.query(`SELECT id, epoch, session FROM ${SCHEMA}.writer WHERE name = $1`, [log.producer])).rows[0];
    const before = await standing();
    await terminate(log.producer.split('/')[0]!);
    await log.commit({ positions: { x: 1 } });
    const late = new Client({ ...connection, options: `-c search_path=${SCHEMA} -c aifirst.tenant=*` });
    await late.connect();
    const send = async (epoch: number, session: number) => (await late.query(COMMIT.flushed.move.text, [before.id, epoch, session, 1_000, '{}', 0, 0, 0])).rowCount;
    const { epoch, session } = await standing();
    expect([await send(epoch, before.session), await send(Number(epoch) + 1, session), await send(epoch, session)]).toEqual([0, 0, 1]);
    await late.end();
    await store.close();
  });

  it('of a writer that was replaced meanwhile ends fenced, with nothing stored', async () => {
    const [store, other] = [behindProxy(), storeWith()];
    const options = aLog();
    const log = await store.open(options);
    await log.commit({ appends: [anAppend(1)] });
    proxy.cut();
    const next = await other.open(options);
    await expect(log.commit({ appends: [anAppend(2)] })).rejects.toThrow(Fenced);
    expect(versionsOf(await next.read(0, 10))).toEqual([1]);
    await Promise.all([store.close(), other.close()]);
  });

  it('that does not come back in time says so, and the same unit committed again is stored once', async () => {
    const store = behindProxy({ outageMs: 200, timers: never });
    const log = await store.open(aLog());
    const heard: number[] = [];
    log.onCommitted(rows => heard.push(...versionsOf(rows)));
    proxy.mode = 'swallowing';
    proxy.afterwards = 'refusing';
    const unit: Unit = { appends: [anAppend(1)] };
    await expect(log.commit(unit)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', retryable: true });
    await expect(log.commit(unit)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', retryable: true });
    await expect(log.read(0, 1).then(() => log.readStreams([uuid(1)]))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    proxy.mode = 'passing';
    expect(versionsOf(await log.commit(unit))).toEqual([1]);
    proxy.mode = 'refusing';
    proxy.cut();
    await until(async () => (await log.commit({ appends: [anAppend(2)] }).catch(error => error.code)) === 'STORE_UNAVAILABLE', 'the database is away');
    proxy.mode = 'passing';
    await log.commit({ appends: [anAppend(2)] });
    expect(versionsOf(await log.read(0, 10))).toEqual([1, 2]);
    expect(heard).toEqual([1, 2]);
    await store.close();
  });

  it('is brought back by itself, and what was stored is then heard of', async () => {
    const store = behindProxy({ outageMs: 100 });
    const log = await store.open({ ...aLog(), leaseMs: 300 });
    const heard: number[] = [];
    log.onCommitted(rows => heard.push(...versionsOf(rows)));
    proxy.mode = 'swallowing';
    proxy.afterwards = 'refusing';
    const unit: Unit = { appends: [anAppend(1)] };
    await expect(log.commit(unit)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
    proxy.mode = 'passing';
    await until(() => heard.length === 1, 'the renewal has settled it');
    expect(versionsOf(await log.commit(unit))).toEqual([1]);
    await expect(log.commit({ ...unit })).rejects.toThrow(VersionConflict);
    expect(heard).toEqual([1]);
    await store.close();
  });
});

describe('a crash of the database', () => {
  it('stops a log that may have lost commits, and lets one go on that flushes each', async () => {
    const [relaxed, strict] = [storeWith(), storeWith({ unflushedCommits: 'never' })];
    const [ofRelaxed, ofStrict] = [aLog(), aLog()];
    const [losing, keeping] = [await relaxed.open(ofRelaxed), await strict.open(ofStrict)];
    for (const log of [losing, keeping]) await log.commit({ appends: [anAppend(1)], durable: false });
    const { rows: [backend] } = await admin.query(`SELECT pid FROM pg_stat_activity WHERE application_name LIKE $1`, [`aifirst ${ofRelaxed.log}/%`]);
    process.kill(backend.pid, 'SIGKILL');
    await expect(losing.commit({ appends: [anAppend(2)] })).rejects.toThrow(CommitsLost);
    await expect(losing.commit({})).rejects.toThrow(Fenced);
    await keeping.commit({ appends: [anAppend(2)] });
    expect(sequencesOf(await keeping.read(0, 10))).toEqual([1, 2]);
    const again = await relaxed.open(ofRelaxed);
    await again.commit({ appends: [anAppend(2)] });
    expect(versionsOf(await again.read(0, 10)).at(-1)).toBe(2);
    await Promise.all([relaxed.close(), strict.close()]);
    admin = new Client(postgres.connection);
    await admin.connect();
  });
});

describe('logs of one schema', () => {
  it('write the same documents at once without losing a put', async () => {
    const store = storeWith();
    const logs = await Promise.all([1, 2].map(() => store.open(aLog())));
    const kind = `shared-${++names}`;
    let [added, puts] = [0, 0];
    await Promise.all(logs.map(async (log, which) => {
      for (let i = 0; i < 40; i++) {
        await log.commit({ documents: ['a', 'b'].map(id => ({ kind, tenant: 'default', id, data: { i } })) });
        puts++;
        await log.commit({ appends: [anAppend(i)], documents: [{ kind, tenant: 'default', id: `new-${i}`, data: { which }, expectedRevision: 0 }] })
          .then(() => { added++; }, error => { expect(error).toMatchObject({ code: 'VERSION_CONFLICT', documents: [`${kind}/default/new-${i}`] }); });
      }
    }));
    expect([puts, added]).toEqual([80, 40]);
    for (const id of ['a', 'b']) expect((await logs[0]!.getDocument(kind, 'default', id))?.revision).toBe(80);
    expect(logs[0]!.head() + logs[1]!.head()).toBe(40);

    let counted = 0;
    await Promise.all(logs.map(async log => {
      for (let i = 0; i < 60; i++) {
        const seen = await log.getDocument(kind, 'default', 'counter');
        const next = { kind, tenant: 'default', id: 'counter', data: { n: Number(seen?.data['n'] ?? 0) + 1 }, expectedRevision: seen?.revision ?? 0 };
        await log.commit({ documents: [next] }).then(() => { counted++; }, error => { expect(error).toBeInstanceOf(VersionConflict); });
      }
    }));
    expect((await logs[0]!.getDocument(kind, 'default', 'counter'))?.data).toEqual({ n: counted });
    await store.close();
  });

  it('is read on where its start has been removed', async () => {
    const store = storeWith();
    const log = await store.open(aLog());
    await log.commit({ appends: Array.from({ length: 30 }, (_, i) => anAppend(i)) });
    await admin.query(`DELETE FROM ${SCHEMA}.log WHERE position <= 25 AND writer = (SELECT id FROM ${SCHEMA}.writer WHERE name = $1)`, [log.producer]);
    expect((await log.read(0, 3)).map(row => row.position)).toEqual([26, 27, 28]);
    expect((await log.read(24, 100)).map(row => row.position)).toEqual([26, 27, 28, 29, 30]);
    await store.close();
  });

  it('uses indexes whatever the tables held when its statements were planned', async () => {
    const schema = 'aifirst_plans';
    const made = await migrate({ admin: postgres.connection, services: [{ schema, role: schema, migrations: BASE_MIGRATIONS }] });
    const store = storeWith({ connection: made.get(schema)!, schema });
    const log = await store.open(aLog());
    for (let i = 0; i < 20; i++) {
      const documents = Array.from({ length: 200 }, (_, n) => ({ kind: 'k', tenant: 'default', id: `d-${i * 150 + n}`, data: {} }));
      await log.commit({ documents, appends: Array.from({ length: 200 }, (_, n) => anAppend(i * 200 + n, { key: `${i}/${n}` })) });
      await expect(log.commit({ appends: [anAppend(i, { key: `${i}/0` })], documents: [{ ...documents[0]!, expectedRevision: 9 }] })).rejects.toThrow(VersionConflict);
      expect(await log.readVersions([{ stream: uuid(1), version: i }])).toHaveLength(1);
      expect(await log.readKeys([`${i}/1`])).toHaveLength(1);
      expect(await log.read(i * 200, 5)).toHaveLength(5);
      expect(await log.listDocuments('k', null, { limit: 10, after: 'default/d-1' })).toHaveLength(10);
    }
    await store.close();
    const counts = async () => (await admin.query(`SELECT relname AS name, n_tup_ins::int AS inserted, seq_tup_read::int AS scanned FROM pg_stat_user_tables WHERE schemaname = $1 AND relname IN ('log', 'document') ORDER BY 1`, [schema])).rows;
    await until(async () => (await counts())[1].inserted === 4_000, 'the counts are in');
    expect(await counts()).toEqual([{ name: 'document', inserted: 3_050, scanned: 0 }, { name: 'log', inserted: 4_000, scanned: 0 }]);
  });
});

describe('the lease', () => {
  it('is renewed by a commit on the database\'s clock', async () => {
    const store = storeWith({ timers: never });
    const options = { ...aLog(), leaseMs: 60_000 };
    const log = await store.open(options);
    await admin.query(`UPDATE ${SCHEMA}.writer SET lease_until = 'epoch' WHERE name = $1`, [log.producer]);
    await log.commit({ positions: { x: 1 } });
    const { rows: [row] } = await admin.query(`SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 AS left, owner FROM ${SCHEMA}.writer WHERE name = $1`, [log.producer]);
    expect(row.owner).toBe('test');
    expect(row.left).toBeGreaterThan(30);
    expect(row.left).toBeLessThanOrEqual(60);
    await expect(store.open({ ...options, takeOver: false })).rejects.toThrow(LeaseHeld);
    await store.close();
  });

  it('shows an idle writer that it was replaced', async () => {
    const store = storeWith();
    const options = { ...aLog(), leaseMs: 150 };
    const log = await store.open(options);
    const other = storeWith();
    await other.open(options);
    await pause(200);
    await expect(log.commit({})).rejects.toThrow(Fenced);
    await Promise.all([store.close(), other.close()]);
  });
});

async function terminate(log: string): Promise<void> {
  const { rows } = await admin.query(`SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1`, [`aifirst ${log}/%`]);
  expect(rows).toHaveLength(1);
  await until(async () => (await admin.query('SELECT FROM pg_stat_activity WHERE pid = $1', [rows[0].pid])).rowCount === 0, 'the backend is gone');
}

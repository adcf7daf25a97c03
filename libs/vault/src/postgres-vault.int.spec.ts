import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { migrate } from '@aifirst/store';
import { Client, type ClientConfig } from 'pg';
import type { Json } from '@aifirst/kernel';
import { CACHED_MS_MAX } from './key-cache';
import { MasterKey, newMasterKeyText } from './master-key';
import { PostgresVault } from './postgres-vault';
import { aScope, vaultContract } from './vault.contract';
import { VAULT_MIGRATIONS, VAULT_SCHEMA } from './vault-migrations';

const CANARY = 'canary-7c1f';
const masterKeyText = newMasterKeyText();
const open: PostgresVault[] = [];
let postgres: TestPostgres;
let admin: Client;
let connection: ClientConfig;

const aVault = (over: { masterKey?: MasterKey; now?: () => number } = {}): PostgresVault => {
  const vault = new PostgresVault({ connection, masterKey: new MasterKey(masterKeyText), ...over });
  open.push(vault);
  return vault;
};
const rows = async (workflow: string) => (await admin.query<{ tenant: string; wrapped: Buffer | null; erased_at: Date | null }>('SELECT * FROM aifirst_vault.data_key WHERE workflow = $1', [workflow])).rows;
const sealedBy = async (vault: PostgresVault, scope: ReturnType<typeof aScope>) => (await vault.seal(scope, 'c', CANARY)) as unknown as Json;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const service = { schema: VAULT_SCHEMA, role: 'aifirst_vault', migrations: VAULT_MIGRATIONS };
  connection = (await migrate({ admin: postgres.connection, services: [service] })).get(VAULT_SCHEMA)!;
  admin = new Client(postgres.connection);
  await admin.connect();
});
afterAll(async () => {
  await Promise.all(open.map(vault => vault.close()));
  await admin?.end();
  await postgres?.stop();
});

describe('the vault in PostgreSQL', () => {
  let vault: PostgresVault;
  beforeAll(() => { vault = aVault(); });
  vaultContract(() => vault);

  it('keeps keys wrapped, and nothing else', async () => {
    const scope = aScope();
    await sealedBy(aVault(), scope);
    const [row] = await rows(scope.workflow);
    expect(row).toMatchObject({ tenant: 'acme', erased_at: null });
    expect(row!.wrapped).toHaveLength(69);
    const dump = (await admin.query<{ text: string }>('SELECT d::text AS text FROM aifirst_vault.data_key d')).rows.map(({ text }) => text).join('\n');
    expect(dump).not.toContain(CANARY);
    expect(dump).not.toContain(Buffer.from(CANARY).toString('hex'));
    expect(dump).not.toContain(Buffer.from(masterKeyText, 'base64').toString('hex'));
  });

  it('tells at once that its master key is another one', async () => {
    await sealedBy(aVault(), aScope());
    await expect(aVault().checkMasterKey()).resolves.toBeUndefined();
    await expect(aVault({ masterKey: new MasterKey(newMasterKeyText()) }).checkMasterKey()).rejects.toMatchObject({ code: 'MASTER_KEY_UNKNOWN' });
    await expect(aVault({ masterKey: new MasterKey(newMasterKeyText(), [masterKeyText]) }).checkMasterKey()).resolves.toBeUndefined();
  });

  it('costs no row where nothing is sensitive', async () => {
    const scope = aScope();
    const idle = new PostgresVault({ connection: { ...connection, host: '/nowhere' }, masterKey: new MasterKey(masterKeyText) });
    expect(await idle.sealFields(scope, { properties: { value: {} } }, { value: CANARY })).toEqual({ value: CANARY });
    expect(await idle.unsealAll(scope, { value: CANARY })).toEqual({ value: CANARY });
    expect(await rows(scope.workflow)).toEqual([]);
    await idle.close();
  });

  it('opens after a restart, and in another process at the same time', async () => {
    const scope = aScope();
    const [one, other] = [aVault(), aVault()];
    const [first, second] = await Promise.all([sealedBy(one, scope), sealedBy(other, scope)]);
    for (const reader of [one, other, aVault()]) expect(await reader.unsealAll(scope, [first, second])).toEqual([CANARY, CANARY]);
  });

  it('makes the keys of many workflows in few statements', async () => {
    const counter = new Client(postgres.connection);
    await counter.connect();
    const batcher = aVault();
    await sealedBy(batcher, aScope());
    const before = Number((await counter.query<{ n: string }>(`SELECT pg_current_xact_id()::text AS n`)).rows[0]!.n);
    await Promise.all(Array.from({ length: 300 }, () => sealedBy(batcher, aScope())));
    const after = Number((await counter.query<{ n: string }>(`SELECT pg_current_xact_id()::text AS n`)).rows[0]!.n);
    expect(after - before).toBeLessThan(20);
    await counter.end();
  });

  it('wants the master key that wrapped, old or new', async () => {
    const scope = aScope();
    const sealed = await sealedBy(aVault(), scope);
    const newer = newMasterKeyText();
    await expect(aVault({ masterKey: new MasterKey(newer) }).unsealAll(scope, sealed)).rejects.toMatchObject({ code: 'MASTER_KEY_UNKNOWN' });
    expect(await aVault({ masterKey: new MasterKey(newer, [masterKeyText]) }).unsealAll(scope, sealed)).toBe(CANARY);
  });

  it('finds a key that was moved to another workflow', async () => {
    const [scope, other] = [aScope(), aScope()];
    await sealedBy(aVault(), scope);
    const sealed = await sealedBy(aVault(), other);
    await admin.query('UPDATE aifirst_vault.data_key SET wrapped = (SELECT wrapped FROM aifirst_vault.data_key WHERE workflow = $1) WHERE workflow = $2', [scope.workflow, other.workflow]);
    await expect(aVault().unsealAll(other, sealed)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('keeps the row of an erased key, without the key', async () => {
    const scope = aScope();
    const eraser = aVault();
    const sealed = await sealedBy(eraser, scope);
    await eraser.erase(scope);
    expect(await rows(scope.workflow)).toMatchObject([{ wrapped: null, erased_at: expect.any(Date) as Date }]);
    await expect(aVault().unsealAll(scope, sealed)).rejects.toMatchObject({ code: 'ERASED' });
  });

  it('sees an erasure of another process within a minute', async () => {
    const scope = aScope();
    let now = 1_000_000;
    const reader = aVault({ now: () => now });
    const sealed = await sealedBy(reader, scope);
    await aVault().erase(scope);
    now += CACHED_MS_MAX;
    await expect(reader.unsealAll(scope, sealed)).rejects.toMatchObject({ code: 'ERASED' });
  });

  it('erases while others seal, and no key lives on', async () => {
    const busy = aVault();
    for (let round = 0; round < 20; round++) {
      const scope = aScope();
      const sealing = Promise.allSettled([sealedBy(busy, scope), sealedBy(busy, scope)]);
      await busy.erase(scope);
      await sealing;
      await expect(sealedBy(busy, scope)).rejects.toMatchObject({ code: 'ERASED' });
    }
  });

  it('does not let one tenant erase or use the key of another', async () => {
    const scope = aScope();
    const keeper = aVault();
    const sealed = await sealedBy(keeper, scope);
    await aVault().erase({ ...scope, tenant: 'other' });
    expect(await aVault().unsealAll(scope, sealed)).toBe(CANARY);
    await expect(aVault().seal({ ...scope, tenant: 'third' }, 'c', 1)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('shows a tenant its own rows alone, and lets the service delete none', async () => {
    const scope = aScope({ tenant: 'hidden' });
    await sealedBy(aVault(), scope);
    const client = new Client({ ...connection, options: `-c search_path=${VAULT_SCHEMA}` });
    await client.connect();
    const seen = async () => (await client.query('SELECT 1 FROM data_key WHERE workflow = $1', [scope.workflow])).rowCount;
    expect(await seen()).toBe(0);
    await client.query(`SET aifirst.tenant = 'acme'`);
    expect(await seen()).toBe(0);
    await client.query(`SET aifirst.tenant = 'hidden'`);
    expect(await seen()).toBe(1);
    await expect(client.query('DELETE FROM data_key')).rejects.toMatchObject({ code: '42501' });
    await client.end();
  });

  it('says that it is away, without a word of what it was asked, and comes back by itself', async () => {
    const scope = aScope();
    const away = new PostgresVault({ connection: { ...connection, password: 'wrong' }, masterKey: new MasterKey(masterKeyText) });
    await expect(away.seal(scope, 'c', CANARY)).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE', retryable: true });
    await away.close();
    const cut = aVault();
    await sealedBy(cut, aScope());
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aifirst vault'`);
    for (let attempt = 0; ; attempt++) {
      try { expect(await cut.unsealAll(scope, await sealedBy(cut, scope))).toBe(CANARY); break; } catch (error) {
        expect(error).toMatchObject({ code: 'VAULT_UNAVAILABLE', retryable: true });
        if (attempt > 5) throw error;
      }
    }
  });
});

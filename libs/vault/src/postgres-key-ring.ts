import { randomBytes } from 'node:crypto';
import { OperationalError } from '@aifirst/kernel';
import { Pool, type ClientConfig } from 'pg';
import { DATA_KEY_BYTES, DataKey, ownerOf } from './data-key';
import { KeyCache } from './key-cache';
import { erased, noKey, type KeyRing } from './key-ring';
import type { MasterKey } from './master-key';
import type { KeyScope } from './vault';
import { VAULT_SCHEMA } from './vault-migrations';

/** One that makes and reads keys, one for what must not wait behind it. */
const CONNECTIONS_MAX = 2;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Some 300 bytes a key: a statement stays small, and a burst takes several. */
const BATCH_MAX = 500;

interface Wanted { readonly scope: KeyScope; readonly owner: string; make: boolean; readonly answer: Promise<DataKey>; readonly resolve: (key: DataKey) => void; readonly reject: (error: unknown) => void }
interface KeyRow { readonly tenant: string; readonly workflow: string; readonly wrapped: Buffer | null }

export interface PostgresKeyRingOptions {
  /** As the vault's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  readonly masterKey: MasterKey;
  /** Milliseconds; by default the process's clock. Decides only how long a key is kept in memory. */
  readonly now?: () => number;
}

/** Data keys in PostgreSQL. What is wanted while a statement runs goes into the next one together. A new key is on disk before it is used. */
export class PostgresKeyRing implements KeyRing {
  readonly #pool: Pool;
  readonly #masterKey: MasterKey;
  readonly #cache: KeyCache;
  readonly #wanted = new Map<string, Wanted>();
  #running = false;
  /** Raised by every erasure: what was read before one began may be older than it. */
  #erasures = 0;

  constructor({ connection, masterKey, now = Date.now }: PostgresKeyRingOptions) {
    // Why: a batch is of many tenants; every statement names the tenant of each row besides.
    const settings = { search_path: VAULT_SCHEMA, 'aifirst.tenant': '*', synchronous_commit: 'on', statement_timeout: String(STATEMENT_TIMEOUT_MS) };
    const options = [...(connection.options === undefined ? [] : [connection.options]), ...Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`)].join(' ');
    this.#pool = new Pool({ ...connection, options, application_name: 'aifirst vault', max: CONNECTIONS_MAX, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, allowExitOnIdle: true });
    this.#pool.on('error', () => { /* Why: an idle connection that breaks is replaced when next one is wanted. */ });
    this.#masterKey = masterKey;
    this.#cache = new KeyCache(now);
  }

  forSealing(scope: KeyScope): Promise<DataKey> { return this.#want(scope, true); }
  forOpening(scope: KeyScope): Promise<DataKey> { return this.#want(scope, false); }

  async erase(scope: KeyScope): Promise<void> {
    this.#erasures++;
    const owner = ownerOf(scope);
    await this.#query({
      name: 'vault-erase', text: `INSERT INTO data_key (tenant, workflow, erased_at) VALUES ($1, $2, now())
        ON CONFLICT (workflow) DO UPDATE SET wrapped = NULL, erased_at = now() WHERE data_key.tenant = excluded.tenant AND data_key.erased_at IS NULL`, values: [scope.tenant, scope.workflow],
    });
    this.#erasures++;
    this.#cache.addErased(owner);
  }

  /** One key tells whether the master key is that of this database. @throws OperationalError `MASTER_KEY_UNKNOWN`, `SEAL_BROKEN` */
  async checkMasterKey(): Promise<void> {
    const [row] = await this.#query({ name: 'vault-check', text: 'SELECT tenant, workflow::text, wrapped FROM data_key WHERE wrapped IS NOT NULL LIMIT 1', values: [] });
    if (row !== undefined) this.#masterKey.unwrap(row.wrapped!, ownerOf(row));
  }

  /** Waits until every connection is closed. */
  async close(): Promise<void> {
    const open = this.#pool.totalCount;
    const gone = open === 0 ? Promise.resolve() : new Promise<void>(resolve => { let left = open; this.#pool.on('remove', () => { if (--left === 0) resolve(); }); });
    await this.#pool.end();
    await gone;
  }

  async #want(scope: KeyScope, make: boolean): Promise<DataKey> {
    const owner = ownerOf(scope);
    const known = this.#cache.get(owner);
    if (known === 'erased') throw erased(scope);
    if (known !== undefined) return known;
    let wanted = this.#wanted.get(owner);
    if (wanted === undefined) {
      wanted = { scope, owner, make, ...settled<DataKey>() };
      this.#wanted.set(owner, wanted);
      if (!this.#running) { this.#running = true; queueMicrotask(() => void this.#run()); }
    }
    // Why: it has not been asked for yet, so that the stronger wish holds for all who wait.
    wanted.make ||= make;
    return wanted.answer;
  }

  async #run(): Promise<void> {
    while (this.#wanted.size > 0) {
      const batch = [...this.#wanted.values()].slice(0, BATCH_MAX);
      for (const { owner } of batch) this.#wanted.delete(owner);
      try {
        await this.#answer(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  async #answer(batch: readonly Wanted[]): Promise<void> {
    const erasures = this.#erasures;
    const made = await this.#make(batch.filter(({ make }) => make));
    const rest = batch.filter(({ owner }) => !made.has(owner));
    const rows = rest.length === 0 ? [] : await this.#read(rest);
    const stored = new Map(rows.map(row => [ownerOf(row), row]));
    for (const { scope, owner, make, resolve, reject } of batch) {
      const own = made.get(owner);
      const row = stored.get(owner);
      if (own === undefined && row === undefined) {
        reject(make ? new OperationalError('SEAL_BROKEN', `the key of workflow \`${scope.workflow}\` belongs to another tenant`) : noKey(scope));
      } else if (own === undefined && row!.wrapped === null) {
        this.#cache.addErased(owner);
        reject(erased(scope));
      } else {
        try {
          const key = new DataKey(scope, own ?? this.#masterKey.unwrap(row!.wrapped!, owner));
          if (erasures === this.#erasures) this.#cache.add(owner, key);
          resolve(key);
        } catch (error) { reject(error); }
      }
    }
  }

  /** @returns the keys that were made here, by owner; those that somebody else made first are left out */
  async #make(batch: readonly Wanted[]): Promise<ReadonlyMap<string, Buffer>> {
    if (batch.length === 0) return new Map();
    const fresh = new Map(batch.map(({ owner }) => [owner, randomBytes(DATA_KEY_BYTES)]));
    const rows = await this.#query({
      name: 'vault-make', text: `INSERT INTO data_key (tenant, workflow, wrapped) SELECT * FROM unnest($1::text[], $2::uuid[], $3::bytea[])
        ON CONFLICT DO NOTHING RETURNING tenant, workflow::text`,
      values: [...columns(batch), batch.map(({ owner }) => this.#masterKey.wrap(fresh.get(owner)!, owner))],
    });
    return new Map(rows.map(row => { const owner = ownerOf(row); return [owner, fresh.get(owner)!]; }));
  }

  #read(batch: readonly Wanted[]): Promise<readonly KeyRow[]> {
    return this.#query({ name: 'vault-read', text: 'SELECT tenant, workflow::text, wrapped FROM data_key JOIN unnest($1::text[], $2::uuid[]) AS wanted(tenant, workflow) USING (tenant, workflow)', values: columns(batch) });
  }

  async #query(statement: { readonly name: string; readonly text: string; readonly values: unknown[] }): Promise<readonly KeyRow[]> {
    try {
      return (await this.#pool.query<KeyRow>(statement)).rows;
    } catch (error) {
      // Why: only the server's code; its message may quote a row.
      const code = (error as { code?: unknown }).code;
      throw new OperationalError('VAULT_UNAVAILABLE', `the vault's database did not answer${typeof code === 'string' ? ` (${code})` : ''}`, { retryable: true });
    }
  }
}

const columns = (batch: readonly Wanted[]): unknown[] => [batch.map(({ scope }) => scope.tenant), batch.map(({ scope }) => scope.workflow)];

function settled<T>(): { readonly answer: Promise<T>; readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void } {
  let resolve!: (value: T) => void, reject!: (error: unknown) => void;
  const answer = new Promise<T>((yes, no) => { resolve = yes; reject = no; });
  return { answer, resolve, reject };
}

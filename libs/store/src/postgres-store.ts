import type { Clock } from '@aifirst/kernel';
import { OperationalError, invariant } from '@aifirst/kernel';
import { Pool } from 'pg';
import type { ClientConfig, PoolClient } from 'pg';
import { LEASE_MS, PostgresLog } from './postgres/postgres-log';
import { endPool } from './postgres/end-pool';
import { asOperational, connectionOf } from './postgres/session';
import * as sql from './postgres/statements';
import type { Log, OpenOptions, Store } from './store';

/** How long a commit waits for a database that is away: a restart takes two seconds, recovery after a crash a few more. */
const OUTAGE_MS = 30_000;
/** Reads happen at start, after gaps, for conflicts and for people; each connection is a process of the server. */
const READERS_MAX = 2;
const REQUESTS_MAX = 4;

export interface PostgresStoreOptions {
  /** As the service's own role (`migrate` returns it): not the owner of the tables and without BYPASSRLS. */
  readonly connection: ClientConfig;
  readonly schema: string;
  /** The `source` of its events is `/aifirst/<serviceName>`. */
  readonly serviceName: string;
  /**
   * `allowed` (default): `durable: false` skips the flush, and after a crash of the database every log stops with
   * `CommitsLost`. Right only where all services share one cluster (a later flushed commit flushes what came before).
   * `never`: every commit is flushed, and a log carries on after a crash of the database.
   */
  readonly unflushedCommits?: 'allowed' | 'never';
  /** How long a commit waits for a database that is away. Default 30,000. */
  readonly outageMs?: number;
  /** Drives the renewal of leases; by default the process's timers, which keep no process alive. */
  readonly timers?: Pick<Clock, 'after'>;
}

/** Reads of one tenant's rows, in a read-only transaction. */
export interface TenantReader {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** A service's schema in PostgreSQL: its logs and documents. */
export class PostgresStore implements Store {
  readonly #options: PostgresStoreOptions;
  readonly #logs = new Set<Log>();
  readonly #readers: Pool;
  readonly #requests: Pool;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#readers = this.#pool('log', READERS_MAX);
    this.#requests = this.#pool('request', REQUESTS_MAX);
  }

  async open(options: OpenOptions): Promise<Log> {
    const { connection, schema, serviceName, unflushedCommits, outageMs, timers } = this.#options;
    invariant((options.leaseMs ?? LEASE_MS) > 0, 'a lease has no time');
    const log = await PostgresLog.open({
      connection: name => connectionOf(connection, schema, name, 'log'),
      readers: this.#readers,
      source: `/aifirst/${serviceName}`,
      unflushedCommits: unflushedCommits ?? 'allowed',
      outageMs: outageMs ?? OUTAGE_MS,
      timers: timers ?? processTimers,
      onClosed: closed => { this.#logs.delete(closed); },
    }, options);
    this.#logs.add(log);
    return log;
  }

  /**
   * Makes all shards of a log known at once, at the first start. Their number stays: what belongs to a shard does so for ever.
   * @throws OperationalError SHARDS_CHANGED where it was begun with another number; retryable when the database is away
   */
  async enrol(log: string, shards: number): Promise<void> {
    await this.#ask(sql.ENROL_SHARDS, [log, shards]);
    const found = (await this.#ask<{ name: string }>(sql.ENROLLED, [`${log}/`])).length;
    if (found !== shards) throw new OperationalError('SHARDS_CHANGED', `log \`${log}\` was begun with ${found} ${found === 1 ? 'shard' : 'shards'}, not ${shards}, and keeps their number: set SHARDS=${found}, or begin with an empty database`);
  }

  /** By shard, who wrote last, and whether nobody does now. @throws OperationalError (retryable) when the database is away */
  async holders(log: string, shards: number): Promise<readonly { readonly owner: string; readonly isFree: boolean }[]> {
    const names = Array.from({ length: shards }, (_, shard) => `${log}/${shard}`);
    const rows = await this.#ask<{ name: string; owner: string; free: boolean }>(sql.HOLDERS, [names]);
    return names.map(name => { const row = rows.find(found => found.name === name); return { owner: row?.owner ?? '', isFree: row?.free ?? true }; });
  }

  async #ask<Row extends object>(statement: sql.Statement, values: unknown[]): Promise<readonly Row[]> {
    try { return (await this.#readers.query<Row>({ ...statement, values })).rows; } catch (error) { throw asOperational(error); }
  }

  /**
   * What `work` queries shows the rows of `tenant` alone; a query outside sees none.
   * @throws OperationalError (retryable when the database is away); what `work` throws
   */
  async withTenant<T>(tenant: string, work: (reader: TenantReader) => Promise<T>): Promise<T> {
    if (tenant === '' || tenant === '*') throw new OperationalError('NOT_STORABLE', 'a tenant is empty or `*`');
    const client = await this.#requests.connect().catch((error: unknown) => { throw asOperational(error); });
    let broken: Error | undefined;
    try {
      await run(client, `BEGIN READ ONLY; SET LOCAL aifirst.tenant = ${client.escapeLiteral(tenant)}`);
      const result = await work({ query: async (text, values) => (await run(client, text, values)).rows as never });
      await run(client, 'COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => { broken = failure; });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs].map(log => log.close()));
    this.#logs.clear();
    await Promise.all([endPool(this.#readers), endPool(this.#requests)]);
  }

  #pool(use: 'log' | 'request', max: number): Pool {
    const { connection, schema } = this.#options;
    const pool = new Pool({ ...connectionOf(connection, schema, `aifirst ${schema} ${use} reads`, use), max, idleTimeoutMillis: 30_000, allowExitOnIdle: true });
    // Why: an idle connection that is lost needs no answer, but without a listener it would end the process.
    pool.on('error', () => undefined);
    return pool;
  }
}

async function run(client: PoolClient, text: string, values?: readonly unknown[]) {
  try {
    return await client.query(text, values === undefined ? undefined : [...values]);
  } catch (error) {
    throw asOperational(error);
  }
}

const processTimers: Pick<Clock, 'after'> = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

import { messageOf, OperationalError } from '@aifirst/kernel';
import { endPool, Fenced } from '@aifirst/store';
import { Pool, type ClientConfig, type PoolClient } from 'pg';
import type { LockLog, LockNews } from '../application/ports';
import type { LockBatch, LockEntry, LockState } from '../domain/lock-replica';

/** Appends wait for one another anyway. */
const CONNECTIONS_MAX = 2;
const IDLE_MS = 10_000;
/** What takes longer is asked again; the server gives it up too, so that nothing is left that holds up the others. */
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 5_000;
const ENTRIES_MAX = 500;
/** Entries that stay before a snapshot, so that who lies a little behind need not read it. */
const ENTRIES_KEPT = 1_000;

export interface PostgresLockLogOptions {
  /** As the service's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  /** Where the store and `LOCK_MIGRATIONS` made their tables. */
  readonly schema: string;
  /** Whose shards these are: their logs are `<log>/<shard>`. Default `orchestrator`. */
  readonly log?: string;
  /** Default 1,000. */
  readonly entriesKept?: number;
}

/** What shards ask of the locks that they share, beside their logs. One for all shards of a process. */
export class PostgresLockLog implements LockLog {
  readonly #pool: Pool;
  readonly #log: string;
  readonly #kept: number;
  readonly #listeners = new Set<(shard: number) => void>();

  constructor({ connection, schema, log, entriesKept }: PostgresLockLogOptions) {
    this.#log = log ?? 'orchestrator';
    this.#kept = Math.max(1, entriesKept ?? ENTRIES_KEPT);
    const settings = { search_path: schema, statement_timeout: STATEMENT_TIMEOUT_MS, default_transaction_isolation: 'read\\ committed', tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, tcp_keepalives_count: 3 };
    this.#pool = new Pool({
      ...connection, options: [...(connection.options === undefined ? [] : [connection.options]), ...Object.entries(settings).map(([key, value]) => `-c ${key}=${value}`)].join(' '),
      application_name: `aifirst ${schema} locks`, keepAlive: true, max: CONNECTIONS_MAX, allowExitOnIdle: true, idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: connection.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS, query_timeout: STATEMENT_TIMEOUT_MS,
    });
    // Why: a lost connection shows at what is asked by it, if anything is; but without listeners it would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', client => { client.on('error', () => undefined); });
  }

  async append(batch: LockBatch, after: number): Promise<LockNews> {
    const { shard, epoch } = batch;
    const name = `${this.#log}/${shard}`;
    const rows = await this.#run(client => client.query<Row>({
      name: 'append_locks', text: 'SELECT head, number, data FROM append_locks($1, $2, $3, $4, $5, $6, $7)', values: [name, shard, epoch, batch.batch, JSON.stringify(batch), after, ENTRIES_MAX],
    }));
    if (rows.length === 0) throw new Fenced(name, epoch);
    for (const listener of [...this.#listeners]) listener(shard);
    return this.#newsOf(rows, after);
  }

  async read(after: number): Promise<LockNews> { return this.#newsOf(await this.#read(after), after); }

  async saveSnapshot(state: LockState): Promise<void> {
    await this.#run(client => client.query({
      name: 'save_locks', values: [state.number, JSON.stringify(state), this.#kept],
      text: `WITH saved AS (INSERT INTO lock_snapshot AS s (number, state) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET number = excluded.number, state = excluded.state WHERE s.number < excluded.number RETURNING 1)
        DELETE FROM lock_entry WHERE number <= $1::int8 - $3::int8 AND EXISTS (SELECT FROM saved)`,
    }));
  }

  onAppended(listener: (shard: number) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  close(): Promise<void> { return endPool(this.#pool); }

  /** Where what follows `after` is gone there is a snapshot behind it, and what follows that is there: a snapshot is saved before anything goes. */
  async #newsOf(rows: readonly Row[], after: number): Promise<LockNews> {
    const isGone = (first: Row | undefined, from: number): boolean => (first?.number === null ? Number(first.head) > from : Number(first?.number) > from + 1);
    if (!isGone(rows[0], after)) return { snapshot: null, ...entriesOf(rows) };
    for (;;) {
      const [found] = await this.#run(client => client.query<{ state: string }>({ name: 'locks_snapshot', text: 'SELECT state FROM lock_snapshot' }));
      if (found === undefined) throw new OperationalError('LOCKS_LOST', `what follows number ${after} of the shared locks is gone, and there is no snapshot`);
      const snapshot = JSON.parse(found.state) as LockState;
      const rest = await this.#read(snapshot.number);
      // Why again: a newer one was saved between the two.
      if (!isGone(rest[0], snapshot.number)) return { snapshot, ...entriesOf(rest) };
    }
  }

  #read(after: number): Promise<readonly Row[]> {
    return this.#run(client => client.query<Row>({ name: 'read_locks', text: 'SELECT head, number, data FROM read_locks($1, $2)', values: [after, ENTRIES_MAX] }));
  }

  async #run<R>(work: (client: PoolClient) => Promise<{ rows: R[] }>): Promise<readonly R[]> {
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const { rows } = await work(client);
      client.release();
      return rows;
    } catch (error) {
      // Why not back into the pool: what it was asked may still be under way.
      client?.release(true);
      const sqlState = error instanceof Error && 'code' in error ? String(error.code) : '';
      throw new OperationalError('LOCKS_UNAVAILABLE', `the shared locks can't be reached: ${messageOf(error)}`, { retryable: !/^(22|23|42)/.test(sqlState), cause: error });
    }
  }
}

interface Row { readonly head: string; readonly number: string | null; readonly data: string | null }

const entriesOf = (rows: readonly Row[]): { entries: readonly LockEntry[]; head: number } => ({
  head: Number(rows[0]!.head),
  entries: rows.flatMap(({ number, data }) => (number === null || data === null ? [] : [{ ...JSON.parse(data) as LockBatch, number: Number(number) }])),
});

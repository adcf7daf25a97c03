import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { Fenced, type Positions } from '@aifirst/store';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import { byteaArray, int8Array, textArray } from './binary-array';
import type { BundleRow } from './open-bundle';

const CONNECT_TIMEOUT_MS = 5_000;
/** A statement that takes longer has lost its server. */
const STATEMENT_MS_MAX = 60_000;
const RETRY_MS = { first: 25, most: 2_000 };
const KEEPALIVE = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';
/** Wrong with what is said, not with the moment: saying it again can't help. */
const LASTING = /^(22|23|42)/;

/** @param commits `unflushed`: nobody waits for the disk; a checkpoint's flush takes along what came before it */
export function connectionOf(base: ClientConfig, schema: string, name: string, commits: 'flushed' | 'unflushed'): ClientConfig {
  const own = `-c search_path=${schema} -c aifirst.tenant=* -c plan_cache_mode=force_generic_plan -c jit=off ${KEEPALIVE}${commits === 'unflushed' ? ' -c synchronous_commit=off' : ''}`;
  return {
    ...base, application_name: `aifirst ${schema} ${name}`, options: [...(base.options === undefined ? [] : [base.options]), own].join(' '),
    keepAlive: true, connectionTimeoutMillis: base.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS, query_timeout: STATEMENT_MS_MAX,
  };
}

/** A connection that is made when it is needed and again when it was lost. */
export class Connection {
  #client: Client | null = null;

  /** @param onLost called when a connection that stood was lost, not by us */
  constructor(private readonly config: ClientConfig, private readonly begin: (client: Client) => Promise<void> = async () => undefined, private readonly onLost: () => void = () => undefined) {}

  async client(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const client = new Client(this.config);
    const lost = (): void => {
      if (this.#client !== client) return;
      this.#client = null;
      this.onLost();
    };
    client.on('error', lost);
    client.on('end', lost);
    try {
      await client.connect();
      await this.begin(client);
    } catch (error) {
      cut(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** Whatever state it is in, the next statement gets another. */
  drop(): void {
    const client = this.#client;
    this.#client = null;
    if (client !== null) cut(client);
  }

  async end(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }
}

const cut = (client: Client): void => { (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy(); };

/** What folding goes on from. */
export interface FoldState {
  readonly positions: Positions;
  readonly producers: Readonly<Record<string, number>>;
  /** Per tenant the size of its log and the last number of each producer in it. */
  readonly logs: ReadonlyMap<string, { readonly size: number; readonly producers: Readonly<Record<string, number>> }>;
}
export interface FoldUnit { readonly rows: readonly BundleRow[]; readonly positions: Positions; readonly producers: Readonly<Record<string, number>> }

const TAKE = `UPDATE fold SET owner = $1, session = session + 1, revision = revision + 1 RETURNING session, revision, positions, producers`;
const RESUME = `UPDATE fold SET session = session + 1 WHERE owner = $1 RETURNING session, revision`;
const STATE = `SELECT positions, producers, revision FROM fold WHERE owner = $1`;
const LOGS = `SELECT l.tenant, b.size, b.producers FROM log_name l CROSS JOIN LATERAL
  (SELECT first + count AS size, producers FROM bundle WHERE tenant = l.tenant ORDER BY first DESC LIMIT 1) b`;
const COMMIT = `WITH f AS (UPDATE fold SET revision = $3, positions = $4, producers = $5 WHERE owner = $1 AND session = $2 RETURNING 1),
  n AS (INSERT INTO log_name (tenant) SELECT n.tenant FROM f, unnest($6::text[]) AS n (tenant) ON CONFLICT DO NOTHING),
  b AS (INSERT INTO bundle (tenant, first, count, time_min, time_max, keys, producers, digest, data)
    SELECT b.tenant, b.first, b.count, b.time_min, b.time_max, b.keys::int4[], b.producers, b.digest, b.data
    FROM f, unnest($7::text[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::text[], $13::text[], $14::bytea[], $15::bytea[])
      AS b (tenant, first, count, time_min, time_max, keys, producers, digest, data))
  SELECT FROM f`;

/**
 * Where folding is stored, by one owner at a time: whoever opens it last. One statement stores entries, positions and
 * producers' numbers together, or nothing.
 */
export class FoldDatabase {
  readonly #owner = randomUUID();
  readonly #connection: Connection;
  #session = 0;
  #revision = 0;
  #closed = false;

  /** @param onLost when the connection was lost, perhaps by a crash of the database: `standing` knows */
  constructor(config: ClientConfig, schema: string, private readonly onRetrying: (error: unknown) => void, onLost: () => void) {
    this.#connection = new Connection(connectionOf(config, schema, 'folding', 'unflushed'), undefined, onLost);
  }

  /** Takes the logs over; a former owner's next commit is refused. */
  async open(): Promise<FoldState> {
    const { rows: [row] } = await (await this.#connection.client()).query(TAKE, [this.#owner]);
    if (row === undefined) throw new OperationalError('AUDIT_NOT_MIGRATED', 'the audit schema is not there yet');
    this.#session = Number(row.session);
    this.#revision = Number(row.revision);
    return this.#stateOf(row);
  }

  /** Is everything still there that was committed? @throws Fenced */
  standing(): Promise<'stored' | 'lost'> {
    return this.#again(async client => {
      const { rows: [row] } = await client.query(STATE, [this.#owner]);
      if (row === undefined) throw this.#fenced();
      return Number(row.revision) === this.#revision ? 'stored' : 'lost';
    });
  }

  /** What is stored now: after commits were lost. */
  async reload(): Promise<FoldState> {
    return this.#again(async client => {
      const { rows: [row] } = await client.query(STATE, [this.#owner]);
      if (row === undefined) throw this.#fenced();
      this.#revision = Number(row.revision);
      return this.#stateOf(row);
    });
  }

  /**
   * Tried until it is known to be stored.
   * @returns `lost` when the database has crashed and lost commits that were not flushed: nothing in memory holds then
   * @throws Fenced
   */
  async commit({ rows, positions, producers }: FoldUnit): Promise<'stored' | 'lost'> {
    const revision = this.#revision + 1;
    const column = <T>(of: (row: BundleRow) => T): T[] => rows.map(of);
    const values = [
      JSON.stringify(positions), JSON.stringify(producers), textArray(rows.flatMap(row => (row.first === 0 ? [row.tenant] : []))),
      textArray(column(row => row.tenant)), int8Array(column(row => row.first)), int8Array(column(row => row.count)), int8Array(column(row => row.timeMin)), int8Array(column(row => row.timeMax)),
      textArray(column(row => `{${row.keys.join(',')}}`)), textArray(column(row => row.producers)), byteaArray(column(row => row.digest)), byteaArray(column(row => row.data)),
    ];
    let unsure = false;
    return this.#again(async client => {
      if (unsure) {
        const { rows: [found] } = await client.query(RESUME, [this.#owner]);
        if (found === undefined) throw this.#fenced();
        this.#session = Number(found.session);
        unsure = false;
        const stored = Number(found.revision);
        if (stored === revision) return this.#stored(revision);
        if (stored !== this.#revision) return 'lost';
      }
      unsure = true;
      const { rowCount } = await client.query({ name: 'fold', text: COMMIT, values: [this.#owner, this.#session, revision, ...values] });
      unsure = false;
      if (rowCount !== 1) throw this.#fenced();
      return this.#stored(revision);
    });
  }

  /** What is being tried is given up. */
  async end(): Promise<void> {
    this.#closed = true;
    await this.#connection.end();
  }

  #stored(revision: number): 'stored' { this.#revision = revision; return 'stored'; }
  #fenced(): Fenced { return new Fenced('audit', this.#session, 'is folded by somebody else now'); }

  async #again<T>(work: (client: Client) => Promise<T>): Promise<T> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        if (this.#closed) throw new OperationalError('AUDIT_STOPPED', 'folding was stopped');
        return await work(await this.#connection.client());
      } catch (error) {
        if (error instanceof Fenced || this.#closed) throw error;
        // Why: what violates a constraint meets entries that somebody else has stored at these places.
        if (error instanceof DatabaseError && LASTING.test(error.code ?? '')) throw new OperationalError('AUDIT_STORE_FAILED', `the database refused to store entries (${error.code}): ${messageOf(error)}`, { cause: error });
        this.#connection.drop();
        this.onRetrying(error);
        await pause(waitMs);
      }
    }
  }

  async #stateOf(row: { positions: string; producers: string }): Promise<FoldState> {
    const { rows } = await (await this.#connection.client()).query<{ tenant: string; size: string; producers: string }>(LOGS);
    return {
      positions: JSON.parse(row.positions) as Positions,
      producers: JSON.parse(row.producers) as Record<string, number>,
      logs: new Map(rows.map(({ tenant, size, producers }) => [tenant, { size: Number(size), producers: JSON.parse(producers) as Record<string, number> }])),
    };
  }
}

import type { Connection } from '@aifirst/contracts';
import { CannotDo } from '@aifirst/execution';
import { escapeLiteral, type PoolClient } from 'pg';
import { IDLE_BETWEEN_STEPS_MS_MAX, IDLE_IN_TRANSACTION_MS_MAX, LOCK_MS_MAX, OWN_STATEMENT_MS_MAX } from './limits';
import { failureOf } from './failures';
import type { Pools } from './pools';
import type { Target } from './target';

/** What decides how a value looks as text, and what a name means. Pinned in every transaction: a trigger's function may have set it for the session. */
const PINNED: Readonly<Record<string, string>> = {
  datestyle: 'ISO, YMD', intervalstyle: 'postgres', extra_float_digits: '1', bytea_output: 'hex', timezone: 'UTC',
  xmloption: 'content', lc_monetary: 'C', standard_conforming_strings: 'on', row_security: 'on', transform_null_equals: 'off', array_nulls: 'on',
};
export const pins = 'SET LOCAL search_path = pg_catalog, public, pg_temp; ' + Object.entries(PINNED).map(([name, value]) => `SET LOCAL ${name} = ${escapeLiteral(value)};`).join(' ');
/** A commit that is told must outlive a crash of the target. */
const DURABLE = `SELECT pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END, true);`;

export interface TransactionOptions {
  readonly connection: Connection | null;
  readonly signal?: AbortSignal;
  readonly statementMs?: number;
  readonly lockMs?: number;
  readonly isReadOnly?: boolean;
  /** Kept open between calls, on a connection of its own that the target knows by this name. */
  readonly name?: string;
  /** Runs with the pins, in the same message to the server. Trusted text. */
  readonly first?: string;
  readonly boundary: (name: string) => void;
}

/** Stopped at a boundary, as a kill would: nobody answers in its place. */
export class Interruption extends Error {}

/** A transaction at the target. Whoever opens it ends it once, by `commit` or `rollback`; `end` does nothing after that. */
export class Transaction {
  private state: 'open' | 'committing' | 'over' = 'open';
  private lost: unknown;

  private constructor(readonly client: PoolClient, readonly target: Target, private readonly options: TransactionOptions, private readonly unlisten: () => void) {}

  /** @throws CannotDo `CONNECTION_UNUSABLE`, `TIMEOUT`: nothing was sent that changes anything */
  static async begin(pools: Pools, options: TransactionOptions): Promise<Transaction> {
    const { signal, statementMs = OWN_STATEMENT_MS_MAX, lockMs = LOCK_MS_MAX, name } = options;
    let opened: Awaited<ReturnType<Pools['client']>>;
    try { opened = await (name === undefined ? pools.client(options.connection) : pools.ownClient(options.connection, name)); } catch (error) {
      if (error instanceof CannotDo) throw error;
      throw new CannotDo('CONNECTION_UNUSABLE', `the database can't be reached: ${reasonOf(error)}`);
    }
    const { client, target } = opened;
    const stop = (): void => transaction.cut();
    const onError = (error: unknown): void => { transaction.lost = error; };
    const transaction = new Transaction(client, target, options, () => { signal?.removeEventListener('abort', stop); client.off('error', onError); });
    client.on('error', onError);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) { transaction.end(); throw new CannotDo('TIMEOUT', 'the time was over before it began'); }
    try {
      await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED ${options.isReadOnly === true ? 'READ ONLY' : 'READ WRITE'}; ${pins} SET LOCAL statement_timeout = ${Math.max(1, Math.floor(statementMs))}; `
        + `SET LOCAL lock_timeout = ${Math.max(1, Math.floor(Math.min(lockMs, statementMs)))}; SET LOCAL idle_in_transaction_session_timeout = ${name === undefined ? IDLE_IN_TRANSACTION_MS_MAX : IDLE_BETWEEN_STEPS_MS_MAX}; ${DURABLE} ${options.first ?? ''}`);
    } catch (error) { transaction.end(); throw error; }
    return transaction;
  }

  private at(name: string): void {
    try { this.options.boundary(name); } catch (cause) { throw new Interruption(name, { cause }); }
  }

  /** Was a COMMIT sent whose answer has not come? */
  get isInDoubt(): boolean { return this.state === 'committing'; }

  async query<Row extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    this.at('query');
    return (await this.client.query<Row>(text, values as unknown[])).rows;
  }

  /** Trusted text only: as many statements as it holds. */
  async run(text: string): Promise<void> {
    this.at('run');
    await this.client.query(text);
  }

  /** One call in a transaction that is kept: its time and its signal hold for this call. */
  async during<T>({ signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number }, act: () => Promise<T>): Promise<T> {
    const stop = (): void => this.cut();
    signal.addEventListener('abort', stop);
    try {
      if (signal.aborted) throw new CannotDo('TIMEOUT', 'the time was over before it began');
      // Why the pins: a trigger of the call before may have set another path, look or role, for what follows too.
      await this.run(`SET LOCAL ROLE NONE; ${pins} SET LOCAL statement_timeout = ${Math.max(1, Math.floor(timeoutMs))}; SET LOCAL lock_timeout = ${Math.max(1, Math.floor(Math.min(LOCK_MS_MAX, timeoutMs)))}`);
      return await act();
    } finally { signal.removeEventListener('abort', stop); }
  }

  /** Broken while nobody looked: by the target, its idle time or the network. */
  get isLost(): boolean { return this.lost !== undefined || this.state === 'over'; }

  /** @throws `isInDoubt` tells whether it may have been done all the same */
  commit(): Promise<void> { return this.finish('COMMIT', 'commit', 'committed'); }

  /** Makes it durable, and leaves open what becomes of it. @throws as `commit` */
  prepare(gid: string): Promise<void> { return this.finish(`PREPARE TRANSACTION ${escapeLiteral(gid)}`, 'prepare', 'prepared'); }

  private async finish(statement: string, before: string, after: string): Promise<void> {
    this.at(before);
    this.state = 'committing';
    try {
      const { command } = await this.client.query(statement);
      this.state = 'open';
      if (command === 'ROLLBACK') throw new CannotDo('SQL_ERROR', 'the transaction had failed before its end');
    } catch (error) {
      if (failureOf(error).isDefinite) this.state = 'open';
      throw error;
    }
    this.state = 'over';
    this.release(false);
    this.at(after);
  }

  async rollback(): Promise<void> {
    if (this.state === 'over') return;
    try { await this.client.query('ROLLBACK'); this.state = 'over'; this.release(false); } catch { this.end(); }
  }

  /** Lets go of the connection; what is still open is cut, and so rolled back. */
  end(): void {
    if (this.state === 'over') return;
    if (this.state === 'open') this.state = 'over';
    this.release(true);
  }

  private released = false;
  private release(broken: boolean): void {
    if (this.released) return;
    this.released = true;
    this.unlisten();
    if (!broken && this.lost === undefined) return this.client.release();
    this.client.on('error', () => undefined);
    this.cut();
    this.client.release(true);
  }

  /** Why not a request to cancel: it may hit whatever the server process does next. It notices the closed socket, at the latest by its time-outs. */
  private cut(): void {
    (this.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

function reasonOf(error: unknown): string {
  const { sqlstate, detail } = failureOf(error);
  if (sqlstate === '28P01' || sqlstate === '28000') return `it does not let the user in [${sqlstate}]`;
  if (sqlstate === '3D000') return `there is no such database [${sqlstate}]`;
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'SECRET_UNAVAILABLE') return 'its password is not to be had';
  return detail;
}

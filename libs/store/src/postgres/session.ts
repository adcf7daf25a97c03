import { OperationalError, messageOf } from '@aifirst/kernel';
import { Client, DatabaseError } from 'pg';
import type { ClientConfig } from 'pg';
import type { Statement } from './statements';

/** How long the start of a connection may take. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Settings of our connections, sent with the start so that they cost no round trip. Generic plans: planning each time
 * costs 0.14 ms a statement. Index scans only: a plan made while the tables were empty would scan them whole later on.
 */
const PLANNER = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off', jit: 'off' };
/** A partition must not leave a backend with our locks behind for hours. */
const KEEPALIVE = { tcp_keepalives_idle: '10', tcp_keepalives_interval: '5', tcp_keepalives_count: '3' };

/** A service's connection. `log`: sees all tenants and is planned for the log's own statements; `request`: sees none until a transaction names one. */
export function connectionOf(base: ClientConfig, schema: string, name: string, use: 'log' | 'request'): ClientConfig {
  const settings = { search_path: schema, ...(use === 'log' ? { 'aifirst.tenant': '*', ...PLANNER } : {}), ...KEEPALIVE };
  const options = Object.entries(settings).map(([key, value]) => `-c ${key}=${value}`);
  return {
    ...base,
    application_name: name.slice(0, 63),
    options: [...(base.options === undefined ? [] : [base.options]), ...options].join(' '),
    keepAlive: true,
    connectionTimeoutMillis: base.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS,
  };
}

/** One connection, for one statement at a time, that knows whether it still is one. */
export class Session {
  #lost = false;
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
    client.on('error', () => { this.#lost = true; });
    client.on('end', () => { this.#lost = true; });
  }

  static async connect(config: ClientConfig): Promise<Session> {
    const client = new Client(config);
    const session = new Session(client);
    try {
      await client.connect();
      // Why: a server whose default is off would make every commit unflushed; a stricter default stays.
      await client.query(`SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`);
      return session;
    } catch (error) {
      session.cut();
      throw error;
    }
  }

  get lost(): boolean { return this.#lost; }

  /** @param timeoutMs after which the connection counts as lost */
  async query(statement: Statement, values: unknown[], timeoutMs: number): Promise<{ readonly count: number; readonly rows: Record<string, string | null>[] }> {
    const watch = setTimeout(() => this.cut(), timeoutMs);
    try {
      const result = await this.#client.query<Record<string, string | null>>({ name: statement.name, text: statement.text, values });
      return { count: result.rowCount ?? 0, rows: result.rows };
    } finally {
      clearTimeout(watch);
    }
  }

  /** Ends it without a farewell. */
  cut(): void {
    this.#lost = true;
    (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }

  async end(): Promise<void> {
    if (this.#lost) return;
    this.#lost = true;
    await this.#client.end();
  }
}

export const isUniqueViolation = (error: unknown): boolean => error instanceof DatabaseError && error.code === '23505';

/** Codes of an administrator's or a crash's end of the connection; what is no error of the database is the connection's own. */
export const isConnectionLoss = (error: unknown): boolean => !(error instanceof DatabaseError) || /^(08|57P)/.test(error.code ?? '08');

/** Roll-backs for concurrency, missing resources, the operator's doing and a plan that a migration has overtaken pass; the rest does not. */
const PASSES = /^(40|53|55|57|58|0A000)/;
export function asOperational(error: unknown): OperationalError {
  if (error instanceof OperationalError) return error;
  if (isConnectionLoss(error)) return new OperationalError('STORE_UNAVAILABLE', `the database can't be reached: ${messageOf(error)}`, { retryable: true, cause: error });
  const code = (error as DatabaseError).code ?? '';
  return new OperationalError('STORE_FAILED', `the database refused a statement (${code}): ${messageOf(error)}`, { retryable: PASSES.test(code), cause: error });
}

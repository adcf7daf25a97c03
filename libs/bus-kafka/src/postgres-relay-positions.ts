import { OperationalError } from '@aifirst/kernel';
import { endPool } from '@aifirst/store';
import { Pool, type ClientConfig } from 'pg';
import type { RelayPositions } from './relay-positions';

/** One save at a time for each log, and a handful of logs in a process. */
const CONNECTIONS_MAX = 1;
const IDLE_MS = 10_000;
/** A database that does not answer must not hold up a process's end. */
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 5_000;

export interface PostgresRelayPositionsOptions {
  /** As the service's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  /** Where `KAFKA_MIGRATIONS` made the table. */
  readonly schema: string;
}

/** Relay positions in a producing service's schema, where a crash of the database sets them back no less than the log. */
export class PostgresRelayPositions {
  private readonly pool: Pool;

  constructor({ connection, schema }: PostgresRelayPositionsOptions) {
    // Why not durable: a save that is lost is a repeat. A flush for each would cost those who wait for theirs.
    const options = [...(connection.options === undefined ? [] : [connection.options]), `-c search_path=${schema} -c synchronous_commit=off`].join(' ');
    this.pool = new Pool({
      ...connection, options, application_name: `aifirst ${schema} relay`, keepAlive: true, max: CONNECTIONS_MAX, allowExitOnIdle: true,
      idleTimeoutMillis: IDLE_MS, connectionTimeoutMillis: connection.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS, query_timeout: STATEMENT_TIMEOUT_MS,
    });
    // Why: an idle connection that is lost needs no answer, but without a listener it would end the process.
    this.pool.on('error', () => undefined);
  }

  of(source: string): RelayPositions {
    return {
      load: async () => {
        const { rows: [row] } = await this.query<{ position: string }>('SELECT position FROM relay_position WHERE source = $1', [source]);
        return Number(row?.position ?? 0);
      },
      save: async position => {
        await this.query(
          `INSERT INTO relay_position (source, position) VALUES ($1, $2)
           ON CONFLICT (source) DO UPDATE SET position = excluded.position, saved_at = clock_timestamp()`, [source, position]);
      },
    };
  }

  close(): Promise<void> { return endPool(this.pool); }

  private async query<R extends object>(text: string, values: readonly unknown[]): Promise<{ rows: R[] }> {
    try {
      return await this.pool.query<R>(text, [...values]);
    } catch (error) {
      const sqlState = error instanceof Error && 'code' in error ? String(error.code) : '';
      throw new OperationalError('RELAY_POSITIONS_UNAVAILABLE', `relay positions can't be reached${sqlState === '' ? '' : ` (\`${sqlState}\`)`}`, { retryable: !/^(22|23|42)/.test(sqlState), cause: error });
    }
  }
}

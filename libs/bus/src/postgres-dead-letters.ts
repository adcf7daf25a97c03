import { OperationalError, Refusal, isUuid } from '@aifirst/kernel';
import type { Message } from '@aifirst/contracts';
import { endPool } from '@aifirst/store';
import { Pool, type ClientConfig, type PoolClient } from 'pg';
import { notFound, wrongState } from './dead-letter-desk';
import type { DeadLetter, DeadLetters } from './dead-letters';
import type { Delivery } from './message-bus';

/** What is kept of an error's message: enough to act on, whatever a driver puts into it. */
const DETAIL_CHARACTERS_MAX = 2_000;
const LETTER = `id, consumer_group, tenant, source, position, topic, key, message_id, type, code, detail, parked_at, status`;

interface LetterRow {
  readonly id: string; readonly consumer_group: string; readonly tenant: string; readonly source: string; readonly position: string; readonly row_index: number;
  readonly topic: string; readonly key: string; readonly message_id: string; readonly type: string; readonly code: string; readonly detail: string;
  readonly parked_at: Date; readonly status: DeadLetter['status']; readonly message: string;
}

/** Parking is rare, and so are people who look. Each connection is a process of the server. */
const CONNECTIONS_MAX = 2;
const IDLE_MS = 10_000;
/** A database that does not answer must hold up neither a consumer's end nor a person for ever. */
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;

export interface PostgresDeadLettersOptions {
  /** As the service's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  /** Where `DEAD_LETTER_MIGRATIONS` made the table. */
  readonly schema: string;
}

/** Dead letters in a service's schema. Each call is one transaction that names the tenant it is for. */
export class PostgresDeadLetters implements DeadLetters {
  private readonly pool: Pool;

  constructor({ connection, schema }: PostgresDeadLettersOptions) {
    const options = [...(connection.options === undefined ? [] : [connection.options]), `-c search_path=${schema}`].join(' ');
    this.pool = new Pool({
      ...connection, options, application_name: `aifirst ${schema} dead letters`, keepAlive: true, max: CONNECTIONS_MAX, allowExitOnIdle: true,
      idleTimeoutMillis: IDLE_MS, connectionTimeoutMillis: connection.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS, query_timeout: STATEMENT_TIMEOUT_MS,
    });
    // Why: an idle connection that is lost needs no answer, but without a listener it would end the process.
    this.pool.on('error', () => undefined);
  }

  close(): Promise<void> { return endPool(this.pool); }

  async park(group: string, letters: readonly { readonly delivery: Delivery; readonly code: string; readonly detail: string }[]): Promise<void> {
    if (letters.length === 0) return;
    const column = (of: (letter: (typeof letters)[number]) => unknown) => letters.map(of);
    await this.as('*', client => client.query(
      `INSERT INTO dead_letter (consumer_group, tenant, source, position, row_index, topic, key, message_id, type, code, detail, message)
       SELECT $1, tenant, source, position, row_index, topic, key, message_id, type, code, detail, message
       FROM unnest($2::text[], $3::text[], $4::int8[], $5::int4[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
         WITH ORDINALITY AS letter (tenant, source, position, row_index, topic, key, message_id, type, code, detail, message, place)
       ORDER BY place
       ON CONFLICT (consumer_group, source, position, message_id) DO NOTHING`,
      [
        group,
        column(({ delivery }) => delivery.message.event.tenant), column(({ delivery }) => delivery.source),
        column(({ delivery }) => delivery.position), column(({ delivery }) => delivery.index ?? 0),
        column(({ delivery }) => delivery.message.topic), column(({ delivery }) => delivery.message.key),
        column(({ delivery }) => delivery.message.event.id), column(({ delivery }) => delivery.message.event.type),
        column(({ code }) => code), column(({ detail }) => storable(detail)), column(({ delivery }) => JSON.stringify(delivery.message)),
      ],
    ));
  }

  parkedKeys(group: string): Promise<readonly string[]> {
    return this.as('*', async client => {
      const { rows } = await client.query<{ key: string }>(`SELECT DISTINCT key FROM dead_letter WHERE consumer_group = $1 AND status = 'parked'`, [group]);
      return rows.map(({ key }) => key);
    });
  }

  async list({ tenant, group, status, limit, after }: Parameters<DeadLetters['list']>[0]): Promise<readonly DeadLetter[]> {
    if (after !== undefined && !isUuid(after)) return [];
    return this.as(tenant ?? '*', async client => {
      const { rows } = await client.query<LetterRow>(
        `SELECT ${LETTER} FROM dead_letter
         WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR consumer_group = $2) AND ($3::text IS NULL OR status = $3)
           AND ($4::uuid IS NULL OR place > (SELECT place FROM dead_letter WHERE id = $4))
         ORDER BY place LIMIT $5`,
        [tenant, group ?? null, status ?? null, after ?? null, limit],
      );
      return rows.map(letterOf);
    });
  }

  async get(id: string): Promise<{ readonly letter: DeadLetter; readonly delivery: Delivery } | null> {
    if (!isUuid(id)) return null;
    return this.as('*', async client => {
      const { rows: [row] } = await client.query<LetterRow>(`SELECT ${LETTER}, row_index, message FROM dead_letter WHERE id = $1`, [id]);
      return row === undefined ? null : { letter: letterOf(row), delivery: deliveryOf(row) };
    });
  }

  ofKey(group: string, key: string): Promise<readonly { readonly letter: DeadLetter; readonly delivery: Delivery }[]> {
    return this.as('*', async client => {
      const { rows } = await client.query<LetterRow>(
        `SELECT ${LETTER}, row_index, message FROM dead_letter WHERE consumer_group = $1 AND key = $2 AND status = 'parked' ORDER BY place`, [group, key]);
      return rows.map(row => ({ letter: letterOf(row), delivery: deliveryOf(row) }));
    });
  }

  /** How many are parked now, of all tenants. */
  async parked(): Promise<number> {
    return this.as('*', async client => Number((await client.query<{ count: string }>(`SELECT count(*) FROM dead_letter WHERE status = 'parked'`)).rows[0]!.count));
  }

  async settle(id: string, status: 'replayed' | 'discarded'): Promise<void> {
    if (!isUuid(id)) throw notFound(id);
    await this.as('*', async client => {
      const settled = await client.query(`UPDATE dead_letter SET status = $2, settled_at = clock_timestamp() WHERE id = $1 AND status = 'parked'`, [id, status]);
      if (settled.rowCount === 1) return;
      const { rows: [row] } = await client.query<LetterRow>(`SELECT ${LETTER} FROM dead_letter WHERE id = $1`, [id]);
      throw row === undefined ? notFound(id) : wrongState(letterOf(row));
    });
  }

  forget(settledBefore: string): Promise<number> {
    return this.as('*', async client => (await client.query(`DELETE FROM dead_letter WHERE status <> 'parked' AND settled_at < $1`, [settledBefore])).rowCount ?? 0);
  }

  private async as<T>(tenant: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    try {
      client = await this.pool.connect();
      await client.query('BEGIN');
      await client.query(`SELECT set_config('aifirst.tenant', $1, true)`, [tenant]);
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      // Why: whatever state the connection is in, the next one gets another.
      client?.release(true);
      throw error instanceof Refusal ? error : asOperational(error);
    }
  }
}

/** PostgreSQL text holds no NUL. */
const storable = (text: string): string => text.replaceAll('\0', '').slice(0, DETAIL_CHARACTERS_MAX);

const letterOf = (row: LetterRow): DeadLetter => ({
  id: row.id, group: row.consumer_group, tenant: row.tenant, source: row.source, position: Number(row.position), topic: row.topic, key: row.key,
  messageId: row.message_id, type: row.type, code: row.code, detail: row.detail, parkedAt: row.parked_at.toISOString(), status: row.status,
});
const deliveryOf = (row: LetterRow): Delivery =>
  ({ source: row.source, position: Number(row.position), index: row.row_index, message: JSON.parse(row.message) as Message });

/** What a statement of ours can't mend by being said again: what is wrong with the data or the statement. */
const LASTING = /^(22|23|42)/;
function asOperational(error: unknown): OperationalError {
  const sqlState = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new OperationalError('DEAD_LETTERS_UNAVAILABLE', `the dead letters can't be reached${sqlState === '' ? '' : ` (\`${sqlState}\`)`}`, { retryable: !LASTING.test(sqlState), cause: error });
}

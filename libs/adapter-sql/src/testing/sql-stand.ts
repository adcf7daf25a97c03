import type { Connection } from '@aifirst/contracts';
import type { TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { StepCall } from '@aifirst/execution';
import type { Json, JsonObject } from '@aifirst/kernel';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { SqlAdapter, type SqlAdapterOptions } from '../sql-adapter';

/** Everything in a database that an undo must put back: rows of all tables, and the catalogue of what stands there. */
export async function snapshotOf(client: Client): Promise<Json> {
  const { rows: tables } = await client.query<{ table: string }>(`SELECT c.oid::regclass::text AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'aifirst') ORDER BY 1`);
  const contents: Record<string, Json> = {};
  for (const { table } of tables) contents[table] = (await client.query<{ row: string }>(`SELECT t::text AS row FROM ONLY ${table} t ORDER BY 1`)).rows.map(({ row }) => row);
  const { rows: catalogue } = await client.query<{ what: string }>(`
    SELECT concat_ws('|', c.relname, c.relkind, a.attname, a.atttypid::regtype, a.attnotnull, a.attgenerated, a.attidentity) AS what
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE n.nspname = 'public'
    UNION ALL SELECT concat_ws('|', t.tgrelid::regclass, t.tgname, t.tgenabled) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
    UNION ALL SELECT concat_ws('|', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY 1`);
  return { contents, catalogue: catalogue.map(({ what }) => what) };
}

export interface SqlStand {
  readonly adapter: SqlAdapter;
  /** Somebody else at the same database. */
  readonly other: Client;
  readonly connection: Connection;
  call(capability: string, sql: string, params?: readonly Json[], more?: Partial<StepCall>): StepCall;
  /** Prepares and executes, images through JSON as a journal keeps them. */
  done(sql: string, params?: readonly Json[], capability?: string): Promise<Done>;
  newAdapter(options?: Partial<SqlAdapterOptions>): SqlAdapter;
  close(): Promise<void>;
}
export interface Done { readonly call: StepCall; readonly before: JsonObject; readonly after: JsonObject; readonly output: { readonly rows: JsonObject[]; readonly rowCount: number } }

export const kept = <T>(image: T): T => JSON.parse(JSON.stringify(image)) as T;

export interface StandOptions {
  /** The adapter's user is no superuser, but owns the database and its tables. */
  readonly asOwner?: boolean;
  /** Reaches the server at that host and port in place of its socket. */
  readonly at?: { readonly host: string; readonly port: number };
  readonly config?: JsonObject;
}

/** A database of its own with these tables, and an adapter connected to it. */
export async function openStand(postgres: TestPostgres, schema: string, options: StandOptions = {}): Promise<SqlStand> {
  const database = `t${randomUUID().replaceAll('-', '')}`;
  const reached = await postgres.createDatabase(database);
  const other = new Client(reached);
  await other.connect();
  other.on('error', () => undefined);
  // Why: the test server's superuser has the name of our schema, which would be first on its path.
  await other.query(`ALTER ROLE ${reached.user} IN DATABASE ${database} SET search_path = public; SET search_path = public`);
  const { host, port, password } = reached;
  let user = reached.user;
  if (options.asOwner === true) {
    user = `o${database}`;
    await other.query(`CREATE ROLE ${user} LOGIN CREATEROLE PASSWORD '${password}'; ALTER DATABASE ${database} OWNER TO ${user}; ALTER SCHEMA public OWNER TO ${user}; SET ROLE ${user}`);
  }
  await other.query(schema);
  await other.query('RESET ROLE');
  const place = options.at === undefined ? `socket/${database}?host=${encodeURIComponent(host)}&port=${port}` : `${options.at.host}:${options.at.port}/${database}`;
  const url = `postgres://${user}@${place}`;
  const connection: Connection = { tenant: 'acme', name: 'crm', adapter: 'sql', config: { url, ...options.config }, secretRefs: { password: 'env:PASSWORD' }, labels: {}, revision: 1, digest: `sha256:${database}` };
  const adapters: SqlAdapter[] = [];
  const newAdapter = (more: Partial<SqlAdapterOptions> = {}): SqlAdapter => {
    const adapter = new SqlAdapter({ secret: async () => password, ...more });
    adapters.push(adapter);
    return adapter;
  };
  const adapter = newAdapter();
  const stand: SqlStand = {
    adapter, other, connection, newAdapter,
    call(capability, sql, params, more = {}) {
      const workflow = randomUUID();
      return {
        key: `${workflow}/s/1/forward`, tenant: 'acme', workflow, step: 's', agent: { kind: 'agent', id: 'a', tenant: 'acme' }, capability, connection,
        input: { connection: 'crm', sql, ...(params === undefined ? {} : { params }) }, timeoutMs: 30_000, signal: new AbortController().signal, ...more,
      };
    },
    async done(sql, params, capability = 'sql.execute') {
      const call = stand.call(capability, sql, params);
      const before = kept(await adapter.prepare(call)) as JsonObject;
      const result = await adapter.execute(call, before);
      if (result.outcome !== 'succeeded') throw new Error(`${sql}: ${JSON.stringify(result)}`);
      return { call, before, after: kept(result.after) as JsonObject, output: result.output as unknown as Done['output'] };
    },
    async close() {
      await Promise.all(adapters.map(one => one.close()));
      await other.end();
    },
  };
  return stand;
}

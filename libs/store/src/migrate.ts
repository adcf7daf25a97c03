import { randomBytes } from 'node:crypto';
import { OperationalError, invariant } from '@aifirst/kernel';
import { Client, DatabaseError } from 'pg';
import type { ClientConfig } from 'pg';
import type { MigrationInterface } from 'typeorm';
import { scramVerifier } from './scram-verifier';

/** Any number that nothing else in the database locks. */
const MIGRATION_LOCK = '4702111234474983745';
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const PRINTABLE_ASCII = /^[!-~]+$/;
/** Two databases of one cluster share its roles, not the lock. */
const ROLE_TRIES = 5;

export interface ServiceSchema {
  readonly schema: string;
  /** The service's login role: made if it is not there. Must not own what it uses, nor be able to pass row-level security. */
  readonly role: string;
  /** Printable ASCII. Default: a new random one at each call; copies of a service in several processes must be given one. */
  readonly password?: string;
  /** `BASE_MIGRATIONS`, then the service's own. Their SQL runs in the schema, with `aifirst.service_role` set to the role. */
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/**
 * Brings every service's schema and role up to date. May be called by several processes at once, again at every start.
 * @param admin may create schemas and roles; owns the tables
 * @returns per schema how the service connects
 * @throws OperationalError ROLE_TOO_STRONG
 */
export async function migrate(options: { readonly admin: ClientConfig; readonly services: readonly ServiceSchema[] }): Promise<ReadonlyMap<string, ClientConfig>> {
  const client = new Client(options.admin);
  // Why: while a migration runs this connection only holds the lock; losing it shows at its next statement.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const connections = new Map<string, ClientConfig>();
    for (const service of options.services) {
      invariant(NAME.test(service.schema) && NAME.test(service.role), `\`${service.schema}\` or \`${service.role}\` is no name of ours`);
      const password = service.password ?? randomBytes(24).toString('base64url');
      invariant(PRINTABLE_ASCII.test(password), `the password of \`${service.role}\` is not printable ASCII`);
      await ensureRole(client, service.role, password);
      await ensureSchema(client, service);
      await runMigrations(options.admin, service);
      connections.set(service.schema, connectionAs(client, options.admin, service.role, password));
    }
    return connections;
  } finally {
    await client.end();
  }
}

async function ensureRole(client: Client, role: string, password: string): Promise<void> {
  const verifier = client.escapeLiteral(await scramVerifier(password));
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows: [found] } = await client.query<{ strong: boolean }>('SELECT rolsuper OR rolbypassrls OR rolname = current_user AS strong FROM pg_roles WHERE rolname = $1', [role]);
      if (found?.strong === true) throw new OperationalError('ROLE_TOO_STRONG', `role \`${role}\` can pass row-level security: a service needs a role of its own`);
      await client.query(`${found === undefined ? 'CREATE' : 'ALTER'} ROLE ${role} LOGIN PASSWORD ${verifier}`);
      return;
    } catch (error) {
      // Why: another database's start has made or changed the role at the same moment.
      const isRace = error instanceof DatabaseError && ['23505', '42710', 'XX000'].includes(error.code ?? '');
      if (!isRace || attempt === ROLE_TRIES) throw error;
    }
  }
}

async function ensureSchema(client: Client, { schema, role }: ServiceSchema): Promise<void> {
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
  await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${role}`);
  await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT USAGE ON SEQUENCES TO ${role}`);
}

/** TypeORM's runner: 0.1 s to load and some 10 ms a schema when nothing is to be done (measured). */
async function runMigrations(admin: ClientConfig, { schema, role, migrations }: ServiceSchema): Promise<void> {
  const options = [...(admin.options === undefined ? [] : [admin.options]), `-c search_path=${schema}`, `-c aifirst.service_role=${role}`].join(' ');
  // Why: loaded only here, so that whoever needs no more than the port does not pay for it.
  const { DataSource } = await import('typeorm');
  const source = new DataSource({
    type: 'postgres', schema, migrations: [...migrations], migrationsTableName: 'migration', installExtensions: false, logging: false,
    // Why: `extra` goes to the driver as it is, whatever form the connection has.
    extra: { ...admin, options, max: 1 },
  });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'each' });
    await source.query(`REVOKE ALL ON migration FROM ${role}`);
  } finally {
    await source.destroy();
  }
}

/** `DATABASE_URL` or fields alike: what the driver has made of the administrator's, with another user. */
function connectionAs(client: Client, admin: ClientConfig, user: string, password: string): ClientConfig {
  const { connectionString: _, user: __, password: ___, options: ____, ...rest } = admin;
  const { ssl } = (client as unknown as { connectionParameters: { ssl?: Exclude<ClientConfig['ssl'], undefined> | '' } }).connectionParameters;
  return { ...rest, host: client.host, port: client.port, database: client.database ?? 'postgres', user, password, ...(ssl === undefined || ssl === '' ? {} : { ssl }) };
}

import type { ClientConfig } from 'pg';
import { DEAD_LETTER_MIGRATIONS } from '@aifirst/bus';
import type { AdapterHost, ServiceName } from '@aifirst/contracts';
import { lockDataDir, startEmbeddedPostgres, type EmbeddedPostgres } from '@aifirst/embedded-postgres';
import { BASE_MIGRATIONS, migrate, type ServiceSchema } from '@aifirst/store';
import { VAULT_MIGRATIONS, VAULT_SCHEMA } from '@aifirst/vault';
import { GATEWAY_MIGRATIONS } from '@aifirst/api';
import { AUDIT_MIGRATIONS } from '@aifirst/audit';
import { LOCK_MIGRATIONS } from '@aifirst/orchestration';
import type { RuntimeConfig } from './config';

export type Schema = 'gateway' | 'orchestrator' | 'policy' | 'audit' | AdapterHost | 'vault';

export const MIGRATIONS: Readonly<Record<Schema, ServiceSchema['migrations']>> = {
  gateway: [...GATEWAY_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS],
  orchestrator: [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS, ...LOCK_MIGRATIONS],
  policy: [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS],
  audit: [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS, ...AUDIT_MIGRATIONS],
  'adapter-os': [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS],
  'adapter-sql': [...BASE_MIGRATIONS, ...DEAD_LETTER_MIGRATIONS],
  vault: VAULT_MIGRATIONS,
};
export const schemaName = (schema: Schema): string => (schema === 'vault' ? VAULT_SCHEMA : `aifirst_${schema.replaceAll('-', '_')}`);

export interface Databases {
  /** Per schema how its service connects, as its own role. */
  readonly connections: ReadonlyMap<Schema, ClientConfig>;
  /** All schemas lie in one cluster. */
  readonly shared: boolean;
  /** The data folder's lock says that no other process of this deployment runs. */
  readonly exclusive: boolean;
  readonly serverPid: number | null;
  readonly ended: Promise<string> | null;
  stop(): Promise<void>;
}

/** The embedded PostgreSQL or the one that was named, with every service's schema and role up to date. */
export async function openDatabases(config: RuntimeConfig, onLog: (line: string) => void): Promise<Databases> {
  // Why: before anything in the folder is read or made, key files too.
  const lock = lockDataDir(config.dataDir);
  let embedded: EmbeddedPostgres | null = null;
  const stop = async (): Promise<void> => { await embedded?.stop(); lock.release(); };
  try {
    if (config.databaseUrl === undefined) embedded = await startEmbeddedPostgres({ dataDir: lock.dataDir, onLog });
    const common: ClientConfig = embedded === null ? { connectionString: config.databaseUrl! } : { ...embedded.connection };
    const adminOf = (schema: Schema): ClientConfig => {
      const own = schema === 'vault' ? undefined : config.serviceDatabaseUrls[schema as ServiceName];
      return own === undefined ? common : { connectionString: own };
    };
    const schemas = Object.keys(MIGRATIONS) as Schema[];
    const connections = new Map<Schema, ClientConfig>();
    const clusters = new Map<string, Schema[]>();
    for (const schema of schemas) { const key = JSON.stringify(adminOf(schema)); clusters.set(key, [...(clusters.get(key) ?? []), schema]); }
    for (const members of clusters.values()) {
      const made = await migrate({
        admin: adminOf(members[0]!),
        services: members.map(schema => ({ schema: schemaName(schema), role: schemaName(schema), migrations: MIGRATIONS[schema] })),
      });
      for (const schema of members) connections.set(schema, made.get(schemaName(schema))!);
    }
    return { connections, shared: clusters.size === 1, exclusive: embedded !== null, serverPid: embedded?.pid ?? null, ended: embedded?.ended ?? null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

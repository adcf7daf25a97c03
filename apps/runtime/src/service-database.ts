import { createHmac } from 'node:crypto';
import { KAFKA_MIGRATIONS } from '@aifirst/bus-kafka';
import type { ServiceName } from '@aifirst/contracts';
import { migrate } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import type { ServiceConfig } from './config';
import { MIGRATIONS, schemaName, type Databases, type Schema } from './database';

/** The schemas that a service's process reads and writes. The vault's is shared by those that seal and those that open. */
export const SCHEMAS: Readonly<Partial<Record<ServiceName, readonly Schema[]>>> = {
  gateway: ['gateway', 'vault'], orchestrator: ['orchestrator'], policy: ['policy'], audit: ['audit'], 'adapter-os': ['adapter-os', 'vault'], 'adapter-sql': ['adapter-sql', 'vault'],
};

/** Why derived: every copy of a service sets its role's password at its start, and all must set the same. */
const passwordOf = (serviceKey: Uint8Array, role: string): string => createHmac('sha256', serviceKey).update(`aifirst database role ${role}`).digest('base64url');

/** Brings this service's schemas and roles up to date, and says how to connect as them. */
export async function openServiceDatabases({ service, databaseUrl, serviceDatabaseUrls }: ServiceConfig, serviceKey: Uint8Array): Promise<Databases> {
  const connections = new Map<Schema, ClientConfig>();
  for (const schema of SCHEMAS[service] ?? []) {
    const own = schema === 'vault' ? undefined : serviceDatabaseUrls[schema as ServiceName];
    const role = schemaName(schema);
    const made = await migrate({ admin: { connectionString: own ?? databaseUrl }, services: [{ schema: role, role, password: passwordOf(serviceKey, role), migrations: [...MIGRATIONS[schema], ...(schema === 'vault' ? [] : KAFKA_MIGRATIONS)] }] });
    connections.set(schema, made.get(role)!);
  }
  // Why not shared: other processes see our rows through Kafka, which is not flushed together with them.
  return { connections, shared: false, exclusive: false, serverPid: null, ended: null, stop: async () => undefined };
}

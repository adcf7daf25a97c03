import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { start, type EmbeddedPostgres, type PostgresConnection } from '../embedded-postgres';

export * from './child-process';

export interface TestPostgres extends EmbeddedPostgres {
  /** Makes an empty database beside the first and answers how to connect to it: cheaper than another server. */
  createDatabase(name: string): Promise<PostgresConnection>;
}

/**
 * A real PostgreSQL for one test file, in a temporary folder that `stop` removes. It does not wait for the disk: a kill of the server
 * or of the test loses nothing, a failure of the machine does.
 * @param settings e.g. `{ fsync: 'on' }`
 */
export async function startTestPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-test-'));
  chmodSync(folder, 0o711); // Why: as root the server runs as another user, which must get to its own folder in this one.
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const postgres = await start({ dataDir: join(folder, 'data'), settings: { shared_buffers: '32MB', ...settings } }, false);
    return {
      connection: postgres.connection,
      dataPath: postgres.dataPath,
      ended: postgres.ended,
      get pid() { return postgres.pid; },
      async createDatabase(name) {
        const client = new Client(postgres.connection);
        await client.connect();
        try {
          await client.query(`CREATE DATABASE "${name.replaceAll('"', '""')}" STRATEGY file_copy`);
        } finally {
          await client.end();
        }
        return { ...postgres.connection, database: name };
      },
      async stop() { await postgres.stop(); remove(); },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

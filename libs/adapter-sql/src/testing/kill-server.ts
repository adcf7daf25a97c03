import type { TestPostgres } from '@aifirst/embedded-postgres/testing';
import { readFileSync } from 'node:fs';
import { Client } from 'pg';

/** Ends a server with everything that belongs to it, as a loss of power would: nobody cleans up. Whoever keeps it running starts it again on the same data. */
export function killServer({ pid }: Pick<TestPostgres, 'pid'>): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(text => text !== '').map(Number);
  for (const one of [pid, ...children]) {
    try { process.kill(one, 'SIGKILL'); } catch { /* gone already */ }
  }
}

/** A client of its own, as soon as the server takes one (again). Whoever asked ends it. */
export async function clientOf(postgres: TestPostgres, database: string, withinMs = 30_000): Promise<Client> {
  for (const endsAtMs = Date.now() + withinMs; ;) {
    const client = new Client({ ...postgres.connection, database });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (Date.now() > endsAtMs) throw error;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
}

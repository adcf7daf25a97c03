import { connectionStampOf, type Connection } from '@aifirst/contracts';
import { CannotDo } from '@aifirst/execution';
import { Client, Pool, type ClientConfig, type PoolClient } from 'pg';
import { CONNECT_MS_MAX, POOL_CLIENTS_MAX, POOL_IDLE_MS } from './limits';
import { targetOf, type Target } from './target';

/** Gives the secret that a reference stands for. @throws when it is not to be had */
export type ResolveSecret = (reference: string) => Promise<string>;
interface Entry { readonly stamp: string; readonly pool: Pool; readonly settings: ClientConfig; readonly target: Target }

/** One bounded pool per connection, of its newest revision. A password is asked for when a client connects and not kept. */
export class Pools {
  private readonly entries = new Map<string, Entry>();
  private readonly told = new WeakSet<PoolClient>();
  private readonly closing = new Set<Promise<void>>();
  constructor(private readonly secret: ResolveSecret) {}

  /** @throws CannotDo `CONNECTION_UNUSABLE`; whatever connecting throws */
  async client(connection: Connection | null): Promise<{ readonly client: PoolClient; readonly target: Target }> {
    if (connection === null) throw new CannotDo('UNKNOWN_CONNECTION', 'a connection is needed');
    const { pool, target } = this.entryOf(connection);
    const client = await pool.connect();
    // Why: it is needed for nothing any more, and a heap dump would show it.
    (client as unknown as { password: unknown }).password = null;
    if (!this.told.has(client)) {
      this.told.add(client);
      // Why: a server process whose client has gone lets go of its rows within a second. Not on every platform.
      await client.query('SET client_connection_check_interval = 1000').catch(() => undefined);
    }
    return { client, target };
  }

  /** One outside of the pool, which may be kept long: known at the target by this name. @throws as `client` */
  async ownClient(connection: Connection | null, name: string): Promise<{ readonly client: PoolClient; readonly target: Target }> {
    if (connection === null) throw new CannotDo('UNKNOWN_CONNECTION', 'a connection is needed');
    const { settings, target } = this.entryOf(connection);
    const client = new Client({ ...settings, application_name: name }) as unknown as PoolClient;
    // Why: without a listener a connection that breaks would end the process; whoever uses it finds it broken.
    client.on('error', () => undefined);
    client.release = () => { void (client as unknown as Client).end().catch(() => undefined); };
    await client.connect();
    (client as unknown as { password: unknown }).password = null;
    await client.query('SET client_connection_check_interval = 1000').catch(() => undefined);
    return { client, target };
  }

  async close(): Promise<void> {
    for (const { pool } of this.entries.values()) this.end(pool);
    this.entries.clear();
    await Promise.all(this.closing);
  }

  private entryOf(connection: Connection): Entry {
    const name = JSON.stringify([connection.tenant, connection.name]);
    const stamp = connectionStampOf(connection);
    const known = this.entries.get(name);
    if (known?.stamp === stamp) return known;
    const target = targetOf(connection);
    if ('problem' in target) throw new CannotDo('CONNECTION_UNUSABLE', target.problem);
    if (known !== undefined) this.end(known.pool);
    const reference = connection.secretRefs['password'];
    const settings: ClientConfig = {
      ...target.config, connectionTimeoutMillis: CONNECT_MS_MAX, keepAlive: true, application_name: 'aifirst', password: async () => (reference === undefined ? '' : await this.secret(reference)),
    };
    const pool = new Pool({ ...settings, max: POOL_CLIENTS_MAX, idleTimeoutMillis: POOL_IDLE_MS, allowExitOnIdle: true });
    // Why: a client that breaks while idle is replaced by the pool; without a listener it would end the process.
    pool.on('error', () => undefined);
    // Why: nor has one a listener between the pool and a transaction; what is sent next fails.
    pool.on('connect', client => { client.on('error', () => undefined); });
    const entry = { stamp, pool, settings, target };
    this.entries.set(name, entry);
    return entry;
  }

  private end(pool: Pool): void {
    // Why: `end` is over before its sockets are.
    const left = pool.totalCount;
    const gone = new Promise<void>(resolve => {
      let count = 0;
      if (left === 0) resolve();
      else pool.on('remove', () => { if (++count === left) resolve(); });
      setTimeout(resolve, 2_000).unref();
    });
    const closed = pool.end().catch(() => undefined).then(() => gone);
    this.closing.add(closed);
    void closed.then(() => this.closing.delete(closed));
  }
}

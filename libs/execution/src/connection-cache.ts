import { connectionStampOf, type Connection } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import type { ConnectionResolver } from './execution-adapter';

export interface ConnectionCacheOptions {
  /** Asks the owner. @throws OperationalError, retryable, when it does not answer */
  readonly ask: (tenant: string, name: string) => Promise<Connection | null>;
  readonly clock: Pick<Clock, 'now'>;
  /** How long an answer holds for whoever expects nothing in particular. Default 2,000 ms, no longer than control may be old. */
  readonly ttlMs?: number;
  /** Default 10,000. */
  readonly entriesMax?: number;
}

interface Entry { readonly connection: Connection; readonly stamp: string; readonly askedAt: number; /** Expected by somebody, and not what the owner had. */ readonly notThere: Set<string> }

const TTL_MS = 2_000;
const ENTRIES_MAX = 10_000;
const NOT_THERE_MAX = 100;

/**
 * Connections as the gateway said last, where asking it costs a call between processes. What was changed is in force for
 * whatever is admitted after: its plan names the state it was admitted with, and a copy of another state is asked for
 * anew. That there is none is never kept.
 */
export class ConnectionCache implements ConnectionResolver {
  private readonly entries = new Map<string, Entry>();
  private readonly asking = new Map<string, Promise<Connection | null>>();

  constructor(private readonly options: ConnectionCacheOptions) {}

  async resolve(tenant: string, name: string, stamp?: string): Promise<Connection | null> {
    const key = `${tenant}/${name}`;
    const known = this.known(key, stamp);
    if (known !== null) return known;
    const underWay = this.asking.get(key);
    if (underWay !== undefined) {
      const found = await underWay;
      // Why: it was asked before this one, so it may be from before the change.
      if (found !== null && (stamp === undefined || connectionStampOf(found) === stamp)) return found;
    }
    const found = await (this.asking.get(key) ?? this.ask(key, tenant, name));
    const entry = this.entries.get(key);
    if (stamp !== undefined && entry !== undefined && entry.stamp !== stamp && entry.notThere.size < NOT_THERE_MAX) entry.notThere.add(stamp);
    return found;
  }

  private known(key: string, stamp: string | undefined): Connection | null {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.askedAt + (this.options.ttlMs ?? TTL_MS) <= this.options.clock.now()) return null;
    return stamp === undefined || entry.stamp === stamp || entry.notThere.has(stamp) ? entry.connection : null;
  }

  private ask(key: string, tenant: string, name: string): Promise<Connection | null> {
    const askedAt = this.options.clock.now();
    const asked = this.options.ask(tenant, name).then(connection => {
      this.entries.delete(key);
      if (connection !== null) this.entries.set(key, { connection, stamp: connectionStampOf(connection), askedAt, notThere: new Set() });
      if (this.entries.size > (this.options.entriesMax ?? ENTRIES_MAX)) this.entries.delete(this.entries.keys().next().value!);
      return connection;
    }).finally(() => { this.asking.delete(key); });
    this.asking.set(key, asked);
    return asked;
  }
}

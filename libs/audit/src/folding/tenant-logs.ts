import type { CloudEvent } from '@aifirst/contracts';
import { textMeans } from '../digest';
import { bareLeafText, leafText, type LeafEvent } from '../domain/leaf';
import type { FoldState } from './database';
import { OpenBundle, type BundleRow } from './open-bundle';

/** Whose log takes what is of no tenant. */
const SYSTEM_TENANT = 'system';

interface TenantLog { size: number; readonly producers: Map<string, number>; open: OpenBundle | null }

/** Every tenant's log as it grows in memory, ahead of what is stored. */
export class TenantLogs {
  readonly #logs: Map<string, TenantLog>;
  #full: BundleRow[] = [];
  #pending = 0;

  constructor(stored: FoldState['logs'] = new Map()) {
    this.#logs = new Map([...stored].map(([tenant, { size, producers }]) => [tenant, { size, producers: new Map(Object.entries(producers)), open: null }]));
  }

  /** How many entries `close` will hand over. */
  get pending(): number { return this.#pending; }

  add(event: CloudEvent): void {
    const tenant = event.tenant === '' || event.tenant === undefined ? SYSTEM_TENANT : event.tenant;
    let log = this.#logs.get(tenant);
    if (log === undefined) this.#logs.set(tenant, log = { size: 0, producers: new Map(), open: null });
    const prior = log.producers.get(event.producer) ?? 0;
    log.producers.set(event.producer, event.sequence!);
    log.open ??= new OpenBundle(tenant, log.size);
    // Why: who has this log alone sees that the numbers in between are other tenants'.
    log.open.add(event, textOf(event.sequence === prior + 1 ? event : { ...event, priorsequence: prior }));
    log.size++;
    this.#pending++;
    if (!log.open.isFull()) return;
    this.#full.push(log.open.close(log.producers));
    log.open = null;
  }

  /** What has been added since, as rows. */
  close(): readonly BundleRow[] {
    const rows = this.#full;
    for (const log of this.#logs.values()) {
      if (log.open === null) continue;
      rows.push(log.open.close(log.producers));
      log.open = null;
    }
    this.#full = [];
    this.#pending = 0;
    return rows;
  }
}

function textOf(event: LeafEvent): string {
  // Why: whatever is wrong with one event's data, the log goes on and says that the event was there.
  try { return leafText(event, textMeans); } catch { return bareLeafText(event, textMeans); }
}

import type { Log, PostgresStore } from '@aifirst/store';
import { systemClock } from './clock';

const CLAIM_WAIT_MS = 250;
const CLAIM_WAIT_MS_MAX = 30_000;

/** Waits for the lease of a writer that is gone; takes it at once where the data folder's lock says that nobody else is there. */
export async function claim(store: PostgresStore, log: string, takeOver: boolean): Promise<Log> {
  const giveUpAt = systemClock.now() + CLAIM_WAIT_MS_MAX;
  for (;;) {
    try {
      return await store.open({ log, shard: 0, owner: `${process.pid}`, takeOver });
    } catch (error) {
      if ((error as { code?: string }).code !== 'LEASE_HELD' || systemClock.now() > giveUpAt) throw error;
      await new Promise(resolve => setTimeout(resolve, CLAIM_WAIT_MS));
    }
  }
}

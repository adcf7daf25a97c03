import { randomBytes, randomInt } from 'node:crypto';
import { uuidv7, type Clock, type Ids } from '@aifirst/kernel';

/**
 * The wall clock as it was at the start, moved on by the monotonic one: a wall clock that is set while we run makes
 * nothing overdue and releases nothing.
 */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  after: (delayMs, callback) => {
    // Why: a longer delay makes Node fire at once.
    const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647)).unref();
    return () => clearTimeout(timer);
  },
};

export const pause = (ms: number): Promise<void> => new Promise(resolve => { systemClock.after(ms, resolve); });

const POOL_BYTES = 8_192;
let pool = randomBytes(POOL_BYTES);
let used = 0;
/** Random bytes from a pool that is filled in one call: a call each costs more than the id. */
function random(count: number): Uint8Array {
  if (used + count > POOL_BYTES) { pool = randomBytes(POOL_BYTES); used = 0; }
  used += count;
  return pool.subarray(used - count, used);
}

const CHANCES = 2 ** 32;
export const systemIds: Ids = {
  uuid: () => uuidv7(systemClock.now(), random),
  chance: () => randomInt(CHANCES) / CHANCES,
};

import { randomBytes } from 'node:crypto';
import { uuidv7, type Clock, type Ids } from '@aifirst/kernel';

/** Real time and ids, with timers that keep no test alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
export const randomIds: Ids = { uuid: () => uuidv7(Date.now(), randomBytes), chance: () => Math.random() };

import type { Clock } from '@aifirst/kernel';

/** Real time, with waits cut short so that tests of repetitions do not take their delays. */
export const impatientClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(delayMs, 2));
    return () => { clearTimeout(timer); };
  },
};

import { PLANTS, simulate } from './index';

/** Each must be found within this many seeds. */
const SEEDS_MAX = 300;

it.each(PLANTS)('finds $name', async plant => {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const { violations } = await simulate(seed, { plant });
    if (violations.length > 0) return;
  }
  throw new Error(`not found in ${SEEDS_MAX} seeds`);
}, 180_000);

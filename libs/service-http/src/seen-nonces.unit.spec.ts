import { CLOCK_SKEW_MS_MAX, SeenNonces } from './seen-nonces';

const NOW = 1_750_000_000_000;

describe('seen nonces', () => {
  it('are known again for as long as their time is fresh', () => {
    const seen = new SeenNonces();
    const at = NOW + CLOCK_SKEW_MS_MAX;
    expect(seen.add('n', at, NOW)).toBe(true);
    for (let now = NOW; SeenNonces.isFresh(at, now); now += 1_000) {
      expect(seen.add(`other ${now}`, now, now)).toBe(true);
      expect(seen.add('n', at, now)).toBe(false);
    }
  });

  it('are forgotten when they are stale', () => {
    const seen = new SeenNonces();
    for (let i = 0; i < 600; i++) for (let j = 0; j < 10; j++) seen.add(`${i}/${j}`, NOW + i * 1_000, NOW + i * 1_000);
    expect(seen.size).toBeLessThanOrEqual(10 * 85);
  });

  it('take times that are a minute off, either way', () => {
    expect([-60_001, -60_000, 0, 60_000, 60_001].map(off => SeenNonces.isFresh(NOW + off, NOW))).toEqual([false, true, true, true, false]);
  });
});

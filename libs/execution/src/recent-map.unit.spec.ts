import fc from 'fast-check';
import { RecentMap } from './recent-map';

describe('what was set lately', () => {
  it('is remembered with its newest value for at least as many keys as asked for, and is bounded', () => {
    fc.assert(fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 8 }), (keys, atLeast) => {
      const map = new RecentMap<number>(atLeast);
      keys.forEach((key, i) => map.set(String(key), i));
      const newestFirst = [...new Set(keys.toReversed())];
      newestFirst.slice(0, atLeast - 1).forEach(key => expect(map.get(String(key))).toBe(keys.lastIndexOf(key)));
      expect(newestFirst.filter(key => map.get(String(key)) !== undefined).length).toBeLessThanOrEqual(2 * atLeast);
    }));
  });

  it('is forgotten when taken', () => {
    const map = new RecentMap<string>(1);
    map.set('a', 'x');
    expect([map.take('a'), map.take('a')]).toEqual(['x', undefined]);
  });
});

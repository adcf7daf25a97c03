import type { Delivery } from './message-bus';
import { positionsOfFirst } from './positions-of-first';
import { aMessage } from './testing';

const at = (source: string, position: number): Delivery => ({ source, position, message: aMessage({ id: `${source}-${position}` }) });

describe('the positions that hold when the first few deliveries are done', () => {
  const deliveries = [at('a', 1), at('a', 1), at('a', 4), at('b', 7), at('b', 9), at('b', 9)];
  it.each([
    [0, {}],
    [1, {}],
    [2, { a: 1 }],
    [3, { a: 4 }],
    [4, { a: 4, b: 7 }],
    [5, { a: 4, b: 7 }],
    [6, { a: 4, b: 9 }],
  ])('after %i', (count, positions) => {
    expect(positionsOfFirst(deliveries, count)).toEqual(positions);
  });
});

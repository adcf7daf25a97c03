import { optionsOf, simulate } from './index';

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

it.each(seeds(1, 25))('seed %i comes to an end without a violation', async seed => {
  const { violations, workflows } = await simulate(seed);
  expect(violations).toEqual([]);
  expect(workflows).toBeGreaterThanOrEqual(5);
});

it.each(seeds(101, 10))('seed %i gives the same trace twice', async seed => {
  const first = await simulate(seed);
  expect((await simulate(seed)).hash).toBe(first.hash);
  expect((await simulate(seed + 1)).hash).not.toBe(first.hash);
});

it('seeds differ in what can happen', () => {
  const all = seeds(1, 200).map(optionsOf);
  for (const fault of Object.keys(all[0]!.faults) as (keyof (typeof all)[0]['faults'])[]) {
    const shares = new Set(all.map(({ faults }) => faults[fault]));
    expect([fault, shares.size > 2]).toEqual([fault, true]);
  }
});

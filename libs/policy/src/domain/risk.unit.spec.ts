import fc from 'fast-check';
import { BASE_RISK, type AskedStep, type Reversibility } from '@aifirst/contracts';
import { aStep } from '../testing';
import { RISK_FACTORS, RISK_LEVELS, weigh } from './risk';

const step = (changes: Partial<AskedStep> = {}): AskedStep => aStep('fs.write', changes);
const scoreOf = (changes: Partial<AskedStep>, isNovel = false): number => weigh(step(changes), isNovel).score;

describe('the risk of a step', () => {
  it.each(Object.entries(BASE_RISK))('that is %s and nothing more is its base risk', (reversibility, base) => {
    const { level, score } = weigh(step({ reversibility: reversibility as Reversibility }), false);
    expect({ level, score }).toEqual(base);
  });
  it('shows the factors that add something, with weight and value', () => {
    expect(weigh(step({ hints: { recursive: true }, environment: 'prod', reach: 120, resources: ['file://docs/a'] }), true)).toEqual({
      level: 'high', score: 70, factors: [
        { factor: 'reversibility', weight: 80, value: 0.25 }, { factor: 'reach', weight: 20, value: 0.5 }, { factor: 'statement', weight: 30, value: 0.5 }, { factor: 'environment', weight: 20, value: 1 }, { factor: 'novelty', weight: 5, value: 1 },
      ],
    });
    expect(weigh(step({ reversibility: 'readOnly' }), false)).toEqual({ level: 'low', score: 0, factors: [] });
  });
  it.each([[10, 20], [11, 25], [100, 25], [101, 30], [1_000, 30], [1_001, 35], [10_000, 35], [10_001, 40]])('that reaches %i things adds to %i', (reach, score) => {
    expect(scoreOf({ reach })).toBe(score);
    expect(scoreOf({ resources: Array.from({ length: reach }, (_, index) => `file://docs/${index}`) })).toBe(score);
  });
  it('counts what a preview has found before what the input names', () => { expect(scoreOf({ reach: 0, resources: Array.from({ length: 50 }, String) })).toBe(20); });
  it.each([
    [{ unbounded: true, recursive: true, statement: 'delete' }, 50], [{ statement: 'truncate' }, 50], [{ recursive: true, statement: 'delete' }, 35], [{ statement: 'delete' }, 26], [{ statement: 'merge' }, 26],
    [{ statement: 'insert' }, 20], [{ unbounded: false, recursive: false }, 20], [{}, 20],
  ])('counts the worst of %j', (hints, score) => { expect(scoreOf({ hints })).toBe(score); });
  it.each([['prod', 40], ['production', 40], ['PROD', 40], ['test', 20], ['dev', 20], ['staging', 20], ['preprod', 20], ['', 20]])('on a connection labelled `%s` is %i', (environment, score) => { expect(scoreOf({ environment })).toBe(score); });
  it('changes no level by being new', () => {
    for (const reversibility of Object.keys(BASE_RISK) as Reversibility[]) expect(weigh(step({ reversibility }), true).level).toBe(BASE_RISK[reversibility].level);
  });
  it('is the sum of its factors, and has the level of its score', () => {
    const changes = fc.record({
      reversibility: fc.constantFrom<Reversibility>('readOnly', 'reversible', 'compensable', 'irreversible'), reach: fc.nat(20_000), environment: fc.constantFrom('prod', 'dev', 'Production'),
      hints: fc.record({ unbounded: fc.boolean(), recursive: fc.boolean(), statement: fc.constantFrom('delete', 'truncate', 'insert') }),
    });
    fc.assert(fc.property(changes, fc.boolean(), (change, isNovel) => {
      const { level, score, factors } = weigh(step(change), isNovel);
      expect(score).toBe(Math.round(factors!.reduce((sum, { weight, value }) => sum + weight * value, 0)));
      expect(level).toBe(RISK_LEVELS.find(({ below }) => score < below)!.level);
      for (const { factor, weight, value } of factors!) {
        expect(RISK_FACTORS.find(rule => rule.factor === factor)?.weight).toBe(weight);
        expect(value > 0 && value <= 1).toBe(true);
      }
    }));
  });
});

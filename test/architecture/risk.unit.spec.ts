import { RISK_FACTORS, RISK_LEVELS } from '@aifirst/policy';
import { read } from './repository';

const rowsOf = (header: string): string[][] => {
  const lines = read('docs/risk.md').split('\n');
  const from = lines.indexOf(header) + 2;
  const to = lines.findIndex((line, index) => index >= from && !line.startsWith('|'));
  return lines.slice(from, to).map(line => line.split('|').slice(1, -1).map(cell => cell.trim()));
};

describe('docs/risk.md', () => {
  it('has the factors, weights and values that are counted', () => {
    expect(rowsOf('| factor | weight | finding | value | adds |')).toEqual(RISK_FACTORS.flatMap(({ factor, weight, findings }) =>
      findings.map(({ when, value }) => [factor, String(weight), when, String(value), String(weight * value)])));
  });

  it('has the levels', () => {
    const lowest = RISK_LEVELS.at(-2)!.below;
    expect(rowsOf('| level | score |')).toEqual(RISK_LEVELS.map(({ level, below }) => [level, below === Infinity ? `${lowest} and above` : `below ${below}`]));
  });
});

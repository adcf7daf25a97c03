import fc from 'fast-check';
import { parse } from 'yaml';
import { UNSAFE } from './shown';
import { jsonOf, yamlOf } from './structured';

const values = fc.jsonValue({ stringUnit: 'binary' });
const awkward = { 'k\x1by': 'a\x1b[31m', c1: '\x9b31m', lines: 'one\ntwo\x1b\n', bidi: '\u202e', tag: '\u{e0041}', tab: '\t', empty: '', number: '12', bool: 'no', nothing: null, list: [{ a: 1 }, []], same: [{ x: 1 }, { x: 1 }] };

describe.each<readonly [string, (value: unknown) => string, (text: string) => unknown]>([['JSON', jsonOf, text => JSON.parse(text)], ['YAML', yamlOf, text => parse(text)]])('%s', (_, write, read) => {
  it('holds the same value and nothing that drives a terminal', () => {
    const text = write(awkward);
    expect(read(text)).toEqual(awkward);
    expect(text.replaceAll('\n', '')).not.toMatch(UNSAFE);
  });
  it('does so for whatever there is', () => {
    fc.assert(fc.property(values, value => {
      const text = write(value);
      // Why by way of JSON: it knows no -0.
      expect(JSON.stringify(read(text))).toBe(JSON.stringify(value));
      expect(text.replaceAll('\n', '')).not.toMatch(UNSAFE);
    }));
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import type { Json } from '@aifirst/kernel';
import { isCanonical } from '../verify/canonical-text';
import { canonicalJson } from './canonical-json';

const folder = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'jcs');
const present = existsSync(folder);
if (!present) console.log('skipped: no ../shared/data/jcs beside the repository');

(present ? describe : describe.skip)('the vectors of cyberphone/json-canonicalization', () => {
  it.each(present ? readdirSync(join(folder, 'input')) : [])('%s is written and recognised', name => {
    const expected = readFileSync(join(folder, 'output', name), 'utf8').trim();
    const input = readFileSync(join(folder, 'input', name), 'utf8');
    expect(canonicalJson(JSON.parse(input))).toBe(expected);
    expect(isCanonical(expected)).toBe(true);
    if (input.trim() !== expected) expect(isCanonical(input)).toBe(false);
    const hex = readFileSync(join(folder, 'outhex', name.replace('.json', '.txt')), 'utf8').replace(/\s+/g, '');
    expect(Buffer.from(expected).toString('hex')).toBe(hex);
  });
});

/** Also halves of surrogate pairs, which JSON can say and Unicode can't. */
const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.integer({ min: 0, max: 0xffff })).map(units => String.fromCharCode(...units)));
const anyJson = fc.letrec<{ value: Json }>(tie => ({
  value: fc.oneof({ maxDepth: 4 }, fc.constant(null), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }), anyText, fc.array(tie('value')), fc.dictionary(anyText, tie('value')) as fc.Arbitrary<Json>),
})).value;

describe('canonical JSON', () => {
  it('is what the canonicalize library writes', () => {
    fc.assert(fc.property(anyJson, value => { expect(canonicalJson(value)).toBe(canonicalize(value)); }), { numRuns: 500 });
  });

  it('is recognised, and nothing else is', () => {
    fc.assert(fc.property(anyJson, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (value, place, character) => {
      const text = canonicalJson(value);
      expect(isCanonical(text)).toBe(true);
      const at = place % (text.length + 1);
      for (const changed of [text.slice(0, at) + character + text.slice(at + 1), text.slice(0, at) + character + text.slice(at)]) {
        // Why: what was read as UTF-8 holds no half of a pair.
        if (/\p{Surrogate}/u.test(changed)) continue;
        let same: boolean;
        try { same = canonicalJson(JSON.parse(changed)) === changed; } catch { same = false; }
        expect(isCanonical(changed)).toBe(same);
      }
    }), { numRuns: 500 });
  });

  it.each(['{"a":1,"a":1}', '{"b":1,"a":1}', '{ "a":1}', '[1,]', '1.0', '1e2', '-0', '"\\u0041"', '"\\/"', '"\\u001F"', '"\\ud83d\\ude00"', '01', '[1]x', '', 'nul', `${'['.repeat(400)}${']'.repeat(400)}`])(
    'is not %s', text => { expect(isCanonical(text)).toBe(false); });
});

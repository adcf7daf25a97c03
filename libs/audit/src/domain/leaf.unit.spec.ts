import fc from 'fast-check';
import canonicalize from 'canonicalize';
import type { Json } from '@aifirst/kernel';
import { textMeans } from '../digest';
import { aFact } from '../testing/facts';
import { bareLeafText, LEAF_BYTES_MAX, leafText } from './leaf';

const leafOf = (data: Record<string, Json>): Record<string, unknown> & { data: Record<string, unknown> } => {
  const text = leafText(aFact({ sequence: 7, data }).event, textMeans);
  expect(canonicalize(JSON.parse(text))).toBe(text);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LEAF_BYTES_MAX);
  return JSON.parse(text);
};

describe('a leaf', () => {
  it('is the event, canonical, where nothing in it is secret', () => {
    const { event } = aFact({ sequence: 7, causationid: 'c', data: { z: 1, a: [true, null, 'ü'], workflow: 'w' } });
    expect(leafText(event, textMeans)).toBe(canonicalize(event));
  });

  it('says of a sealed value that it is sealed, and its class', () => {
    expect(leafOf({ output: { content: { $sealed: 'v1.a.b.c', class: 'content', pointer: '/x' } } }).data).toEqual({ output: { content: { class: 'content', sealed: true } } });
  });

  it('never holds a lease, a MAC or a token, wherever they stand and however they are written', () => {
    const hidden = { lease: { mac: 'x' }, undoLease: 1, 'undo-lease': 1, Mac: 'x', MAC: 'y', token: 't', TOKEN: [1] };
    expect(leafOf({ ...hidden, decisions: [{ ...hidden, step: 'a' }] }).data).toEqual({ decisions: [{ step: 'a' }] });
  });

  it('replaces what stands under the name of a secret, but not references to secrets', () => {
    const sealed = { class: 'secret', sealed: true };
    expect(leafOf({ password: 'p', 'api-key': 'k', headers: { Authorization: 'Bearer x' }, secretRefs: { password: 'env:DB', apiKey: 'plain' }, hasPassword: true, secret: null }).data)
      .toEqual({ password: sealed, 'api-key': sealed, headers: { Authorization: sealed }, secretRefs: { password: 'env:DB', apiKey: sealed }, hasPassword: true, secret: null });
  });

  it('replaces secrets that can be told by their form in free text', () => {
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
    const token = `aifirst_${'0123456789abcdef01234567'}_${'A'.repeat(43)}`;
    expect(leafOf({ goal: `log in with ${jwt} or ${token} at postgres://u:hunter2@db/x`, labels: { [token]: 'AKIAIOSFODNN7EXAMPLE' } }).data)
      .toEqual({ goal: 'log in with [secret] or [secret] at postgres://u:[secret]@db/x', labels: { '[secret]': '[secret]' } });
    expect(leafOf({ goal: '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY----- kept' }).data).toEqual({ goal: '[secret] kept' });
    expect(leafOf({ goal: 'eyJust a word, https://host:80/x, gh_a' }).data).toEqual({ goal: 'eyJust a word, https://host:80/x, gh_a' });
  });

  it('replaces the largest fields of what is too long by their digest, and keeps the rest', () => {
    const steps = Array.from({ length: 1_000 }, (_, i) => ({ id: `s${i}`, input: { content: 'x'.repeat(200) } }));
    const { data } = leafOf({ workflow: 'w', start: { goal: 'much', agent: { id: 'ana' }, steps }, small: 1 });
    expect(data).toEqual({ workflow: 'w', small: 1, start: { goal: 'much', agent: { id: 'ana' }, steps: { bytes: Buffer.byteLength(canonicalize(steps)!), digest: textMeans.digest(canonicalize(steps)!) } } });
  });

  it('is never longer than 60 KiB, whatever is long', () => {
    leafOf({ goal: 'ü'.repeat(100_000) });
    leafOf(Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`field-${i}`, i])));
    leafOf({ nested: { deep: { text: 'x'.repeat(70_000), kept: 1 }, other: 'y'.repeat(40_000) } });
    const text = leafText(aFact({ sequence: 1, subject: 's'.repeat(100_000) }).event, textMeans);
    expect(JSON.parse(text).subject).toMatch(/^sha256:/);
  });

  it('can be made without the data', () => {
    expect(JSON.parse(bareLeafText(aFact({ sequence: 3, data: { x: 1 } }).event, textMeans))).toMatchObject({ sequence: 3, data: { unreadable: true } });
  });

  it('of any data is canonical and holds no forbidden key', () => {
    const NEVER = ['lease', 'undoLease', 'mac', 'token'];
    const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...NEVER, '__proto__', 'password', '$sealed', 'class', 'constructor'));
    const value = fc.letrec<{ value: Json }>(tie => ({ value: fc.oneof({ maxDepth: 4 }, fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string({ unit: 'binary' }), fc.array(tie('value')), fc.dictionary(keys, tie('value')) as fc.Arbitrary<Json>) })).value;
    const check = (found: unknown): void => {
      if (typeof found !== 'object' || found === null) return;
      if (!Array.isArray(found)) for (const key of Object.keys(found)) expect(NEVER).not.toContain(key);
      Object.values(found).forEach(check);
    };
    fc.assert(fc.property(fc.dictionary(keys, value), data => { check(leafOf(data as Record<string, Json>)); }), { numRuns: 300 });
  });
});

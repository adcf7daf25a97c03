import fc from 'fast-check';
import type { ResourceTemplate } from './capability';
import { expandResources, hasUnknownResources } from './resources';

const move: readonly ResourceTemplate[] = [{ uri: 'file://{connection}/{path}', access: 'write' }, { uri: 'file://{connection}/{to}', access: 'write' }];
const uri = (path: string) => expandResources(move, 'docs', { path })[0]!.uri;

describe('the resources of a step', () => {
  it('fill in connection and fields, each once, the stronger access winning', () => {
    expect(expandResources(move, 'docs', { path: 'a.txt', to: 'b.txt' })).toEqual([{ uri: 'file://docs/a.txt', access: 'write' }, { uri: 'file://docs/b.txt', access: 'write' }]);
    expect(expandResources([{ uri: 'x://{a}', access: 'read' }, { uri: 'x://{b}', access: 'write' }], null, { a: 'k', b: 'k' })).toEqual([{ uri: 'x://k', access: 'write' }]);
    expect(expandResources([{ uri: 'x://{n}/{b}', access: 'read' }], null, { n: 3, b: true })).toEqual([{ uri: 'x://3/true', access: 'read' }]);
  });

  it('leave out what is absent, a reference, sealed or no scalar, and say so', () => {
    expect(expandResources(move, 'docs', { path: 'a.txt' })).toEqual([{ uri: 'file://docs/a.txt', access: 'write' }]);
    expect(hasUnknownResources(move, { path: 'a.txt' })).toBe(false);
    for (const to of [{ $ref: '#/steps/a/output' }, { $sealed: 'v1', class: 'c' }, ['x'], null]) {
      expect(expandResources(move, 'docs', { path: 'a.txt', to })).toHaveLength(1);
      expect(hasUnknownResources(move, { path: 'a.txt', to })).toBe(true);
    }
    expect(expandResources(move, null, { path: 'a.txt' })).toEqual([]);
    expect(expandResources(move, 'docs', { path: { $literal: 'a.txt' } })).toEqual([{ uri: 'file://docs/a.txt', access: 'write' }]);
  });

  it('are the whole of the connection where something is read without a path', () => {
    expect(expandResources([{ uri: 'file://{connection}/{path}', access: 'read' }], 'docs', {})).toEqual([{ uri: 'file://docs', access: 'read' }]);
  });

  it('do not read fields off a prototype', () => expect(expandResources([{ uri: 'x://{constructor}', access: 'read' }], null, {})).toEqual([]));

  it('keep a path as it is but for control characters', () => {
    expect(uri('Äpfel & Birnen/100%/a b.txt')).toBe('file://docs/Äpfel & Birnen/100%/a b.txt');
    expect(uri('a\u0000b\nc\u0085')).toBe('file://docs/a%00b%0Ac%C2%85');
    expect(uri('a%0Ab')).toBe('file://docs/a%250Ab');
  });

  it('never give two paths one URI', () => {
    const path = fc.string({ unit: fc.constantFrom('%', '2', '5', '0', 'A', 'a', '\n', '\u0000', '/', 'x') });
    fc.assert(fc.property(path, path, (one, other) => (uri(one) === uri(other)) === (one === other)), { numRuns: 2000 });
  });
});

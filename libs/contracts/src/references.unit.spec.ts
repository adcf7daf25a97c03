import fc from 'fast-check';
import type { Json, JsonObject } from '@aifirst/kernel';
import { isReference, parseReference, pointerToken, referencesOf, resolveInput, valueAt } from './references';

const outputs: Record<string, Json> = {
  raise: { rows: [{ name: 'Ana' }, null], 'a/b': { '~': 1, '': 2 }, empty: '' },
  read: { content: { $sealed: 'v1.k.n.c', class: 'content' }, whole: { $sealed: 'v1.k.n.c', class: 'rows', pointer: '/0' } },
};
const outputOf = (step: string): Json | undefined => (Object.hasOwn(outputs, step) ? outputs[step] : undefined);
const resolved = (ref: string) => resolveInput({ x: { $ref: ref } }, outputOf);

describe('a reference', () => {
  it.each([
    ['#/steps/raise/output/rows/0/name', 'Ana'],
    ['#/steps/raise/output/rows/1', null],
    ['#/steps/raise/output/a~1b/~0', 1],
    ['#/steps/raise/output/a~1b/', 2],
    ['#/steps/raise/output/empty', ''],
    ['#/steps/raise/output', outputs['raise']],
  ])('%s gives what it names', (ref, value) => expect(resolved(ref)).toEqual({ ok: true, value: { x: value } }));

  it.each([
    '#/steps/raise/output/rows/2', '#/steps/raise/output/rows/00', '#/steps/raise/output/rows/-', '#/steps/raise/output/rows/-1', '#/steps/raise/output/rows/1e0',
    '#/steps/raise/output/rows/length', '#/steps/raise/output/toString', '#/steps/raise/output/constructor', '#/steps/raise/output/rows/0/name/0',
    '#/steps/raise/output/__proto__', '#/steps/raise/output/rows/1/x', '#/steps/other/output', '#/steps/raise/output/a~2b', 'nonsense',
  ])('%s leads nowhere', ref =>
    expect(resolved(ref)).toMatchObject({ ok: false, code: 'REFERENCE_UNRESOLVED', pointer: '/x' }));

  it('into a sealed value gives it with the rest as its pointer', () => {
    expect(resolved('#/steps/read/output/content')).toEqual({ ok: true, value: { x: { $sealed: 'v1.k.n.c', class: 'content' } } });
    expect(resolved('#/steps/read/output/content/0/a~1b')).toEqual({ ok: true, value: { x: { $sealed: 'v1.k.n.c', class: 'content', pointer: '/0/a~1b' } } });
    expect(resolved('#/steps/read/output/whole/name')).toEqual({ ok: true, value: { x: { $sealed: 'v1.k.n.c', class: 'rows', pointer: '/0/name' } } });
  });

  it.each(['', '#', '#/steps/a', '#/steps//output', '#/steps/a b/output', '#/steps/a/outputs', '#/steps/a/output#', '#/steps/a/output/~', ' #/steps/a/output', '#/steps/a/output\n',
    `#/steps/${'a'.repeat(65)}/output`])('%j has no such form', text => expect(parseReference(text)).toBeUndefined());
});

describe('resolving an input', () => {
  it('leaves literals, sealed values and outputs unread', () => {
    const trap = { $ref: '#/steps/none/output' };
    outputs['trap'] = { trap };
    const input: JsonObject = { a: { $literal: trap }, b: { $sealed: 'v1', class: 'x', pointer: '/$ref' }, c: [{ $ref: '#/steps/trap/output/trap' }] };
    expect(resolveInput(input, outputOf)).toEqual({ ok: true, value: { a: trap, b: input['b'], c: [trap] } });
    expect(referencesOf(input)).toEqual([{ step: 'trap', pointer: '/trap', at: '/c/0' }]);
  });

  it('returns the very same object when nothing is to be done', () => {
    fc.assert(fc.property(fc.dictionary(fc.string().filter(key => !key.startsWith('$')), fc.jsonValue({ maxDepth: 4 })), value => {
      const input = value as JsonObject;
      if (JSON.stringify(input).includes('$')) return;
      expect(resolveInput(input, outputOf)).toEqual({ ok: true, value: input });
      expect((resolveInput(input, outputOf) as { value: Json }).value).toBe(input);
      expect(referencesOf(input)).toEqual([]);
    }));
  });

  it('puts any value where any reference to it stands, and does not change the input', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.string(), { maxLength: 3 }), fc.array(fc.string(), { maxLength: 3 }), (leaf, way, place) => {
      const output = way.reduceRight<Json>((inner, key) => Object.fromEntries([[key, inner]]), leaf as Json);
      const pointer = way.map(key => `/${pointerToken(key)}`).join('');
      const put = (x: Json): JsonObject => ({ in: place.reduceRight<Json>((inner, key) => Object.fromEntries([['k', 0], [`_${key}`, inner]]), x) });
      const input = put({ $ref: `#/steps/s/output${pointer}` });
      const before = JSON.stringify(input);
      expect(valueAt(output, pointer)).toEqual(leaf);
      const result = resolveInput(input, step => (step === 's' ? output : undefined));
      expect(result).toEqual({ ok: true, value: put(leaf as Json) });
      expect(JSON.stringify(input)).toBe(before);
      const [reference] = referencesOf(input);
      expect(isReference(valueAt(input, reference!.at))).toBe(true);
    }));
  });

  it('defines a key named like a prototype instead of following it', () => {
    const input = JSON.parse('{"a":{"__proto__":{"x":1},"b":{"$ref":"#/steps/raise/output/empty"}}}') as JsonObject;
    const result = resolveInput(input, outputOf) as { value: JsonObject };
    expect(Object.keys(result.value['a'] as object)).toEqual(['__proto__', 'b']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

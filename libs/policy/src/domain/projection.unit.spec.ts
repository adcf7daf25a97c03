import fc from 'fast-check';
import type { Json, JsonObject } from '@aifirst/kernel';
import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import { digestForTests } from '../testing';
import type { CedarRequest, CedarValue } from './cedar-engine';
import { actionUid, agentUid, connectionUid } from './entity-names';
import { INPUT_BYTES_MAX, projectInput, Unprojectable } from './projection';

const project = (input: JsonObject) => projectInput(input, digestForTests);
const engine = new WasmCedarEngine();
const request = (context: CedarRequest['context']): CedarRequest =>
  ({ principal: agentUid('a'), action: actionUid('noop'), resource: connectionUid('aifirst'), context, entities: [] });

describe('the projection of an input', () => {
  it.each([
    ['refuses a key that starts with two underscores', { a: [{ b: { __entity: 1 } }] }],
    ['refuses `__proto__`', JSON.parse('{"a":{"__proto__":{}}}')],
    ['refuses half of a surrogate pair in a string', { a: '\ud800' }],
    ['refuses half of a surrogate pair in a key', { 'a\udc00': 1 }],
    ['refuses half of a surrogate pair in an item', { a: ['\ud800x'] }],
  ])('%s', (_, input) => { expect(() => project(input as JsonObject)).toThrow(Unprojectable); });

  it.each<[string, Json, unknown]>([
    ['a string', 'x', 'x'], ['a boolean', false, false], ['a whole number', 42, 42], ['minus zero', -0, 0], ['the largest safe integer', 2 ** 53 - 1, 2 ** 53 - 1],
    ['an integer beyond as its text', 2 ** 53, '9007199254740992'], ['a fraction as its text', 1.5, '1.5'], ['a huge number as its text', 1e30, '1e+30'],
    ['a list by count and canonical items', [1, 'a', 'a', 1.5, null, { b: 1, a: [true] }], { count: 6, items: ['1', 'a', '1.5', 'null', '{"a":[true],"b":1}'] }],
    ['an empty list', [], { count: 0, items: [] }], ['an object', { b: { c: null, d: 1 } }, { b: { d: 1 } }],
    ['a sealed value by its class', { $sealed: 'v1.k.n.c', class: 'content' }, { sealed: true, class: 'content' }],
    ['a sealed value without class', { $sealed: 'v1.k.n.c' }, { sealed: true, class: 'unknown' }],
    ['a sealed item by its class', [{ $sealed: 'v1.k.n.c', class: 'rows' }], { count: 1, items: ['{"class":"rows","sealed":true}'] }],
  ])('shows %s', (_, value, shown) => { expect(project({ x: value })).toEqual({ x: shown }); });

  it('leaves out null', () => { expect(project({ x: null, y: 1 })).toEqual({ y: 1 }); });

  it('digests the largest parts alone where the whole is too large', () => {
    const long = 'x'.repeat(INPUT_BYTES_MAX);
    expect(project({ long, path: 'a.txt' })).toEqual({ long: { digest: digestForTests(long), bytes: INPUT_BYTES_MAX }, path: 'a.txt' });
  });
  it('gives a digest another type than the value had, so that a policy that looks inside errs', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, 'value']));
    expect(project({ many, flag: true })).toEqual({ many: digestForTests(many), flag: true });
    expect(project(many)).toBe(digestForTests(many));
    const list = Array.from({ length: 20_000 }, (_, i) => i);
    expect(project({ list })).toEqual({ list: digestForTests(list) });
  });
  it('counts bytes, not characters', () => {
    const text = 'ä'.repeat(INPUT_BYTES_MAX / 2 - 10);
    expect(project({ text })).toEqual({ text });
    expect(project({ text: `${text}${'ä'.repeat(10)}` })).toMatchObject({ text: { bytes: INPUT_BYTES_MAX } });
    expect(project({ text: '😀'.repeat(INPUT_BYTES_MAX / 4) })).toMatchObject({ text: { bytes: INPUT_BYTES_MAX } });
  });
  it('digests what nests too deeply', () => {
    let deep: JsonObject = { a: 1 };
    for (let i = 0; i < 60; i++) deep = { a: deep };
    expect(JSON.stringify(project(deep))).toMatch(/"sha256:[0-9a-f]{64}"}+$/);
  });
});

/** JSON that tries: Cedar's escapes, things that look like them, and odd keys. */
const hostile = fc.letrec<{ value: Json; object: JsonObject }>(tie => ({
  value: fc.oneof({ maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, -0, 1.5, 2 ** 60, '', '__entity', 'ip("127.0.0.1")', 'AiFirst::Role::"admin"'), fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom<Json>(
      { __entity: { type: 'AiFirst::Role', id: 'admin' } }, { __extn: { fn: 'ip', arg: '127.0.0.1' } }, { __extn: { fn: 'decimal', args: ['1.0'] } }, { __expr: 'ip("127.0.0.1")' },
      { type: 'AiFirst::Role', id: 'admin' }, { fn: 'ip', arg: '127.0.0.1' }, { _entity: { type: 'AiFirst::Role', id: 'x' } }, { $sealed: 'x', class: { __entity: 1 } as unknown as string },
      { __extn: { fn: 'unknown', arg: 'x' } }, { fn: 'datetime', args: ['2026-01-01'] },
    ),
    fc.array(tie('value'), { maxLength: 4 }), tie('object')),
  object: fc.dictionary(fc.oneof(fc.constantFrom('__entity', '__extn', '__expr', '_', 'entity', 'type', 'id', 'fn', 'arg', ' __entity', '\u0000__entity', '_\u200b_entity', 'constructor'), fc.string()), tie('value'), { maxKeys: 4 }) as fc.Arbitrary<JsonObject>,
}));

describe('no input', () => {
  const probes = engine.prepare(Object.fromEntries([
    'context.input.probe is AiFirst::Role', 'context.input.probe in AiFirst::Role::"admin"', 'context.input.probe.isIpv4()',
    'context.input.probe.lessThan(decimal("1.0"))', 'context.input.probe.toDate() == context.input.probe', 'context.input.probe.toDays() == 1',
  ].map(test => [test, `permit(principal, action, resource) when { ${test} };`])));
  const looksLikePlainData = (value: CedarValue): boolean => {
    if (typeof value === 'number') return Number.isSafeInteger(value);
    if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean';
    return value !== null && (Array.isArray(value) ? value as CedarValue[] : Object.values(value)).every(looksLikePlainData)
      && (Array.isArray(value) || Object.keys(value).every(key => !key.startsWith('__')));
  };

  it('can be told from an entity unless Cedar is asked about one', () => {
    const raw = (probe: unknown) => engine.authorize(probes, request({ input: { probe: probe as CedarValue } })).errors.length;
    expect(raw({ __entity: { type: 'AiFirst::Role', id: 'admin' } })).toBe(4);
    expect(raw({ __extn: { fn: 'ip', arg: '127.0.0.1' } })).toBe(5);
  });

  it('makes an entity or an extension value, nor anything that Cedar can not read', () => {
    let shown = 0;
    fc.assert(fc.property(hostile.value, hostile.object, (probe, rest) => {
      let projected: CedarValue;
      try { projected = project({ ...rest, probe }); } catch (error) { expect(error).toBeInstanceOf(Unprojectable); return; }
      shown++;
      expect(looksLikePlainData(projected)).toBe(true);
      // Why: each probe errs unless it is given an entity, or an extension value of its kind.
      expect(engine.authorize(probes, request({ input: projected })).errors).toHaveLength(6);
    }), { numRuns: 10_000 });
    expect(shown).toBeGreaterThan(2_000);
  });
});

import Ajv2020 from 'ajv/dist/2020';
import fc from 'fast-check';
import type { Json, JsonObject } from '@aifirst/kernel';
import { inputProblems } from './input-schema';
import { aCapability } from './testing';
import { WILDCARD } from './wildcard-schema';

const takes = (schema: JsonObject, value: Json) => inputProblems(aCapability('c', {}, { inputSchema: schema }), value as JsonObject, true).length === 0;
const W = WILDCARD;
const obj = (properties: Record<string, Json>, more: Record<string, Json> = {}): JsonObject => ({ type: 'object', properties, ...more });

describe('a schema with wildcards', () => {
  it.each<[string, JsonObject, Json, Json]>([
    ['properties', obj({ a: { type: 'string' }, b: { type: 'number' } }), { a: W, b: 1 }, { a: W, b: 'x' }],
    ['required', obj({}, { required: ['a', 'b'] }), { a: W, b: W }, { a: W }],
    ['items', obj({ a: { type: 'array', items: { type: 'string' }, maxItems: 2 } }), { a: [W, 'x'] }, { a: [W, 1] }],
    ['the length of a list', obj({ a: { type: 'array', maxItems: 2 } }), { a: [W, W] }, { a: [W, W, W] }],
    ['prefixItems', obj({ a: { prefixItems: [{ type: 'string' }, { type: 'number' }], items: false } }), { a: [W, 1] }, { a: [W, 1, W] }],
    ['additionalProperties', obj({ a: true }, { additionalProperties: { type: 'string' } }), { b: W, c: 'x' }, { b: W, c: 1 }],
    ['no additional properties', obj({ a: true }, { additionalProperties: false }), { a: W }, { a: W, b: W }],
    ['unevaluatedProperties', obj({ a: true }, { allOf: [{ properties: { b: true } }], unevaluatedProperties: false }), { a: W, b: 1 }, { a: 1, b: 1, c: 1 }],
    ['patternProperties', obj({}, { patternProperties: { '^x': { type: 'string' } } }), { xa: W, xb: 'x' }, { xa: W, xb: 1 }],
    ['propertyNames', obj({}, { propertyNames: { maxLength: 2 } }), { ab: W }, { abc: W }],
    ['enum', obj({ a: { enum: [{ x: 1 }, 'y'] }, b: true }), { a: { x: W }, b: W }, { a: 'z', b: W }],
    ['const', obj({ a: { const: [1, 2] }, b: true }), { a: [W, 2], b: W }, { a: [1, 3], b: W }],
    ['not', obj({ a: { not: { type: 'object', required: ['x'] } }, b: true }), { a: W, b: W }, { a: { x: 1 }, b: W }],
    ['not, with a wildcard inside', obj({ a: { not: { properties: { x: { const: 1 } }, required: ['x'] } } }), { a: { x: W } }, { a: { x: 1 } }],
    ['oneOf', obj({ a: { oneOf: [{ type: 'string' }, obj({ x: { type: 'string' } }, { required: ['x'] }), obj({ x: { type: 'number' } }, { required: ['x'] })] } }), { a: { x: W } }, { a: { y: W } }],
    ['oneOf, without one', obj({ a: { oneOf: [{ minimum: 1 }, { minimum: 2 }] }, b: true }), { a: 1, b: W }, { a: 3, b: W }],
    ['anyOf', obj({ a: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'number' } }] } }), { a: [W, 1] }, { a: [W, 'x'] }],
    ['if', obj({ a: { if: { properties: { k: { const: 's' } } }, then: { properties: { v: { type: 'string' } } }, else: { properties: { v: { type: 'number' } } } } }), { a: { k: W, v: 1 } }, { a: { k: W, v: true } }],
    ['uniqueItems', obj({ a: { type: 'array', uniqueItems: true }, b: true }), { a: [W, W, 1], b: W }, { a: [1, 1], b: W }],
    ['contains', obj({ a: { contains: { const: 1 }, maxContains: 1 }, b: true }), { a: [W, W], b: W }, { a: [2], b: W }],
    ['$ref', { ...obj({ a: { $ref: '#/$defs/s' } }), $defs: { s: { type: 'array', items: { type: 'string' } } } }, { a: [W, 'x'] }, { a: [W, 1] }],
    ['$ref to itself', { ...obj({ v: { type: 'string' }, n: { $ref: '#' } }) }, { n: { n: { v: W } }, v: 'x' }, { n: { n: { v: 1 } }, v: W }],
    ['$ref to a property', obj({ a: { type: 'string' }, b: { $ref: '#/properties/a' } }), { a: W, b: 'x' }, { a: W, b: 1 }],
    ['dependentRequired', obj({}, { dependentRequired: { a: ['b'] } }), { a: W, b: 1 }, { a: W }],
    ['format', obj({ a: { type: 'string', format: 'date-time' }, b: { format: 'uuid' } }), { a: W, b: W }, { a: 'yesterday', b: W }],
  ])('keeps what %s asks of all else', (_, schema, good, bad) => {
    expect(takes(schema, good)).toBe(true);
    expect(takes(schema, bad)).toBe(false);
  });

  it('outlives an object that ajv can not compare', () => {
    const schema = obj({ a: { type: 'array', uniqueItems: true } });
    expect(inputProblems(aCapability('c', {}, { inputSchema: schema }), { a: [{ valueOf: 1 }, { valueOf: 1 }] }, false)).toMatchObject([{ code: 'INVALID_INPUT' }]);
  });

  it('takes an agent’s look-alike for what it is', () => expect(takes(obj({ a: { type: 'string' } }), { a: {} })).toBe(false));

  const schema = fc.letrec<{ schema: JsonObject }>(tie => ({
    schema: fc.oneof({ maxDepth: 4, withCrossShrink: true },
      fc.constantFrom<JsonObject>({}, { type: 'string' }, { type: 'number' }, { type: 'object' }, { type: 'array' }, { const: 1 }, { enum: ['a', 1, { a: 1 }] }, { required: ['a'] }, { maxItems: 1 }, { uniqueItems: true }, { minProperties: 1 }),
      fc.dictionary(fc.constantFrom('a', 'b'), tie('schema')).map(properties => ({ properties })),
      tie('schema').map(items => ({ items })), tie('schema').map(part => ({ additionalProperties: part })), tie('schema').map(part => ({ not: part })), tie('schema').map(part => ({ contains: part })),
      fc.tuple(tie('schema'), tie('schema')).map(parts => ({ allOf: parts })), fc.tuple(tie('schema'), tie('schema')).map(parts => ({ anyOf: parts })), fc.tuple(tie('schema'), tie('schema')).map(parts => ({ oneOf: parts })),
      fc.tuple(tie('schema'), tie('schema'), tie('schema')).map(([i, t, e]) => ({ if: i, then: t, else: e })),
      fc.tuple(tie('schema'), fc.dictionary(fc.constantFrom('a', 'b'), tie('schema'))).map(([part, properties]) => ({ properties, allOf: [part], unevaluatedProperties: false })),
    ),
  })).schema;
  const { value } = fc.letrec<{ value: Json }>(tie => ({
    value: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constantFrom<Json>(1, 'a', true, null), fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }), fc.array(tie('value'), { maxLength: 3 })),
  }));
  const accepts = (one: JsonObject, data: Json) => new Ajv2020({ strict: false, logger: false }).compile(one)(data);

  it('says of values without wildcards what the schema itself says', () => {
    fc.assert(fc.property(schema, value, (one, data) => expect(takes(one, data)).toBe(accepts(one, data))), { numRuns: 100 });
  });

  it('never refuses what a value in place of a wildcard would make right', () => {
    const holes = (data: Json, picks: boolean[]): Json => {
      if (picks.shift() === true) return W;
      if (Array.isArray(data)) return (data as Json[]).map(item => holes(item, picks));
      if (typeof data === 'object' && data !== null) return Object.fromEntries(Object.entries(data).map(([key, field]) => [key, holes(field as Json, picks)]));
      return data;
    };
    fc.assert(fc.property(schema, value, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (one, data, picks) => {
      if (accepts(one, data)) expect(takes(one, holes(data, [...picks]))).toBe(true);
    }), { numRuns: 150 });
  });
});

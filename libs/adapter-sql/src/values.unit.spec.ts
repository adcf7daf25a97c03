import type { Json } from '@aifirst/kernel';
import * as fc from 'fast-check';
import { OUTPUT_ROWS_MAX } from './limits';
import { jsonOf, jsonText, parameterTexts, RowGatherer } from './values';

describe('a value of the database as JSON', () => {
  it.each<[string, number, string, Json]>([
    ['a boolean', 16, 't', true], ['an integer', 23, '-7', -7], ['a bigint that JSON keeps', 20, '9007199254740991', 9_007_199_254_740_991], ['a bigint beyond', 20, '9007199254740993', '9007199254740993'],
    ['a numeric', 1700, '1.50', '1.50'], ['a float', 701, '0.1', 0.1], ['NaN', 701, 'NaN', 'NaN'], ['infinity', 700, '-Infinity', '-Infinity'], ['minus zero', 701, '-0', '-0'],
    ['a time', 1184, '2024-01-02 03:04:05.678901+00', '2024-01-02 03:04:05.678901+00'], ['bytes', 17, '\\x00ff', '\\x00ff'],
    ['an array', 1009, '{a,NULL,"b\\"c"}', ['a', null, 'b"c']], ['an array of arrays', 1007, '{{1,2},{3,4}}', [[1, 2], [3, 4]]], ['an array with bounds of its own', 1007, '[0:1]={1,2}', '[0:1]={1,2}'],
    ['json', 114, '{"a": [1, null]}', { a: [1, null] }], ['json with a long number', 3802, '{"a": 12345678901234567890, "b": "12345678901234567890"}', { a: '12345678901234567890', b: '12345678901234567890' }],
    ['json with a key that is not allowed', 3802, '{"__proto__": 1}', '{"__proto__": 1}'], ['json with half a character', 114, '"\\ud800"', '"\\ud800"'],
  ])('%s', (_, type, text, value) => { expect(jsonOf(type, text)).toEqual(value); });

  it('keeps all JSON that JavaScript writes', () => {
    fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), value => {
      const text = JSON.stringify(value);
      fc.pre(!/__proto__|\\u[dD][89a-fA-F]|-0|(?<![.\d])\d{16}/.test(text));
      expect(jsonText(text)).toEqual(JSON.parse(text));
    }));
  });
});

describe('parameters', () => {
  it('become the texts that PostgreSQL reads', () => {
    expect(parameterTexts(['a', 1.5, true, null, { a: [1] }, ['x', null, 'q"\\'], [[1], [2]]], 7)).toEqual(['a', '1.5', 'true', null, '{"a":[1]}', '{"x",NULL,"q\\"\\\\"}', '{{"1"},{"2"}}']);
  });
  it.each<[string, Json | undefined, number]>([['too few', [], 1], ['too many', [1], 0], ['none where one is due', undefined, 1], ['a NUL', ['a\0'], 1], ['half a character', ['\ud800'], 1]])('are refused: %s', (_, params, expected) => {
    expect(() => parameterTexts(params, expected)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

describe('a gatherer of rows', () => {
  const fields = [{ name: 'a', dataTypeID: 25 }];
  it('stops at too many rows and at too many bytes', () => {
    const many = new RowGatherer();
    for (let i = 0; i < OUTPUT_ROWS_MAX; i++) many.add(fields, ['x']);
    expect(() => many.add(fields, ['x'])).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(() => new RowGatherer().add(fields, ['x'.repeat(2_000_000)])).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    const escaped = new RowGatherer();
    escaped.add(fields, ['\u0001'.repeat(500_000)]);
    expect(() => escaped.finish()).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
  });
});

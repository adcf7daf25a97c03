import fc from 'fast-check';
import { BODY_BYTES_MAX, KEYS_MAX } from './limits';
import { parseStrictJson } from './strict-json';

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string) => parseStrictJson(bytes(text));
const code = (text: string | Uint8Array) => {
  const result = typeof text === 'string' ? parse(text) : parseStrictJson(text);
  return result.ok ? 'ok' : result.problem.code;
};

describe('strict JSON', () => {
  it.each([
    '0', '-0', '-0.0', '1E5', '1e-5', '123.456e+7', '9007199254740991', '-9007199254740991', '9007199254740992', '1000000000000000000000', '5e-324', '1.7976931348623157e308',
    '""', '"a"', '"\\u0000\\b\\f\\n\\r\\t\\"\\\\\\/"', '"\\uD83D\\uDE00"', '"\u007f\u2028\u2029\uFFFF"', '"😀"', 'true', 'false', 'null', ' [ ] ', '\t{\r\n}\n', '[[]]', '[1,2 , 3]', '{"":0}', '{"a":{"a":{"a":1}}}',
    '{"constructor":1,"prototype":2,"toString":3,"hasOwnProperty":4,"__proto":5,"_proto__":6}', '{"2":1,"1":2,"b":0}', '"\\uFFFE"', '["__proto__"]',
  ])('reads %s as JSON.parse does', text => {
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it.each([
    '', ' ', '[', ']', '{', '}', '[1', '[1,', '[1,]', '[,1]', '[1 2]', '[1,,2]', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{a:1}', "{'a':1}", '{"a" 1}', '{"a":1 "b":2}', '{1:1}', '{"a":1}}', '[]]', '1 2', '"a" "b"',
    '+1', '-', '--1', '01', '-01', '1.', '.5', '-.5', '1e', '1e+', '1.e5', '0x10', '1_000', 'NaN', 'Infinity', '-Infinity', 'nul', 'nulls', 'True', 'undefined', '١',
    '"', '"a', '"\\', '"\\"', '"\\x"', '"\\u12"', '"\\u12G4"', '"\\u{1}"', '"\n"', '"\u0000"', '"\\\n"', '"\\a\u001f"', "'a'", '// x\n1', '/* */1', '1//', '\u00a01', '\u20281', '\f1', '\v1', '\u0000', '1\u0000', '\ufeff1', '#', '<!-- -->',
    '1e400', '-1e309', '9007199254740993', '-9007199254740993', '123456789012345678901234567890', '1152921504606846976',
  ])('finds %j malformed', text => {
    const result = parse(text);
    expect(result).toMatchObject({ ok: false, problem: { code: 'MALFORMED_JSON' } });
    expect((result as { problem: { detail: string } }).problem.detail).toMatch(/ position \d+$/);
  });

  it.each([
    ['a stray continuation', [0x80]], ['an overlong slash', [0xc0, 0xaf]], ['an overlong NUL', [0xc0, 0x80]], ['a cut sequence', [0xe2, 0x82]], ['an encoded surrogate', [0xed, 0xa0, 0x80]], ['a surrogate pair, encoded one by one', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]], ['five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]], ['FF', [0xff]], ['UTF-16', [0xfe, 0xff, 0x00]], ['Latin-1', [0xe9]],
  ])('refuses %s as invalid Unicode', (_, inner) => expect(code(Uint8Array.from([0x22, ...inner, 0x22]))).toBe('INVALID_UNICODE'));

  it.each(['"\\uD800"', '"\\udc00"', '"\\uDC00\\uD800"', '"a\\uD83Db"', '{"\\uD800":1}', '["ok",{"x":["\\uDFFF"]}]', '"\\uD83D😀"', '"\\uD83D\\uD83D\\uDE00"'])('refuses the lone surrogate in %s', text => expect(code(text)).toBe('INVALID_UNICODE'));

  it.each([
    ['{"a":1,"a":1}', '/a'], ['{"a":1,"\\u0061":2}', '/a'], ['[0,{"x":{"a/b":1,"~":2,"a\\/b":3}}]', '/1/x/a~1b'], ['{"":1,"":2}', '/'], ['{"0":1,"0":2}', '/0'], ['{"constructor":1,"constructor":2}', '/constructor'],
  ])('names the repeated key of %s', (text, pointer) => expect(parse(text)).toMatchObject({ ok: false, problem: { code: 'DUPLICATE_KEY', pointer } }));

  it.each([
    ['{"__proto__":{}}', '/__proto__'], ['{"a":[{"\\u005f_proto__":1}]}', '/a/0/__proto__'], ['{"\\u005F\\u005F\\u0070roto\\u005f\\u005F":1}', '/__proto__'],
  ])('refuses the key of %s', (text, pointer) => expect(parse(text)).toMatchObject({ ok: false, problem: { code: 'FORBIDDEN_KEY', pointer } }));

  it('goes 64 levels deep and no further, whatever the mixture', () => {
    const nested = (depth: number) => '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
    expect(code(nested(64))).toBe('ok');
    expect(code(`[${nested(64)}]`)).toBe('TOO_DEEP');
    expect(code('['.repeat(1_000_000))).toBe('TOO_DEEP');
    expect(code('{"a":'.repeat(200_000))).toBe('TOO_DEEP');
  });

  it('takes a mebibyte and the allowed number of keys, and no more', () => {
    expect(code(`"${'a'.repeat(BODY_BYTES_MAX - 2)}"`)).toBe('ok');
    expect(code(`"${'a'.repeat(BODY_BYTES_MAX - 1)}"`)).toBe('TOO_LARGE');
    const keyed = (count: number) => `[${Array.from({ length: count }, () => '{"a":1}').join(',')}]`;
    expect(code(keyed(KEYS_MAX))).toBe('ok');
    expect(code(keyed(KEYS_MAX + 1))).toBe('TOO_LARGE');
  });

  it('says nothing of what it read in its details', () => {
    for (const text of ['{"canary":1,"canary":2}', '"canary\\x"', '[canary]', '"canary', '{"canary":1e999}', '"canary\\ud800"']) {
      const result = parse(text);
      expect(result.ok ? '' : result.problem.detail).not.toContain('canary');
    }
  });

  it('pollutes no prototype', () => {
    parse('{"constructor":{"prototype":{"polluted":1}},"toString":1}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('agrees with JSON.parse on every value, compact or spaced', () => {
    const value = fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }).filter(json => !JSON.stringify(json).includes('__proto__'));
    fc.assert(fc.property(value, fc.constantFrom(undefined, 2, '\t'), (json, indent) => {
      const text = JSON.stringify(json, null, indent);
      expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
    }), { numRuns: 500 });
  });

  it('never accepts what JSON.parse refuses, nor reads it otherwise', () => {
    const part = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '1', '-', '0', '.5', 'e3', 'true', 'null', ' ', '\n', '\\', '\\u0041', '\\ud83d\\ude00', 'x');
    fc.assert(fc.property(fc.array(part, { maxLength: 12 }), parts => {
      const text = parts.join('');
      const result = parse(text);
      let expected: unknown = FAILS;
      try { expected = JSON.parse(text); } catch { /* expected stays */ }
      if (result.ok) expect(result.value).toEqual(expected);
      else if (expected !== FAILS) expect(result.problem.code).toBe('DUPLICATE_KEY');
    }), { numRuns: 3000 });
  });
});
const FAILS = Symbol('fails');

import fc from 'fast-check';
import type { AgentEntry } from '@aifirst/identity';
import { aSignedIntent, aSigningKey, detachedJws, type PublishedRecord, type SignedIntentParts } from '../testing';
import type { RawRecord } from './raw-topic';
import { parseTime, verifyRecord, type Verdict } from './verify-record';

const AT = Date.parse('2026-01-02T03:04:05.000Z');
const SOURCE = '0198c000-0000-7000-8000-000000000001';
const OTHER = '0198c000-0000-7000-8000-000000000002';
const key = aSigningKey('EdDSA', 'k');
const agentOf = (id: string, suspended = false): AgentEntry => ({ tenant: 'acme', id, revision: 1, data: { suspended, keys: [{ kid: 'k', jwk: key.jwk, createdAt: '' }], revokedKeys: [{ kid: 'old', createdAt: '', revokedAt: '' }] } as unknown as AgentEntry['data'] });
const iso = (ms: number): string => new Date(ms).toISOString();

describe('a record', () => {
  const signed = (over: Partial<SignedIntentParts> = {}): PublishedRecord => aSignedIntent({ key, source: SOURCE, time: iso(AT), ...over });
  const judge = (record: Partial<RawRecord>, { suspended = false, deployment = 'aifirst' } = {}): Promise<Verdict> =>
    verifyRecord({ topic: 't', partition: 0, offset: 0, timestamp: AT, timestampType: 'LogAppendTime', key: null, value: null, headers: {}, ...record },
      { findAgent: id => (id === SOURCE || id === OTHER ? agentOf(id, suspended) : null), deployment, freshnessMs: 300_000 });
  const codeOf = async (record: Partial<RawRecord>, over = {}): Promise<string> => {
    const verdict = await judge(record, over);
    return verdict.kind === 'intent' ? 'intent' : verdict.kind === 'refused' ? verdict.code : `unreadable ${verdict.code}`;
  };
  const withHeaders = ({ value, headers }: PublishedRecord, over: Record<string, string | Buffer | Buffer[] | undefined>): Partial<RawRecord> => {
    const all: Record<string, Buffer | Buffer[]> = { ...headers };
    for (const [name, header] of Object.entries(over)) { if (header === undefined) delete all[name]; else all[name] = typeof header === 'string' ? Buffer.from(header) : header; }
    return { value, headers: all };
  };
  /** A structured record whose value is signed as it is. */
  const structured = (value: unknown, ce: Record<string, unknown> = {}): Partial<RawRecord> => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(JSON.stringify(value));
    const jws = detachedJws(key, { alg: 'EdDSA', kid: 'k', aud: 'aifirst', ce: { id: 'i', source: SOURCE, type: 'aifirst.intent.submitted.v1', time: iso(AT), ...ce } as never }, bytes);
    return { value: bytes, headers: { 'content-type': Buffer.from('application/cloudevents+json'), 'aifirst-signature': Buffer.from(jws) } };
  };
  const event = (over: Record<string, unknown> = {}) => ({ specversion: '1.0', id: 'i', source: SOURCE, type: 'aifirst.intent.submitted.v1', time: iso(AT), data: { goal: 'g' }, ...over });

  it.each(['binary', 'structured'] as const)('in %s mode that its agent signed is its intent', async mode => {
    expect(await judge(signed({ mode, id: 'an id', intent: { goal: 'ü' }, more: { traceparent: 'tp', partitionkey: 'p' } }))).toMatchObject({
      kind: 'intent', id: 'an id', kid: 'k', agent: { id: SOURCE, tenant: 'acme' }, data: Buffer.from('{"goal":"ü"}'), traceparent: 'tp', attributes: { partitionkey: 'p', source: SOURCE },
    });
  });

  describe('is fresh', () => {
    it('within five minutes of its append time, either way, and not a millisecond longer', async () => {
      for (const [offset, expected] of [[-300_000, 'intent'], [-300_001, 'STALE'], [300_000, 'intent'], [300_001, 'FROM_THE_FUTURE'], [0, 'intent']] as const) expect(await codeOf(signed({ time: iso(AT + offset) }))).toBe(expected);
    });
    it('as its append time says, however late it is looked at', async () => {
      await fc.assert(fc.asyncProperty(fc.integer({ min: -300_000, max: 300_000 }), fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }), async (offset, appended) => {
        expect(await codeOf({ ...signed({ time: iso(appended.getTime() + offset) }), timestamp: appended.getTime() })).toBe('intent');
      }), { numRuns: 50 });
    });
    it('until it expires, which the same append time decides', async () => {
      for (const [offset, expected] of [[1, 'intent'], [0, 'EXPIRED'], [-1, 'EXPIRED']] as const) expect(await codeOf(signed({ more: { expirytime: iso(AT + offset) } }))).toBe(expected);
      expect(await codeOf(signed({ more: { expirytime: 'tomorrow' } }))).toBe('INVALID_EVENT');
    });
    it('only where the broker stamped it', async () => { expect(await codeOf({ ...signed(), timestampType: 'CreateTime' })).toBe('NO_APPEND_TIME'); });
    it.each(['yesterday', '2026-01-02', '2026-01-02 03:04:05Z', '2026-01-02T03:04:05', '2026-13-02T03:04:05Z', '2026-02-30T03:04:05Z', '1767323045'])('at no time such as %s', async time => {
      expect(await codeOf(signed({ time }))).toBe('INVALID_EVENT');
    });
    it.each([['2026-01-02T03:04:05Z', 0], ['2026-01-02T04:04:05.5+01:00', 500], ['2026-01-01t21:34:05.000001-05:30', 0], ['2026-01-02T03:04:05.123456789Z', 123]])('at %s', async (time, ms) => {
      expect(parseTime(time)).toBe(AT + ms);
      expect(await codeOf(signed({ time }))).toBe('intent');
    });
  });

  describe('is refused', () => {
    it.each(['ce_id', 'ce_time', 'ce_source'])('with another %s than was signed', async name => {
      const other = { ce_id: 'another', ce_time: iso(AT + 1), ce_source: OTHER }[name]!;
      expect(await codeOf(withHeaders(signed(), { [name]: other }))).toBe('ATTRIBUTE_MISMATCH');
    });
    it.each(['id', 'source', 'type', 'time'])('where its signer left out ce.%s, or bound another type of it', async name => {
      const ce = { id: 'intent-1', source: SOURCE, type: 'aifirst.intent.submitted.v1', time: iso(AT) };
      const { [name as 'id']: _, ...rest } = ce;
      for (const bound of [rest, { ...ce, [name]: [ce[name as 'id']] }, { ...ce, [name]: null }, null, 'text']) expect(await codeOf(signed({ header: { ce: bound } }))).toBe('ATTRIBUTE_MISMATCH');
    });
    it('where what its signer bound besides was taken off or changed', async () => {
      const ce = { id: 'intent-1', source: SOURCE, type: 'aifirst.intent.submitted.v1', time: iso(AT), expirytime: iso(AT + 1) };
      const good = signed({ more: { expirytime: iso(AT + 1) }, header: { ce } });
      expect(await codeOf(good)).toBe('intent');
      expect(await codeOf(withHeaders(good, { ce_expirytime: undefined }))).toBe('ATTRIBUTE_MISMATCH');
      expect(await codeOf(withHeaders(good, { ce_expirytime: iso(AT + 9) }))).toBe('ATTRIBUTE_MISMATCH');
    });
    it('for another deployment, or for several', async () => {
      for (const aud of ['another', ['aifirst'], null, '']) expect(await codeOf(signed({ header: { aud } }))).toBe('WRONG_AUDIENCE');
      expect(await codeOf(signed(), { deployment: 'another' })).toBe('WRONG_AUDIENCE');
    });
    it('unsigned, and with two signatures', async () => {
      const one = signed();
      expect(await codeOf(withHeaders(one, { 'aifirst-signature': undefined }))).toBe('UNSIGNED');
      expect(await codeOf(withHeaders(one, { 'aifirst-signature': '' }))).toBe('BAD_SIGNATURE');
      const header = one.headers['aifirst-signature'] as Buffer;
      expect(await codeOf(withHeaders(one, { 'aifirst-signature': [header, header] }))).toBe('BAD_SIGNATURE');
    });
    it('of a suspended agent, once it is known that the agent sent it', async () => {
      expect(await codeOf(signed(), { suspended: true })).toBe('AGENT_SUSPENDED');
      expect(await codeOf(signed({ aud: 'x' }), { suspended: true })).toBe('WRONG_AUDIENCE');
    });
    it('of another type', async () => { expect(await codeOf(signed({ type: 'aifirst.intent.other.v1' }))).toBe('WRONG_TYPE'); });
    it('of nobody', async () => {
      expect(await judge(signed({ source: 'nobody' }))).toMatchObject({ kind: 'refused', code: 'UNKNOWN_AGENT', agent: null, source: 'nobody' });
      expect(await judge(signed({ source: '__proto__' }))).toMatchObject({ code: 'UNKNOWN_AGENT' });
    });
    it.each(['', 'x'.repeat(256), 'caf\u00e9', 'a\u0000b'])('with an id that is none (%#)', async id => { expect(await judge(signed({ id }))).toMatchObject({ code: 'INVALID_EVENT', id: null }); });
    it('where its data is something else than JSON', async () => {
      for (const type of ['text/plain', 'application/xml', 'application/json; charset=latin1', '']) expect(await codeOf(withHeaders(signed(), { 'content-type': type }))).toBe('UNSUPPORTED_MEDIA_TYPE');
      for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/vnd.intent+json', undefined]) expect(await codeOf(withHeaders(signed(), { 'content-type': type }))).toBe('intent');
      expect(await codeOf(structured(event({ datacontenttype: 'text/plain' })))).toBe('UNSUPPORTED_MEDIA_TYPE');
    });
    it('where an attribute is missing, repeated, or no text', async () => {
      for (const name of ['ce_id', 'ce_type', 'ce_time', 'ce_specversion']) expect(await codeOf(withHeaders(signed(), { [name]: undefined }))).toBe('INVALID_EVENT');
      const id = Buffer.from('intent-1');
      for (const header of [[id, id], Buffer.from([0xff]), 'a\nb', '\ufdd0']) expect(await codeOf(withHeaders(signed(), { ce_id: header }))).toBe('INVALID_EVENT');
      expect(await codeOf(withHeaders(signed(), { ce_Upper: 'x' }))).toBe('INVALID_EVENT');
      expect(await codeOf(withHeaders(signed(), { ce_specversion: '0.3' }))).toBe('INVALID_EVENT');
      expect(await codeOf(withHeaders(signed(), { ce_data: '{}' }))).toBe('INVALID_EVENT');
      expect(await codeOf(withHeaders(signed(), { ce_datacontenttype: 'application/cbor' }))).toBe('INVALID_EVENT');
      expect(await codeOf(withHeaders(signed(), Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`ce_x${i}`, 'x']))))).toBe('INVALID_EVENT');
    });
    it('in binary mode without a value, in structured mode without data, or with two', async () => {
      expect(await codeOf({ ...signed(), value: null })).toBe('INVALID_EVENT');
      expect(await codeOf(structured(event({ data: undefined })))).toBe('INVALID_EVENT');
      expect(await codeOf(structured(event({ data_base64: 'e30=' })))).toBe('INVALID_EVENT');
      for (const text of ['e30', 'e3=0', 'e30=\n', '!', 7, null]) expect(await codeOf(structured(event({ data: undefined, data_base64: text })))).toBe('INVALID_EVENT');
    });
    it('in structured mode with an attribute of a type that it can\'t have', async () => {
      for (const over of [{ id: 5 }, { time: 7 }, { type: true }, { more: {} }, { more: [] }, { more: 1.5 }, { more: 2 ** 31 }, { 'Upper': 'x' }, { specversion: 1 }]) expect(await codeOf(structured(event(over)))).toBe('INVALID_EVENT');
      for (const over of [{ more: true }, { more: 7 }, { more: null }]) expect(await codeOf(structured(event(over)))).toBe('intent');
    });
    it('for what it says itself, not for what stands in headers beside it', async () => {
      const one = structured(event());
      expect(await codeOf({ ...one, headers: { ...one.headers, ce_id: Buffer.from('another'), ce_source: Buffer.from(OTHER) } })).toBe('intent');
    });
    it('when a value signed in one mode is sent in the other', async () => {
      const one = structured(event());
      const headers = { ...one.headers, 'content-type': Buffer.from('application/json'), ...Object.fromEntries(Object.entries(event()).filter(([name]) => name !== 'data').map(([name, text]) => [`ce_${name}`, Buffer.from(text as string)])) };
      // The bytes are the signer's, but an envelope is no intent: admission refuses it.
      expect(await judge({ ...one, headers })).toMatchObject({ kind: 'intent', data: one.value });
    });
    it('without a word of what it holds', async () => {
      const secret = 'secret-value';
      for (const record of [signed({ type: secret }), withHeaders(signed(), { ce_id: secret.repeat(40) }), withHeaders(signed(), { 'content-type': secret }), structured(event({ time: secret })), signed({ header: { aud: secret } }), signed({ header: { kid: secret } }), signed({ header: { alg: secret } })]) {
        const { detail } = await judge(record) as { detail: string };
        expect(detail).not.toContain(secret);
      }
    });
  });

  describe('can not be read', () => {
    it.each([
      ['without headers', { value: Buffer.from('{}'), headers: {} }, 'NO_SOURCE'],
      ['with nothing at all', { value: null, headers: {} }, 'NO_SOURCE'],
      ['without a source', { value: Buffer.from('{}'), headers: { ce_specversion: Buffer.from('1.0'), ce_id: Buffer.from('i') } }, 'NO_SOURCE'],
      ['with two sources', { value: Buffer.from('{}'), headers: { ce_source: [Buffer.from('a'), Buffer.from('b')] } }, 'NO_SOURCE'],
      ['in structured mode without a value', { value: null, headers: { 'content-type': Buffer.from('application/cloudevents+json') } }, 'NO_VALUE'],
      ['in another format', { value: Buffer.from('x'), headers: { 'content-type': Buffer.from('application/cloudevents+avro') } }, 'UNKNOWN_FORMAT'],
      ['as a batch', { value: Buffer.from('[]'), headers: { 'content-type': Buffer.from('application/cloudevents-batch+json') } }, 'UNKNOWN_FORMAT'],
      ['with two content types', { value: Buffer.from('{}'), headers: { 'content-type': [Buffer.from('a'), Buffer.from('b')] } }, 'REPEATED_OR_BROKEN_HEADER'],
    ] as [string, Partial<RawRecord>, string][])('%s', async (_, record, code) => { expect(await codeOf(record)).toBe(`unreadable ${code}`); });
    it.each([['{"source":', 'MALFORMED_JSON'], ['[1]', 'NO_SOURCE'], ['{"source":1}', 'NO_SOURCE'], ['{"source":"a","source":"b"}', 'DUPLICATE_KEY'], ['{"__proto__":{}}', 'FORBIDDEN_KEY'], [`{"source":${'['.repeat(80)}${']'.repeat(80)}}`, 'TOO_DEEP'], ['{"source":"\\ud800"}', 'INVALID_UNICODE']])('as %s', async (value, code) => {
      expect(await codeOf(structured(value))).toBe(`unreadable ${code}`);
    });
  });

  it('takes data in base64', async () => {
    expect(await judge(structured(event({ data: undefined, data_base64: Buffer.from('{"goal":"g"}').toString('base64') })))).toMatchObject({ kind: 'intent', data: Buffer.from('{"goal":"g"}') });
  });

  it('never passes by chance, and is always judged', async () => {
    const bytes = fc.uint8Array({ maxLength: 60 }).map(array => Buffer.from(array));
    const text = fc.oneof(fc.constantFrom('1.0', SOURCE, 'intent-1', 'aifirst.intent.submitted.v1', iso(AT), 'application/json', 'application/cloudevents+json', 'a..b'), fc.string()).map(value => Buffer.from(value));
    const header = fc.oneof(text, bytes, fc.array(bytes, { maxLength: 2 }), fc.constant(null));
    const names = ['ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_specversion', 'content-type', 'aifirst-signature', 'ce_constructor', 'toString', '__proto__', 'traceparent'];
    await fc.assert(fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), header), fc.option(fc.oneof(bytes, fc.json().map(value => Buffer.from(value)))), async (headers, value) => {
      const verdict = await judge({ headers: headers as RawRecord['headers'], value });
      expect(['refused', 'unreadable']).toContain(verdict.kind);
    }), { numRuns: 1_000 });
  });
});

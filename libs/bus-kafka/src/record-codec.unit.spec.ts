import { aMessage } from '@aifirst/bus/testing';
import fc from 'fast-check';
import { MAC_HEADER, RecordCodec, type WireRecord } from './record-codec';

const codec = new RecordCodec(Buffer.from('a service key'));
const wire = (message = aMessage({ id: 'a' })): WireRecord => {
  const { key, value, headers } = codec.encode(message.topic, message);
  return { key: Buffer.from(key), value, headers };
};
const TOPIC = aMessage({ id: 'a' }).topic;

describe('messages as records', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.dictionary(fc.string(), fc.jsonValue()), (key, data) => {
      const message = aMessage({ id: 'a', key, data: JSON.parse(JSON.stringify(data)) as never });
      expect(codec.decode(message.topic, wire(message))).toEqual(message);
    }));
  });
  it('are CloudEvents in structured mode, with the trace context beside', () => {
    const { headers } = codec.encode(TOPIC, aMessage({ id: 'a', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }));
    expect(headers).toMatchObject({ 'content-type': 'application/cloudevents+json', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
    expect(codec.encode(TOPIC, aMessage({ id: 'a' })).headers).not.toHaveProperty('traceparent');
  });
  it('are refused when any byte of topic, key, value or MAC is another', () => {
    const good = wire();
    const flipped = (bytes: Buffer, at: number): Buffer => { const copy = Buffer.from(bytes); copy[at % copy.length]! ^= 1; return copy; };
    fc.assert(fc.property(fc.nat(), at => {
      expect(codec.decode(TOPIC, { ...good, value: flipped(good.value!, at) })).toBe('WRONG_MAC');
      expect(codec.decode(TOPIC, { ...good, key: flipped(good.key!, at) })).toBe('WRONG_MAC');
      expect(codec.decode(TOPIC, { ...good, headers: { [MAC_HEADER]: flipped(good.headers![MAC_HEADER] as Buffer, at) } })).toBe('WRONG_MAC');
      expect(codec.decode(flipped(Buffer.from(TOPIC), at).toString('latin1'), good)).toBe('WRONG_MAC');
    }), { numRuns: 200 });
  });
  it('are refused when bytes have moved from the key to the value', () => {
    const { key, value, headers } = wire();
    const whole = Buffer.concat([key!, value!]);
    for (let at = 0; at < whole.length; at++) if (at !== key!.length) expect(codec.decode(TOPIC, { key: whole.subarray(0, at), value: whole.subarray(at), headers: headers! })).toBe('WRONG_MAC');
  });
  it.each<[string, WireRecord, string]>([
    ['without a key', { ...wire(), key: null }, 'NO_KEY'], ['without headers', { key: wire().key, value: wire().value }, 'NO_MAC'], ['with a MAC twice', { ...wire(), headers: { [MAC_HEADER]: [Buffer.alloc(32), Buffer.alloc(32)] } }, 'NO_MAC'],
    ['with a MAC too short', { ...wire(), headers: { [MAC_HEADER]: Buffer.alloc(31) } }, 'WRONG_MAC'], ['without a value', { ...wire(), value: null }, 'WRONG_MAC'],
  ])('are refused %s', (_what, record, reason) => { expect(codec.decode(TOPIC, record)).toBe(reason); });
  it.each<[string, object]>([
    ['another version', { specversion: '0.3' }], ['no data', { data: undefined }], ['a list as data', { data: [] }], ['an empty id', { id: '' }], ['no tenant', { tenant: undefined }],
    ['a number as type', { type: 1 }], ['a sequence of zero', { sequence: 0 }], ['half a sequence', { sequence: 1.5 }], ['a traceparent that is no text', { traceparent: {} }],
  ])('are refused as envelopes with %s', (_what, over) => {
    const message = aMessage({ id: 'a' });
    expect(codec.decode(TOPIC, wire({ ...message, event: { ...message.event, ...over } as never }))).toBe('NOT_AN_ENVELOPE');
  });
});

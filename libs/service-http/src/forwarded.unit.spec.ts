import { Forwarded } from './forwarded';

const clock = { now: () => 1_000_000 };
const copies = new Forwarded(Buffer.alloc(32, 1), clock);
const settled = (headers: Record<string, string | string[]>, by = copies): unknown => { by.settle(headers); return headers; };

describe('whose call is handed on', () => {
  it.each(['192.0.2.7', '2001:db8::1', '::ffff:192.0.2.7'])('is said by a copy and believed (%s)', address => {
    expect(settled({ ...copies.headerFor(address), host: 'h' })).toEqual({ host: 'h', 'x-forwarded-for': address });
  });

  it.each<[string, Record<string, string | string[]>]>([
    ['by a caller', { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https', forwarded: 'for=192.0.2.7' }],
    ['under another key', new Forwarded(Buffer.alloc(32, 2), clock).headerFor('192.0.2.7')],
    ['of another address', Object.fromEntries(Object.entries(copies.headerFor('192.0.2.7')).map(([name, value]) => [name, value.replace('192.0.2.7', '192.0.2.8')]))],
    ['in another form', { 'aifirst-forwarded': 'v1 x' }],
    ['twice', { 'aifirst-forwarded': ['v1 a', 'v1 b'] }],
  ])('is not believed where it is said %s', (_, headers) => { expect(settled({ ...headers })).toEqual({}); });

  it('is not believed long after', () => {
    const header = copies.headerFor('192.0.2.7');
    expect(settled({ ...header }, new Forwarded(Buffer.alloc(32, 1), { now: () => 1_000_000 + 60_001 }))).toEqual({});
  });

  it('is not said where it is not known', () => { for (const address of [undefined, '', 'localhost']) expect(copies.headerFor(address)).toEqual({}); });
});

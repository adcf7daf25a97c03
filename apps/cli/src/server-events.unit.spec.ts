import fc from 'fast-check';
import { serverEvents, type ServerEvent } from './server-events';

async function* chunks(text: string, sizes: readonly number[] = []): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of sizes) { yield bytes.subarray(at, at + size); at += size; }
  yield bytes.subarray(at);
}
async function all(text: string, sizes?: readonly number[]): Promise<ServerEvent[]> {
  const found = [];
  for await (const event of serverEvents(chunks(text, sizes))) found.push(event);
  return found;
}

const STREAM = ': hello\n\nid: 1\nevent: a.b\ndata: {"x":"世界"}\n\n: still here\n\nid: 2\r\ndata: one\r\ndata: two\r\n\r\nid: 3\revent:c\rdata\r\rdata: kept id\n\nevent: without data\n\nid: 9\ndata: cut off';
const EVENTS = [{ id: '1', event: 'a.b', data: '{"x":"世界"}' }, { id: '2', event: 'message', data: 'one\ntwo' }, { id: '3', event: 'c', data: '' }, { id: '3', event: 'message', data: 'kept id' }];

describe('server-sent events', () => {
  it('are read with any line end, over several data lines, without comments and without what was cut off', async () => { expect(await all(STREAM)).toEqual(EVENTS); });
  it('are the same however they are cut into pieces', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), async sizes => { expect(await all(STREAM, sizes)).toEqual(EVENTS); }));
  });
  it('tell of every piece that comes, comments too', async () => {
    let heard = 0;
    for await (const _ of serverEvents(chunks(': a\n\n: b\n\n', [5]), () => { heard++; })) throw new Error('there is no event');
    expect(heard).toBe(2);
  });
});

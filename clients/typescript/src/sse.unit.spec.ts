import { SseParser, type ServerEvent } from './sse';

const STREAM = '\uFEFF: a comment\r\nid: 1\revent: started\ndata: {"a":\ndata:1}\n\nid: 2\ndata\n\nid: 3\nevent: lost\n\ndata: ünïcode 🗂\r\n\r\n';
const EVENTS: readonly ServerEvent[] = [{ id: '1', event: 'started', data: '{"a":\n1}' }, { id: '2', event: 'message', data: '' }, { id: '3', event: 'message', data: 'ünïcode 🗂' }];

describe('a stream of events', () => {
  it.each([1, 2, 3, 7, 10_000])('is read the same when it comes %i bytes at a time', size => {
    const bytes = new TextEncoder().encode(STREAM);
    const parser = new SseParser();
    const found: ServerEvent[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...parser.feed(bytes.subarray(at, at + size)));
    expect(found).toEqual(EVENTS);
  });
  it('is given up when an event never ends', () => {
    const parser = new SseParser();
    const chunk = new TextEncoder().encode('x'.repeat(9 * 1024 * 1024));
    expect([...parser.feed(chunk)]).toEqual([]);
    expect(() => [...parser.feed(chunk)]).toThrow('longer than');
  });
});

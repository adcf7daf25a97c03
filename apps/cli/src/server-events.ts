import { Unreachable } from './exit';

export interface ServerEvent { readonly id: string; readonly event: string; readonly data: string }

/** More than the largest fact has. */
const EVENT_CHARS_MAX = 16 * 1024 * 1024;

/**
 * `text/event-stream` as WHATWG has it: any of its line ends, fields over several lines, comments left out.
 * @param heard called with every piece, also one that holds comments only
 */
export async function* serverEvents(bytes: AsyncIterable<Uint8Array>, heard: () => void = () => {}): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let [rest, id, event] = ['', '', ''];
  let data: string[] | null = null;
  for await (const chunk of bytes) {
    heard();
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > EVENT_CHARS_MAX) throw new Unreachable('an event has no end');
    // Why: a CR at the end may be the half of a CRLF.
    const complete = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    const lines = complete.split(/\r\n|\n|\r/);
    rest = lines.pop()! + rest.slice(complete.length);
    for (const line of lines) {
      if (line === '') {
        if (data !== null) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') };
        [event, data] = ['', null];
        continue;
      }
      const colon = line.indexOf(':');
      const [name, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
      if (name === 'data') (data ??= []).push(value);
      else if (name === 'event') event = value;
      else if (name === 'id' && !value.includes('\0')) id = value;
    }
  }
}

export interface ServerEvent { readonly id: string; readonly event: string; readonly data: string }

/** More than that without the end of an event is no event of ours. */
const CHARACTERS_MAX = 16 * 1024 * 1024;

/** Server-Sent Events of one stream, as the WHATWG writes them, however its bytes are cut. Comments give nothing. */
export class SseParser {
  private readonly decoder = new TextDecoder('utf-8');
  private rest = '';
  private id = '';
  private event = '';
  private data: string[] = [];
  private size = 0;

  *feed(chunk: Uint8Array): Iterable<ServerEvent> {
    const text = this.rest + this.decoder.decode(chunk, { stream: true });
    let start = 0;
    for (const { 0: end, index } of text.matchAll(/\r\n|\n|\r/g)) {
      // Why: at the end of a chunk it may be the first half of `\r\n`.
      if (end === '\r' && index === text.length - 1) break;
      const event = this.line(text.slice(start, index));
      start = index + end.length;
      if (event !== null) yield event;
    }
    this.rest = text.slice(start);
    if (this.rest.length + this.size > CHARACTERS_MAX) throw new RangeError('an event of the stream is longer than 16 Mi characters');
  }

  private line(line: string): ServerEvent | null {
    if (line === '') return this.end();
    const [, name, value] = /^([^:]*)(?:: ?([^]*))?$/.exec(line)!;
    if (name === 'data') { this.data.push(value ?? ''); this.size += line.length; }
    else if (name === 'event') this.event = value ?? '';
    else if (name === 'id' && value?.includes('\0') !== true) this.id = value ?? '';
    return null;
  }

  private end(): ServerEvent | null {
    const found = this.data.length === 0 ? null : { id: this.id, event: this.event === '' ? 'message' : this.event, data: this.data.join('\n') };
    this.data = [];
    this.event = '';
    this.size = 0;
    return found;
  }
}

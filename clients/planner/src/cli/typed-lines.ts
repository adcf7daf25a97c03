import type { Readable } from 'node:stream';

/** Lines that a person types. What is typed while nobody asks is forgotten: it can't have been meant as the answer. */
export class TypedLines {
  private pending = '';
  private ended = false;
  private waiting: ((line: string | null) => void) | null = null;

  constructor(private readonly input: Readable) {
    input.setEncoding('utf8');
    input.on('data', (text: string) => { this.typed(text); });
    for (const event of ['end', 'close', 'error']) input.on(event, () => { this.ended = true; this.answer(null); });
  }

  /** @param show shows the question */
  next(show: () => void): Promise<string | null> {
    this.pending = '';
    show();
    if (this.ended) return Promise.resolve(null);
    return new Promise(resolve => { this.waiting = resolve; });
  }

  /** Nothing holds the process any more. */
  close(): void { this.input.pause(); this.input.destroy(); }

  private typed(text: string): void {
    if (this.waiting === null) return;
    this.pending += text;
    const end = this.pending.search(/[\r\n]/);
    if (end >= 0) this.answer(this.pending.slice(0, end));
  }

  private answer(line: string | null): void {
    this.waiting?.(line);
    this.waiting = null;
  }
}

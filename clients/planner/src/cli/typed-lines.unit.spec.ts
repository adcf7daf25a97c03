import { PassThrough } from 'node:stream';
import { TypedLines } from './typed-lines';

const soon = (): Promise<void> => new Promise(resolve => { setImmediate(resolve); });

describe('what a person types', () => {
  it('is an answer only if it was typed after the question', async () => {
    const input = new PassThrough();
    const typed = new TypedLines(input);
    input.write('yes\nyes\nye');
    await soon();
    let isShown = false;
    const answer = typed.next(() => { isShown = true; });
    expect(isShown).toBe(true);
    input.write('s\nno\n');
    expect(await answer).toBe('s');
    await soon();
    const next = typed.next(() => undefined);
    input.write('ye');
    await soon();
    input.write('s\r\n');
    expect(await next).toBe('yes');
  });

  it('is nothing where there is no more', async () => {
    const input = new PassThrough();
    const typed = new TypedLines(input);
    const answer = typed.next(() => undefined);
    input.end('yes');
    expect(await answer).toBeNull();
    expect(await typed.next(() => undefined)).toBeNull();
    typed.close();
  });
});

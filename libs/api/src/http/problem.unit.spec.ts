import { OperationalError, Refusal } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import { refusedBy } from './problem';

const told = (error: unknown) => { const { document, unexpected } = refusedBy(error, () => 'the id'); return [document.status, unexpected, JSON.stringify(document)]; };

describe('what a caller is told of an error', () => {
  it('is all of a refusal', () => { expect(told(new Refusal({ code: 'NOT_FOUND', detail: 'there is none' }))).toEqual([404, false, expect.stringContaining('there is none')]); });

  it.each([
    ['that passes', new OperationalError('STORE_UNAVAILABLE', 'postgres://secret', { retryable: true })],
    ['of a copy that has been replaced', new Fenced('gateway/0', 3)],
    ['of a copy that ends', new OperationalError('LOG_CLOSED', 'closed')],
  ])('is to try again where it is a failure %s', (_, error) => {
    const [status, unexpected, text] = told(error);
    expect([status, unexpected]).toEqual([503, false]);
    expect(text).toContain('UNAVAILABLE');
    expect(text).not.toContain('secret');
  });

  it.each([['a failure for good', new OperationalError('STORE_FAILED', 'secret')], ['a bug', new TypeError('secret')], ['anything thrown', 'secret']])('is nothing but an id where it is %s', (_, error) => {
    const [status, unexpected, text] = told(error);
    expect([status, unexpected]).toEqual([500, true]);
    expect(text).toContain('the id');
    expect(text).not.toContain('secret');
  });
});

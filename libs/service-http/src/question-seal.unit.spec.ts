import fc from 'fast-check';
import { digestOf, newNonce, QuestionSeal, readQuestionHeader } from './question-seal';

const seal = new QuestionSeal(Buffer.alloc(32, 1));
const path = '/internal/v1/questions/policy/getRole';
const question = { at: 1_750_000_000_000, nonce: newNonce(), instance: '-', digest: digestOf(Buffer.from('{}')) };

describe('the seal of a question', () => {
  it('is known by whoever has the same service key, and by nobody else', () => {
    const read = readQuestionHeader(seal.sealQuestion(path, question))!;
    expect(read).toMatchObject(question);
    expect(seal.hasSealed(path, read)).toBe(true);
    expect(new QuestionSeal(Buffer.alloc(32, 1)).hasSealed(path, read)).toBe(true);
    expect(new QuestionSeal(Buffer.alloc(32, 2)).hasSealed(path, read)).toBe(false);
  });

  it('holds for the path, time, nonce, process and body that it was made for', () => {
    const read = readQuestionHeader(seal.sealQuestion(path, question))!;
    expect(seal.hasSealed('/internal/v1/questions/policy/putRole', read)).toBe(false);
    for (const change of [{ at: question.at + 1 }, { nonce: newNonce() }, { instance: newNonce() }, { digest: digestOf(Buffer.from('[]')) }]) expect(seal.hasSealed(path, { ...read, ...change })).toBe(false);
  });

  it('breaks with any character of the header', () => {
    const header = seal.sealQuestion(path, question);
    fc.assert(fc.property(fc.nat(header.length - 1), fc.constantFrom(...'AZaz09-_ 1'), (at, character) => {
      fc.pre(header[at] !== character);
      const read = readQuestionHeader(`${header.slice(0, at)}${character}${header.slice(at + 1)}`);
      // Why the last one: two of its bits are beyond the last byte of the MAC.
      return read === null || !seal.hasSealed(path, read) || at === header.length - 1;
    }), { numRuns: 500 });
  });

  it.each([undefined, '', 'v1', 'v2 1 a b c d', ['a', 'b'], 'v1 1\n2 x'])('is not read from %j', header => { expect(readQuestionHeader(header)).toBeNull(); });

  it('of an answer holds for its question, status and body', () => {
    const body = Buffer.from('{"answer":1}');
    const header = seal.sealAnswer(question.nonce, 200, body);
    expect(seal.hasSealedAnswer(header, question.nonce, 200, body)).toBe(true);
    expect(seal.hasSealedAnswer(header, newNonce(), 200, body)).toBe(false);
    expect(seal.hasSealedAnswer(header, question.nonce, 503, body)).toBe(false);
    expect(seal.hasSealedAnswer(header, question.nonce, 200, Buffer.from('{"answer":2}'))).toBe(false);
    expect(seal.hasSealedAnswer(undefined, question.nonce, 200, body)).toBe(false);
  });

  it('is not made with a key that is short', () => { expect(() => new QuestionSeal(Buffer.alloc(16))).toThrow('at least 32 bytes'); });
});

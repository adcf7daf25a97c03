import { whereToGoOn } from './where-to-go-on';

const codeOf = (...args: Parameters<typeof whereToGoOn>): [number, string | undefined] => {
  const { next, problem } = whereToGoOn(...args);
  return [next, problem?.code];
};

describe('where a consumer goes on', () => {
  it('is where it was', () => { expect(codeOf('t/0', 5, { low: 2, high: 9 })).toEqual([5, undefined]); });
  it('is the end when it has handled all', () => { expect(codeOf('t/0', 9, { low: 2, high: 9 })).toEqual([9, undefined]); });
  it('is the start of what is there when it is new, and nothing is missed', () => { expect(codeOf('t/0', 0, { low: 2, high: 9 })).toEqual([2, undefined]); });
  it('is the start of what is there when retention was faster, which is told', () => { expect(codeOf('t/0', 1, { low: 2, high: 9 })).toEqual([2, 'RETENTION_GAP']); });
  it('is the start of a topic that was made anew, which is told', () => { expect(codeOf('t/0', 10, { low: 0, high: 9 })).toEqual([0, 'TOPIC_CUT']); });
  it('is the start, too, when it was made anew and has grown beyond the position since', () => { expect(codeOf('t/0', 5, { low: 0, high: 9 }, true)).toEqual([0, 'TOPIC_CUT']); });
});

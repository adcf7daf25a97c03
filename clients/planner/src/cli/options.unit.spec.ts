import { join } from 'node:path';
import { readCommandLine } from './options';
import { WrongUsage } from './surroundings';

const ENV = { AIFIRST_TOKEN: 'token' };

describe('a command line', () => {
  it('is a goal, and asks a person unless told otherwise', () => {
    expect(readCommandLine(['do it'], ENV)).toEqual({ goal: 'do it', yes: false, planOnly: false, json: false, url: 'http://127.0.0.1:7400', token: 'token', limits: { intent: { labels: {} } } });
  });
  it('says what the model has no say in', () => {
    expect(readCommandLine(['--yes', '--json', '--include', 'fs.*', '--include', 'noop', '--rounds', '2', '--tokens', '900', '--previews', 'summary', '--mode', 'atomic', '--on-failure', 'rollback', '--label', 'a=b=c', '--server', 'http://h', '--', '--plan-only'], ENV)).toEqual({
      goal: '--plan-only', yes: true, planOnly: false, json: true, url: 'http://h', token: 'token',
      limits: { include: ['fs.*', 'noop'], roundsMax: 2, tokensMax: 900, previews: 'summary', intent: { labels: { a: 'b=c' }, mode: 'atomic', onFailure: 'rollback' } },
    });
  });
  it.each([['--help'], ['-h']])('asks for help with %s', name => { expect(readCommandLine([name], {})).toBeNull(); });
  it.each([
    [[], 'there is no goal'], [['do', 'it'], 'put it in quotes'], [['--yes', '--plan-only', 'g'], 'exclude'], [['--rounds', '0', 'g'], '--rounds is a whole number'], [['--tokens', '1e9', 'g'], '--tokens'], [['--previews', 'all', 'g'], 'none, summary, full'],
    [['--mode', 'x', 'g'], '--mode is saga, atomic'], [['--on-failure', 'x', 'g'], '--on-failure'], [['--label', 'x', 'g'], '--label is'], [['--nonsense', 'g'], '--nonsense'], [['--yes=true', 'g'], '--yes'],
  ])('is refused in %j', (argv, why) => { expect(() => readCommandLine(argv, ENV)).toThrow(expect.objectContaining({ message: expect.stringContaining(why) }) as WrongUsage); });
  it('needs a token, of the environment or a file', () => {
    expect(() => readCommandLine(['g'], {})).toThrow('there is no token');
    expect(() => readCommandLine(['--token-file', join(__dirname, 'not-there'), 'g'], ENV)).toThrow(/can't be read from `.*not-there`: ENOENT/);
  });
});

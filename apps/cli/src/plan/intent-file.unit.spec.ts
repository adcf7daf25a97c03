import type { Surroundings } from '../exit';
import { readIntent, type IntentFile } from './intent-file';

const given = (text: string | Uint8Array): Promise<IntentFile> => readIntent('-', { env: {}, out: () => {}, err: () => {}, input: async () => Buffer.from(text) } satisfies Surroundings);
const sent = async (text: string | Uint8Array): Promise<string> => Buffer.from((await given(text)).bytes).toString();

describe('an intent that is handed in', () => {
  it('as JSON is sent byte by byte, so that the server judges it', async () => {
    const text = '{ "goal": "x",  "goal": "y", "n": 12345678901234567890 }\n';
    expect(await sent(text)).toBe(text);
    expect(await sent(`\ufeff${text}`)).toBe(text);
  });
  it('as YAML is sent as JSON', async () => {
    expect(JSON.parse(await sent('# why\ngoal: file it\nsteps:\n  - { id: a, capability: noop, input: &in { value: no, n: 1.5 } }\n  - { id: b, capability: noop, input: *in }\nlabels: { a: "1" }\n'))).toEqual({
      goal: 'file it', labels: { a: '1' }, steps: [{ id: 'a', capability: 'noop', input: { value: 'no', n: 1.5 } }, { id: 'b', capability: 'noop', input: { value: 'no', n: 1.5 } }],
    });
  });
  it('keeps a key that would be a prototype for the server to refuse', async () => { expect(await sent('goal: x\n__proto__: { a: 1 }\n')).toContain('"__proto__"'); });

  it.each([
    ['nothing', ' \n', /is empty/], ['a repeated key', 'goal: a\ngoal: b\n', /standard input:2: .*unique/], ['two documents', 'goal: a\n---\ngoal: b\n', /documents/], ['no YAML', 'goal: [a\n', /standard input:\d/],
    ['an unknown tag', 'goal: !secret x\n', /tag/], ['no number', 'goal: a\nn: .nan\n', /standard input:2: .nan is no number/], ['a number that would change', 'n: 12345678901234567890\n', /between quotes/],
    ['an unknown anchor', 'a: *b\n', /[Aa]lias|anchor/], ['a bomb of aliases', `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`).join('\n')}\n`, /alias/],
  ])('is refused with its place where it holds %s', async (_, text, expected) => { await expect(given(text)).rejects.toThrow(expected); });
  it('is refused where it is not UTF-8', async () => { await expect(given(Buffer.from([0x67, 0x3a, 0x20, 0xff]))).rejects.toThrow('not UTF-8'); });
  it('is asked for where nobody would know that we wait', async () => {
    await expect(readIntent(undefined, { env: {}, out: () => {}, err: () => {}, input: () => null })).rejects.toThrow('name a file');
    await expect(readIntent(undefined, { env: {}, out: () => {}, err: () => {} })).rejects.toThrow('name a file');
  });

  it('knows the line that a pointer leads to, in JSON and in YAML, or that of what is around it', async () => {
    const yaml = await given('goal: x\nsteps:\n  - id: a\n    capability: fs.rite\n    input:\n      a/b: 1\n');
    expect(['/goal', '/steps/0/capability', '/steps/0/input/a~1b', '/steps/0/input/missing', '/nothing'].map(yaml.placeOf)).toEqual(['standard input:1', 'standard input:4', 'standard input:6', 'standard input:6', null]);
    expect((await given('{\n "goal": "x",\n "steps": [\n  {}\n ]}')).placeOf('/steps/0/id')).toBe('standard input:4');
  });
});

import { ADAPTER_HOSTS, INTENT_TOPICS, stepCommandsTopic, TOPICS } from '@aifirst/contracts';
import { read } from './tools';

const manual = read('docs/operations.md');
const chapter = (title: string): string => new RegExp(`^## ${title}\\n([\\s\\S]*?)(?=^## |(?![\\s\\S]))`, 'm').exec(manual)?.[1] ?? '';
/** Cells of the rows of the first table in a text, without its head. */
const rows = (text: string): readonly (readonly string[])[] => text.split('\n').filter(line => /^\| *`/.test(line)).map(line => line.split('|').slice(1, -1).map(cell => cell.trim()));
const named = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

describe('the settings in docs/operations.md', () => {
  const settings = rows(chapter('Settings'));
  const source = read('apps/runtime/src/config.ts');
  const documented = new Set(settings.flatMap(([cell = '']) => named(cell)));
  const ofEvery = new Map([['DATABASE_URL', '<SERVICE>_DATABASE_URL'], ['URLS', '<SERVICE>_URLS']]);

  it('are all that the configuration reads', () => {
    const taken = [...source.matchAll(/\b(?:env, |path\(|file\()'([A-Z_]+)'/g)].map(([, name]) => name!);
    const perService = [...source.matchAll(/variableOf\(\w+, '([A-Z_]+)'\)/g)].map(([, suffix]) => ofEvery.get(suffix!) ?? `<SERVICE>_${suffix}`);
    expect(taken.length).toBeGreaterThan(15);
    expect([...new Set([...taken, ...perService])].filter(name => !documented.has(name))).toEqual([]);
  });

  it('are read by the software', () => {
    const everything = source + read('apps/runtime/src/distributed.ts');
    const unread = [...documented].filter(name => !name.startsWith('<SERVICE>_') && !everything.includes(`'${name}'`) && !/^OIDC_|^ALLOW_STDIO_MCP$/.test(name));
    expect(unread).toEqual([]);
  });

  it('have the defaults of the software', () => {
    const defaults = new Map([...source.matchAll(/\(env, '([A-Z_]+)', (?:'([^']*)'|(\d+)|(true|false))/g)].map(([, name, text, number, flag]) => [name!, flag === undefined ? text ?? number! : flag === 'true' ? '1' : '0']));
    expect(defaults.size).toBeGreaterThan(5);
    const different = settings.filter(([cell = '', value]) => { const wanted = defaults.get(named(cell)[0]!); return wanted !== undefined && wanted !== value; }).map(([cell, value]) => `${cell}: ${value}`);
    expect(different).toEqual([]);
  });
});

describe('the topics in docs/operations.md', () => {
  const topics = rows(chapter('Topics'));
  it('are all that there are', () => {
    expect(topics.map(([cell = '']) => named(cell)[0]).sort()).toEqual([...Object.values(TOPICS), ...Object.values(INTENT_TOPICS), ...ADAPTER_HOSTS.map(stepCommandsTopic)].sort());
  });
  it('say who writes and reads each, how many partitions it has, and how long it keeps', () => {
    for (const [topic, ...cells] of topics) expect({ topic, cells: cells.length, empty: cells.filter(cell => cell === '') }).toEqual({ topic, cells: 4, empty: [] });
  });
});

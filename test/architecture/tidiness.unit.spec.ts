import { FILES, importsOf, isSpec, isTestSupport, PRODUCT, read, readJson, SOURCES, TEXTS } from './repository';

const lines = (path: string): readonly string[] => read(path).split('\n');
const matches = (paths: readonly string[], pattern: RegExp): readonly string[] =>
  paths.flatMap(path => lines(path).flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])));
/** This folder holds the very words that it looks for. */
const OTHERS = TEXTS.filter(path => !path.startsWith('test/architecture/'));

function reached(entries: readonly string[]): ReadonlySet<string> {
  const seen = new Set(entries);
  for (const open = [...entries]; open.length > 0;) {
    for (const { to } of importsOf(open.pop()!)) if (to !== null && !seen.has(to) && to.endsWith('.ts')) { seen.add(to); open.push(to); }
  }
  return seen;
}

describe('every source file', () => {
  it('of the product is reached from a process', () => {
    const entries = PRODUCT.filter(path => /^apps\/[^/]+\/src\/(main|service|distributed)\.ts$/.test(path));
    const used = reached(entries);
    expect(PRODUCT.filter(path => !used.has(path))).toEqual([]);
  });

  it('of the tests is reached from a test', () => {
    const entries = SOURCES.filter(path => isSpec(path) || path.endsWith('/testing/index.ts') || path === 'test/simulation/index.ts');
    const used = reached(entries);
    // Why: what runs in a process of its own is started by its file's name.
    const isStarted = (path: string): boolean => [...used].some(from => read(from).includes(`'${path.split('/').pop()!}'`));
    expect(SOURCES.filter(path => isTestSupport(path) && !used.has(path) && !isStarted(path))).toEqual([]);
  });

  it('of the tools is named by a command, a test or another tool', () => {
    const callers = ['package.json', '.ci/run', ...FILES.filter(path => /^(tools|test|apps|libs)\/.*\.(ts|mjs|cjs|js|json)$/.test(path))].filter(path => FILES.includes(path)).map(path => [path, read(path)] as const);
    const unused = FILES.filter(path => /^tools\/.*\.m?js$/.test(path)).filter(path => !callers.some(([caller, text]) => caller !== path && text.includes(path.split('/').pop()!)));
    expect(unused).toEqual([]);
  });
});

describe('tests', () => {
  const specs = SOURCES.filter(isTestSupport).filter(path => !path.startsWith('test/architecture/'));
  it('run all: none is picked out', () => { expect(matches(specs, /\b(describe|it|test)\.only\b|\b(fdescribe|fit)\(/)).toEqual([]); });
  it('are left out only where what they need is absent', () => {
    expect(matches(specs, /\b(describe|it|test)\.(skip|todo|failing)\b|\b(xdescribe|xit|xtest)\(/).filter(line => !/\? ?(it|describe|test)(\.skip)? ?: ?(it|describe|test)(\.skip)?\b/.test(line))).toEqual([]);
  });
  it('say what is, not what should be', () => { expect(matches(specs, /\b(it|test)(\.each\(.*\))?\(['"`]should\b/)).toEqual([]); });
  it('say of what kind they are', () => {
    expect(SOURCES.filter(isSpec).filter(path => !/\.(unit|int|e2e|kafka|distributed)\.spec\.ts$/.test(path))).toEqual([]);
    expect(SOURCES.filter(path => path.endsWith('.e2e.spec.ts') && !path.startsWith('test/'))).toEqual([]);
  });
});

describe('what is committed', () => {
  it('leaves nothing open in a comment', () => { expect(matches(OTHERS.filter(path => /\.([cm]?[jt]s|sql|sh)$/.test(path)), /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]); });

  it('names no place of one machine', () => {
    expect(matches(OTHERS, /(^|[\s"'`=(:])\/(work|home|Users|root|workspace|mnt|media)\/[\w.-]/)).toEqual([]);
  });

  it('names no registry but the public default, which needs no name', () => {
    expect(matches(OTHERS, /registry\.npm|registry=h|npmmirror|verdaccio|artifactory|nexus\.|_authToken|:4873/i)).toEqual([]);
  });

  it('has a lock file that names no hosts', () => {
    const { packages } = readJson<{ packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }> }>('package-lock.json');
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved?.includes(':') === true).map(([name]) => name)).toEqual([]);
    expect(Object.entries(packages).filter(([name, entry]) => name.startsWith('node_modules/') && entry.link !== true && entry.integrity === undefined).map(([name]) => name)).toEqual([]);
  });

  it('has no file twice under names that differ in case only', () => {
    expect(new Set(FILES.map(path => path.toLowerCase())).size).toBe(FILES.length);
  });
});

describe('the size of a file', () => {
  const LINES_MAX = 500;
  /** Longer than that, and why it may be. May only shrink: nothing is added, and a number only goes down. */
  const LONGER: Readonly<Record<string, number>> = {
    // The suite that every bus has to pass, read from top to bottom.
    'libs/bus/src/testing/message-bus.contract.ts': 515,
  };
  const long = SOURCES.map(path => [path, lines(path).length - 1] as const).filter(([, count]) => count > LINES_MAX);

  it('is at most 500 lines, but for the listed', () => { expect(long.filter(([path, count]) => count > (LONGER[path] ?? LINES_MAX))).toEqual([]); });
  it('is listed only while it is longer', () => { expect(Object.keys(LONGER).filter(path => !long.some(([found]) => found === path))).toEqual([]); });
});

import { posix } from 'node:path';
import { FILES, PROJECTS, read, readJson } from './repository';

const { scripts, bin } = readJson<{ scripts: Record<string, string>; bin: Record<string, string> }>('package.json');
const DOCUMENTS = FILES.filter(path => path.endsWith('.md'));
const ADRS = FILES.filter(path => /^docs\/adr\/.*\.md$/.test(path)).sort();

describe('the commands of the repository', () => {
  it.each(['start', 'test', 'test:all', 'bench', 'simulate', 'typecheck', 'lint'])('has `npm run %s`', name => { expect(scripts).toHaveProperty(name); });
  it('lead to files that are there', () => {
    const named = Object.values(scripts).flatMap(script => [...script.matchAll(/\bnode (?:-\S+ )*([\w.][\w./-]*)/g)].map(([, path]) => path!));
    expect(named.filter(path => !FILES.includes(path))).toEqual([]);
    expect(Object.values(bin).filter(path => !FILES.includes(path))).toEqual([]);
  });
});

describe('the documents', () => {
  it('link to what is there', () => {
    const broken = DOCUMENTS.flatMap(path => [...read(path).matchAll(/(?:\]\(|src(?:set)?=")([^)\s"#]+)(?:#[^)"]*)?[)"]/g)].map(([, link]) => link!)
      .filter(link => !/^[a-z]+:/.test(link))
      .filter(link => { const to = posix.join(posix.dirname(path), link).replace(/\/$/, ''); return !FILES.includes(to) && !FILES.some(file => file.startsWith(`${to}/`)); })
      .map(link => `${path} → ${link}`));
    expect(broken).toEqual([]);
  });

  it('name only commands that exist', () => {
    const unknown = DOCUMENTS.filter(path => !path.startsWith('docs/adr/') && path !== 'docs/status.md')
      .flatMap(path => [...read(path).matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map(([, name]) => name!).filter(name => !(name in scripts)).map(name => `${path}: ${name}`));
    expect(unknown).toEqual([]);
  });

  it('name every project in docs/architecture.md', () => {
    const text = read('docs/architecture.md');
    expect(PROJECTS.filter(project => !text.includes(`\`${project.split('/')[1]!}\``))).toEqual([]);
  });

  it('show in README what a newcomer pastes, marked for the test that runs it', () => {
    expect(read('README.md')).toMatch(/<!-- test: quickstart -->\n```bash\n/);
  });
});

describe('decisions', () => {
  it('are numbered without gaps', () => { expect(ADRS.map(path => Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]))).toEqual(ADRS.map((_, index) => index + 1)); });
  it.each(ADRS.map(path => [path]))('%s has date, status, context, decision and consequences, on one page', path => {
    const text = read(path);
    expect(text).toMatch(/^# \d+\. .+\n/);
    expect(text).toMatch(/^Date: \d{4}-\d\d-\d\d\s*$/m);
    expect(text).toMatch(/^Status: (accepted|superseded by \[.+\]\(.+\))\s*$/m);
    for (const heading of ['Context', 'Decision', 'Consequences']) expect(text).toContain(`\n## ${heading}\n`);
    expect(text.split('\n').length).toBeLessThan(70);
  });
});

import fc from 'fast-check';
import { prepareSqlSyntax, readScript, readStatement, SCRIPT_STATEMENTS_MAX, type NamedObject } from './index';
import { ALLOWED_CHANGES, ALLOWED_CORPUS, ALLOWED_SCRIPTS, REFUSED_CORPUS, REFUSED_SCRIPTS } from './testing';

beforeAll(prepareSqlSyntax);
const runs = Number(process.env['LAWS_RUNS'] ?? 300);
const shortly = (sql: string) => (sql.length > 100 ? `${sql.slice(0, 40)}… (${sql.length})` : sql).replace(/[\0-\x1f\ud800-\udfff%]/g, '·');

describe('a script is turned away whole', () => {
  it('in a hundred ways, each there once', () => {
    expect(REFUSED_SCRIPTS.length).toBeGreaterThanOrEqual(100);
    expect(new Set(REFUSED_SCRIPTS.map(({ sql }) => sql)).size).toBe(REFUSED_SCRIPTS.length);
  });
  it.each(REFUSED_SCRIPTS.map(each => [each.kind, shortly(each.sql), each] as const))('%s: %s', (_kind, _shown, { sql, kind, at }) => {
    const { problem } = readScript(sql);
    expect({ kind: problem?.kind, detail: problem?.detail }).toEqual({ kind, detail: expect.stringMatching(at === null ? /^(?!statement \d+ of)[^\p{C}]{5,400}$/u : new RegExp(`^statement ${at} of \\d+: [^\\p{C}]{5,400}$`, 'u')) });
    if (problem?.offset !== null) expect(problem?.offset).toBeLessThanOrEqual(sql.length);
  });
  it('says where, whatever stands before', () => {
    for (const [sql, found] of [["DELETE FROM t WHERE a = 'é€😀'; -- ü\n SELECT pg_sleep(1)", 'pg_sleep(1)'], ['DELETE FROM é; SELECT 1; DELETE FROM t WHERE b::regclass = 1', 'regclass = 1'], ['DELETE FROM t WHERE a = $1; SELECT FROM FROM', 'FROM']]) {
      expect(sql!.slice(readScript(sql!).problem?.offset ?? 0)).toBe(found);
    }
  });
  it('shows no constant of it', () => {
    expect(JSON.stringify(readScript("DELETE FROM t WHERE a = 'canary'; SELECT 'canary'::regclass, f('canary')").problem)).not.toContain('canary');
  });
});

describe('a script is read', () => {
  it.each(ALLOWED_SCRIPTS.map(each => [shortly(each.sql), each] as const))('%s', (_shown, { sql, statements, params }) => {
    const { script, problem } = readScript(sql);
    expect(problem).toBeUndefined();
    expect(script!.statements.map(({ text, takes }) => [text, ...takes])).toEqual(statements);
    expect([script!.parameters, script!.text, script!.readOnly]).toEqual([params.length, sql, false]);
  });

  const text = (names: readonly NamedObject[]) => names.map(({ schema, name }) => (schema === null ? name : `${schema}.${name}`));
  it('names what any of its statements names, once', () => {
    const { script } = readScript('INSERT INTO a SELECT lower(x) FROM b; DELETE FROM s.a USING c WHERE c.d || a.d = $1; SELECT upper(a.x), lower(a.x) FROM a');
    expect([text(script!.reads), text(script!.writes), text(script!.functions), text(script!.operators), script!.attributes]).toEqual([['a', 'b', 'c'], ['a', 's.a'], ['lower', 'upper'], ['=', '||'], ['d', 'x']]);
  });
  it.each<[string, string, boolean]>([
    ['INSERT INTO t VALUES (1); UPDATE t SET a = 1 WHERE b = 1', 'update', false], ['UPDATE t SET a = 1; INSERT INTO t VALUES (1)', 'update', true], ['DELETE FROM t WHERE a = 1; UPDATE t SET a = 1 WHERE b = 1', 'delete', false],
    ['SELECT 1; INSERT INTO t VALUES (1)', 'insert', false], ['DELETE FROM t WHERE a = 1; TRUNCATE t', 'truncate', true], ['MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DO NOTHING; SELECT 1', 'merge', false],
    ['WITH d AS (DELETE FROM t) SELECT 1; SELECT 2', 'select', true],
  ])('is as risky as the worst of it: %s', (sql, verb, isUnbounded) => expect(readScript(sql).script).toMatchObject({ verb, isUnbounded }));
  it('of one statement is that statement', () => {
    const sql = 'UPDATE t SET a = $2 WHERE b = $1';
    const { fingerprint: _, ...one } = readStatement(sql).statement!;
    expect(readScript(sql).script).toMatchObject(one);
  });
});

const SPACES = ['', ' ', '\n', ' /* ; COMMIT; */ ', ' -- it\'s ; "nothing"\n', ';', ' ; /* /* nested ; */ $$ */ ;'];
const shift = (sql: string, by: number) => (by === 0 ? sql : sql.replace(/\$(\d+)(?!\w*\$)/g, (_, number) => `$${Number(number) + by}`));
const joined = (parts: readonly string[], spaces: readonly string[]) => parts.map((part, index) => `${spaces[index % spaces.length] ?? ''}${part}`).join('\n;');

describe('statements that pass one by one', () => {
  const cases = fc.array(fc.constantFrom(...ALLOWED_CORPUS), { maxLength: 5 });
  it('pass together, each as it was', () => {
    fc.assert(fc.property(cases, fc.constantFrom(...ALLOWED_CHANGES), fc.array(fc.constantFrom(...SPACES), { minLength: 1, maxLength: 6 }), (before, last, spaces) => {
      const all = [...before, last];
      let first = 0;
      const parts = all.map(({ sql, params }) => { const part = shift(sql, first); first += params.length; return part; });
      const { script, problem } = readScript(joined(parts, spaces));
      expect(problem).toBeUndefined();
      expect(script!.statements.map(({ text: _text, takes: _takes, ...read }) => read)).toEqual(all.map(({ sql }) => { const { text: _text, ...read } = readStatement(sql).statement!; return read; }));
      expect(script!.statements.flatMap(({ takes }) => takes)).toEqual(Array.from({ length: first }, (_, index) => index + 1));
      for (const { text, takes: _takes, ...read } of script!.statements) expect(readStatement(text).statement).toEqual({ text, ...read });
    }), { numRuns: runs });
  });

  const forbidden = REFUSED_CORPUS.filter(({ kind, sql, allow }) => allow === undefined && !['syntax', 'statements', 'text', 'size', 'depth', 'parameter'].includes(kind) && sql.length < 300);
  it('are refused with the one that is not allowed, wherever it stands', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...ALLOWED_CHANGES.filter(({ params }) => params.length === 0)), { minLength: 1, maxLength: 4 }), fc.nat(4), fc.constantFrom(...forbidden), fc.array(fc.constantFrom(...SPACES), { minLength: 1, maxLength: 6 }), (others, at, bad, spaces) => {
      const place = at % (others.length + 1);
      const parts = others.map(({ sql }) => sql).toSpliced(place, 0, bad.sql);
      const { problem } = readScript(joined(parts, spaces));
      expect([bad.sql, problem?.kind, problem?.detail]).toEqual([bad.sql, bad.kind, expect.stringContaining(`statement ${place + 1} of ${parts.length}: `)]);
    }), { numRuns: runs });
  });
});

it('answers any text, never throws at it', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom('DELETE FROM t', ';', '$1', '$2', '$$', "'", '"', '/*', '*/', '--', '\n', 'COMMIT', 'WHERE a =', 'é', '($3)', ',', 'SELECT', '\\', 'E\'', 'U&"', '$a$'), { maxLength: 30 }).map(words => words.join(' ')), sql => {
    const { script, problem } = readScript(sql);
    expect((script === undefined) !== (problem === undefined)).toBe(true);
    for (const { text } of script?.statements ?? []) expect(readStatement(text).problem).toBeUndefined();
    if (problem?.offset !== null && problem !== undefined) expect(problem.offset >= 0 && problem.offset <= sql.length).toBe(true);
  }), { numRuns: runs * 3 });
});

it('takes a hundred statements', () => {
  expect(readScript('DELETE FROM t; '.repeat(SCRIPT_STATEMENTS_MAX)).script?.statements).toHaveLength(SCRIPT_STATEMENTS_MAX);
});

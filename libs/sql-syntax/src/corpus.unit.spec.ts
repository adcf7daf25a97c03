import { ALLOWED_CORPUS, REFUSED_CORPUS } from './testing';
import { prepareSqlSyntax, readStatement, type NamedObject } from './index';

const text = (names: readonly NamedObject[]) => names.map(({ schema, name }) => (schema === null ? name : `${schema}.${name}`)).sort();
const shortly = (sql: string) => (sql.length > 100 ? `${sql.slice(0, 40)}… (${sql.length})` : sql).replace(/[\0-\x1f\ud800-\udfff%]/g, '·');

beforeAll(prepareSqlSyntax);

describe('the corpus', () => {
  it('is large enough, each statement there once', () => {
    expect(REFUSED_CORPUS.length).toBeGreaterThanOrEqual(200);
    expect(ALLOWED_CORPUS.length).toBeGreaterThanOrEqual(80);
    for (const all of [ALLOWED_CORPUS.map(({ sql }) => sql), REFUSED_CORPUS.map(({ sql, allow = 'any' }) => `${allow}: ${sql}`)]) {
      expect(all.filter((sql, index) => all.indexOf(sql) !== index)).toEqual([]);
    }
    expect([...REFUSED_CORPUS, ...ALLOWED_CORPUS].filter(({ source }) => source.length < 10)).toEqual([]);
  });
});

describe('a statement is turned away', () => {
  it.each(REFUSED_CORPUS.map(each => [each.kind, shortly(each.sql), each] as const))('%s: %s', (_kind, _shown, { sql, kind, allow }) => {
    const { problem } = readStatement(sql, allow === undefined ? {} : { allow });
    expect({ kind: problem?.kind, detail: problem?.detail }).toEqual({ kind, detail: expect.stringMatching(/^[^\p{C}]{5,400}$/u) });
    if (problem?.offset !== null) expect(problem?.offset).toBeLessThanOrEqual(sql.length);
  });
});

describe('a statement is read', () => {
  it.each(ALLOWED_CORPUS.map(each => [shortly(each.sql), each] as const))('%s', (_shown, { sql, verb, reads, writes, isUnbounded, params }) => {
    const { statement, problem } = readStatement(sql);
    expect(problem).toBeUndefined();
    expect({ verb: statement?.verb, reads: text(statement?.reads ?? []), writes: text(statement?.writes ?? []), isUnbounded: statement?.isUnbounded, parameters: statement?.parameters, readOnly: statement?.readOnly })
      .toEqual({ verb, reads: [...reads].sort(), writes: [...writes].sort(), isUnbounded, parameters: params.length, readOnly: writes.length === 0 });
    expect(readStatement(sql, { allow: writes.length === 0 ? 'read' : 'write' })).toEqual({ statement });
  });
});

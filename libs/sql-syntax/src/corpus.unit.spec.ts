import { ALLOWED_CORPUS, REFUSED_CORPUS } from './testing';
import { SHAPES } from './node-shapes';
import { parse } from './parser';
import { prepareSqlSyntax, readStatement, type NamedObject } from './index';

const text = (names: readonly NamedObject[]) => names.map(({ schema, name }) => (schema === null ? name : `${schema}.${name}`)).sort();
const shortly = (sql: string) => (sql.length > 100 ? `${sql.slice(0, 40)}… (${sql.length})` : sql).replace(/[\0-\x1f\ud800-\udfff%]/g, '·');

/** Kinds that stand in a field of their own. */
const BARE = new Set([...SHAPES.values()].flatMap(shape => [...shape.values()]).flatMap(rule => (typeof rule === 'object' ? [rule.kind] : [])));

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

/** Kinds of node in a tree, by their capital; those whose kind is not written around them come with their parents. */
function kindsIn(value: unknown, kinds: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) kinds.add(key);
    kindsIn(inner, kinds);
  }
}

describe('what a statement may consist of', () => {
  it('is all in the corpus: nothing is let in that nobody uses', () => {
    const kinds = new Set<string>();
    for (const { sql } of ALLOWED_CORPUS) kindsIn(parse(sql), kinds);
    const written = [...SHAPES.keys()].filter(kind => !BARE.has(kind));
    expect(written.filter(kind => !kinds.has(kind))).toEqual([]);
    const fields = new Set([...SHAPES.values()].flatMap(shape => [...shape.keys()]));
    expect([...fields].filter(field => !kinds.has(field))).toEqual([]);
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

import fc from 'fast-check';
import { loadModule, scanSync } from 'libpg-query';
import { prepareSqlSyntax, readStatement, type SqlProblemKind } from './index';
import { ALLOWED_CORPUS, REFUSED_CORPUS } from './testing';

beforeAll(async () => { await Promise.all([prepareSqlSyntax(), loadModule()]); });

const runs = Number(process.env['LAWS_RUNS'] ?? 300);
const SPACES = [' ', '\n', '\t', ' /* ; DROP TABLE x; */ ', ' -- it\'s "nothing"\n', '\r\n', ' /* /* nested */ $$ */ ', '\f '];
const BLANKS = [' ', '\n', '\t'];
/** Words whose meaning hangs on the next one: the parser, unlike a server, sees a comment between them as an error, so refuses. */
const LOOKS_AHEAD = /^(nulls|not|with|without|format)$|^U&/i;
const tokensOf = (sql: string) => scanSync(sql).tokens.filter(({ tokenName }) => !tokenName.endsWith('COMMENT'));

describe('a statement that passes', () => {
  it('keeps its reading under other white space, comments, case and quoting', () => {
    fc.assert(fc.property(fc.constantFrom(...ALLOWED_CORPUS), fc.infiniteStream(fc.nat(1_000)), ({ sql }, chances) => {
      const draw = (below: number) => (chances.next().value as number) % below;
      const written = tokensOf(sql).map(({ text, tokenName }, index, tokens) => {
        const isWord = /^[a-z_][a-z_0-9]*$/i.test(text);
        const word = !isWord ? text : tokenName === 'IDENT' && draw(2) === 0 ? `"${text.toLowerCase()}"` : [text.toLowerCase(), text.toUpperCase(), text][draw(3)];
        const spaces = LOOKS_AHEAD.test(tokens[index - 1]?.text ?? '') ? BLANKS : SPACES;
        return `${spaces[draw(spaces.length)]}${word}`;
      }).join('');
      const { text: _text, ...expected } = readStatement(sql).statement ?? fail();
      const { text, ...found } = readStatement(written).statement ?? fail(`${written}: ${readStatement(written).problem?.detail}`);
      expect(found).toEqual(expected);
      expect(text).toBe(written);
    }), { numRuns: runs });
  });

  it('is refused as soon as a second follows', () => {
    fc.assert(fc.property(fc.constantFrom(...ALLOWED_CORPUS), fc.constantFrom(...ALLOWED_CORPUS), fc.constantFrom(...SPACES), (first, second, space) => {
      expect(readStatement(`${first.sql}${space};${space}${second.sql}`).problem?.kind).toBe('statements');
    }), { numRuns: runs });
  });
});

const EVIL: readonly (readonly [string, SqlProblemKind])[] = [
  ['pg_sleep(1)', 'function'], ['"pg_sleep"(1)', 'function'], ['U&"pg\\005fsleep"(1)', 'function'], ["pg_catalog.pg_read_file('x')", 'function'], ["set_config('a', 'b', true)", 'function'], ['public.evil()', 'function'],
  ["repeat('x', 1000000000)", 'function'], ['current_user', 'function'], ["nextval('s')", 'function'], ['(SELECT passwd FROM pg_shadow)', 'relation'], ['EXISTS (TABLE information_schema.tables)', 'relation'],
  ['(SELECT 1 FROM aifirst.effects)', 'relation'], ["'x'::regclass", 'type'], ["CAST('x' AS xml)", 'type'], ['(1 OPERATOR(evil.+) 2)', 'operator'], ['(1 COLLATE evil.c)', 'collation'], ['x.ctid', 'column'],
  ["XMLPARSE(CONTENT 'x')", 'construct'], ['$0', 'parameter'], ['(SELECT 1 INTO x)', 'construct'], ['(x).record_out', 'function'],
];
const WRAPPINGS: readonly ((inner: string) => string)[] = [
  e => `coalesce(${e}, NULL)`, e => `(SELECT ${e})`, e => `(${e})`, e => `ARRAY[${e}]`, e => `ROW(1, ${e})`, e => `CASE WHEN ${e} IS NULL THEN 1 END`, e => `CASE 1 WHEN 1 THEN ${e} ELSE 2 END`, e => `(${e})::text`,
  e => `JSON_OBJECT('a': ${e})`, e => `JSON_ARRAY(${e})`, e => `(WITH q AS (SELECT ${e} AS v) SELECT v FROM q)`, e => `sum(1) OVER (ORDER BY ${e})`, e => `(VALUES (${e}))`, e => `NOT (${e})`, e => `(1 = ANY (ARRAY[${e}]))`,
  e => `(${e} IN (1, 2))`, e => `(1 IN (SELECT 1 WHERE ${e} IS NULL))`, e => `(${e} BETWEEN 1 AND 2)`, e => `count(*) FILTER (WHERE ${e} IS NULL)`, e => `greatest(1, ${e})`, e => `(ARRAY[1])[${e}]`, e => `lower(${e})`,
  e => `(SELECT 1 FROM (SELECT ${e}) s)`, e => `(SELECT 1 FROM customer s JOIN orders t ON ${e} IS NULL)`, e => `(SELECT 1 UNION SELECT ${e})`, e => `(SELECT 1 ORDER BY ${e})`, e => `(SELECT 1 GROUP BY ${e})`, e => `(SELECT 1 OFFSET ${e})`,
  e => `(SELECT 1 FROM ROWS FROM (unnest(ARRAY[${e}])) r)`, e => `/* ' */ ${e} -- "\n`, e => `((${e}) COLLATE "C")`, e => `(1 + ${e})`, e => `(${e} IS DISTINCT FROM 1)`, e => `string_agg('a', ',' ORDER BY ${e})`,
];
const HOSTS: readonly ((inner: string) => string)[] = [
  e => `SELECT ${e}`, e => `SELECT * FROM customer x WHERE ${e} IS NULL`, e => `VALUES (1, ${e})`, e => `INSERT INTO customer (name) VALUES (${e})`, e => `INSERT INTO customer (name) SELECT ${e}`,
  e => `INSERT INTO customer AS x (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = ${e}`, e => `INSERT INTO customer AS x (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'a' WHERE ${e} IS NULL`, e => `INSERT INTO customer AS x (id) VALUES (1) RETURNING ${e}`,
  e => `UPDATE customer x SET name = ${e} WHERE id = 1`, e => `UPDATE customer x SET (name, city) = (SELECT ${e}, 1) WHERE id = 1`, e => `UPDATE customer x SET name = 'a' WHERE ${e} IS NULL`, e => `UPDATE customer x SET name = 'a' FROM (SELECT ${e}) y`,
  e => `DELETE FROM customer x WHERE ${e} IS NULL`, e => `DELETE FROM customer x WHERE id = 1 RETURNING ${e}`, e => `WITH y AS (DELETE FROM customer x WHERE ${e} IS NULL) SELECT 1`, e => `MERGE INTO customer x USING orders o ON ${e} IS NULL WHEN MATCHED THEN DELETE`,
  e => `MERGE INTO customer x USING (SELECT ${e}) o ON true WHEN MATCHED AND x.id = 1 THEN UPDATE SET name = 'a'`, e => `MERGE INTO customer x USING orders o ON x.id = o.id WHEN NOT MATCHED THEN INSERT (name) VALUES (${e})`,
];

describe('a fragment that is refused', () => {
  it('stays so wherever it is embedded', () => {
    fc.assert(fc.property(fc.constantFrom(...EVIL), fc.array(fc.constantFrom(...WRAPPINGS), { maxLength: 6 }), fc.constantFrom(...HOSTS), ([fragment, kind], wrappings, host) => {
      const sql = host(wrappings.reduce((inner, wrap) => wrap(inner), fragment));
      expect([sql, readStatement(sql).problem?.kind]).toEqual([sql, kind]);
    }), { numRuns: runs * 3 });
  });

  it('is missed nowhere by the embedding itself: a harmless one passes', () => {
    for (const wrap of WRAPPINGS) for (const host of HOSTS) expect([host(wrap('x.id')), readStatement(host(wrap('x.id'))).problem]).toEqual([host(wrap('x.id')), undefined]);
  });
});

describe('any text', () => {
  const words = [...new Set([...ALLOWED_CORPUS, ...REFUSED_CORPUS].filter(({ sql }) => sql.length < 300).flatMap(({ sql }) => sql.match(/\w+|[^\w\s]|\s+/g) ?? []))];
  const answers = (sql: string) => {
    const result = readStatement(sql);
    expect(Object.keys(result)).toHaveLength(1);
    if (result.problem === undefined) return;
    expect(result.problem.detail).toMatch(/^[^\p{C}]{5,400}$/u);
    if (result.problem.offset !== null) expect(result.problem.offset >= 0 && result.problem.offset <= sql.length).toBe(true);
  };

  it('is answered, never thrown at', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), answers), { numRuns: runs });
    fc.assert(fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }).map(parts => parts.join(' ')), answers), { numRuns: runs });
    fc.assert(fc.property(fc.constantFrom(...ALLOWED_CORPUS, ...REFUSED_CORPUS.filter(({ sql }) => sql.length < 300)), fc.nat(), fc.nat(), fc.constantFrom(...words), ({ sql }, from, length, word) => {
      const start = from % (sql.length + 1);
      answers(sql.slice(0, start) + word + sql.slice(start + (length % 20)));
    }), { numRuns: runs * 3 });
  });

  it('in quotes is a name, exactly', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 15 }).filter(name => !/\0|\/\*\+|^pg_|\p{Cs}/u.test(name)), name => {
      expect(readStatement(`SELECT "x".* FROM "${name.replaceAll('"', '""')}" AS "x"`).statement?.reads).toEqual([{ schema: null, name }]);
    }), { numRuns: runs });
  });
});

const fail = (why = 'refused'): never => { throw new Error(why); };

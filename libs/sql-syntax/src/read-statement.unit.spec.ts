import { isAllowedFunction, isAllowedRelation, isAllowedType, prepareSqlSyntax, readStatement, type NamedObject, type ReadStatement } from './index';

beforeAll(prepareSqlSyntax);

const read = (sql: string): ReadStatement => {
  const { statement, problem } = readStatement(sql);
  if (statement === undefined) throw new Error(`${sql}: ${problem.detail}`);
  return statement;
};
const text = (names: readonly NamedObject[]) => names.map(({ schema, name }) => (schema === null ? name : `${schema}.${name}`));
const at = (sql: string) => {
  const { problem } = readStatement(sql);
  return problem?.offset === null || problem === undefined ? null : sql.slice(problem.offset);
};

describe('what a statement is known by', () => {
  it('names functions, also those of SQL syntax, of windows and of FROM', () => {
    expect(text(read("SELECT Upper(name), pg_catalog.now(), extract(year FROM d), trim(name), count(*) OVER (), JSON_VALUE(p, '$') FROM t, unnest(a)").functions))
      .toEqual(['count', 'json_value', 'unnest', 'upper', 'pg_catalog.btrim', 'pg_catalog.extract', 'pg_catalog.now']);
  });

  it('names operators by symbol, but not BETWEEN', () => {
    expect(text(read("SELECT a + b, a <> c, - a FROM t WHERE a BETWEEN 1 AND 2 AND b LIKE 'x' AND c = ANY (SELECT 1) ORDER BY a USING <").operators)).toEqual(['+', '-', '<', '<>', '=', '~~']);
  });

  it('names types, arrays by their elements, as the parser folds them', () => {
    expect(text(read("SELECT a::int, b::mood, c::crm.mood[], '{}'::_text, CAST(d AS varchar(3)), interval '1 day' FROM t").types)).toEqual(['mood', 'text', 'crm.mood', 'pg_catalog.int4', 'pg_catalog.interval', 'pg_catalog.varchar']);
  });

  it('names what could be a function in the notation of a column', () => {
    expect(read('SELECT t.a, (t).b, c, s.t.d, t.*, (t.e).f FROM s.t ORDER BY t.a').attributes).toEqual(['a', 'b', 'd', 'e', 'f', 't']);
  });

  it('counts parameters wherever they stand, each once', () => {
    expect(read('WITH a AS (SELECT $2::int) UPDATE t SET x = $1 FROM a WHERE y = $3 OR y = $1').parameters).toBe(3);
  });

  it('folds case as PostgreSQL does and keeps what is quoted', () => {
    expect(text(read('SELECT * FROM Customer, "Customer", U&"\\0043ustomer", PUBLIC.T').reads)).toEqual(['Customer', 'customer', 'public.t']);
  });

  it('says when TRUNCATE reaches further', () => {
    expect([read('TRUNCATE a CASCADE').cascades, read('TRUNCATE a').cascades, read('DELETE FROM a WHERE id = 1').cascades]).toEqual([true, false, false]);
  });

  it('keeps the text', () => expect(read(' SELECT 1 -- x').text).toBe(' SELECT 1 -- x'));
});

describe('the fingerprint', () => {
  const same = (a: string, b: string) => read(a).fingerprint === read(b).fingerprint;
  it('is that of the shape, not of the values or the writing', () => {
    expect(same("SELECT a FROM t WHERE b = 1 AND c IN (1, 2)", "select  A from T where B='x' /* y */ and c in ($1,$2,$3)")).toBe(true);
    expect(same('INSERT INTO t VALUES (1, 2)', 'INSERT INTO t VALUES (1, 2), (3, 4), ($1, $2)')).toBe(true);
    expect(read('SELECT 1').fingerprint).toMatch(/^[0-9a-f]{16}$/);
  });
  it('differs with relation, column, operator, condition and function', () => {
    for (const other of ['SELECT a FROM u WHERE b = 1', 'SELECT c FROM t WHERE b = 1', 'SELECT a FROM t WHERE b > 1', 'SELECT a FROM t', 'SELECT lower(a) FROM t WHERE b = 1', 'SELECT a, a FROM t WHERE NOT b = 1']) {
      expect(same('SELECT a FROM t WHERE b = 1', other)).toBe(false);
    }
  });
});

describe('where a problem is', () => {
  it('counts UTF-16 units, whatever stands before', () => {
    expect(at("SELECT 'é€😀', pg_sleep(1)")).toBe('pg_sleep(1)');
    expect(at("SELECT 'é€😀' FROM FROM t")).toBe('FROM t');
    expect(at("SELECT '😀'; /* x */ DROP TABLE t")).toBe('DROP TABLE t');
    expect(at('SELECT é, "😀".x FROM pg_class')).toBe('pg_class');
    expect(at("SELECT 'é' || a::regclass")).toBe('regclass');
    expect(at("SELECT '\u00e9\0'")).toBe("\0'");
  });
  it('is of the whole where no place is to blame', () => {
    expect(at('DROP TABLE t')).toBeNull();
    expect(at('SELECT $2')).toBeNull();
  });
});

describe('what a problem says', () => {
  it('names the function, and why', () => {
    expect(readStatement('SELECT pg_sleep(1)').problem?.detail).toBe('the function `pg_sleep` is not allowed: it only waits');
    expect(readStatement('SELECT crm.f()').problem?.detail).toBe('the function `crm.f` is not allowed: only functions of pg_catalog are allowed');
    expect(readStatement('SELECT f()').problem?.detail).toContain('`f` is not allowed: it is not among');
  });
  it('shows no constant of the statement, and nothing that a terminal acts on', () => {
    for (const sql of ["SELECT 'canary' 'x'", "SELECT 1 'canary'", "SELECT 'canary'::regclass", "SELECT f('canary')", "SELECT 'canary", "SELECT E'canary\\xZZ\\u00'", "SELECT U&'canary\\zz'", "SELECT $$canary$$ $$x$$"]) {
      expect(JSON.stringify(readStatement(sql).problem)).not.toContain('canary');
    }
    expect(readStatement('SELECT "\u001b[31m\u202e`"()').problem?.detail).toContain('`?[31m??`');
  });
});

describe('an always true condition', () => {
  const isUnbounded = (condition: string) => read(`DELETE FROM t WHERE ${condition}`).isUnbounded;
  it.each(['true', '1 = 1', 'id = id', 'id = 1 OR true', 'NOT NOT true', '1 < 2', "'t'::boolean", 'NOT (1 = 2)', 'true IS TRUE', 'false IS NOT TRUE', 'NULL IS NULL', '2 >= 1 AND (id <= id)', 'now() > $1',
    "name ILIKE '%%'", 'a.b = a.b', '(SELECT 1) = 1', 'id + 1 = id + 1', '1.5 > 1'])('%s', condition => expect(isUnbounded(condition)).toBe(true));
  it.each(['id = 1', 'false', '1 = 2', 'id = 1 AND true', 'id = 1 OR 1 = 2', 'NOT active', "'f'::bool", 'id IS NULL', 'id = other', 'EXISTS (SELECT 1 FROM u WHERE u.id = t.id)', "name LIKE 'a%'", 'NULL', 'NOT true', 'id <> id',
    'id = ANY ($1)'])('not %s', condition => expect(isUnbounded(condition)).toBe(false));
});

describe('names that a caller asks about', () => {
  it('allows built-in functions, also by pg_catalog', () => {
    expect([{ schema: null, name: 'lower' }, { schema: 'pg_catalog', name: 'count' }, { schema: null, name: 'json_value' }].map(isAllowedFunction)).toEqual([true, true, true]);
    expect([{ schema: 'public', name: 'lower' }, { schema: null, name: 'pg_sleep' }, { schema: 'pg_catalog', name: 'json_value' }, { schema: null, name: 'constructor' }].map(isAllowedFunction)).toEqual([false, false, false, false]);
  });
  it('keeps from the server its relations and types', () => {
    expect(['pg_class', 'customer'].map(name => isAllowedRelation({ schema: null, name }))).toEqual([false, true]);
    expect(['pg_catalog', 'pg_temp_1', 'information_schema', 'aifirst', 'crm'].map(schema => isAllowedRelation({ schema, name: 'x' }))).toEqual([false, false, false, false, true]);
    expect(['_regclass', 'xml', 'mood', 'int4'].map(name => isAllowedType({ schema: null, name }))).toEqual([false, false, true, true]);
  });
});

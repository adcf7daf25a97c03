import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import fc from 'fast-check';
import { Client, type DatabaseError } from 'pg';
import { ALLOWED_FUNCTIONS, isAllowedFunction, isAllowedType, prepareSqlSyntax, readScript, readStatement, type NamedObject } from './index';
import { ROW_FUNCTIONS } from './allowed-names';
import { ALLOWED_CORPUS, ALLOWED_SCRIPTS, CORPUS_SCHEMA, REFUSED_CORPUS, type AllowedCase } from './testing';

let postgres: TestPostgres;
let client: Client;

beforeAll(async () => {
  await prepareSqlSyntax();
  postgres = await startTestPostgres();
  client = new Client(await postgres.createDatabase('corpus'));
  await client.connect();
  await client.query(CORPUS_SCHEMA);
  await client.query('CREATE ROLE least; GRANT USAGE ON SCHEMA crm TO least; SET search_path = pg_catalog, public');
});
afterAll(async () => {
  await client.end();
  await postgres.stop();
});

const full = ({ schema, name }: NamedObject) => `"${schema ?? 'public'}"."${name}"`;

/** In a transaction that is rolled back, by a role with no right but those given. */
async function asLeast<T>(reads: readonly string[], writes: readonly string[], act: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    for (const relation of [...reads, ...writes]) await client.query(`GRANT SELECT ON ${relation} TO least`);
    for (const relation of writes) await client.query(`GRANT INSERT, UPDATE, DELETE, TRUNCATE ON ${relation} TO least`);
    await client.query('SET LOCAL ROLE least');
    return await act();
  } finally {
    await client.query('ROLLBACK');
  }
}

const run = ({ sql, params }: AllowedCase) => client.query(sql, [...params]);
/** Tables that this transaction has locked as one who changes rows does. */
const touched = async () => (await client.query<{ name: string }>(
  `SELECT DISTINCT format('"%s"."%s"', n.nspname, c.relname) AS name FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE l.pid = pg_backend_pid() AND c.relkind = 'r' AND n.nspname IN ('public', 'crm') AND l.mode IN ('RowExclusiveLock', 'AccessExclusiveLock')`)).rows.map(({ name }) => name);

describe('PostgreSQL agrees on a statement that passes', () => {
  it.each(ALLOWED_CORPUS.map(each => [each.sql.replaceAll('%', '·'), each] as const))('%s', async (_sql, each) => {
    const { statement } = readStatement(each.sql);
    const reads = statement?.reads.map(full) ?? [];
    const writes = statement?.writes.map(full) ?? [];
    const changed = await asLeast(reads, writes, async () => {
      await run(each);
      await client.query('RESET ROLE');
      return touched();
    });
    expect(changed.filter(name => !writes.includes(name))).toEqual([]);
    for (const missing of [...reads, ...writes]) {
      const rest = (names: readonly string[]) => names.filter(name => name !== missing);
      const refusal = await asLeast(rest(reads), rest(writes), () => run(each)).then(() => 'none', (error: DatabaseError) => error.code);
      expect([missing, refusal]).toEqual([missing, '42501']);
    }
  });
});

describe('PostgreSQL agrees on what a name means', () => {
  const name = fc.constantFrom('customer', 'orders', 'line', 'public.customer', 'x');
  const bare = fc.constantFrom('customer', 'orders', 'line', 'x');
  const { query } = fc.letrec<{ query: string; small: string }>(tie => ({
    small: fc.oneof(name.map(from => `SELECT id FROM ${from}`), fc.constant('SELECT 1 AS id')),
    query: fc.oneof(
      { maxDepth: 4 },
      tie('small'),
      fc.tuple(fc.constantFrom('WITH', 'WITH RECURSIVE'), bare, tie('query'), bare, tie('query'), tie('query')).filter(([, a, , b]) => a !== b)
        .map(([word, a, first, b, second, main]) => `${word} ${a} AS (${first}), ${b} AS (${second}) SELECT id FROM ${b} WHERE id IN (${main})`),
      fc.tuple(fc.constantFrom('WITH', 'WITH RECURSIVE'), bare, tie('query'), tie('query')).map(([word, a, first, main]) => `${word} ${a} AS (${first}) SELECT m.id FROM (${main}) AS m`),
      fc.tuple(bare, tie('query'), name).map(([a, main, from]) => `WITH RECURSIVE ${a} AS (SELECT 1 AS id UNION SELECT ${a}.id FROM ${a}, ${from} AS other WHERE EXISTS (${main})) SELECT id FROM ${a}`),
      fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a}) UNION ALL (${b})`),
      fc.tuple(tie('query'), name).map(([a, from]) => `SELECT a.id FROM (${a}) AS a, ${from} AS b`),
      fc.tuple(name, tie('query')).map(([from, a]) => `SELECT id FROM ${from} WHERE id IN (${a})`),
    ),
  }));
  const relations = `SELECT DISTINCT format('"%s"."%s"', n.nspname, c.relname) AS name FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.ev_class = 'looked_at'::regclass AND c.relname <> 'looked_at'`;

  it('in every nesting of WITH: the relations a view of it depends on are those that are read', async () => {
    await client.query('ALTER TABLE line ADD COLUMN id int; CREATE TABLE public.x (id int)');
    let compared = 0;
    await fc.assert(fc.asyncProperty(query, async sql => {
      await client.query('BEGIN');
      try {
        await client.query(`CREATE VIEW public.looked_at AS ${sql}`);
        const { rows } = await client.query<{ name: string }>(relations);
        expect([...new Set(readStatement(sql).statement?.reads.map(full))].sort()).toEqual(rows.map(row => row.name).sort());
        compared++;
      } catch (error) {
        // Why: a name of WITH RECURSIVE that calls itself in a way that PostgreSQL does not run is no case.
        if (!/^(42P19|0A000)$/.test((error as Partial<DatabaseError>).code ?? '')) throw error;
      } finally {
        await client.query('ROLLBACK');
      }
    }), { numRuns: Number(process.env['LAWS_RUNS'] ?? 300) });
    expect(compared).toBeGreaterThan(100);
  });
});

describe('PostgreSQL cuts a script where the gate does', () => {
  const told = ({ command, rowCount, rows }: { command: string; rowCount: number | null; rows: unknown[] }) => ({ command, rowCount, rows });
  it.each(ALLOWED_SCRIPTS.map(each => [each.sql.replaceAll('%', '·').slice(0, 100), each] as const))('%s', async (_sql, { sql, params }) => {
    const { script } = readScript(sql);
    const inTransaction = async <T>(act: () => Promise<T>): Promise<T> => {
      await client.query('BEGIN');
      try { return await act(); } finally { await client.query('ROLLBACK'); }
    };
    const byOne = await inTransaction(async () => {
      const results = [];
      for (const { text, takes } of script!.statements) results.push(told(await client.query({ text, values: takes.map(number => params[number - 1]), queryMode: 'extended' } as never)));
      return results;
    });
    expect(byOne).toHaveLength(script!.statements.length);
    if (params.length > 0) return;
    const whole = await inTransaction(async () => client.query(sql) as unknown as Promise<Parameters<typeof told>[0] | Parameters<typeof told>[0][]>);
    // Why filtered: the client tells of empty statements too.
    expect([whole].flat().filter(({ command }) => command !== null).map(told)).toEqual(byOne);
  });
});

describe('PostgreSQL parses what it is sent', () => {
  it('turns away as wrong what the gate does for its syntax', async () => {
    for (const { sql } of REFUSED_CORPUS.filter(({ kind }) => kind === 'syntax')) {
      await expect(client.query({ text: sql, values: [], queryMode: 'extended' } as never)).rejects.toMatchObject({ code: expect.stringMatching(/^(42601|42P02|22025|22P02|42704)$/) });
    }
  });
});

describe('the lists hold against the catalogue', () => {
  it('every allowed function is built in', async () => {
    const { rows } = await client.query<{ proname: string }>("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace");
    const known = new Set(rows.map(({ proname }) => proname));
    expect([...ALLOWED_FUNCTIONS].filter(name => !known.has(name))).toEqual([]);
  });

  it('no overload of an allowed function may change anything: chance and the clock aside, none is volatile', async () => {
    const { rows } = await client.query<{ proname: string }>("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' ORDER BY 1");
    expect(rows.map(({ proname }) => proname).filter(name => isAllowedFunction({ schema: null, name })))
      .toEqual(['array_sample', 'array_shuffle', 'clock_timestamp', 'gen_random_uuid', 'random', 'random_normal', 'timeofday', 'uuidv4', 'uuidv7']);
  });

  it('none takes a name to look up, or a query, or works on the server: no argument or result is of such a type', async () => {
    const { rows } = await client.query<{ proname: string; arguments: string }>(
      `SELECT proname, pg_get_function_arguments(oid) AS arguments FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
       AND pg_get_function_arguments(oid) || ' ' || pg_get_function_result(oid) ~ '\\m(reg(class|proc|procedure|oper|operator|type|role|namespace|collation|dictionary)|refcursor|oid|internal|cstring|xid|aclitem|pg_lsn|xml)\\M'`);
    const exceptions = [...new Set(rows.map(({ proname }) => proname).filter(name => ALLOWED_FUNCTIONS.has(name)))].sort();
    // Why these: overloads for values of types that no statement can name, and the type of a value as an answer.
    expect(exceptions).toEqual(['age', 'int8', 'max', 'min', 'pg_typeof', 'text']);
  });

  it('whatever a row can be given to by the notation of a column is allowed or refused by name', async () => {
    const { rows } = await client.query<{ proname: string }>(
      `SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND pronargs >= 1 AND pronargs - pronargdefaults <= 1
       AND proargtypes[0] IN ('record'::regtype, 'anyelement'::regtype, '"any"'::regtype, 'anycompatible'::regtype, 'anynonarray'::regtype, 'anycompatiblenonarray'::regtype)`);
    expect(rows.map(({ proname }) => proname).filter(name => !ALLOWED_FUNCTIONS.has(name) && !ROW_FUNCTIONS.has(name))).toEqual([]);
  });

  it('no type that looks names up or stands for none is allowed, under its own name or that of its arrays', async () => {
    const { rows } = await client.query<{ typname: string }>("SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace");
    const allowed = rows.map(({ typname }) => typname).filter(name => isAllowedType({ schema: null, name }));
    const byElement = rows.map(({ typname }) => typname).filter(name => isAllowedType({ schema: 'pg_catalog', name }));
    expect(allowed.sort()).toEqual(byElement.sort());
    expect(allowed.filter(name => /reg|^_?(oid|xid|cid$|tid|any|pg_|xml|aclitem|name$|cstring|internal|record_in)/.test(name))).toEqual([]);
  });
});

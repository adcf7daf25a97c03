import type { SqlProblemKind } from '../../statement';

/** A script that is turned away whole. `at`: the statement to blame, from 1; null: no single one. */
export interface RefusedScript { readonly sql: string; readonly kind: SqlProblemKind; readonly at: number | null; readonly source: string }
/** A script that passes, on `CORPUS_SCHEMA`: its statements as they are sent, and which parameters each takes. */
export interface AllowedScript { readonly sql: string; readonly statements: readonly (readonly [text: string, ...takes: readonly number[]])[]; readonly params: readonly unknown[]; readonly source: string }

const refused = (source: string, kind: SqlProblemKind, cases: readonly (readonly [sql: string, at: number | null])[]): readonly RefusedScript[] => cases.map(([sql, at]) => ({ sql, at, kind, source }));
const allowed = (source: string, cases: readonly (readonly [sql: string, statements: AllowedScript['statements'], ...params: readonly unknown[]])[]): readonly AllowedScript[] =>
  cases.map(([sql, statements, ...params]) => ({ sql, statements, params, source }));

export const REFUSED_SCRIPTS: readonly RefusedScript[] = [
  ...refused('PostgreSQL documentation, transaction commands: they would end the transaction that undo rests on', 'statement', [
    ['BEGIN; DELETE FROM orders; COMMIT', 1], ['DELETE FROM orders; COMMIT', 2], ['DELETE FROM orders; COMMIT; DELETE FROM line', 2], ['DELETE FROM orders; SAVEPOINT s; DELETE FROM line; ROLLBACK TO s', 2],
    ['DELETE FROM orders; ROLLBACK; DELETE FROM line', 2], ['DELETE FROM orders; /* ; */ ABORT -- ;', 2], ['DELETE FROM orders;;; ;cOmMiT;', 2], ['DELETE FROM orders; RELEASE s', 2], ["DELETE FROM orders; PREPARE TRANSACTION 'x'", 2],
    ['DELETE FROM orders; END', 2], ['DELETE FROM orders; COMMIT AND CHAIN', 2], ['START TRANSACTION; DELETE FROM orders', 1], ["DELETE FROM orders; COMMIT PREPARED 'x'", 2], ['DELETE FROM orders\n;\n\n--\nCOMMIT\n--\n;', 2],
  ]),
  ...refused('PostgreSQL documentation, SET: what a later statement means would change', 'statement', [
    ['SET search_path = evil; DELETE FROM orders', 1], ['DELETE FROM orders; SET ROLE postgres; DELETE FROM line', 2], ['SET session_replication_role = replica; DELETE FROM orders', 1], ['SET CONSTRAINTS ALL DEFERRED; DELETE FROM orders', 1],
    ['DELETE FROM orders; RESET ALL', 2], ['SET LOCAL standard_conforming_strings = off; DELETE FROM orders', 1], ['DELETE FROM orders; DISCARD ALL', 2], ['SHOW all; DELETE FROM orders', 1], ['LOCK TABLE orders; DELETE FROM orders', 1],
  ]),
  ...refused('PostgreSQL documentation, PREPARE and cursors: one statement says, another runs', 'statement', [
    ['PREPARE p AS DELETE FROM orders; EXECUTE p', 1], ['DELETE FROM line; EXECUTE p', 2], ['DECLARE c CURSOR FOR SELECT 1; DELETE FROM orders', 1], ['DELETE FROM orders; FETCH ALL FROM c', 2], ['DELETE FROM orders; DEALLOCATE ALL', 2],
  ]),
  ...refused('PostgreSQL documentation: definitions, files and code, between statements that pass', 'statement', [
    ['DELETE FROM orders; DROP TABLE customer', 2], ['CREATE TEMP TABLE orders (id int); DELETE FROM orders', 1], ["INSERT INTO archive SELECT id FROM orders; COPY archive TO PROGRAM 'id'; DELETE FROM orders", 2], ['DELETE FROM orders; DO $$BEGIN COMMIT; END$$', 2],
    ['DELETE FROM orders; CALL cleanup()', 2], ['DELETE FROM orders; VACUUM', 2], ['DELETE FROM orders; NOTIFY x', 2], ['DELETE FROM orders; EXPLAIN ANALYZE DELETE FROM customer', 2], ['DELETE FROM orders; ALTER TABLE orders DISABLE TRIGGER ALL; DELETE FROM line', 2],
    ['DELETE FROM orders; CREATE RULE r AS ON DELETE TO orders DO (DELETE FROM line; DELETE FROM archive)', 2], ['CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM orders; DELETE FROM line; END; DELETE FROM orders', 1], ['DELETE FROM orders; GRANT ALL ON orders TO PUBLIC', 2],
    ['DELETE FROM orders; SELECT 1; SELECT 2; DROP TABLE line; DELETE FROM line', 4],
  ]),
  ...refused('OWASP SQL Injection Prevention: what looks like one thing is another (comments)', 'statement', [
    ['DELETE FROM orders; /* */ DROP TABLE customer /* */', 2], ['DELETE FROM orders -- ;\n; DROP TABLE customer', 2], ['DELETE FROM orders /* /* ; */ ; */ ; DROP TABLE customer', 2], ['DELETE FROM orders; --\rDROP TABLE customer', 2],
    ['/* DELETE FROM orders; */ DROP TABLE customer', null], ['--\nDROP TABLE customer;--', null], ["DELETE FROM orders; /*'*/ DROP TABLE customer; --'", 2], ['DELETE FROM orders;/**/DROP/**/TABLE/**/customer', 2],
  ]),
  ...refused('PostgreSQL documentation, 4.1.2: where a string ends (quotes, escapes, dollars, Unicode)', 'statement', [
    ["INSERT INTO customer (id, name) VALUES (9, E'\\''); DROP TABLE customer --')", 2], ["INSERT INTO customer (id, name) VALUES (9, '\\'); DROP TABLE customer --')", 2], ['INSERT INTO customer (id, name) VALUES (9, $a$ $b$ $a$); DROP TABLE customer --$b$', 2],
    ["INSERT INTO customer (id, name) VALUES (9, $$'$$); DROP TABLE customer; --'$$", 2], ["INSERT INTO customer (id, name) VALUES (9, U&'\\0027'); DROP TABLE customer", 2], ["INSERT INTO customer (id, name) VALUES (9, 'a'\n';'); DROP TABLE customer", 2],
    ['DELETE FROM orders WHERE id = 1; ALTER TABLE U&"\\006frders" ADD x int', 2], ['DELETE FROM "orders"; DROP TABLE "a;b"', 2], ["INSERT INTO customer (id, name) VALUES (9, U&'x!0027' UESCAPE '!'); DROP TABLE customer", 2],
    ["INSERT INTO customer (id, name) VALUES (9, '''; DELETE FROM orders; --'); DROP TABLE customer", 2],
  ]),
  ...refused('A function, table, type or column that no statement may name, in one of several', 'function', [
    ['DELETE FROM orders; SELECT pg_sleep(10)', 2], ["SELECT set_config('search_path', 'evil', true); DELETE FROM orders", 1], ["DELETE FROM orders; SELECT U&\"\\0070g_read_file\"('/etc/passwd')", 2], ["DELETE FROM orders; SELECT pg_notify('a', 'b')", 2],
    ["SELECT nextval('s'); DELETE FROM orders", 1], ['DELETE FROM orders; SELECT pg_advisory_lock(1); DELETE FROM line', 2], ['DELETE FROM orders; SELECT pg_current_xact_id()', 2], ['DELETE FROM orders WHERE id = $1; DELETE FROM line WHERE no = pg_backend_pid()', 2],
  ]),
  ...refused('Names of the server and of the runtime, in one of several', 'relation', [
    ['DELETE FROM orders; DELETE FROM aifirst.effects', 2], ['UPDATE aifirst.images SET old = NULL; DELETE FROM orders', 1], ['DELETE FROM orders; SELECT * FROM pg_locks', 2], ['SELECT * FROM information_schema.tables; DELETE FROM orders', 1],
    ['DELETE FROM orders; INSERT INTO U&"aif!0069rst" UESCAPE \'!\'.effects VALUES (1)', 2], ['TRUNCATE orders; TRUNCATE pg_catalog.pg_class', 2],
  ]),
  ...refused('A WITH holds for one statement: the next one does not know its names', 'relation', [['WITH pg_x AS (SELECT 1) DELETE FROM orders; DELETE FROM line', 1], ['WITH a AS (SELECT 1 AS id) DELETE FROM orders WHERE id IN (SELECT id FROM a); DELETE FROM pg_class', 2]]),
  ...refused('Row locks are for statements that write', 'lock', [['SELECT * FROM orders FOR UPDATE; DELETE FROM orders', 1]]),
  ...refused('Constructs that stay out', 'construct', [['DELETE FROM line; TRUNCATE orders RESTART IDENTITY', 2], ['SELECT 1 AS a INTO x; DELETE FROM orders', 1], ['DELETE FROM orders; DELETE FROM line WHERE CURRENT OF c', 2]]),
  ...refused('Parameters are numbered over the whole script', 'parameter', [
    ['DELETE FROM orders WHERE id = $2', null], ['DELETE FROM orders WHERE id = $1; DELETE FROM line WHERE no = $3', null], ['DELETE FROM orders WHERE id = $0', null], ['DELETE FROM orders WHERE id = $1; DELETE FROM line WHERE no = $0', 2], ['DELETE FROM orders WHERE id = $70000', null],
  ]),
  ...refused('Not SQL, somewhere in it', 'syntax', [
    ['DELETE FROM orders; DELETE FROM', null], ['DELETE FROM orders DELETE FROM line', null], ["DELETE FROM orders; INSERT INTO customer VALUES ('open); DELETE FROM line", null], ['DELETE FROM orders; /* open', null], ['DELETE FROM orders; $$open', null],
    ['DELETE FROM orders; \\! rm -rf /', null], ['DELETE FROM orders; GO', null], ['DELIMITER //', null], ['DELETE FROM orders; U&"\\0043OMMIT"', null], ['BEGIN DELETE FROM orders; END', null],
  ]),
  ...refused('PostgreSQL wire protocol: a C string ends at NUL', 'text', [['DELETE FROM orders;\0 DROP TABLE customer', null], ['\0', null], ["DELETE FROM orders; SELECT '\ud800'", null], ['DELETE FROM orders; /*+ Set(a b) */ DELETE FROM line', null]]),
  ...refused('Nothing to run, or more than anybody looks through', 'statements', [['', null], [';', null], [' ;; -- ;\n; /* ; */', null], ['DELETE FROM orders;'.repeat(101), null]]),
  ...refused('CWE-400: too large to be read by anybody', 'size', [[`DELETE FROM orders; SELECT '${'x'.repeat(65_536)}'`, null]]),
  ...refused('CWE-674: recursion that the text drives', 'depth', [[`DELETE FROM orders; SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)}`, null], [`DELETE FROM orders; SELECT 1${'+1'.repeat(1_500)}`, 2]]),
  ...refused('Contract of sql.script: rows are changed there', 'reads', [['SELECT 1', null], ['SELECT 1; TABLE customer; VALUES (1);', null], ['WITH a AS (SELECT 1) TABLE a; SELECT 2', null]]),
];

export const ALLOWED_SCRIPTS: readonly AllowedScript[] = [
  ...allowed('everyday: move rows', [
    ['INSERT INTO archive SELECT id, customer_id, total FROM orders WHERE total < $1; DELETE FROM orders WHERE total < $1;', [['INSERT INTO archive SELECT id, customer_id, total FROM orders WHERE total < $1', 1], ['DELETE FROM orders WHERE total < $1', 1]], 5],
    ['UPDATE customer SET boss = $2 WHERE boss = $1; SELECT count(*) AS left FROM orders WHERE customer_id = $1; DELETE FROM customer WHERE id = $1', [['UPDATE customer SET boss = $2 WHERE boss = $1', 1, 2], ['SELECT count(*) AS left FROM orders WHERE customer_id = $1', 1], ['DELETE FROM customer WHERE id = $1', 1]], 1, 2],
    ['DELETE FROM line WHERE no = $3; DELETE FROM orders WHERE id = $1 OR id = $2', [['DELETE FROM line WHERE no = $1', 3], ['DELETE FROM orders WHERE id = $1 OR id = $2', 1, 2]], 1, 2, 3],
  ]),
  ...allowed('PostgreSQL documentation, 4.1: empty statements, white space, comments', [
    [';;DELETE FROM orders; ;\n', [['DELETE FROM orders']]], ['DELETE FROM orders', [['DELETE FROM orders']]], ['/* a; */ DELETE FROM orders; -- ;\n DELETE FROM line -- ;', [['DELETE FROM orders'], ['DELETE FROM line -- ;']]],
    ['DELETE FROM orders\r;\r-- x\rDELETE FROM line', [['DELETE FROM orders\r'], ['DELETE FROM line']]], ['TRUNCATE orders;/*;/*;*/;*/;DELETE FROM line;;', [['TRUNCATE orders'], ['DELETE FROM line']]],
  ]),
  ...allowed('PostgreSQL documentation, 4.1.2: a `;` that ends nothing', [
    ["INSERT INTO customer (id, name) VALUES (9, 'a;b'); DELETE FROM orders", [["INSERT INTO customer (id, name) VALUES (9, 'a;b')"], ['DELETE FROM orders']]], ['INSERT INTO customer (id, name) VALUES (9, $x$; COMMIT; $x$); SELECT 1 AS ";"', [['INSERT INTO customer (id, name) VALUES (9, $x$; COMMIT; $x$)'], ['SELECT 1 AS ";"']]],
    ["INSERT INTO customer (id, name) VALUES (9, E'\\';'); DELETE FROM line", [["INSERT INTO customer (id, name) VALUES (9, E'\\';')"], ['DELETE FROM line']]], ["INSERT INTO customer (id, name) VALUES (9, U&'\\003b'); SELECT 'é;€;😀' AS e; DELETE FROM line WHERE article = $1", [["INSERT INTO customer (id, name) VALUES (9, U&'\\003b')"], ["SELECT 'é;€;😀' AS e"], ['DELETE FROM line WHERE article = $1', 1]], 'pen'],
    ["SELECT '$2; $3' AS text, $1::text AS one, '$1' AS two; DELETE FROM line WHERE article = $2 /* $9 */", [["SELECT '$2; $3' AS text, $1::text AS one, '$1' AS two", 1], ['DELETE FROM line WHERE article = $1 /* $9 */', 2]], 'a', 'pen'],
  ]),
  ...allowed('parameters, counted anew in each statement', [
    ['UPDATE customer SET name = $12, city = $2, email = $11 WHERE id = $1; UPDATE customer SET name = $3 || $4 || $5 || $6 || $7 || $8 || $9 || $10 WHERE id = $1',
      [['UPDATE customer SET name = $4, city = $2, email = $3 WHERE id = $1', 1, 2, 11, 12], ['UPDATE customer SET name = $2 || $3 || $4 || $5 || $6 || $7 || $8 || $9 WHERE id = $1', 1, 3, 4, 5, 6, 7, 8, 9, 10]], 1, 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'],
  ]),
];

import { refused, type RefusedCase } from './corpus-case';

/** Statements that are none of the allowed kinds, or more than one. */
export const REFUSED_STATEMENTS: readonly RefusedCase[] = [
  ...refused('OWASP SQL Injection Prevention: stacked queries; CWE-89', 'statements', [
    'SELECT 1; SELECT 2', 'SELECT 1; DROP TABLE customer', "SELECT name FROM customer WHERE id = 1; UPDATE customer SET active = false", 'SELECT 1;;DELETE FROM customer',
    'BEGIN; DELETE FROM customer; COMMIT', "SELECT ';'; SELECT 1", 'SELECT 1; -- all of it\nDELETE FROM customer', 'SELECT $$;$$; TRUNCATE customer',
    'SELECT 1;/**/SELECT 2', "SELECT '--'; DELETE FROM customer", 'SELECT $a$ $b$ $a$; DELETE FROM customer --$b$', "SELECT E'\\''; DELETE FROM customer --'",
    'COMMIT; DROP TABLE customer', 'SELECT 1\r;\rDELETE FROM customer', 'SELECT 1 -- x\rFROM customer; DELETE FROM customer',
    "SELECT '/*'; DELETE FROM customer --*/'", 'SELECT "a;"  FROM customer; DELETE FROM customer',
  ]),
  ...refused('PostgreSQL documentation, 4.1: a text without a statement', 'statements', ['', ' ', ';', ' ; ; ', '-- nothing', '/* nothing /* at */ all */', '\n\t']),
  ...refused('PostgreSQL wire protocol: a C string ends at NUL, what follows is not parsed', 'text', [
    'SELECT 1\0; DROP TABLE customer', '\0', "SELECT 'a\0b'", 'SELECT 1 --\0', "UPDATE customer SET name = 'x' WHERE id = 1 \0 OR true",
  ]),
  ...refused('Unicode Standard 3.9: an unpaired surrogate has no UTF-8, and encoders differ in what they put there', 'text', [
    "SELECT '\ud800'", 'SELECT 1 AS "\udc00"', "SELECT '\udc00\ud800'", 'SELECT \udbff1',
  ]),
  ...refused('CWE-400: a statement too large to be read by anybody', 'size', [`SELECT '${'x'.repeat(65_536)}'`, `SELECT '${'é'.repeat(33_000)}'`, ' '.repeat(70_000)]),
  ...refused('CWE-674: recursion that the text drives', 'depth', [
    `SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)}`, `SELECT 1${'+1'.repeat(30_000)}`, `SELECT 1${'::int'.repeat(12_000)}`, `SELECT ${'NOT '.repeat(15_000)}true`,
    `SELECT ${'- '.repeat(30_000)}1`, `SELECT ${'(SELECT '.repeat(7_000)}1${')'.repeat(7_000)}`, `SELECT 1${' UNION SELECT 1'.repeat(4_000)}`, `SELECT ${'ARRAY['.repeat(9_000)}`,
    `SELECT 1${'+1'.repeat(1_500)}`, `SELECT * FROM customer${' NATURAL JOIN customer'.repeat(2_000)}`,
  ]),
  ...refused('PostgreSQL documentation, 4.1: not SQL', 'syntax', [
    'SELEC 1', "SELECT 'open", 'SELECT "open', 'SELECT $$open', 'SELECT /* open', "' OR 1=1 --", '1 UNION SELECT 1', 'SELECT 1 FROM', '\\! rm -rf /', '\\copy customer to x', 'GO', 'SELECT * FROM customer WHERE id = ?',
    'SELECT `name` FROM customer', 'SELECT $99999999999', '\ufeffSELECT 1', "SELECT U&'\\d800'",
  ]),
  ...refused('PostgreSQL documentation, COPY: files and programs of the server (CVE-2019-9193 as discussed; a feature)', 'statement', [
    "COPY customer TO '/tmp/x'", "COPY customer FROM '/etc/passwd'", "COPY customer FROM PROGRAM 'id'", "COPY (SELECT * FROM customer) TO PROGRAM 'cat > /tmp/x'", 'COPY customer TO STDOUT',
    'COPY customer FROM STDIN', "copy(select 1)to program'id'", "/**/COPY/**/customer/**/FROM/**/PROGRAM/**/'id'",
  ]),
  ...refused('PostgreSQL documentation, DO and CALL: code in a procedural language', 'statement', [
    'DO $$BEGIN DELETE FROM customer; END$$', "DO LANGUAGE plpgsql 'BEGIN END'", 'CALL cleanup()', 'do $x$ begin perform 1; end $x$', "DO 'BEGIN END'",
  ]),
  ...refused('PostgreSQL documentation, EXPLAIN: ANALYZE runs the statement', 'statement', [
    'EXPLAIN SELECT 1', 'EXPLAIN ANALYZE DELETE FROM customer', 'EXPLAIN (ANALYZE, BUFFERS) UPDATE customer SET active = false', 'explain (analyze true) insert into customer default values',
  ]),
  ...refused('PostgreSQL documentation, PREPARE and cursors: what runs is decided later', 'statement', [
    'PREPARE p AS DELETE FROM customer', 'EXECUTE p', 'DEALLOCATE ALL', 'DECLARE c CURSOR FOR SELECT * FROM customer', 'FETCH ALL FROM c', 'MOVE c', 'CLOSE c',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  ]),
  ...refused('PostgreSQL documentation, SET: roles, search path and replica mode change what everything means', 'statement', [
    'SET search_path = evil', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'RESET ALL', 'SHOW all', 'SET LOCAL session_replication_role = replica', 'DISCARD ALL',
    'SET CONSTRAINTS ALL DEFERRED', "SET standard_conforming_strings = off", 'SET statement_timeout = 0', 'SHOW data_directory', 'RESET ROLE', "LOAD '/tmp/x.so'",
  ]),
  ...refused('PostgreSQL documentation, NOTIFY and LOCK: seen by others before any rollback', 'statement', [
    'LISTEN x', 'UNLISTEN *', 'NOTIFY x', "NOTIFY x, 'payload'", 'LOCK TABLE customer IN ACCESS EXCLUSIVE MODE', 'LOCK customer NOWAIT',
  ]),
  ...refused('PostgreSQL documentation, transaction commands: they would end the transaction that undo rests on', 'statement', [
    'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s', 'RELEASE s', 'ROLLBACK TO s', "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'", 'START TRANSACTION READ ONLY',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'COMMIT AND CHAIN', 'ABORT',
  ]),
  ...refused('PostgreSQL documentation, administration', 'statement', [
    'VACUUM FULL customer', 'ANALYZE customer', 'CLUSTER customer', 'CHECKPOINT', 'REINDEX TABLE customer', 'ALTER SYSTEM SET fsync = off', 'REFRESH MATERIALIZED VIEW totals',
    'ALTER DATABASE shop SET search_path = evil',
  ]),
  ...refused('PostgreSQL documentation, data definition', 'statement', [
    'CREATE TABLE x (a int)', 'CREATE TEMP TABLE customer (a int)', 'CREATE TABLE x AS SELECT * FROM customer', 'DROP TABLE customer', 'ALTER TABLE customer DROP COLUMN name',
    'ALTER TABLE customer DISABLE TRIGGER ALL', 'CREATE INDEX ON customer (name)', 'CREATE VIEW v AS SELECT 1', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    'CREATE TRIGGER t AFTER INSERT ON customer EXECUTE FUNCTION f()', 'CREATE RULE r AS ON SELECT TO customer DO INSTEAD NOTHING', 'CREATE EXTENSION dblink', 'CREATE EXTENSION file_fdw',
    'CREATE SCHEMA evil', 'DROP SCHEMA public CASCADE', 'CREATE ROLE evil SUPERUSER', 'ALTER ROLE postgres PASSWORD NULL', 'DROP ROLE x', 'GRANT ALL ON customer TO PUBLIC', 'REVOKE ALL ON customer FROM x',
    'GRANT postgres TO evil', 'CREATE DATABASE x', 'DROP DATABASE x', 'CREATE SEQUENCE s', 'ALTER SEQUENCE s RESTART', "COMMENT ON TABLE customer IS 'x'", "SECURITY LABEL ON TABLE customer IS 'x'",
    'CREATE TYPE t AS ENUM ()', 'CREATE DOMAIN d AS int', 'CREATE OPERATOR + (FUNCTION = f)', 'CREATE CAST (int AS text) WITH INOUT', 'CREATE PUBLICATION p FOR ALL TABLES',
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", 'CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw', 'CREATE FOREIGN TABLE f (a int) SERVER s',
    'IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public', "CREATE USER MAPPING FOR x SERVER s", "CREATE TABLESPACE t LOCATION '/tmp'", 'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()',
    'CREATE POLICY p ON customer USING (true)', 'CREATE STATISTICS s ON a, b FROM customer', 'DROP OWNED BY x', 'REASSIGN OWNED BY x TO y', 'CREATE LANGUAGE plpython3u', 'DROP FUNCTION f',
    "CREATE OR REPLACE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'", 'ALTER TABLE customer ENABLE REPLICA TRIGGER x', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC',
  ]),
  ...refused('PostgreSQL documentation, 7.8.2: data-modifying WITH where only reads are allowed', 'writes', [
    'WITH d AS (DELETE FROM customer RETURNING *) SELECT * FROM d', 'WITH u AS (UPDATE customer SET active = false) SELECT 1', "WITH i AS (INSERT INTO customer (name) VALUES ('x') RETURNING id) SELECT id FROM i",
    'WITH a AS (SELECT 1), b AS (DELETE FROM orders) TABLE a', 'WITH m AS (MERGE INTO customer USING orders ON false WHEN NOT MATCHED THEN DO NOTHING RETURNING 1) SELECT 1',
    'WITH d AS NOT MATERIALIZED (DELETE FROM customer) VALUES (1)', 'SELECT * FROM (WITH d AS (DELETE FROM customer RETURNING *) SELECT * FROM d) x',
    'DELETE FROM customer WHERE id = 1', 'INSERT INTO customer DEFAULT VALUES', 'UPDATE customer SET name = name', 'TRUNCATE customer',
    'WITH/**/d/**/AS/**/(DELETE/**/FROM/**/customer/**/RETURNING/**/1)SELECT/**/1',
  ], 'read'),
  ...refused('Contract of sql.execute: rows are changed there', 'reads', ['SELECT 1', 'VALUES (1)', 'TABLE customer', 'WITH a AS (SELECT 1) SELECT * FROM a'], 'write'),
];

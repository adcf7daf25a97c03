import { refused, type RefusedCase } from './corpus-case';

/** Relations, types, operators and constructs that are not data, and ways to write them so that they look like something else. */
export const REFUSED_NAMES: readonly RefusedCase[] = [
  ...refused('sqlmap-style enumeration: the catalogue by relations', 'relation', [
    'SELECT * FROM pg_catalog.pg_shadow', 'SELECT passwd FROM pg_shadow', 'SELECT rolpassword FROM pg_authid', 'SELECT * FROM pg_stat_activity', 'SELECT * FROM information_schema.tables',
    'SELECT * FROM pg_user', 'SELECT * FROM "pg_shadow"', 'SELECT * FROM PG_SHADOW', 'SELECT * FROM U&"pg\\005fshadow"', 'SELECT * FROM U&"pg!005fshadow" UESCAPE \'!\'', 'SELECT * FROM pg_catalog . pg_class',
    'SELECT * FROM/**/pg_class', 'SELECT name FROM customer UNION ALL SELECT passwd FROM pg_shadow', 'SELECT (SELECT passwd FROM pg_shadow LIMIT 1)', 'SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_authid)',
    'SELECT * FROM customer JOIN pg_roles ON true', 'SELECT * FROM customer, LATERAL (SELECT * FROM pg_roles) r', 'TABLE pg_class', 'SELECT * FROM ONLY (pg_class)', 'SELECT * FROM pg_settings', 'SELECT * FROM pg_hba_file_rules',
    'SELECT * FROM pg_toast.pg_toast_1', 'SELECT * FROM pg_temp.x', 'SELECT * FROM pg_temp_3.x', 'SELECT * FROM pg_toast_temp_1.x', 'SELECT * FROM INFORMATION_SCHEMA.COLUMNS', 'SELECT * FROM pg_largeobject',
    'SELECT * FROM pg_stats', 'SELECT * FROM pg_locks', 'SELECT * FROM pg_class TABLESAMPLE system (1)', 'SELECT * FROM pg_prepared_xacts', 'DELETE FROM customer USING pg_class WHERE id = 1',
    'MERGE INTO customer USING pg_class ON id = oid WHEN MATCHED THEN DELETE', 'INSERT INTO customer (name) SELECT usename FROM pg_user', 'UPDATE customer SET name = usename FROM pg_user WHERE id = 1',
    'UPDATE customer SET name = (SELECT passwd FROM pg_shadow LIMIT 1) WHERE id = 1', 'INSERT INTO customer (name) VALUES ((SELECT passwd FROM pg_shadow LIMIT 1))',
    'DELETE FROM customer WHERE id = 1 RETURNING (SELECT passwd FROM pg_shadow LIMIT 1)', "SELECT JSON_ARRAY(SELECT passwd FROM pg_shadow)", 'SELECT ARRAY(SELECT passwd FROM pg_shadow)',
    'INSERT INTO customer (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = (SELECT passwd FROM pg_shadow LIMIT 1)', 'SELECT 1 OFFSET (SELECT count(*) FROM pg_class)',
    'SELECT CASE WHEN EXISTS (TABLE pg_shadow) THEN 1 END', 'VALUES ((SELECT passwd FROM pg_shadow LIMIT 1))', 'SELECT * FROM (VALUES ((SELECT passwd FROM pg_shadow))) v', 'SELECT * FROM shop.pg_catalog.pg_class',
  ]),
  ...refused("The runtime's own schema: effects and images are the proof of what happened", 'relation', [
    'SELECT * FROM aifirst.effects', 'DELETE FROM aifirst.effects', 'INSERT INTO aifirst.effects DEFAULT VALUES', 'UPDATE "aifirst".images SET x = 1', 'TRUNCATE aifirst.effects', 'SELECT * FROM AIFIRST.effects',
    'TRUNCATE customer, aifirst.effects', 'WITH x AS (DELETE FROM aifirst.effects) UPDATE customer SET name = \'a\' WHERE id = 1', 'MERGE INTO aifirst.effects USING customer ON true WHEN MATCHED THEN DELETE',
    'SELECT * FROM U&"\\0061ifirst".effects',
  ]),
  ...refused('PostgreSQL documentation, 52: writes into the catalogue', 'relation', [
    "UPDATE pg_authid SET rolsuper = true", 'DELETE FROM pg_class', "INSERT INTO pg_catalog.pg_proc DEFAULT VALUES", "UPDATE pg_catalog.pg_class SET relname = 'x' WHERE true", 'UPDATE pg_settings SET setting = 1',
    'TRUNCATE pg_class', 'MERGE INTO pg_class USING customer ON true WHEN MATCHED THEN DELETE', 'DELETE FROM ONLY pg_trigger',
  ]),
  ...refused('PostgreSQL documentation, 7.8: a name of WITH holds in its scope only', 'relation', [
    'WITH pg_shadow AS (SELECT 1) SELECT * FROM pg_shadow', 'SELECT * FROM (WITH t AS (SELECT 1) TABLE t) x, pg_shadow', 'WITH a AS (TABLE pg_class), b AS (SELECT 1) TABLE b',
    'WITH t AS (SELECT 1) SELECT * FROM pg_catalog.t', 'WITH RECURSIVE pg_class AS (SELECT 1 UNION ALL SELECT 1 FROM pg_class) TABLE pg_class', 'WITH effects AS (SELECT 1) SELECT * FROM aifirst.effects',
    'WITH pg_authid AS (SELECT 1) UPDATE pg_authid SET rolsuper = true', 'WITH U&"pg\\005fclass" AS (SELECT 1) SELECT 1',
  ]),
  ...refused('PostgreSQL documentation, 4.1: a name of three parts names a database', 'relation', ['SELECT * FROM other.public.customer', 'DELETE FROM other.public.customer WHERE id = 1']),
  ...refused('PostgreSQL documentation, 8.19: types that look names up, or are of the server', 'type', [
    "SELECT 'pg_shadow'::regclass", "SELECT 1::regclass", "SELECT 'lower'::regproc", "SELECT CAST('int' AS regtype)", "SELECT regrole 'postgres'", "SELECT 'public'::pg_catalog.regnamespace", 'SELECT id::regclass::text FROM customer',
    "SELECT '{pg_class}'::regclass[]", "SELECT '{pg_class}'::_regclass", "SELECT 'x'::\"regclass\"", "SELECT 'english'::regconfig", "SELECT 'x=r/y'::aclitem", "SELECT '1'::xid", "SELECT '(0,1)'::tid", "SELECT '0/0'::pg_lsn",
    'SELECT NULL::pg_shadow', 'SELECT NULL::pg_catalog.pg_authid', "SELECT '<a/>'::xml", "SELECT * FROM json_to_record('{}') AS x(a regclass)", "SELECT JSON_VALUE('1', '$' RETURNING regclass)",
    "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a regclass PATH '$')) t", 'SELECT NULL::information_schema.sql_identifier', 'SELECT NULL::aifirst.effects', "SELECT '+'::regoper", "SELECT 'x'::U&\"reg\\0063lass\"",
    "SELECT 'C'::regcollation", "SELECT 'simple'::regdictionary", "SELECT 'now()'::regprocedure", "SELECT 'x'::cstring", "SELECT 'pg_class'::/**/regclass", "SELECT JSON_SERIALIZE('1' RETURNING regclass)", "SELECT NULL::shop.public.t",
  ]),
  ...refused('PostgreSQL documentation, 4.2.5: operators by schema call anybody\'s function', 'operator', [
    'SELECT 1 OPERATOR(public.+) 2', 'SELECT * FROM customer WHERE id OPERATOR(evil.=) 1', 'SELECT id FROM customer ORDER BY id USING OPERATOR(evil.<)', 'SELECT 1 OPERATOR(evil.=) ANY (SELECT id FROM customer)',
    'SELECT OPERATOR(evil.-) 1', 'SELECT 1 OPERATOR(evil.=) ALL (ARRAY[1])', 'SELECT (1, 2) OPERATOR(evil.<) (SELECT 1, 2)', 'SELECT string_agg(name, \',\' ORDER BY name USING OPERATOR(evil.<)) FROM customer',
    'INSERT INTO customer (id) VALUES (1) ON CONFLICT (id evil.int4_ops) DO NOTHING', 'SELECT 1 OPERATOR(shop.evil.+) 2',
  ]),
  ...refused('PostgreSQL documentation, 23.2: collations by schema', 'collation', [
    'SELECT name COLLATE evil.c FROM customer', 'SELECT 1 FROM customer ORDER BY name COLLATE public."C"', 'INSERT INTO customer (name) VALUES (1) ON CONFLICT (name COLLATE evil.c) DO NOTHING',
  ]),
  ...refused('PostgreSQL documentation, 5.6: system columns', 'column', [
    'SELECT ctid FROM customer', 'SELECT c.xmin FROM customer c', "DELETE FROM customer WHERE ctid = '(0,1)'", 'SELECT tableoid FROM customer', 'SELECT "xmax" FROM customer', 'SELECT U&"\\0063tid" FROM customer', 'SELECT (c).cmin FROM customer c',
    'UPDATE customer SET name = 1 WHERE customer.ctid = $1',
  ]),
  ...refused('PostgreSQL documentation, 13.3.2: row locks in a query', 'lock', [
    'SELECT * FROM customer FOR UPDATE', 'SELECT * FROM customer FOR SHARE', 'SELECT * FROM customer FOR NO KEY UPDATE SKIP LOCKED', 'SELECT * FROM customer FOR KEY SHARE NOWAIT', 'SELECT * FROM (SELECT * FROM customer FOR UPDATE) c',
    'WITH c AS (SELECT * FROM customer FOR UPDATE) SELECT 1', 'SELECT * FROM customer c JOIN orders o ON true FOR UPDATE OF o', 'SELECT EXISTS (SELECT 1 FROM customer FOR SHARE)',
  ]),
  ...refused('PostgreSQL documentation, constructs that make tables, follow cursors, reset sequences or parse XML', 'construct', [
    'SELECT * INTO x FROM customer', 'SELECT 1 INTO TEMP x', 'WITH a AS (SELECT 1) SELECT * INTO x FROM a', 'SELECT 1 INTO UNLOGGED x UNION SELECT 2', 'SELECT * FROM (SELECT 1 INTO x) y', 'DELETE FROM customer WHERE CURRENT OF c',
    'UPDATE customer SET name = 1 WHERE CURRENT OF c', 'TRUNCATE customer RESTART IDENTITY', "SELECT XMLELEMENT(NAME a, 'x')", "SELECT XMLPARSE(CONTENT '<a/>')", "SELECT XMLSERIALIZE(CONTENT name AS text) FROM customer",
    "SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS b int)", "SELECT XMLFOREST(name) FROM customer", "SELECT name IS DOCUMENT FROM customer", 'SELECT 1 INTO TEMPORARY customer',
  ]),
  ...refused('PostgreSQL documentation, 4.1.2 and protocol: parameters', 'parameter', ['SELECT $0', 'SELECT $65536', 'SELECT $2', 'SELECT $1, $3', 'DELETE FROM customer WHERE id = $7']),
  ...refused('pg_hint_plan documentation: hints in comments, one of which sets parameters', 'text', ['/*+ Set(role postgres) */ SELECT 1', 'SELECT /*+ SeqScan(customer) */ 1', "SELECT 1 /*+*/"]),
];

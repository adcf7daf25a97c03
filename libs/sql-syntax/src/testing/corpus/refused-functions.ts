import { refused, type RefusedCase } from './corpus-case';

/** Functions that reach further than their arguments, by every notation that calls one. */
export const REFUSED_FUNCTIONS: readonly RefusedCase[] = [
  ...refused('sqlmap-style, time-based blind: functions that wait', 'function', [
    'SELECT pg_sleep(10)', 'SELECT * FROM customer WHERE id = 1 AND (SELECT 1 FROM pg_sleep(10)) IS NOT NULL', 'SELECT CASE WHEN active THEN pg_sleep(5) END FROM customer',
    "SELECT pg_sleep_for('1 hour')", "SELECT pg_sleep_until('infinity')", 'SELECT PG_SLEEP(1)', 'SELECT Pg_SlEeP/**/(1)', 'SELECT "pg_sleep"(1)', 'SELECT U&"\\0070g_sleep"(1)', 'SELECT "PG_SLEEP"(1)',
    'SELECT pg_catalog.pg_sleep(1)', 'SELECT "pg_catalog"."pg_sleep"(1)', 'SELECT U&"pg!005fsleep" UESCAPE \'!\'(1)', 'DELETE FROM customer WHERE id = 1 RETURNING pg_sleep(9)',
    'SELECT 1 ORDER BY pg_sleep(1)', 'SELECT 1 LIMIT (SELECT 1 FROM pg_sleep(1))', 'SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM customer', 'VALUES (pg_sleep(1))',
    'SELECT 1 FROM customer GROUP BY pg_sleep(1)', 'SELECT 1 FROM customer HAVING pg_sleep(1) IS NULL', 'SELECT sum(id) OVER (ORDER BY pg_sleep(1)) FROM customer',
    'SELECT sum(id) OVER w FROM customer WINDOW w AS (PARTITION BY pg_sleep(1))', 'SELECT 1 -- \n, pg_sleep(1)', 'SELECT /* /* */ */ pg_sleep(1) /* */', 'SELECT 1 FROM customer, LATERAL pg_sleep(id)',
    'SELECT 1 FROM ROWS FROM (generate_series(1, 2), pg_sleep(1)) AS x', 'SELECT 1 FROM customer JOIN orders ON pg_sleep(1) IS NULL', "SELECT JSON_VALUE('{}', '$.a' DEFAULT pg_sleep(1) ON EMPTY)",
    "SELECT JSON_OBJECT('a': pg_sleep(1))", "SELECT 1 FROM JSON_TABLE('[]', '$' PASSING pg_sleep(1) AS x COLUMNS (a int)) AS t", "SELECT 1 FROM JSON_TABLE('[]', '$' COLUMNS (NESTED '$' COLUMNS (a text DEFAULT pg_sleep(1)::text ON EMPTY))) AS t",
    'SELECT ARRAY[pg_sleep(1)]', 'SELECT ROW(pg_sleep(1))', 'SELECT COALESCE(NULL, pg_sleep(1))', 'SELECT GREATEST(1, pg_sleep(1))', 'SELECT tags[pg_sleep(1)] FROM customer',
    'SELECT pg_sleep(1) IS TRUE', 'SELECT 1 = ANY (ARRAY[pg_sleep(1)])', 'SELECT EXISTS (SELECT pg_sleep(1))', 'SELECT upper(x => pg_sleep(1))', 'SELECT lower(VARIADIC pg_sleep(1))',
    'SELECT (SELECT 1 FROM pg_sleep(1)) UNION SELECT 2', 'SELECT 1 UNION (SELECT 1 FROM (SELECT pg_sleep(1)) x)', 'SELECT string_agg(name, \',\' ORDER BY pg_sleep(1)) FROM customer',
    'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY pg_sleep(1)) FROM customer', 'SELECT DISTINCT ON (pg_sleep(1)) 1', 'SELECT name COLLATE "C" || pg_sleep(1) FROM customer',
  ]),
  ...refused('sqlmap-style, writes of every clause', 'function', [
    "INSERT INTO customer (name) VALUES (pg_read_file('/etc/passwd'))", "INSERT INTO customer (name) SELECT pg_read_file('x')", "INSERT INTO customer (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = pg_sleep(1)",
    'INSERT INTO customer (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2 WHERE pg_sleep(1) IS NULL', 'INSERT INTO customer (id) VALUES (1) ON CONFLICT (lower(pg_sleep(1))) DO NOTHING',
    'UPDATE customer SET name = pg_sleep(1) WHERE id = 1', 'UPDATE customer SET (name, city) = (SELECT pg_sleep(1), 1) WHERE id = 1', 'UPDATE customer SET tags[pg_sleep(1)] = 1 WHERE id = 1',
    'MERGE INTO customer c USING orders o ON pg_sleep(1) IS NULL WHEN MATCHED THEN DELETE', 'MERGE INTO customer c USING orders o ON c.id = o.id WHEN MATCHED AND pg_sleep(1) IS NULL THEN DELETE',
    'MERGE INTO customer c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = pg_sleep(1)', 'MERGE INTO customer c USING orders o ON c.id = o.id WHEN NOT MATCHED THEN INSERT (name) VALUES (pg_sleep(1))',
    'DELETE FROM customer USING pg_sleep(1) WHERE id = 1', 'WITH x AS (SELECT pg_sleep(1)) DELETE FROM customer WHERE id = 1',
  ]),
  ...refused('PostgreSQL documentation, 9.28.9: files of the server', 'function', [
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('x')", "SELECT * FROM pg_ls_dir('/')", 'SELECT * FROM pg_ls_waldir()', "SELECT pg_stat_file('x')", "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')", "SELECT pg_file_write('x', 'y', false)", 'SELECT pg_current_logfile()', "SELECT * FROM pg_read_file('x') AS f(line)",
  ]),
  ...refused('PostgreSQL documentation, 33: large objects escape row triggers', 'function', [
    'SELECT lo_create(0)', "SELECT lo_from_bytea(0, 'x')", 'SELECT lo_unlink(1)', "SELECT lo_put(1, 0, 'x')", 'SELECT lo_get(1)', 'SELECT lowrite(0, \'x\')', 'SELECT loread(0, 1)', 'SELECT lo_open(1, 131072)',
  ]),
  ...refused('PostgreSQL documentation, 9.28.2: signals and control of the server', 'function', [
    'SELECT pg_terminate_backend(1)', 'SELECT pg_cancel_backend(1)', 'SELECT pg_reload_conf()', 'SELECT pg_rotate_logfile()', 'SELECT pg_promote()', 'SELECT pg_switch_wal()', "SELECT pg_create_restore_point('x')",
    "SELECT pg_backup_start('x')", "SELECT pg_logical_slot_get_changes('s', NULL, NULL)", "SELECT pg_create_logical_replication_slot('s', 'p')", "SELECT pg_logical_emit_message(true, 'a', 'b')",
    'SELECT pg_stat_reset()', 'SELECT pg_export_snapshot()', "SELECT pg_replication_origin_create('x')", 'SELECT pg_wal_replay_pause()', 'SELECT pg_log_backend_memory_contexts(1)',
    "SELECT pg_restore_relation_stats('relation', 'customer')", "SELECT binary_upgrade_set_next_pg_type_oid(1)", 'SELECT brin_summarize_new_values(1)', 'SELECT gin_clean_pending_list(1)',
  ]),
  ...refused('PostgreSQL documentation, 13.3.5: advisory locks outlive a rollback', 'function', [
    'SELECT pg_advisory_lock(1)', 'SELECT pg_try_advisory_lock(1)', 'SELECT pg_advisory_xact_lock(1)', 'SELECT pg_advisory_unlock_all()',
  ]),
  ...refused('PostgreSQL documentation, 9.28.1: settings', 'function', [
    "SELECT set_config('role', 'postgres', false)", "SELECT current_setting('data_directory')", "SELECT pg_catalog.set_config('search_path', 'evil', true)", 'SELECT setseed(0)',
    "SELECT set_config('session_replication_role', 'replica', true) FROM customer", "SELECT SET_CONFIG('a', 'b', true)", "SELECT set_config/* */('a','b',true)",
    "SELECT (SELECT set_config('role', 'x', false)) IS NULL",
  ]),
  ...refused('PostgreSQL documentation, NOTIFY', 'function', ["SELECT pg_notify('x', 'y')", "INSERT INTO customer (name) SELECT pg_notify('x', name)::text FROM customer", 'SELECT pg_notification_queue_usage()']),
  ...refused('PostgreSQL documentation, 9.15: functions that run a query given as text', 'function', [
    "SELECT query_to_xml('DELETE FROM customer', true, true, '')", "SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')", "SELECT table_to_xml('pg_shadow', true, true, '')", "SELECT database_to_xml(true, true, '')",
    "SELECT schema_to_xml('public', true, true, '')", "SELECT cursor_to_xml('c', 1, true, true, '')", "SELECT * FROM ts_stat('SELECT v FROM x')", "SELECT ts_rewrite('a'::tsquery, 'SELECT 1, 2')",
    "SELECT * FROM crosstab('SELECT 1')", "SELECT xpath('/a', '<a/>')", "SELECT xmlcomment('x')", "SELECT xml_is_well_formed('x')",
  ]),
  ...refused('PostgreSQL documentation, dblink and postgres_fdw: another session, which no rollback reaches', 'function', [
    "SELECT * FROM dblink('host=evil', 'SELECT 1') AS t(a int)", "SELECT dblink_exec('host=evil', 'DROP TABLE x')", "SELECT dblink_connect('x')", "SELECT public.dblink('x', 'y')",
    "SELECT * FROM postgres_fdw_get_connections()", 'SELECT postgres_fdw_disconnect_all()',
  ]),
  ...refused('PostgreSQL documentation, 9.17: sequences are not set back by a rollback', 'function', [
    "SELECT nextval('s')", "SELECT setval('s', 1)", "SELECT currval('s')", 'SELECT lastval()', "INSERT INTO customer (id) VALUES (nextval('customer_id_seq'))",
  ]),
  ...refused('PostgreSQL documentation, 9.27: who, where and what the session is', 'function', [
    'SELECT current_user', 'SELECT session_user', 'SELECT user', 'SELECT current_role', 'SELECT current_catalog', 'SELECT current_schema', 'SELECT system_user', 'SELECT version()', 'SELECT inet_server_addr()',
    'SELECT pg_backend_pid()', 'SELECT current_query()', 'SELECT current_database()', 'SELECT txid_current()', 'SELECT pg_current_xact_id()', "SELECT has_table_privilege('customer', 'select')", 'SELECT getpgusername()',
  ]),
  ...refused('sqlmap-style enumeration: the catalogue by functions', 'function', [
    "SELECT pg_get_viewdef('v')", "SELECT pg_get_functiondef(1)", "SELECT to_regclass('pg_shadow')", "SELECT regclass('customer')", "SELECT obj_description(1)", "SELECT pg_relation_filepath('customer')",
    "SELECT pg_size_pretty(pg_database_size('x'))", 'SELECT format_type(1, 2)', 'SELECT COLLATION FOR (name) FROM customer', 'SELECT pg_column_size(c) FROM customer c', 'SELECT aclexplode(NULL)',
  ]),
  ...refused('PostgreSQL documentation, 8.16.5: `a.f` calls f(a) where a has no column f', 'function', [
    'SELECT c.pg_column_size FROM customer c', 'SELECT (c).record_out FROM customer c', 'SELECT c."pg_column_compression" FROM customer c', 'SELECT public.customer.record_send FROM public.customer',
  ]),
  ...refused("PostgreSQL documentation, CREATE FUNCTION: anybody's function, and search-path capture (CVE-2018-1058)", 'function', [
    'SELECT cleanup()', 'SELECT public.lower(name) FROM customer', 'SELECT evil.count(*) FROM customer', 'SELECT shop.public.f()', 'SELECT "Lower"(name) FROM customer', 'SELECT LOWER\u0131(name) FROM customer',
    'SELECT uuid_generate_v4()', 'SELECT TREAT(name AS evil) FROM customer', 'SELECT pg_temp.f()', 'SELECT aifirst.undo(1)', 'SELECT information_schema._pg_expandarray(NULL)', 'SELECT texteq(name, name) FROM customer',
    'SELECT int4out(id) FROM customer', 'SELECT xmlagg(name) FROM customer', 'SELECT * FROM evil(1)', 'SELECT * FROM customer TABLESAMPLE evil.rows(1)', 'SELECT * FROM customer TABLESAMPLE system_rows(1)',
  ]),
  ...refused('CWE-770: memory or rows by argument', 'function', [
    "SELECT repeat('x', 1000000000)", "SELECT repeat('x', $1)", "SELECT lpad('x', 1000000000)", "SELECT rpad(name, id) FROM customer", "SELECT repeat(repeat(name, 10000), 10000) FROM customer",
    "SELECT repeat(a, 2000) FROM (SELECT repeat(name, 2000) AS a FROM customer) x", 'SELECT * FROM generate_series(1, 1000000000)', 'SELECT generate_series(1, $1)', 'SELECT * FROM generate_series(1, 2, 0.0000001)',
    "SELECT * FROM generate_series('2000-01-01'::timestamp, '2030-01-01', '1 microsecond')", "SELECT * FROM generate_series(timestamp '-infinity', timestamp 'infinity', interval '1 day')",
    'SELECT 1 FROM generate_series(1, 2000) a, generate_series(1, 2000) b', "SELECT format('%1000000000s', 'x')", "SELECT format('%*s', 1000000000, 'x')", "SELECT format(name) FROM customer",
    "SELECT array_fill(1, ARRAY[100000000])", "SELECT repeat(times => 1000000000, string => 'x')",
  ]),
];

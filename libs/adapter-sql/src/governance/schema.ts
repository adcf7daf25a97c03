/** The schema in the target that holds proofs of effects and images of rows. No capability reads or writes it. */
export const SCHEMA = 'aifirst';
export const ROW_TRIGGER = 'aifirst_capture';
/** Another name, so that a governed table may become a partition: it then has both, until it is governed again. */
export const ROOT_TRIGGER = 'aifirst_capture_root';
export const TRUNCATE_TRIGGER = 'aifirst_capture_truncate';
/** `aifi` and a number: those who install take turns. */
export const INSTALL_LOCK = 0x61696669_0001;

/**
 * Made by whoever may make a schema; every part may be repeated.
 * `effects`: one row per step that was done (`done`, `undone`) or can't be any more (`cancelled`). `xid` is set only inside the
 * transaction of the step: nobody else ever sees it set, and triggers of other transactions do nothing.
 * `images`: whole rows as text, before and after, as often as they changed.
 * Triggers' functions name everything by its schema, and pin what decides how a value looks.
 */
export const SCHEMA_SQL = `
CREATE SCHEMA IF NOT EXISTS aifirst;
REVOKE ALL ON SCHEMA aifirst FROM PUBLIC;
CREATE TABLE IF NOT EXISTS aifirst.effects (
  step text PRIMARY KEY,
  id bigint NOT NULL UNIQUE,
  xid xid8 UNIQUE,
  state text NOT NULL CHECK (state IN ('done', 'undone', 'cancelled')),
  at timestamptz NOT NULL DEFAULT now(),
  touched jsonb NOT NULL DEFAULT '[]',
  digest text NOT NULL DEFAULT '',
  output bytea
);
CREATE TABLE IF NOT EXISTS aifirst.images (effect bigint NOT NULL, relation oid NOT NULL, old text, new text);
CREATE INDEX IF NOT EXISTS images_of ON aifirst.images (effect, relation);
REVOKE ALL ON aifirst.effects, aifirst.images FROM PUBLIC;

CREATE OR REPLACE FUNCTION aifirst.is_ours() RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM aifirst.effects e WHERE e.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id());
END $$;

CREATE OR REPLACE FUNCTION aifirst.capture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET extra_float_digits = '1' SET bytea_output = 'hex'
SET timezone = 'UTC' SET xmloption = 'content' SET lc_monetary = 'C' AS $$
BEGIN
  INSERT INTO aifirst.images (effect, relation, old, new)
    SELECT e.id, TG_RELID, CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END
    FROM aifirst.effects e WHERE e.xid = pg_current_xact_id();
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION aifirst.capture_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET extra_float_digits = '1' SET bytea_output = 'hex'
SET timezone = 'UTC' SET xmloption = 'content' SET lc_monetary = 'C' AS $$
BEGIN
  EXECUTE format('INSERT INTO aifirst.images (effect, relation, old) SELECT e.id, $1, %s FROM aifirst.effects e, ONLY %s AS aifirst_row WHERE e.xid = pg_current_xact_id()',
    aifirst.row_text(TG_RELID, 'aifirst_row'), TG_RELID::regclass) USING TG_RELID;
  RETURN NULL;
END $$;

-- Every column by its alias: an alias alone would give way to a column of that name. Virtual columns are NULL, as triggers see them.
CREATE OR REPLACE FUNCTION aifirst.row_text(relation oid, alias text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format('ROW(%s)::%s::text', coalesce(string_agg(CASE WHEN a.attgenerated = 'v' THEN 'NULL' ELSE format('%I.%I', alias, a.attname) END, ', ' ORDER BY a.attnum), ''), relation::regclass)
  FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- Alike for tables whose rows read alike as text.
CREATE OR REPLACE FUNCTION aifirst.shape(relation oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT md5(coalesce(string_agg(concat_ws(':', a.attname, a.atttypid::text, format_type(a.atttypid, a.atttypmod), a.attgenerated, a.attidentity), ',' ORDER BY a.attnum), ''))
  FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- What of an effect is left when all that came and went is taken out: times > 0 stood there before, < 0 stands there after.
-- Few rows are foretold, so that others are found by their key and no table is read whole.
CREATE OR REPLACE FUNCTION aifirst.net(effect_id bigint, relation_id oid) RETURNS TABLE (image text, times bigint) LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.image, sum(i.times) FROM (
    SELECT old AS image, 1 AS times FROM aifirst.images WHERE effect = effect_id AND relation = relation_id AND old IS NOT NULL
    UNION ALL SELECT new, -1 FROM aifirst.images WHERE effect = effect_id AND relation = relation_id AND new IS NOT NULL) i
  GROUP BY i.image HAVING sum(i.times) <> 0
$$;

CREATE OR REPLACE FUNCTION aifirst.net_digest(effect_id bigint) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(sha256(coalesce(string_agg(d.digest, ''::bytea ORDER BY d.digest), ''::bytea)), 'hex') FROM (
    SELECT sha256(convert_to(concat_ws('/', r.relation, n.times, n.image), 'UTF8')) AS digest
    FROM (SELECT DISTINCT relation FROM aifirst.images WHERE effect = effect_id) r, LATERAL aifirst.net(effect_id, r.relation) n) d
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA aifirst FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aifirst.is_ours() TO PUBLIC;
`;

/** Tables that hold rows of their own and roots of partitions; what triggers stand on is asked per table. */
export const GOVERNABLE_SQL = `
SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
  EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('${ROW_TRIGGER}', '${ROOT_TRIGGER}') AND t.tgenabled IN ('O', 'A')) AS "hasRow",
  EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('${ROW_TRIGGER}', '${ROOT_TRIGGER}') AND t.tgenabled = 'A') AS "hasAlways",
  EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '${ROW_TRIGGER}') AS "hasOwn",
  EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '${TRUNCATE_TRIGGER}' AND t.tgenabled IN ('O', 'A')) AS "hasTruncate",
  c.relispartition AS "isPartition"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname <> '${SCHEMA}' AND n.nspname !~ '^pg_'
ORDER BY c.relispartition, n.nspname, c.relname`;

const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const qualified = (schema: string, name: string): string => `${ident(schema)}.${ident(name)}`;
export { ident };

export const rowTriggerSql = (table: string, trigger: string): string =>
  `CREATE TRIGGER ${trigger} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW WHEN (aifirst.is_ours()) EXECUTE FUNCTION aifirst.capture()`;
export const truncateTriggerSql = (table: string): string =>
  `CREATE TRIGGER ${TRUNCATE_TRIGGER} BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT WHEN (aifirst.is_ours()) EXECUTE FUNCTION aifirst.capture_truncate()`;
export const alwaysSql = (table: string, trigger: string): string => `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${trigger}`;

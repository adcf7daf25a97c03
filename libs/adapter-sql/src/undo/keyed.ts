import type { Relation } from './relation';

/**
 * Statements on a table with a key. `k` has a row per key that the effect changed: `k1` …, `b` the row before, `a` the row after,
 * as text, null where there was none.
 */
export function keyed(effect: string, { oid, table, rowText, key, tellable, insertable, updatable }: Relation, at = '') {
  const k = `k${at}`;
  const names = key.map((_, i) => `k${i + 1}`);
  const same = key.map((column, i) => `aifirst_row.${column} = ${k}.k${i + 1}`).join(' AND ');
  const sameX = same.replaceAll(`${k}.`, 'x.');
  const cte = `${k} AS MATERIALIZED (
    SELECT ${key.map((column, i) => `(x.r).${column} AS k${i + 1}`).join(', ')}, min(x.image) FILTER (WHERE x.times > 0) AS b, min(x.image) FILTER (WHERE x.times < 0) AS a
    FROM (SELECT n.image, n.times, n.image::${table} AS r FROM aifirst.net(${effect}, ${oid}) n OFFSET 0) x GROUP BY ${key.map((column) => `(x.r).${column}`).join(', ')})`;
  const told = `json_build_object(${names.map((name, i) => `'${key[i]!.replaceAll("'", "''").slice(1, -1)}', ${tellable[i] ? `${k}.${name}::text` : `'…'`}`).join(', ')})`;
  const removed = (where: string): string => `DELETE FROM ONLY ${table} AS aifirst_row USING ${k} WHERE ${same} AND ${where} AND ${rowText} = ${k}.a`;
  const inserted = (where: string): string => `INSERT INTO ${table} (${insertable.join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${insertable.map(column => `(x.r).${column}`).join(', ')} FROM (SELECT ${k}.b::${table} AS r FROM ${k}
      WHERE ${where} AND NOT EXISTS (SELECT 1 FROM ONLY ${table} AS aifirst_row WHERE ${same}) OFFSET 0) x`;
  return {
    cte,
    /** Waits for whoever is at work on these rows, and keeps others off. */
    lock: `WITH ${cte} SELECT count(*) FROM (SELECT 1 FROM ONLY ${table} AS aifirst_row JOIN ${k} ON ${same} FOR UPDATE OF aifirst_row) l`,
    /** `f`: rows that are neither as before (`b`) nor as after (`a`), as they are `now`, and how that was found. */
    foreign: `${cte}, c AS (SELECT ${told} AS key, ${k}.b, ${k}.a, t.now FROM ${k} LEFT JOIN LATERAL (SELECT ${rowText} AS now FROM ONLY ${table} AS aifirst_row WHERE ${same}) t ON true),
      f AS (SELECT key::text, b, a, now, CASE WHEN now IS NULL THEN 'gone' WHEN a IS NULL THEN 'there' ELSE 'changed' END AS found FROM c WHERE now IS DISTINCT FROM a AND now IS DISTINCT FROM b)`,
    /** Rows that are to be put back, beside a row of others that has the same values of these columns, which no two rows may have. */
    taken: (columns: readonly string[]): string => `${cte}, f AS (SELECT x.b, x.a, t.now FROM (SELECT ${k}.*, ${k}.b::${table} AS r FROM ${k} WHERE ${k}.b IS NOT NULL OFFSET 0) x, LATERAL (
      SELECT ${rowText} AS now FROM ONLY ${table} AS aifirst_row WHERE ${columns.map(column => `aifirst_row.${column} = (x.r).${column}`).join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${k} WHERE ${same})) t)`,
    /** Rows that the effect changed, as text as they were before (`b`) and after (`a`) and are `now`: those of which one of the two is among these images. */
    among: (images: string): string => `${cte}, f AS (SELECT ${k}.b, ${k}.a, t.now FROM ${k} LEFT JOIN LATERAL (SELECT ${rowText} AS now FROM ONLY ${table} AS aifirst_row WHERE ${same}) t ON true WHERE ${k}.b IN (${images}) OR ${k}.a IN (${images}))`,
    remove: removed(`${k}.b IS NULL`),
    update: updatable.length === 0 ? null : `UPDATE ONLY ${table} AS aifirst_row SET ${updatable.map(column => `${column} = (x.r).${column}`).join(', ')}
      FROM (SELECT ${k}.*, ${k}.b::${table} AS r FROM ${k} WHERE ${k}.a IS NOT NULL AND ${k}.b IS NOT NULL OFFSET 0) x WHERE ${sameX} AND ${rowText} = x.a`,
    insert: inserted(`${k}.b IS NOT NULL AND ${k}.a IS NULL`),
    /** The longer way, for values that change places under a unique constraint. */
    removeAll: removed(`${k}.a IS NOT NULL`),
    insertAll: inserted(`${k}.b IS NOT NULL`),
    /** How many are not as before. */
    verify: `WITH ${cte} SELECT count(*)::int4 AS wrong FROM ${k} LEFT JOIN LATERAL (SELECT ${rowText} AS now FROM ONLY ${table} AS aifirst_row WHERE ${same}) t ON true WHERE t.now IS DISTINCT FROM ${k}.b`,
  };
}

/** Statements on a table without a key: equal rows stand for one another. Others are kept off the table. */
export function unkeyed(effect: string, { oid, table, rowText, insertable }: Relation, at = '') {
  const n = `n${at}`;
  const cte = `${n} AS MATERIALIZED (SELECT image, times FROM aifirst.net(${effect}, ${oid}))`;
  const there = `(SELECT ${rowText} AS now, count(*) AS found FROM ONLY ${table} AS aifirst_row GROUP BY 1)`;
  const digest = (count: string): string => `WITH ${cte}, c AS ${there}, d AS (SELECT image, ${count} AS found FROM ${n} LEFT JOIN c ON c.now = ${n}.image)
    SELECT encode(sha256(coalesce(string_agg(sha256(convert_to(found || '/' || image, 'UTF8')), ''::bytea ORDER BY image COLLATE "C") FILTER (WHERE found > 0), ''::bytea)), 'hex') AS digest FROM d`;
  return {
    cte,
    lock: `LOCK TABLE ONLY ${table} IN SHARE ROW EXCLUSIVE MODE`,
    /** Rows that are not there as often as the effect left them. */
    foreign: `${cte}, c AS ${there}, f AS (SELECT NULL AS key, NULL::text AS b, ${n}.image AS a, NULL::text AS now, 'changed' AS found FROM ${n} LEFT JOIN c ON c.now = ${n}.image WHERE ${n}.times < 0 AND coalesce(c.found, 0) < -${n}.times)`,
    taken: (columns: readonly string[]): string => `${cte}, f AS (SELECT x.image AS b, NULL::text AS a, t.now FROM (SELECT image, image::${table} AS r FROM ${n} WHERE times > 0 OFFSET 0) x, LATERAL (
      SELECT ${rowText} AS now FROM ONLY ${table} AS aifirst_row WHERE ${columns.map(column => `aifirst_row.${column} = (x.r).${column}`).join(' AND ')}) t WHERE NOT EXISTS (SELECT 1 FROM ${n} WHERE ${n}.image = t.now AND ${n}.times < 0))`,
    among: (images: string): string => `${cte}, c AS ${there}, f AS (SELECT CASE WHEN times > 0 THEN image END AS b, CASE WHEN times < 0 THEN image END AS a, c.now FROM ${n} LEFT JOIN c ON c.now = ${n}.image WHERE image IN (${images}))`,
    remove: `DELETE FROM ONLY ${table} WHERE ctid IN (SELECT t.ctid FROM (SELECT ctid, now, row_number() OVER (PARTITION BY now ORDER BY ctid) AS place
      FROM (SELECT aifirst_row.ctid, ${rowText} AS now FROM ONLY ${table} AS aifirst_row) q) t JOIN ${n} ON ${n}.image = t.now WHERE ${n}.times < 0 AND t.place <= -${n}.times)`,
    insert: `INSERT INTO ${table} (${insertable.join(', ')}) OVERRIDING SYSTEM VALUE
      SELECT ${insertable.map(column => `(x.r).${column}`).join(', ')} FROM (SELECT ${n}.image::${table} AS r FROM ${n}, generate_series(1, ${n}.times) WHERE ${n}.times > 0 OFFSET 0) x`,
    /** What must stand there afterwards, and what does. */
    expected: digest(`coalesce(c.found, 0) + ${n}.times`),
    actual: digest('coalesce(c.found, 0)'),
  };
}

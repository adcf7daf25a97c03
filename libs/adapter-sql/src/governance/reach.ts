import type { CarryingKey, TargetReach } from '@aifirst/contracts';
import { resourceName, type NamedObject } from '@aifirst/sql-syntax';
import type { Transaction } from '../transaction';

/** Of a catalogue with more, nothing is told: every intent would pay for it. */
const REACH_MAX = 10_000;

interface Pair { readonly fromSchema: string; readonly fromName: string; readonly toSchema: string; readonly toName: string }
interface Key extends Pair { readonly columns: string[]; readonly toColumns: string[]; readonly deleting: string; readonly updating: string }

const from = ({ fromSchema, fromName }: Pair): NamedObject => ({ schema: fromSchema, name: fromName });
const to = ({ toSchema, toName }: Pair): NamedObject => ({ schema: toSchema, name: toName });
const NAMES = 'f.nspname AS "fromSchema", c.relname AS "fromName", t.nspname AS "toSchema", d.relname AS "toName"';
const OF_USERS = ['f', 't'].map(n => `${n}.nspname !~ '^pg_' AND ${n}.nspname NOT IN ('information_schema', 'aifirst')`).join(' AND ');
const columns = (relation: string, numbers: string): string =>
  `(SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(k.${numbers}) WITH ORDINALITY u (num, place) JOIN pg_attribute a ON a.attrelid = k.${relation} AND a.attnum = u.num)`;

/** What the catalogue knows of how tables reach each other. Functions of triggers it doesn't know. null: too much to tell. */
export async function reachIn(transaction: Transaction): Promise<TargetReach | null> {
  const within = await transaction.query<Pair>(`
    SELECT DISTINCT ${NAMES} FROM (
      SELECT w.ev_class AS from_id, p.refobjid AS to_id FROM pg_rewrite w JOIN pg_depend p ON p.classid = 'pg_rewrite'::regclass AND p.objid = w.oid AND p.refclassid = 'pg_class'::regclass AND p.refobjid <> w.ev_class
      UNION ALL SELECT inhrelid, inhparent FROM pg_inherits) r
    JOIN pg_class c ON c.oid = r.from_id JOIN pg_namespace f ON f.oid = c.relnamespace JOIN pg_class d ON d.oid = r.to_id JOIN pg_namespace t ON t.oid = d.relnamespace
    WHERE ${OF_USERS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND d.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2, 3, 4 LIMIT ${REACH_MAX + 1}`);
  // Why the ancestors: a key of a partition alone carries on what is done to the whole.
  const keys = await transaction.query<Key>(`
    SELECT DISTINCT ${NAMES}, ${columns('confrelid', 'confkey')} AS columns, ${columns('conrelid', 'conkey')} AS "toColumns", k.confdeltype AS deleting, k.confupdtype AS updating
    FROM pg_constraint k CROSS JOIN LATERAL (SELECT k.confrelid AS oid UNION SELECT relid FROM pg_partition_ancestors(k.confrelid)) a
    JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace f ON f.oid = c.relnamespace JOIN pg_class d ON d.oid = k.conrelid JOIN pg_namespace t ON t.oid = d.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND ${OF_USERS} ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ${REACH_MAX + 1}`);
  if (within.length + keys.length > REACH_MAX) return null;
  return { within: within.map(pair => [resourceName(from(pair)), resourceName(to(pair))] as const), keys: keys.map(keyOf) };
}

const keyOf = (key: Key): CarryingKey => ({
  from: resourceName(from(key)), columns: key.columns, to: resourceName(to(key)), toColumns: key.toColumns,
  onDelete: key.deleting === 'c' ? 'delete' : key.deleting === 'n' || key.deleting === 'd' ? 'update' : 'nothing',
  onUpdate: 'cnd'.includes(key.updating) ? 'update' : 'nothing',
});

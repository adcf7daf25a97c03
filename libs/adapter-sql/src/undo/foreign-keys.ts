import { ident } from '../governance/schema';
import type { Transaction } from '../transaction';
import type { Relation } from './relation';

interface Reference { readonly name: string; readonly child: string; readonly parent: string; readonly columns: string[]; readonly refs: string[]; readonly period: boolean }
/** A reference that would lead nowhere. */
export interface Dangling {
  readonly constraint: string; readonly child: string; readonly parent: string;
  /** A query for the images of the rows it is about; null: not known. */
  readonly images: string | null;
}

const columnsSql = (relation: string, numbers: string): string =>
  `(SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(c.${numbers}) WITH ORDINALITY u (num, place) JOIN pg_attribute a ON a.attrelid = c.${relation} AND a.attnum = u.num)`;
const SELECT = `SELECT c.conname AS name, c.conrelid::regclass::text AS child, c.confrelid::regclass::text AS parent, ${columnsSql('conrelid', 'conkey')} AS columns,
  ${columnsSql('confrelid', 'confkey')} AS refs, coalesce((to_jsonb(c)->>'conperiod')::boolean, false) AS period
  FROM pg_constraint c WHERE c.contype = 'f' AND coalesce((to_jsonb(c)->>'conenforced')::boolean, true)`;

/**
 * No trigger checks foreign keys where triggers are off: asked here, both ways, for the keys that the effect changed. Parents of
 * restored rows are held, so that nobody takes them away before the commit.
 */
export async function findDangling(transaction: Transaction, effect: string, relation: Relation): Promise<Dangling | null> {
  const rows = (sign: '>' | '<'): string => `(SELECT n.image, n.image::${relation.table} AS r FROM aifirst.net(${effect}, ${relation.oid}) n WHERE n.times ${sign} 0 OFFSET 0) x`;
  const outward = await transaction.query<Reference>(`${SELECT} AND c.conrelid = $1::oid AND NOT EXISTS (SELECT 1 FROM pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid = c.conrelid)`, [relation.oid]);
  for (const { name, child, parent, columns, refs, period } of outward) {
    if (period) return { constraint: name, child, parent, images: null };
    const same = refs.map((ref, i) => `p.${ident(ref)} = (x.r).${ident(columns[i]!)}`).join(' AND ');
    await transaction.query(`SELECT count(*) FROM (SELECT 1 FROM ${parent} p JOIN ${rows('>')} ON ${same} FOR KEY SHARE OF p) l`);
    const images = `SELECT x.image FROM ${rows('>')} WHERE ${columns.map(column => `(x.r).${ident(column)} IS NOT NULL`).join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE ${same})`;
    if ((await transaction.query(`${images} LIMIT 1`)).length > 0) return { constraint: name, child, parent, images };
  }
  const inward = await transaction.query<Reference>(`${SELECT} AND c.conparentid = 0 AND c.confrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_ancestors($1::oid::regclass))`, [relation.oid]);
  for (const { name, child, parent, columns, refs, period } of inward) {
    if (period) return { constraint: name, child, parent, images: null };
    const points = columns.map((column, i) => `c.${ident(column)} = (x.r).${ident(refs[i]!)}`).join(' AND ');
    const meets = columns.map((column, i) => `p.${ident(refs[i]!)} = c.${ident(column)}`).join(' AND ');
    const images = `SELECT x.image FROM ${rows('<')} JOIN ${child} c ON ${points} WHERE NOT EXISTS (SELECT 1 FROM ${parent} p WHERE ${meets})`;
    if ((await transaction.query(`${images} LIMIT 1`)).length > 0) return { constraint: name, child, parent, images };
  }
  return null;
}

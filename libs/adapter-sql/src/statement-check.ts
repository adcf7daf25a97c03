import { CannotDo } from '@aifirst/execution';
import type { NamedObject, ReadStatement } from '@aifirst/sql-syntax';
import type { Transaction } from './transaction';

/** A table that a statement names, views expanded. */
export interface NamedTable { readonly oid: string; readonly schema: string; readonly name: string; readonly kind: string; readonly isWritten: boolean }

type Names = Pick<ReadStatement, 'reads' | 'writes' | 'functions' | 'operators' | 'attributes'>;
const text = ({ schema, name }: NamedObject): string => (schema === null ? name : `${schema}.${name}`);
const refused = (detail: string): CannotDo => new CannotDo('INVALID_SQL', detail);

/**
 * What the names stand for in this very transaction.
 * @returns the tables behind them, those behind views too, and what cascades from a written one may reach is not among them
 * @throws CannotDo `INVALID_SQL`
 */
export async function checkNames(transaction: Transaction, { reads, writes, functions, operators, attributes }: Names): Promise<readonly NamedTable[]> {
  const all = [...writes.map(object => ({ ...object, isWritten: true })), ...reads.map(object => ({ ...object, isWritten: false }))];
  const unqualified = (objects: readonly NamedObject[]): string[] => objects.filter(({ schema }) => schema === null).map(({ name }) => name);
  const [shadow] = await transaction.query<{ kind: string; name: string }>(`
    SELECT f.kind, f.name FROM (
      SELECT 'function' AS kind, p.proname AS name, 'pg_proc'::regclass AS class, p.oid FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY ($1)
      UNION ALL SELECT 'function', p.proname, 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_type t ON t.oid = p.proargtypes[0]
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY ($3) AND p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1 AND t.typtype IN ('c', 'p')
      UNION ALL SELECT 'operator', o.oprname, 'pg_operator'::regclass, o.oid FROM pg_operator o WHERE o.oprnamespace = 'public'::regnamespace AND o.oprname = ANY ($2)) f
    WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = f.class AND d.objid = f.oid AND d.deptype = 'e') LIMIT 1`,
  [unqualified(functions), unqualified(operators), attributes]);
  if (shadow !== undefined) throw refused(`schema \`public\` has a ${shadow.kind} \`${shadow.name}\` of its own, which the statement might run`);
  const foreign = operators.find(({ schema }) => schema !== null && schema !== 'pg_catalog');
  if (foreign !== undefined) throw refused(`the operator \`${text(foreign)}\` is not one that a statement may use`);
  if (all.length === 0) return [];
  const rows = await transaction.query<{ place: number; oid: string | null; schema: string; name: string; kind: string; depth: number }>(`
    WITH RECURSIVE named AS (
      SELECT place, to_regclass(CASE WHEN schema IS NULL THEN quote_ident(name) ELSE quote_ident(schema) || '.' || quote_ident(name) END)::oid AS oid
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u (schema, name, place)
    ), reached AS (
      SELECT place, oid, 0 AS depth FROM named
      UNION
      SELECT r.place, d.refobjid, 1 FROM reached r JOIN pg_class v ON v.oid = r.oid AND v.relkind IN ('v', 'm') JOIN pg_rewrite w ON w.ev_class = v.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
    )
    SELECT r.place::int4 AS place, r.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, r.depth
    FROM reached r LEFT JOIN pg_class c ON c.oid = r.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY r.depth, r.place`,
  [all.map(({ schema }) => schema), all.map(({ name }) => name)]);
  for (const { place, oid, schema, kind, depth } of rows) {
    const object = all[place - 1]!;
    if (oid === null) throw refused(`there is no table or view \`${text(object)}\``);
    const isSystem = schema === 'information_schema' || schema.startsWith('pg_');
    if (schema === 'aifirst' || (isSystem && depth === 0)) throw refused(`\`${text(object)}\` is out of bounds: it leads to schema \`${schema}\``);
    if (kind === 'f') throw refused(`\`${text(object)}\` is or leads to a foreign table, of which nothing could be proven or undone`);
    if (depth === 0 && kind === 'S') throw refused(`\`${text(object)}\` is a sequence`);
    if (depth === 0 && kind === 'm' && object.isWritten) throw refused(`\`${text(object)}\` is a materialized view`);
  }
  return rows.filter(({ schema }) => !schema.startsWith('pg_')).map(({ oid, schema, name, kind, place }) => ({ oid: oid!, schema, name, kind, isWritten: all[place - 1]!.isWritten }));
}

import { PREVIEW_SEQUENCES_MAX } from './limits';
import type { NamedTable } from './statement-check';
import { tried } from './governance/agent-role';
import type { Transaction } from './transaction';
import type { ReadStatement } from '@aifirst/sql-syntax';

/** What a statement on these tables may reach: partitions, and what foreign keys carry on. */
export interface Reach { readonly tables: readonly { readonly oid: string; readonly schema: string; readonly name: string }[]; readonly hasTriggers: boolean }

export async function reachOf(transaction: Transaction, named: readonly NamedTable[]): Promise<Reach> {
  const rows = await transaction.query<{ oid: string; schema: string; name: string; triggers: boolean }>(`
    WITH RECURSIVE reached (oid) AS (
      SELECT unnest($1::oid[])
      UNION
      SELECT n.oid FROM reached r, LATERAL (
        SELECT i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = r.oid
        UNION ALL SELECT c.conrelid FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = r.oid AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))) n
    ) SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name,
      EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgname !~ '^aifirst_capture')
        OR EXISTS (SELECT 1 FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN') AS triggers
    FROM (SELECT DISTINCT oid FROM reached) r JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2, 3`,
  [named.filter(({ isWritten }) => isWritten).map(({ oid }) => oid)]);
  return { tables: rows, hasTriggers: rows.some(({ triggers }) => triggers) };
}

/**
 * A number drawn from a sequence stays drawn after a rollback, unless the sequence itself was restarted in the same transaction:
 * then the rollback brings the old one back. Others that draw from it wait meanwhile.
 * @returns false when a sequence that may be drawn from can't be treated so
 */
export async function shieldSequences(transaction: Transaction, statements: readonly ReadStatement[], { tables, hasTriggers }: Reach): Promise<boolean> {
  const drawsNothing = ({ verb, writes, readOnly }: ReadStatement): boolean => readOnly || (writes.length <= 1 && (verb === 'delete' || verb === 'truncate'));
  if (!hasTriggers && statements.every(drawsNothing)) return true;
  const sequences = await transaction.query<{ name: string }>(`
    SELECT DISTINCT s.oid::regclass::text AS name FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
    WHERE s.relkind = 'S' AND s.relpersistence <> 't' AND n.nspname <> 'aifirst' AND n.nspname !~ '^pg_' AND ($2 OR EXISTS (
        SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[]) AND d.deptype IN ('a', 'i'))
      OR EXISTS (SELECT 1 FROM pg_depend d JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND f.adrelid = ANY ($1::oid[])))
    ORDER BY 1`, [tables.map(({ oid }) => oid), hasTriggers]);
  if (sequences.length > PREVIEW_SEQUENCES_MAX) return false;
  for (const { name } of sequences) {
    const literal = `'${name.replaceAll("'", "''")}'`;
    if (!await tried(transaction, `DO $shield$ DECLARE was record; BEGIN
        EXECUTE 'SELECT last_value, is_called FROM ${name.replaceAll("'", "''")}' INTO was;
        ALTER SEQUENCE ${name} RESTART;
        PERFORM pg_catalog.setval(${literal}, was.last_value, was.is_called); END $shield$`)) return false;
  }
  return true;
}

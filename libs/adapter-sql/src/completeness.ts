import { CannotDo } from '@aifirst/execution';
import type { Transaction } from './transaction';

interface Held { readonly oid: string; readonly schema: string; readonly name: string; readonly kind: string; readonly isStrong: boolean; readonly isExclusive: boolean; readonly rowTriggers: number; readonly truncateTriggers: number }

/** Everything that this transaction holds for writing. A lock stays to the end, also of what a savepoint took back. */
export async function heldForWriting(transaction: Transaction): Promise<readonly Held[]> {
  return transaction.query<Held>(`
    SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
      bool_or(l.mode <> 'RowExclusiveLock') AS "isStrong", bool_or(l.mode = 'AccessExclusiveLock') AS "isExclusive",
      (SELECT count(*)::int4 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = to_regproc('aifirst.capture') AND t.tgenabled IN ('O', 'A') AND t.tgtype = 29) AS "rowTriggers",
      (SELECT count(*)::int4 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = to_regproc('aifirst.capture_truncate') AND t.tgenabled IN ('O', 'A')) AS "truncateTriggers"
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
      AND l.database IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AND n.nspname <> 'aifirst' AND c.relkind NOT IN ('t', 'i', 'I', 'v', 'p', 'c')
    GROUP BY 1, 2, 3, 4, c.oid ORDER BY 2, 3`);
}

/**
 * Was everything that was written also captured? Asked before COMMIT, when nothing is left to run.
 * @param isPreview sequences are held by the preview itself
 * @returns sequences that numbers were drawn from, and that nobody holds
 * @throws CannotDo `NOT_GOVERNED`
 */
export async function checkCompleteness(transaction: Transaction, isTruncate: boolean, isPreview = false): Promise<readonly string[]> {
  const drawn: string[] = [];
  for (const { schema, name, kind, isStrong, isExclusive, rowTriggers, truncateTriggers } of await heldForWriting(transaction)) {
    const refuse = (why: string): never => { throw new CannotDo('NOT_GOVERNED', `it would write \`${schema}.${name}\`, ${why}`); };
    if (kind === 'S') {
      if (isStrong && !isPreview) refuse('a sequence that would be reset, which can\'t be undone');
      if (!isStrong) drawn.push(`${schema}.${name}`);
      continue;
    }
    if (kind !== 'r' || schema.startsWith('pg_')) refuse('which can\'t be undone');
    if (rowTriggers !== 1) refuse('which is not governed: put the connection again, so that its changes are captured, or see the connection\'s `limitations`');
    if (isExclusive && !isTruncate) refuse('which a trigger truncates or alters');
    if (isExclusive && truncateTriggers !== 1) refuse('whose TRUNCATE is not captured: put the connection again, or use DELETE');
  }
  return drawn;
}

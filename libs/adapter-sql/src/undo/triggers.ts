import { ident } from '../governance/schema';
import type { Transaction } from '../transaction';
import type { Relation } from './relation';

interface Trigger { readonly name: string; readonly enabled: 'O' | 'A' | 'R' }
const AGAIN: Readonly<Record<Trigger['enabled'], string>> = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' };

/** May this user write without triggers and foreign keys acting? */
export async function mayReplicate(transaction: Transaction): Promise<boolean> {
  const [row] = await transaction.query<{ may: boolean }>(`SELECT has_parameter_privilege('session_replication_role', 'SET') AS may`);
  return row!.may;
}

/**
 * Keeps the table's own triggers from acting once more while rows are put back; capture goes on.
 * @returns what gives each its state back
 */
export async function holdTriggers(transaction: Transaction, { oid, table }: Relation, isReplica: boolean): Promise<string[]> {
  const triggers = await transaction.query<Trigger>(`
    SELECT t.tgname AS name, t.tgenabled AS enabled FROM pg_trigger t WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal
      AND t.tgenabled IN ('A', $2) AND t.tgfoid NOT IN ('aifirst.capture'::regproc, 'aifirst.capture_truncate'::regproc)`, [oid, isReplica ? 'R' : 'O']);
  for (const { name } of triggers) await transaction.run(`ALTER TABLE ONLY ${table} DISABLE TRIGGER ${ident(name)}`);
  return triggers.map(({ name, enabled }) => `ALTER TABLE ONLY ${table} ${AGAIN[enabled]} TRIGGER ${ident(name)}`);
}

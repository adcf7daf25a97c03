import { randomBytes } from 'node:crypto';
import { CannotDo } from '@aifirst/execution';
import { failureOf } from './failures';
import type { Transaction } from './transaction';

export interface Touched { readonly oid: string; readonly schema: string; readonly name: string; readonly shape: string }
export interface Effect { readonly id: string; readonly state: 'done' | 'undone' | 'cancelled'; readonly touched: readonly Touched[]; readonly digest: string; readonly output: Buffer | null }

/** 63 random bits: a sequence would be a trace of every preview. */
const newId = (): string => (randomBytes(8).readBigUInt64BE() >> 1n).toString();
const NOT_INSTALLED = new Set(['3F000', '42P01', '42883', '42501']);

/**
 * The first write of a step's transaction: whoever else holds the key is waited for.
 * @param isMarked triggers of this transaction capture
 * @returns the effect that is there already, or the id of the new one
 * @throws CannotDo `NOT_GOVERNED`
 */
export async function claimStep(transaction: Transaction, step: string, state: Effect['state'], isMarked: boolean): Promise<{ readonly id: string } | { readonly known: Effect }> {
  try {
    const id = newId();
    const claimed = await transaction.query(
      'INSERT INTO aifirst.effects (step, id, xid, state) VALUES ($1, $2, CASE WHEN $4 THEN pg_current_xact_id() END, $3) ON CONFLICT (step) DO NOTHING RETURNING 1', [step, id, state, isMarked]);
    if (claimed.length > 0) return { id };
    const known = await findEffect(transaction, step, false);
    if (known === null) throw new CannotDo('LOCKED', 'the proof of the step was taken away at this moment');
    return { known };
  } catch (error) {
    const { sqlstate } = failureOf(error);
    if (sqlstate !== null && NOT_INSTALLED.has(sqlstate)) throw new CannotDo('NOT_GOVERNED', `schema \`aifirst\` is not installed in the database, or the connection's user may not use it: put the connection again and see its \`limitations\` [${sqlstate}]`);
    throw error;
  }
}

export async function findEffect(transaction: Transaction, step: string, forUpdate: boolean): Promise<Effect | null> {
  const [row] = await transaction.query<Effect>(`SELECT id::text AS id, state, touched, digest, output FROM aifirst.effects WHERE step = $1${forUpdate ? ' FOR UPDATE' : ''}`, [step]);
  return row ?? null;
}

/** What the captured images tell; of an effect that is still open. */
export async function touchedBy(transaction: Transaction, id: string): Promise<readonly Touched[]> {
  return transaction.query<Touched>(`
    SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, aifirst.shape(c.oid) AS shape
    FROM (SELECT DISTINCT relation FROM aifirst.images WHERE effect = $1) i JOIN pg_class c ON c.oid = i.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 2, 3`, [id]);
}

/** Ends the capture and keeps what undo and a later probe need. */
export async function sealEffect(transaction: Transaction, id: string, touched: readonly Touched[], output: Buffer | null): Promise<{ readonly digest: string }> {
  const [row] = await transaction.query<{ digest: string }>(
    'UPDATE aifirst.effects SET xid = NULL, touched = $2, output = $3, digest = aifirst.net_digest(id) WHERE id = $1 RETURNING digest', [id, JSON.stringify(touched), output]);
  return row!;
}

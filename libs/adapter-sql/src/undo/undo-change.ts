import type { Image, StepCall, UndoResult } from '@aifirst/execution';
import { heldForWriting } from '../completeness';
import { claimStep, findEffect, type Effect } from '../effects';
import type { Workplace } from '../execute';
import { failureOf } from '../failures';
import { beforeOf, undoKeyOf } from '../plan';
import { Interruption, Transaction } from '../transaction';
import { probeWork } from '../two-phase';
import { findDangling } from './foreign-keys';
import { findForeign, putBack, type Found } from './put-back';
import { holdRelation, type Relation } from './relation';
import { holdTriggers, mayReplicate } from './triggers';

const UNDONE: UndoResult = { outcome: 'undone', verified: true, reason: null };
const FOUND: Readonly<Record<string, string>> = { gone: 'was deleted since', there: 'was inserted since', changed: 'was changed since' };
/** Whoever is at work there will be done some time. */
const LATER = new Set(['55P03', '57014', '40P01', '40001']);

/** Which rows stand in the way, for those who want to see all of them. `taken`: values that others have by now. */
export type About =
  | { readonly rows: 'foreign' | 'taken'; readonly relations: readonly Relation[] }
  | { readonly rows: 'dangling'; readonly relations: readonly [Relation]; readonly images: string };

export class Blocked extends Error {
  constructor(readonly place: string | null, readonly what: string, readonly expected: string, readonly found: string, readonly about: About | null = null) { super(what); }
}

/** Puts back every row that the step changed, or none: in one transaction, with the note that it was done. */
export async function undoChange(work: Workplace, call: StepCall, before: Image, after: Image): Promise<UndoResult> {
  const { key } = beforeOf(before);
  if (call.transaction !== undefined) {
    const probed = await probeWork(work, call, before);
    if (probed.outcome === 'didNotHappen') return UNDONE;
    if (probed.outcome === 'cannotTell') return unclear('OUTCOME_UNKNOWN', probed.detail);
  }
  const { pools, boundary } = work;
  let transaction: Transaction | undefined;
  try {
    transaction = await Transaction.begin(pools, { connection: call.connection, signal: call.signal, statementMs: call.timeoutMs, boundary });
    const effect = await effectToUndo(transaction, key);
    if (effect === null) { await transaction.rollback(); return UNDONE; }
    await undo(transaction, key, effect, String(after['digest']));
    await transaction.commit();
    return UNDONE;
  } catch (error) {
    return resultOf(error, call, transaction);
  } finally { transaction?.end(); }
}

/** Held, with its images; null: it is undone already, or was never done. @throws Blocked */
export async function effectToUndo(transaction: Transaction, key: string): Promise<Effect | null> {
  const effect = await findEffect(transaction, key, true);
  if (effect === null) throw new Blocked(null, 'what an undo needs is not in the database any more', 'the proof and the images of this step', 'none');
  return effect.state === 'done' ? effect : null;
}

/** What an undo that did not get through comes to. */
export function resultOf(error: unknown, call: StepCall, transaction: Transaction | undefined): NotUndone {
  if (error instanceof Interruption) throw error;
  const resource = `sql://${call.connection?.name ?? ''}`;
  if (error instanceof Blocked) {
    const { place, what, expected, found } = error;
    return { outcome: 'blocked', conflict: { resource: place === null ? resource : `${resource}/${place}`, what, expected, found } };
  }
  const { code, detail, isDefinite, sqlstate } = failureOf(error);
  if (transaction?.isInDoubt === true) return unclear('OUTCOME_UNKNOWN', `the answer to COMMIT did not come: ${detail}`);
  if (call.signal.aborted) return unclear('TIMEOUT', 'the time was over before it was done');
  if (sqlstate === null || !isDefinite || LATER.has(sqlstate)) return unclear(code, detail);
  return { outcome: 'blocked', conflict: { resource, what: `the rows can't be put back: ${whyOf(sqlstate, detail)}`, expected: 'that the rows can be put back', found: `[${sqlstate}]` } };
}
type NotUndone = Exclude<UndoResult, { readonly outcome: 'undone' }>;

const unclear = (code: string, detail: string): NotUndone => ({ outcome: 'unknown', error: { code, detail, clean: false } });
const whyOf = (sqlstate: string, detail: string): string => (sqlstate === '22P02' || sqlstate.startsWith('42') && sqlstate !== '42501' ? `a table was altered since, or ${detail}` : detail);

/**
 * Puts everything back and leaves the end to the caller.
 * @param held ids of tables that the transaction had held for writing before
 * @throws Blocked
 */
export async function undo(transaction: Transaction, key: string, effect: Effect, digest: string, held: ReadonlySet<string> = new Set()): Promise<void> {
  const [kept] = await transaction.query<{ digest: string }>('SELECT aifirst.net_digest($1::bigint) AS digest', [effect.id]);
  if (kept!.digest !== digest || effect.digest !== digest) throw new Blocked(null, 'the images that were kept are not those that the step left', digest, kept!.digest);
  await transaction.run('SET LOCAL row_security = off');
  const relations = await holdAll(transaction, effect);
  const isReplica = await mayReplicate(transaction);
  if (isReplica) await transaction.run('SET LOCAL session_replication_role = replica');
  // Why marked only there: where triggers act, capture shows what else they may have done.
  const claim = await claimStep(transaction, undoKeyOf(key), 'done', !isReplica);
  const own = 'id' in claim ? claim.id : claim.known.id;
  const foreign = await findForeign(transaction, effect.id, relations);
  if (foreign !== null) throw new Blocked(placeOf(foreign.relation), whatOf(foreign), AS_LEFT, foreign.found, { rows: 'foreign', relations });
  const again: string[] = [];
  for (const relation of relations) again.push(...await holdTriggers(transaction, relation, isReplica));
  if (!isReplica) await transaction.run('SET CONSTRAINTS ALL DEFERRED');
  if (!await putBack(transaction, effect.id, relations, isReplica)) {
    throw new Blocked(placesOf(relations), 'the rows can\'t be put back as they were: a value is taken by another row by now, or something of the table changes what is written', 'the rows as before', 'others', { rows: 'taken', relations });
  }
  if (isReplica) await checkReferences(transaction, effect.id, relations);
  else await checkNothingElse(transaction, own, effect.id);
  for (const statement of again) await transaction.run(statement);
  const touched = new Set(relations.map(({ oid }) => oid));
  // Why: a cascade that finds no row holds its table too; where it is captured, `checkNothingElse` has seen that nothing changed.
  const other = (await heldForWriting(transaction)).find(({ oid, kind, schema, rowTriggers }) => !touched.has(oid) && !held.has(oid) && kind !== 'S' && !schema.startsWith('pg_') && (isReplica || rowTriggers !== 1));
  if (other !== undefined) throw new Blocked(`${other.schema}.${other.name}`, 'putting the rows back would change this table too', 'nothing else changed', 'a cascade or trigger');
  await transaction.query('DELETE FROM aifirst.images WHERE effect IN ($1, $2)', [effect.id, own]);
  await transaction.query(`UPDATE aifirst.effects SET xid = NULL, state = CASE WHEN id = $1 THEN 'undone' ELSE state END WHERE id IN ($1, $2)`, [effect.id, own]);
}

export const AS_LEFT = 'as this step left it';
export const whatOf = ({ key, found }: Pick<Found, 'key' | 'found'>): string => `${key === null ? 'a row' : `the row ${key.slice(0, 200)}`} ${FOUND[found] ?? 'was changed since'}`;
export const placeOf = ({ schema, name }: Pick<Relation, 'schema' | 'name'>): string => `${schema}.${name}`;
const placesOf = (relations: readonly Relation[]): string | null => (relations.length === 1 ? placeOf(relations[0]!) : null);

/** In the order of their ids, so that two undos can't wait for each other. */
async function holdAll(transaction: Transaction, { touched }: Effect): Promise<Relation[]> {
  const relations: Relation[] = [];
  for (const { oid, schema, name, shape } of [...touched].sort((a, b) => Number(a.oid) - Number(b.oid))) {
    const relation = await holdRelation(transaction, oid);
    if (relation === null || relation.shape !== shape) throw new Blocked(`${schema}.${name}`, `the table was ${relation === null ? 'dropped' : 'altered'} since (schema changed)`, 'the columns that it had', relation === null ? 'no such table' : 'others');
    relations.push(relation);
  }
  return relations;
}

async function checkReferences(transaction: Transaction, effect: string, relations: readonly Relation[]): Promise<void> {
  for (const relation of relations) {
    const dangling = await findDangling(transaction, effect, relation);
    if (dangling === null) continue;
    const { constraint, child, parent, images } = dangling;
    throw new Blocked(placeOf(relation), `rows of ${child} would refer to rows of ${parent} that are not there (constraint ${constraint})`, 'every reference leads somewhere', 'one that does not', images === null ? null : { rows: 'dangling', relations: [relation], images });
  }
}

/** What the undo changed must be part of what it was to take back. */
async function checkNothingElse(transaction: Transaction, own: string, effect: string): Promise<void> {
  await transaction.run('SET CONSTRAINTS ALL IMMEDIATE');
  const [more] = await transaction.query<{ place: string }>(`
    SELECT c.oid::regclass::text AS place FROM (SELECT DISTINCT relation FROM aifirst.images WHERE effect = $1) r JOIN pg_class c ON c.oid = r.relation, LATERAL aifirst.net($1, r.relation) u
    WHERE NOT EXISTS (SELECT 1 FROM aifirst.net($2, r.relation) f WHERE f.image = u.image AND f.times = -u.times) LIMIT 1`, [own, effect]);
  if (more !== undefined) throw new Blocked(null, `putting the rows back would change others of ${more.place} too, by a cascade or trigger`, 'nothing else changed', 'another row');
}

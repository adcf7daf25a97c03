import type { UndoConflict, UndoPreview } from '@aifirst/contracts';
import type { DoneCall, Image, StepCall } from '@aifirst/execution';
import { isObject, OperationalError, type Json } from '@aifirst/kernel';
import { heldForWriting } from '../completeness';
import { findEffect, type Effect } from '../effects';
import type { Workplace } from '../execute';
import { failureOf } from '../failures';
import { ident } from '../governance/schema';
import { PREVIEW_BYTES_MAX, PREVIEW_ROWS_MAX } from '../limits';
import { beforeOf } from '../plan';
import { Transaction } from '../transaction';
import { jsonText } from '../values';
import { FOREIGN_ORDER, waysOf } from './put-back';
import type { Relation } from './relation';
import { AS_LEFT, Blocked, effectToUndo, placeOf, resultOf, undo, whatOf } from './undo-change';

/** Undoes it, looks whether that got through, and rolls back: every row is given free again, and nothing is kept. @throws OperationalError where an undo's outcome would be unknown */
export async function previewUndoChange({ pools, boundary }: Workplace, call: StepCall, before: Image, after: Image, first: readonly DoneCall[] = []): Promise<UndoPreview> {
  const { key } = beforeOf(before);
  let transaction: Transaction | undefined;
  let effect: Effect | null = null;
  try {
    transaction = await Transaction.begin(pools, { connection: call.connection, signal: call.signal, statementMs: call.timeoutMs, boundary });
    if (call.transaction !== undefined && await findEffect(transaction, key, false) === null) {
      return { outcome: 'wouldUndo', summary: 'its transaction is not committed: it is rolled back', conflicts: [], truncated: false };
    }
    for (const one of first) await takeBack(transaction, one);
    effect = await effectToUndo(transaction, key);
    if (effect === null) return { outcome: 'nothingToDo', summary: 'it is undone already, or was never done', conflicts: [], truncated: false };
    const summary = await summaryOf(transaction, effect);
    await transaction.run('SAVEPOINT as_it_is');
    await undo(transaction, key, effect, String(after['digest']), await heldBy(transaction));
    return { outcome: 'wouldUndo', summary, conflicts: [], truncated: false };
  } catch (error) {
    const result = resultOf(error, call, transaction);
    if (result.outcome === 'unknown') throw new OperationalError(result.error.code, result.error.detail, { retryable: true, cause: error });
    const found = error instanceof Blocked && error.about !== null && transaction !== undefined && effect !== null ? await lookedAt(transaction, effect, call, error, error.about).catch(() => null) : null;
    const conflicts = found === null || found.conflicts.length === 0 ? [{ ...result.conflict, before: null, after: null, current: null }] : found.conflicts;
    return { outcome: 'wouldBlock', summary: result.conflict.what, conflicts, truncated: found !== null && found.total > found.conflicts.length };
  } finally {
    await transaction?.rollback();
  }
}

/** As far as it can be: what stands in its way stays. */
async function takeBack(transaction: Transaction, { before, after }: DoneCall): Promise<void> {
  const { key } = beforeOf(before);
  await transaction.run('SAVEPOINT one_before');
  try {
    const effect = await effectToUndo(transaction, key);
    if (effect !== null) await undo(transaction, key, effect, String(after['digest']), await heldBy(transaction));
  } catch (error) {
    if (!(error instanceof Blocked) && !failureOf(error).isDefinite) throw error;
    await transaction.run('ROLLBACK TO SAVEPOINT one_before');
  }
}
const heldBy = async (transaction: Transaction): Promise<ReadonlySet<string>> => new Set((await heldForWriting(transaction)).map(({ oid }) => oid));

/** Of each table the rows before, or those after where they are more. */
async function summaryOf(transaction: Transaction, { id, touched }: Effect): Promise<string> {
  let rows = 0, tables = 0;
  for (const { oid } of touched) {
    const [row] = await transaction.query<{ rows: number }>('SELECT greatest(coalesce(sum(times) FILTER (WHERE times > 0), 0), coalesce(-sum(times) FILTER (WHERE times < 0), 0))::int4 AS rows FROM aifirst.net($1::bigint, $2::oid)', [id, oid]);
    rows += row!.rows;
    if (row!.rows > 0) tables++;
  }
  return rows === 0 ? 'no row is to be put back' : `puts back ${count(rows, 'row')} of ${count(tables, 'table')}`;
}
const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** One more than is shown, so that it shows that there are more. */
const IMAGES_MAX = PREVIEW_ROWS_MAX + 1;
interface Row { readonly key: string | null; readonly found: string | null; readonly before: string | null; readonly after: string | null; readonly now: string | null }
interface Looked { readonly conflicts: readonly UndoConflict[]; readonly total: number }

/** Every row that stands in the way, the first 50 and 128 KiB of them with their sides. */
async function lookedAt(transaction: Transaction, { id }: Effect, call: StepCall, { what, expected, found, place }: Blocked, about: NonNullable<Blocked['about']>): Promise<Looked> {
  // Why first: what is not there then may be among what would have been put back.
  const images = about.rows === 'dangling' ? (await transaction.query<{ image: string }>(`SELECT DISTINCT image FROM (${about.images}) i WHERE length(image) <= ${PREVIEW_BYTES_MAX} ORDER BY 1 LIMIT ${IMAGES_MAX}`)).map(({ image }) => image) : [];
  await transaction.run('ROLLBACK TO SAVEPOINT as_it_is; SET LOCAL row_security = off');
  const bound = { rows: PREVIEW_ROWS_MAX, bytes: PREVIEW_BYTES_MAX };
  const conflicts: UndoConflict[] = [];
  let total = 0;
  for (const relation of about.relations) {
    for (const query of await queriesFor(transaction, id, relation, about)) {
      const columns = query.isForeign ? 'key, found' : 'NULL AS key, NULL AS found';
      const json = (side: string): string => `CASE WHEN ${side} IS NOT NULL THEN to_jsonb(${side}::${relation.table})::text END`;
      const values = about.rows === 'dangling' ? [images] : [];
      const [all] = await transaction.query<{ total: number }>(`WITH ${query.sql} SELECT count(*)::int4 AS total FROM f`, values);
      total += all!.total;
      if (all!.total === 0 || bound.rows === 0) continue;
      const rows = await transaction.query<Row>(`WITH ${query.sql} SELECT ${columns}, ${json('b')} AS before, ${json('a')} AS after, ${json('now')} AS now FROM f
        WHERE coalesce(length(b), 0) + coalesce(length(a), 0) + coalesce(length(now), 0) <= ${PREVIEW_BYTES_MAX} ORDER BY ${FOREIGN_ORDER} LIMIT ${bound.rows}`, values);
      for (const row of rows) {
        bound.bytes -= [row.before, row.after, row.now].reduce((sum, side) => sum + Buffer.byteLength(side ?? ''), 0);
        if (bound.bytes < 0) break;
        bound.rows--;
        const resource = `sql://${call.connection?.name ?? ''}`;
        const sides = { before: objectOf(row.before), after: objectOf(row.after), current: objectOf(row.now) };
        conflicts.push(row.found === null
          ? { resource: place === null ? resource : `${resource}/${place}`, what, expected, found, ...sides }
          : { resource: `${resource}/${placeOf(relation)}`, what: whatOf({ key: row.key, found: row.found }), expected: AS_LEFT, found: row.found, ...sides });
      }
    }
  }
  return { conflicts, total };
}

/** Each ends in `f (b, a, now)`, with `key` and `found` where they are foreign. */
async function queriesFor(transaction: Transaction, effect: string, relation: Relation, about: NonNullable<Blocked['about']>): Promise<readonly { readonly sql: string; readonly isForeign: boolean }[]> {
  const { sql } = waysOf(effect, relation, '');
  if (about.rows === 'foreign') return [{ sql: sql.foreign, isForeign: true }];
  if (about.rows === 'dangling') return [{ sql: sql.among('SELECT unnest($1::text[])'), isForeign: false }];
  const unique = await transaction.query<{ columns: string[] }>(`
    SELECT DISTINCT (SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (num, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num WHERE u.place <= i.indnkeyatts) AS columns
    FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY 1`, [relation.oid]);
  return unique.map(({ columns }) => ({ sql: sql.taken(columns.map(ident)), isForeign: false }));
}

function objectOf(text: string | null): Json {
  const value = text === null ? null : jsonText(text);
  return isObject(value) ? value : null;
}

import type { PreviewedChange, StepPreview } from '@aifirst/contracts';
import { CannotDo, type StepCall } from '@aifirst/execution';
import { isObject, type JsonObject } from '@aifirst/kernel';
import { resourceName } from '@aifirst/sql-syntax';
import { randomUUID } from 'node:crypto';
import { checkCompleteness } from './completeness';
import { claimStep, touchedBy } from './effects';
import { asAgent, settled, type Workplace } from './execute';
import { failureOf } from './failures';
import { PREVIEW_BYTES_MAX, PREVIEW_ROWS_MAX } from './limits';
import type { Planned } from './plan';
import { reachOf, shieldSequences } from './preview-sequences';
import { runPlanned } from './run-planned';
import { runStatement } from './run-statement';
import { checkNames } from './statement-check';
import { Interruption, Transaction } from './transaction';
import { keyed } from './undo/keyed';
import { holdRelation, type Relation } from './undo/relation';
import { jsonText } from './values';

/** Does it, looks at what came of it, and rolls back. @throws CannotDo as the step itself would fail */
export async function previewStatement({ pools, boundary }: Workplace, call: StepCall, planned: Planned): Promise<StepPreview> {
  const { statement, values, parts, isReading } = planned;
  let transaction: Transaction | undefined;
  const uri = (table: { readonly schema: string; readonly name: string }): string => `sql://${call.connection?.name ?? ''}/${resourceName(table)}`;
  try {
    transaction = await Transaction.begin(pools, { connection: call.connection, signal: call.signal, statementMs: call.timeoutMs, isReadOnly: isReading, boundary });
    const named = await checkNames(transaction, statement);
    const isTable = ({ kind }: { readonly kind: string }): boolean => 'rpm'.includes(kind);
    if (isReading) {
      await asAgent(transaction);
      const { rows } = await runStatement(transaction, statement.text, values);
      return { summary: `reads ${count(rows.length, 'row')}`, footprint: sorted(named.filter(isTable).map(uri)), changes: [], truncated: false };
    }
    const reach = await reachOf(transaction, named);
    if (!await shieldSequences(transaction, parts.map(part => part.statement), reach)) {
      return { summary: 'not tried out: it may draw numbers from sequences, which no rollback gives back', footprint: sorted([...named.filter(isTable), ...reach.tables].map(uri)), changes: [], truncated: true };
    }
    const claim = await claimStep(transaction, `preview/${randomUUID()}`, 'done', true);
    if (!('id' in claim)) throw new CannotDo('LOCKED', 'another preview has the same name');
    await asAgent(transaction);
    const { met } = await runPlanned(transaction, planned);
    await settled(transaction);
    const drawn = await checkCompleteness(transaction, statement.verb === 'truncate', true);
    const touched = await touchedBy(transaction, claim.id);
    const bound = { rows: PREVIEW_ROWS_MAX, bytes: PREVIEW_BYTES_MAX };
    const changes: Extract<PreviewedChange, { kind: 'rows' }>[] = [];
    for (const table of touched) {
      const relation = await holdRelation(transaction, table.oid);
      if (relation !== null) changes.push({ kind: 'rows', resource: uri(table), ...await changesOf(transaction, claim.id, relation, bound) });
    }
    const shown = changes.filter(({ inserted, updated, deleted }) => inserted + updated + deleted > 0);
    const total = shown.reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
    return {
      summary: (shown.length === 0 ? `changes no row (${count(met, 'row')} met)` : `changes ${count(total, 'row')} of ${count(shown.length, 'table')}`)
        + (drawn.length === 0 ? '' : `; trying it drew numbers from ${drawn.join(', ')}, which stay drawn`),
      footprint: sorted([...named.filter(isTable), ...touched].map(uri)), changes: shown,
      truncated: shown.reduce((sum, { rows }) => sum + rows.length, 0) < total,
    };
  } catch (error) {
    if (error instanceof Interruption || error instanceof CannotDo) throw error;
    const { code, detail } = failureOf(error);
    throw new CannotDo(call.signal.aborted ? 'TIMEOUT' : code, detail);
  } finally {
    await transaction?.rollback();
  }
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
const sorted = (uris: readonly string[]): string[] => [...new Set(uris)].sort();

type Bound = { rows: number; bytes: number };
type RowChanges = Pick<Extract<PreviewedChange, { kind: 'rows' }>, 'inserted' | 'updated' | 'deleted' | 'rows'>;

/** Net effect on one table, the first rows of it in pairs by their key. */
async function changesOf(transaction: Transaction, effect: string, relation: Relation, bound: Bound): Promise<RowChanges> {
  const { key, oid, table } = relation;
  const pairs = key.length > 0
    ? `WITH ${keyed(effect, relation).cte} SELECT b, a, 1::bigint AS times FROM k`
    : `SELECT CASE WHEN times > 0 THEN image END AS b, CASE WHEN times < 0 THEN image END AS a, abs(times) AS times FROM aifirst.net(${effect}, ${oid})`;
  const [sums] = await transaction.query<{ inserted: number; updated: number; deleted: number }>(`
    SELECT coalesce(sum(times) FILTER (WHERE b IS NULL), 0)::int4 AS inserted, coalesce(sum(times) FILTER (WHERE a IS NULL), 0)::int4 AS deleted,
      coalesce(sum(times) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL), 0)::int4 AS updated FROM (${pairs}) p`);
  const found = await transaction.query<{ before: string | null; after: string | null }>(`
    SELECT CASE WHEN b IS NOT NULL THEN to_jsonb(b::${table})::text END AS before, CASE WHEN a IS NOT NULL THEN to_jsonb(a::${table})::text END AS after
    FROM (${pairs}) p WHERE coalesce(length(b), 0) + coalesce(length(a), 0) <= ${PREVIEW_BYTES_MAX} ORDER BY b COLLATE "C", a COLLATE "C" LIMIT ${bound.rows}`);
  const rows: RowChanges['rows'][number][] = [];
  for (const { before, after } of found) {
    bound.bytes -= Buffer.byteLength(before ?? '') + Buffer.byteLength(after ?? '');
    if (bound.bytes < 0) break;
    bound.rows--;
    rows.push({ before: objectOf(before), after: objectOf(after) });
  }
  return { ...sums!, rows };
}

function objectOf(text: string | null): JsonObject | null {
  const value = text === null ? null : jsonText(text);
  return isObject(value) ? value : null;
}

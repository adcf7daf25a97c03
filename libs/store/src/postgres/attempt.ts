import { mergePositions, netPuts } from '../check-unit';
import type { NetPut } from '../check-unit';
import { stampRows } from '../row-text';
import type { Origin } from '../row-text';
import type { Append, Positions, StoredRow, Unit } from '../store';
import type { BinaryArrays } from './binary-arrays';
import { COMMIT } from './statements';
import type { Statement } from './statements';

/** Where a log stands after a commit. */
export interface Mark { readonly head: number; readonly sequence: number; readonly positions: Positions; readonly lowWater: number; readonly revision: number }

/** A unit, numbered and encoded as the statement that stores it. */
export interface Attempt {
  readonly unit: Unit;
  readonly appends: readonly Append[];
  readonly puts: readonly NetPut[];
  readonly rows: readonly StoredRow[];
  readonly mark: Mark;
  readonly statement: Statement;
  /** `SESSION_VALUE` is filled in at each try. The arrays in it are valid until the next attempt. */
  readonly values: unknown[];
  /** The row count that says it is stored. */
  readonly count: number;
}
export const SESSION_VALUE = 2;

interface Writing { readonly arrays: BinaryArrays; readonly origin: Origin; readonly writer: number; readonly epoch: number; readonly leaseMs: number; readonly mayStayUnflushed: boolean }

export function attemptOf(unit: Unit, before: Mark, { arrays, origin, writer, epoch, leaseMs, mayStayUnflushed }: Writing): Attempt {
  const appends = unit.appends ?? [];
  const puts = unit.documents === undefined || unit.documents.length === 0 ? [] : netPuts(unit.documents);
  const { rows, texts, head, sequence } = stampRows(appends, origin, before.head, before.sequence);
  const mark = {
    head, sequence,
    positions: mergePositions(before.positions, unit.positions),
    lowWater: Math.max(before.lowWater, unit.lowWater ?? 0),
    revision: before.revision + 1,
  };
  const shapes = unit.durable === false && mayStayUnflushed ? COMMIT.unflushed : COMMIT.flushed;
  const values: unknown[] = [writer, epoch, 0, leaseMs, JSON.stringify(mark.positions), mark.lowWater, mark.head, mark.sequence];
  arrays.reset();
  if (appends.length > 0 || puts.length > 0) {
    values.push(before.head, arrays.uuid(appends.map(row => row.stream)), arrays.int8(appends.map(row => row.version)),
      arrays.text(appends.map(row => row.tenant)), arrays.text(appends.map(row => row.key ?? null)), arrays.text(texts));
  }
  const attempt = { unit, appends, puts, rows, mark, values };
  if (puts.length === 0) return { ...attempt, statement: appends.length === 0 ? shapes.move : shapes.append, count: Math.max(appends.length, 1) };
  values.push(
    arrays.text(puts.map(put => put.kind)), arrays.text(puts.map(put => put.tenant)), arrays.text(puts.map(put => put.id)),
    arrays.int8(puts.map(put => put.expected ?? null)), arrays.int8(puts.map(put => put.step)), arrays.int8(puts.map(put => (put.fresh ? 1 : 0))),
    arrays.text(puts.map(put => (put.data === null ? null : JSON.stringify(put.data)))),
  );
  return { ...attempt, statement: shapes.whole, count: 1 };
}

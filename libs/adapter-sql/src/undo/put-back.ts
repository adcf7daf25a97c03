import { failureOf } from '../failures';
import type { Transaction } from '../transaction';
import { keyed, unkeyed } from './keyed';
import type { Relation } from './relation';

/** A value that must be unique stands in another row's way until that one is changed too. */
const IN_EACH_OTHERS_WAY = new Set(['23505', '23P01']);

type Ways = { readonly shape: 'keyed'; readonly sql: ReturnType<typeof keyed> } | { readonly shape: 'unkeyed'; readonly sql: ReturnType<typeof unkeyed> };
export const waysOf = (effect: string, relation: Relation, at: string): Ways =>
  (relation.key.length > 0 ? { shape: 'keyed', sql: keyed(effect, relation, at) } : { shape: 'unkeyed', sql: unkeyed(effect, relation, at) });

export interface Found { readonly relation: Relation; readonly key: string | null; readonly found: string }
/** Which of several rows is told of first. */
export const FOREIGN_ORDER = 'coalesce(b, a) COLLATE "C"';

/** Holds every row that the effect changed and looks at each again. @returns the first that is neither as before nor as after */
export async function findForeign(transaction: Transaction, effect: string, relations: readonly Relation[]): Promise<Found | null> {
  for (const relation of relations) await transaction.query(waysOf(effect, relation, '').sql.lock);
  for (const relation of relations) {
    const [row] = await transaction.query<{ key: string | null; found: string }>(`WITH ${waysOf(effect, relation, '').sql.foreign} SELECT key, found FROM f ORDER BY ${FOREIGN_ORDER} LIMIT 1`);
    if (row !== undefined) return { relation, ...row };
  }
  return null;
}

/**
 * Gives every row that is as after the effect its state before, and reads it again.
 * @param isReplica no trigger and no foreign key acts: table by table. Else all in one statement, so that cycles pass.
 * @returns whether all is as before now
 */
export async function putBack(transaction: Transaction, effect: string, relations: readonly Relation[], isReplica: boolean): Promise<boolean> {
  const groups = isReplica ? relations.map(relation => [relation]) : relations.length === 0 ? [] : [relations];
  const expected = new Map<Relation, string>();
  for (const relation of relations) {
    const { shape, sql } = waysOf(effect, relation, '');
    if (shape === 'unkeyed') expected.set(relation, (await transaction.query<{ digest: string }>(sql.expected))[0]!.digest);
  }
  for (const group of groups) {
    const ways = group.map((relation, i) => waysOf(effect, relation, isReplica ? '' : `_${i}`));
    await transaction.run('SAVEPOINT putting_back');
    if (await done(transaction, () => theShortWay(transaction, ways, isReplica)) && await isAsBefore(transaction, effect, group, expected)) continue;
    await transaction.run('ROLLBACK TO SAVEPOINT putting_back');
    if (!await done(transaction, () => theLongWay(transaction, ways)) || !await isAsBefore(transaction, effect, group, expected)) return false;
  }
  return true;
}

/** Changes what can be changed in its place. */
async function theShortWay(transaction: Transaction, ways: readonly Ways[], isReplica: boolean): Promise<void> {
  const steps = ways.map(({ shape, sql }) => (shape === 'keyed' ? [sql.remove, sql.update, sql.insert] : [sql.remove, sql.insert]).filter(step => step !== null));
  if (isReplica) {
    for (const [i, { sql }] of ways.entries()) for (const step of steps[i]!) await transaction.query(`WITH ${sql.cte} ${step}`);
    return;
  }
  await inOne(transaction, ways, steps.flat());
}

/** Takes away all that stands there after, and then puts in all that stood there before. */
async function theLongWay(transaction: Transaction, ways: readonly Ways[]): Promise<void> {
  await inOne(transaction, ways, ways.map(({ shape, sql }) => (shape === 'keyed' ? sql.removeAll : sql.remove)));
  await inOne(transaction, ways, ways.map(({ shape, sql }) => (shape === 'keyed' ? sql.insertAll : sql.insert)));
}

const inOne = (transaction: Transaction, ways: readonly Ways[], steps: readonly string[]): Promise<unknown> =>
  transaction.query(`WITH ${[...ways.map(({ sql }) => sql.cte), ...steps.map((step, i) => `step${i} AS (${step})`)].join(', ')} SELECT 1`);

async function done(transaction: Transaction, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!IN_EACH_OTHERS_WAY.has(failureOf(error).sqlstate ?? '')) throw error;
    return false;
  }
}

async function isAsBefore(transaction: Transaction, effect: string, relations: readonly Relation[], expected: ReadonlyMap<Relation, string>): Promise<boolean> {
  for (const relation of relations) {
    const { shape, sql } = waysOf(effect, relation, '');
    if (shape === 'keyed') {
      if ((await transaction.query<{ wrong: number }>(sql.verify))[0]!.wrong > 0) return false;
    } else if ((await transaction.query<{ digest: string }>(sql.actual))[0]!.digest !== expected.get(relation)) return false;
  }
  return true;
}

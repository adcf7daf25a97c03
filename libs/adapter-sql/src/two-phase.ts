import { CannotDo, type ActResult, type Image, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import { invariant, type Json } from '@aifirst/kernel';
import { escapeLiteral } from 'pg';
import { findEffect } from './effects';
import { asAgent, changeIn, failed, probeChange, runQuery, unclear, type Workplace } from './execute';
import { failureOf } from './failures';
import { transactionNameOf, type Kept } from './kept-transactions';
import { beforeOf, type Planned } from './plan';
import { runStatement } from './run-statement';
import { checkNames } from './statement-check';
import { Interruption, Transaction } from './transaction';

const LOST = 'TRANSACTION_LOST';
const lost = (): ActResult => failed(LOST, 'the transaction that this connection had for the workflow is gone (the adapter or the database was started again, or it waited too long between two steps), and with it what was done in it: nothing was committed');
const UNDONE: UndoResult = { outcome: 'undone', verified: true, reason: null };
const DONE: ActResult & { outcome: 'succeeded' } = { outcome: 'succeeded', output: {}, after: {} };
/** PREPARE TRANSACTION where the server keeps none. */
const NOT_PREPARED = '55000';
const NO_SUCH_TRANSACTION = '42704';

const heldBy = ({ transaction }: StepCall): readonly string[] => {
  invariant(transaction !== undefined, 'the call has no part in a transaction');
  return transaction.held;
};

/** A step in the transaction that its connection has for the workflow: begun by the first that writes, kept for the next. */
export async function runWork(work: Workplace, call: StepCall, before: Image, planned: Planned): Promise<ActResult> {
  const held = heldBy(call);
  const name = transactionNameOf(call);
  let kept: Kept | null = null;
  try {
    kept = work.kept.take(name, held);
    if (kept === null && held.length > 0) return lost();
    if (planned.isReading) return kept === null ? await runQuery(work, call, planned) : await readIn(work, name, kept, call, planned);
    kept ??= { transaction: await Transaction.begin(work.pools, { connection: call.connection, name, boundary: work.boundary }), held: [], hasTruncated: false };
    return await changeWithin(work, name, kept, call, before, planned);
  } catch (error) {
    kept?.transaction.end();
    if (error instanceof Interruption) throw error;
    // Why never unknown: nothing that is not prepared outlives its connection.
    const { code, detail } = failureOf(error);
    if (call.signal.aborted) return failed('TIMEOUT', 'the time was over before it was done');
    return held.length > 0 && code === 'CONNECTION_LOST' ? lost() : failed(code, detail);
  }
}

async function changeWithin(work: Workplace, name: string, kept: Kept, call: StepCall, before: Image, planned: Planned): Promise<ActResult> {
  const { transaction, held, hasTruncated } = kept;
  const image = beforeOf(before);
  try {
    const { result, isNew } = await transaction.during(call, async () => {
      await transaction.run('SAVEPOINT aifirst_step');
      const changed = await changeIn(transaction, image, planned, hasTruncated);
      await transaction.run('RELEASE SAVEPOINT aifirst_step');
      return changed;
    });
    // Why: a key that is taken shows that somebody has settled it meanwhile, so that this transaction may not go on.
    if (!isNew) { transaction.end(); return result.outcome === 'failed' ? result : lost(); }
    work.kept.keep(name, { transaction, held: [...held, image.key], hasTruncated: hasTruncated || planned.statement.verb === 'truncate' });
    return result;
  } catch (error) {
    const { code, detail, isDefinite } = failureOf(error);
    // Why not what we refuse ourselves: locks on what may not be touched stay to the end.
    if (error instanceof CannotDo || !isDefinite || held.length === 0 || call.signal.aborted) throw error;
    await transaction.run('ROLLBACK TO SAVEPOINT aifirst_step; RELEASE SAVEPOINT aifirst_step');
    work.kept.keep(name, kept);
    return failed(code, detail);
  }
}

/** Sees what the workflow has written there, and can't write. */
async function readIn(work: Workplace, name: string, kept: Kept, call: StepCall, { statement, values }: Planned): Promise<ActResult> {
  const { transaction } = kept;
  const result = await transaction.during(call, async (): Promise<ActResult> => {
    await transaction.run('SAVEPOINT aifirst_read; SET LOCAL transaction_read_only = on');
    let found: ActResult;
    try {
      await checkNames(transaction, statement);
      await asAgent(transaction);
      found = { outcome: 'succeeded', output: await runStatement(transaction, statement.text, values) as unknown as Json, after: {} };
    } catch (error) {
      const { code, detail, isDefinite } = failureOf(error);
      if (!(error instanceof CannotDo) && !isDefinite) throw error;
      found = failed(code, detail);
    }
    await transaction.run('ROLLBACK TO SAVEPOINT aifirst_read; RELEASE SAVEPOINT aifirst_read');
    return found;
  });
  work.kept.keep(name, kept);
  return result;
}

/** Makes durable what was done in it, undecided: from now on it outlives us and the target's own restart, until it is committed or rolled back. */
export async function prepareHeld(work: Workplace, call: StepCall): Promise<ActResult> {
  const name = transactionNameOf(call);
  const kept = work.kept.take(name, heldBy(call));
  if (kept === null) return lost();
  const { transaction } = kept;
  try {
    await transaction.during(call, () => transaction.prepare(name));
    return DONE;
  } catch (error) {
    if (error instanceof Interruption) throw error;
    const { code, detail, sqlstate } = failureOf(error);
    if (transaction.isInDoubt) return unclear('OUTCOME_UNKNOWN', `the answer to PREPARE TRANSACTION did not come: ${detail}`);
    return failed(code, sqlstate === NOT_PREPARED ? 'the database keeps no prepared transactions, which mode `atomic` needs (`max_prepared_transactions` is 0, or all are taken)' : detail);
  } finally { transaction.end(); }
}

export async function probePrepared(work: Workplace, call: StepCall): Promise<ProbeResult> {
  const name = transactionNameOf(call);
  try {
    work.kept.drop(name);
    // Why that order: who is gone can't prepare it any more, so that what is found then is all there will be.
    await endSessions(work, call, name);
    return await isPrepared(work, call, name) || await areDone(work, call) ? DONE : { outcome: 'didNotHappen' };
  } catch (error) { return cannotTell(error); }
}

/** It has been decided: whatever is in the way, it is asked for again. Only that the transaction is not there any more is a failure. */
export async function commitPrepared(work: Workplace, call: StepCall): Promise<ActResult> {
  try {
    if (await end(work, call, 'COMMIT', transactionNameOf(call)) || await areDone(work, call)) return DONE;
    return failed(LOST, 'the database does not have the prepared transaction any more, and it was not committed: somebody else has rolled it back');
  } catch (error) {
    if (error instanceof Interruption) throw error;
    return unclear('OUTCOME_UNKNOWN', `it could not be committed yet: ${failureOf(error).detail}`);
  }
}

export async function probeCommitted(work: Workplace, call: StepCall): Promise<ProbeResult> {
  try {
    if (await isPrepared(work, call, transactionNameOf(call))) return { outcome: 'didNotHappen' };
    return await areDone(work, call) ? DONE : { outcome: 'didNotHappen' };
  } catch (error) { return cannotTell(error); }
}

/** The workflow is taken back before it was committed: ends the transaction wherever it is. After the commit there is none. */
export async function undoPrepared(work: Workplace, call: StepCall): Promise<UndoResult> {
  try {
    await abandon(work, call);
    return UNDONE;
  } catch (error) {
    if (error instanceof Interruption) throw error;
    return { outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', detail: failureOf(error).detail, clean: false } };
  }
}

/**
 * Was a step done in a transaction that has been committed? If not, it is seen to that it can't be any more.
 * @returns as `probeChange`
 */
export async function probeWork(work: Workplace, call: StepCall, before: Image): Promise<ProbeResult> {
  try {
    if (!await isCommitted(work, call, [beforeOf(before).key])) await abandon(work, call);
  } catch (error) { return cannotTell(error); }
  return probeChange(work, call, before);
}

async function abandon(work: Workplace, call: StepCall): Promise<void> {
  const name = transactionNameOf(call);
  work.kept.drop(name);
  await endSessions(work, call, name);
  await end(work, call, 'ROLLBACK', name);
}

const SESSIONS_MS = 10_000;
const LOOK_MS = 50;

/** Whoever has the transaction open, in this process or another: is ended, and gone when this returns. */
async function endSessions(work: Workplace, call: StepCall, name: string): Promise<void> {
  for (const until = Date.now() + Math.min(SESSIONS_MS, call.timeoutMs); ;) {
    const rows = await alone<{ pid: number }>(work, call, `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ${escapeLiteral(name)} AND datname = current_database()`);
    if (rows.length === 0) return;
    if (Date.now() > until || call.signal.aborted) throw new CannotDo('LOCKED', 'a session that works on the transaction could not be ended yet');
    await new Promise(resolve => setTimeout(resolve, LOOK_MS));
  }
}

/** @returns false where there is no such prepared transaction */
async function end(work: Workplace, call: StepCall, how: 'COMMIT' | 'ROLLBACK', name: string): Promise<boolean> {
  try {
    work.boundary(how === 'COMMIT' ? 'commit prepared' : 'rollback prepared');
  } catch (cause) { throw new Interruption(how, { cause }); }
  try {
    await alone(work, call, `${how} PREPARED ${escapeLiteral(name)}`);
    return true;
  } catch (error) {
    if (failureOf(error).sqlstate === NO_SUCH_TRANSACTION) return false;
    throw error;
  }
}

async function isPrepared(work: Workplace, call: StepCall, name: string): Promise<boolean> {
  return (await alone(work, call, `SELECT 1 FROM pg_prepared_xacts WHERE gid = ${escapeLiteral(name)} AND database = current_database()`)).length > 0;
}

/** Has what the transaction held been committed? By the proof of each step in it. */
const areDone = (work: Workplace, call: StepCall): Promise<boolean> => isCommitted(work, call, heldBy(call));

async function isCommitted(work: Workplace, call: StepCall, keys: readonly string[]): Promise<boolean> {
  const transaction = await Transaction.begin(work.pools, { connection: call.connection, signal: call.signal, isReadOnly: true, boundary: work.boundary });
  try {
    for (const key of keys) {
      const effect = await findEffect(transaction, key, false);
      if (effect === null || effect.state === 'cancelled') return false;
    }
    return keys.length > 0;
  } finally { await transaction.rollback(); }
}

/** A statement that is no part of a transaction. Trusted text. */
async function alone<Row extends object>({ pools }: Workplace, call: StepCall, statement: string): Promise<readonly Row[]> {
  const { client } = await pools.client(call.connection);
  let failure: Error | undefined;
  try {
    return (await client.query<Row>(statement)).rows;
  } catch (error) {
    failure = failureOf(error).sqlstate === null ? error as Error : undefined;
    throw error;
  } finally { client.release(failure); }
}

function cannotTell(error: unknown): ProbeResult {
  if (error instanceof Interruption) throw error;
  return { outcome: 'cannotTell', detail: failureOf(error).detail };
}

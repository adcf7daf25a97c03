import { CannotDo, type ActResult, type Image, type ProbeResult, type StepCall } from '@aifirst/execution';
import { invariant, type Json } from '@aifirst/kernel';
import { checkCompleteness } from './completeness';
import { claimStep, sealEffect, touchedBy, type Effect } from './effects';
import { failureOf } from './failures';
import { dangerOf } from './governance/agent-role';
import { agentRoleOf } from './governance/govern';
import { ident } from './governance/schema';
import { lockOutput, openOutput } from './kept-output';
import type { KeptTransactions } from './kept-transactions';
import { LOCK_MS_MAX } from './limits';
import { beforeOf, type BeforeImage, type Planned } from './plan';
import type { Pools } from './pools';
import { runPlanned } from './run-planned';
import { runStatement } from './run-statement';
import { checkNames } from './statement-check';
import { Interruption, Transaction } from './transaction';

export interface Workplace { readonly pools: Pools; readonly kept: KeptTransactions; readonly boundary: (name: string) => void }

export const failed = (code: string, detail: string): ActResult => ({ outcome: 'failed', error: { code, detail, clean: true } });
export const unclear = (code: string, detail: string): ActResult => ({ outcome: 'unknown', error: { code, detail, clean: false } });

/** One read in a read-only transaction. */
export async function runQuery({ pools, boundary }: Workplace, call: StepCall, { statement, values }: Planned): Promise<ActResult> {
  return acting(call, async opened => {
    const transaction = opened(await Transaction.begin(pools, { connection: call.connection, signal: call.signal, statementMs: call.timeoutMs, isReadOnly: true, boundary }));
    await checkNames(transaction, statement);
    await asAgent(transaction);
    const output = await runStatement(transaction, statement.text, values);
    await transaction.rollback();
    return { outcome: 'succeeded', output: output as unknown as Json, after: {} };
  });
}

/** The statement, or each of a script, and the proof of it, in one transaction. */
export async function runChange({ pools, boundary }: Workplace, call: StepCall, before: Image, planned: Planned): Promise<ActResult> {
  return acting(call, async opened => {
    const transaction = opened(await Transaction.begin(pools, { connection: call.connection, signal: call.signal, statementMs: call.timeoutMs, boundary }));
    const { result, isNew } = await changeIn(transaction, beforeOf(before), planned);
    if (isNew) await transaction.commit();
    else await transaction.rollback();
    return result;
  });
}

/**
 * The statement and the proof of it, up to what ends the transaction.
 * @param hasTruncated an earlier step in the same transaction has, so that what it held is held still
 * @returns `isNew`: it was done just now; else what is known of it
 */
export async function changeIn(transaction: Transaction, image: BeforeImage, planned: Planned, hasTruncated = false): Promise<{ readonly result: ActResult; readonly isNew: boolean }> {
  const { statement } = planned;
  const claim = await claimStep(transaction, image.key, 'done', true);
  if ('known' in claim) {
    return { isNew: false, result: claim.known.state === 'cancelled' ? failed('CANCELLED', 'the step was found not to have happened, and can\'t happen any more under this key') : told(image, claim.known) };
  }
  await checkNames(transaction, statement);
  await asAgent(transaction);
  const { output } = await runPlanned(transaction, planned);
  await settled(transaction);
  await checkCompleteness(transaction, hasTruncated || statement.verb === 'truncate');
  const { digest } = await sealEffect(transaction, claim.id, await touchedBy(transaction, claim.id), lockOutput(image.outputKey, image.key, output));
  return { isNew: true, result: { outcome: 'succeeded', output, after: { digest } } };
}

/** What follows is the agent's: rights on rows alone. @throws CannotDo `FORBIDDEN` */
export async function asAgent(transaction: Transaction): Promise<void> {
  const role = agentRoleOf(transaction);
  const danger = transaction.target.agentRole === null ? null : await dangerOf(transaction, role);
  if (danger !== null) throw new CannotDo('FORBIDDEN', danger);
  await transaction.run(`SET LOCAL ROLE ${ident(role)}`);
}

/** Has what was put off happen now, still as the agent: deferred triggers, cascades of deferred foreign keys. Nothing is left for COMMIT. */
export const settled = (transaction: Transaction): Promise<void> => transaction.run('SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL ROLE NONE');

/** Before COMMIT is sent nothing can have been done, whatever fails. */
async function acting(call: StepCall, act: (opened: (transaction: Transaction) => Transaction) => Promise<ActResult>): Promise<ActResult> {
  let transaction: Transaction | undefined;
  try {
    return await act(opened => (transaction = opened));
  } catch (error) {
    if (error instanceof Interruption) throw error;
    const { code, detail } = failureOf(error);
    if (transaction?.isInDoubt === true) return unclear('OUTCOME_UNKNOWN', `the answer to COMMIT did not come: ${detail}`);
    return call.signal.aborted ? failed('TIMEOUT', 'the time was over before it was done') : failed(code, detail);
  } finally { transaction?.end(); }
}

const told = ({ key, outputKey }: BeforeImage, { output, digest }: Effect): ActResult & { outcome: 'succeeded' } => {
  invariant(output !== null, 'a step was done without an output');
  return { outcome: 'succeeded', output: openOutput(outputKey, key, output), after: { digest } };
};

/**
 * Takes the step's key itself: where it gets it, the step has not happened and can't any more. Who still works under the key
 * is waited for.
 */
export async function probeChange({ pools, boundary }: Workplace, call: StepCall, before: Image): Promise<ProbeResult> {
  const image = beforeOf(before);
  let transaction: Transaction | undefined;
  try {
    transaction = await Transaction.begin(pools, { connection: call.connection, signal: call.signal, lockMs: LOCK_MS_MAX, boundary });
    const claim = await claimStep(transaction, image.key, 'cancelled', false);
    if ('known' in claim) {
      await transaction.rollback();
      return claim.known.state === 'cancelled' ? { outcome: 'didNotHappen' } : told(image, claim.known);
    }
    await transaction.commit();
    return { outcome: 'didNotHappen' };
  } catch (error) {
    if (error instanceof Interruption) throw error;
    const { code, detail } = failureOf(error);
    return { outcome: 'cannotTell', detail: code === 'LOCKED' ? 'the step is still under way at the database' : detail };
  } finally { transaction?.end(); }
}

/** Its proof, images and output go; of an undo of it as well. */
export async function forgetChange({ pools, boundary }: Workplace, call: Pick<StepCall, 'connection'>, keys: readonly string[]): Promise<void> {
  const transaction = await Transaction.begin(pools, { connection: call.connection, boundary });
  try {
    await transaction.query(`WITH gone AS (DELETE FROM aifirst.effects WHERE step = ANY ($1) RETURNING id) DELETE FROM aifirst.images i USING gone g WHERE i.effect = g.id`, [keys]);
    await transaction.commit();
  } catch (error) {
    // Why: a schema that is gone took what was kept with it.
    if (failureOf(error).sqlstate !== '42P01' && failureOf(error).sqlstate !== '3F000') throw error;
  } finally { transaction.end(); }
}

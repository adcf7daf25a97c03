import { createHash } from 'node:crypto';
import type { StepCall } from '@aifirst/execution';
import { invariant } from '@aifirst/kernel';
import type { Transaction } from './transaction';

/** A transaction between two steps of its workflow. `held`: keys of the writing steps that are done in it. */
export interface Kept { readonly transaction: Transaction; readonly held: readonly string[]; readonly hasTruncated: boolean }

/**
 * The open transactions of mode `atomic` in this process, by name. Nothing of them survives it: where one is missing that should be
 * there, all that was done in it is undone by the target itself, and the workflow is told.
 */
export class KeptTransactions {
  private readonly open = new Map<string, Kept>();

  /** Takes one out, to act in it; null: it is not there, or does not hold exactly these (any more). */
  take(name: string, held: readonly string[]): Kept | null {
    const kept = this.open.get(name);
    this.open.delete(name);
    if (kept === undefined) return null;
    if (!kept.transaction.isLost && held.length === kept.held.length && held.every((key, index) => key === kept.held[index])) return kept;
    kept.transaction.end();
    return null;
  }

  keep(name: string, kept: Kept): void {
    invariant(!this.open.has(name), 'a workflow has one transaction on a connection');
    this.open.set(name, kept);
    kept.transaction.client.once('end', () => { if (this.open.get(name) === kept) this.drop(name); });
  }

  drop(name: string): void {
    this.open.get(name)?.transaction.end();
    this.open.delete(name);
  }

  close(): void { for (const name of [...this.open.keys()]) this.drop(name); }
}

/** What the target knows a workflow's transaction on a connection by: also when it is prepared, and when whoever began it is gone. At most 63 bytes. */
export const transactionNameOf = ({ workflow, connection }: Pick<StepCall, 'workflow' | 'connection'>): string =>
  `aifirst/${workflow}/${createHash('sha256').update(connection?.name ?? '').digest('hex').slice(0, 16)}`;

import { LockTable } from '../domain/lock-table';
import type { Holding, LockKeeper } from './ports';

/** The locks of an orchestrator that is the only one: what is asked is answered at once. */
export class LocalLocks extends LockTable implements LockKeeper {
  async begin(holdings: readonly Holding[], at: number): Promise<void> {
    for (const { workflow, locks } of holdings) this.grant(workflow, locks, at);
  }

  /** Why not as it was before the round: who was given something in it is asked anew what it wants. */
  discard(before: readonly Holding[], at: number): void {
    for (const { workflow } of before) this.release(workflow);
    for (const { workflow, locks } of before) if (locks.length > 0) this.grant(workflow, locks, at);
  }

  flush(): void { /* What was asked has been done. */ }
  onNews(): () => void { return () => undefined; }
  async close(): Promise<void> { /* Nothing is open. */ }
}

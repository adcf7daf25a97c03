import type { Clock, Ids } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import type { Vault } from '@aifirst/vault';
import type { ConnectionResolver, ExecutionAdapter } from './execution-adapter';
import type { JournalHooks } from './journal-hooks';
import type { ControlView } from './leave';

export interface StepJournalOptions {
  readonly log: Log;
  readonly adapters: readonly ExecutionAdapter[];
  /** Seals leases; shared with policy. */
  readonly serviceKey: Buffer;
  readonly vault: Vault;
  readonly connections: ConnectionResolver;
  readonly control: ControlView;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'uuid'>;
  /** How long images are kept for undo, counted from the outcome. */
  readonly undoWindowMs: number;
  /** Prepares, probes and undos at once. Default 64: a batch's worth of file descriptors, not of a target's patience. */
  readonly concurrency?: number;
  /** Acts at once, default 10,000: slow ones cost memory only, and must not hold up the others. */
  readonly actsMax?: number;
  /** Commands not taken over yet beyond which `handle` lets the bus wait. Default 2,000: four batches. */
  readonly queueMax?: number;
  /** The other services' schemas lie in other database clusters (or the bus is Kafka): every commit waits for the disk. Default false. */
  readonly separateClusters?: boolean;
  /** How long after its time-out an adapter may take to stop by itself. Default 1,000 ms. */
  readonly graceMs?: number;
  /**
   * What the journal held of workflows that were made before this time (ms since 1970) may have been removed: of what is
   * not found then nobody can say that it was never done. Default: nothing has been removed.
   */
  readonly forgottenBefore?: () => number;
  readonly hooks?: JournalHooks;
}

import type { Batch } from '@aifirst/bus';
import type { ExecutionAdapter, StepJournal } from '@aifirst/execution';
import type { Log } from '@aifirst/store';

/**
 * Where a fault can be put into a run from outside: what the services are handed is wrapped, what they are made of is
 * replaced in the one object at hand. Without any of it a run is the product's own.
 */
export interface Plant {
  readonly name: string;
  readonly adapter?: (adapter: ExecutionAdapter) => ExecutionAdapter;
  readonly journal?: (journal: StepJournal, log: Log) => void;
  readonly orchestratorLog?: (log: Log) => Log;
  /** What the orchestrator gets to hear. */
  readonly orchestratorHears?: (batch: Batch) => Batch;
  /** Before and after the run. */
  readonly install?: () => () => void;
}
export const NOTHING_PLANTED: Plant = { name: 'nothing' };

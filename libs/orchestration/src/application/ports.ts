import type { Lock, WorkflowFact } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import type { LockBatch, LockEntry, LockState } from '../domain/lock-replica';
import type { Granted, HeldLock, LockAnswer, WaitedFor, Yielding } from '../domain/lock-table';
import type { ResendPace } from '../domain/pauses';
import type { Control } from '../domain/turn';
import type { Workflow } from '../domain/workflow';

/** What holds a tenant or an agent right now; says so when it changes. */
export interface ControlSource {
  /** @param chain ids of those on whose behalf the agent acts: what holds one of them holds it */
  control(tenant: string, agent: string, chain?: readonly string[]): Control;
  /** @param listener gets the tenant whose state has moved, null: all */
  onChange(listener: (tenant: string | null) => void): () => void;
}

/** What is counted. Called after the commit that makes it true. */
export interface OrchestratorTelemetry {
  /** @param before the workflow before the commit, null: it is new */
  fact(fact: WorkflowFact, workflow: Workflow, at: number, before: Workflow | null): void;
  ignored(kind: 'late' | 'early'): void;
}

/** What a workflow holds by its facts. */
export interface Holding { readonly workflow: string; readonly locks: readonly Lock[] }

/**
 * Who holds and who waits, by the rules of `LockTable`, for the workflows of one orchestrator, and perhaps of others. What is
 * asked belongs to a round: it counts once that is committed (`flush`), or never (`discard`). Times are ms since 1970.
 */
export interface LockKeeper {
  /** Before anything is asked: what this orchestrator's workflows hold; whatever else was held for it is let go. @throws Fenced; OperationalError STOPPED */
  begin(holdings: readonly Holding[], at: number): Promise<void>;
  /**
   * It wants these, and nothing else that it asked for before.
   * @param late it holds others already: wait-die
   * @param held what it holds by its facts. What it was granted meanwhile for an earlier request, and was not told of, it does not keep.
   * @returns `waiting` also where the answer takes time: `grantWaiting` or `yielding` bring it
   */
  request(workflow: string, wanted: readonly Lock[], late: boolean, at: number, held: readonly Lock[]): LockAnswer;
  /** It wants nothing any more, and holds what it holds. @param held as with `request` */
  cancel(workflow: string, held: readonly Lock[]): void;
  /** It wants nothing, and holds these alone. */
  hold(workflow: string, locks: readonly Lock[], at: number): void;
  /** It neither holds nor wants anything. */
  release(workflow: string): void;
  /** Who was granted what it waited for. Each is told once. */
  grantWaiting(at: number): readonly Granted[];
  /** Who waited and has to yield to an older one. Each is told once. */
  yielding(): readonly Yielding[];
  /** What this orchestrator's workflows hold. Who waits for it may be another's. */
  view(): readonly HeldLock[];
  waitOf(workflow: string): WaitedFor | null;
  /** What was asked and told in this round has not happened. @param before what those that it touched hold by what is stored */
  discard(before: readonly Holding[], at: number): void;
  /** The round is committed. */
  flush(): void;
  /** @param listener is called when `grantWaiting` or `yielding` have something that was not caused by this round */
  onNews(listener: () => void): () => void;
  close(): Promise<void>;
}

/** What the shards' writers have asked of the locks that they share, in one order for all. */
export interface LockLog {
  /**
   * Stores a batch behind all others, if the shard's log still has this epoch; once, however often the same one comes.
   * @param after the last number that is known
   * @returns what follows `after`
   * @throws Fenced (nothing was stored, nor will be); OperationalError (retryable: append the very same batch again)
   */
  append(batch: LockBatch, after: number): Promise<LockNews>;
  /** @throws OperationalError (retryable when the store is away) */
  read(after: number): Promise<LockNews>;
  /** So that what lies well before it can go. One that is older than what is there does nothing. @throws OperationalError */
  saveSnapshot(state: LockState): Promise<void>;
  /** Called with the shard when something was appended by this very object: whoever shares it need not wait for the next look. */
  onAppended(listener: (shard: number) => void): () => void;
}
export interface LockNews {
  /** Not null where what follows was asked for and is gone: the state to go on from. */
  readonly snapshot: LockState | null;
  /** Gapless, from there on; perhaps not all up to the head. */
  readonly entries: readonly LockEntry[];
  /** Number of the last one there is. */
  readonly head: number;
}

export interface OrchestratorOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly chance: () => number;
  readonly control: ControlSource;
  /** Default: a table of its own, for workflows that no other orchestrator's cross. `close`d by `stop`. */
  readonly locks?: LockKeeper;
  readonly telemetry?: OrchestratorTelemetry;
  /** Bugs and corrupt histories of one workflow: said, never thrown at the others. What brought them is parked by the bus. */
  readonly onDefect?: (workflow: string, error: unknown, traceparent?: string) => void;
  /** A commit failed for good: nothing more is driven here. The log is whole; a new start carries on. Called once. */
  readonly onFatal: (error: unknown) => void;
  /** How soon what nobody answered is sent again. Default `CALM_PACE`; over a bus that may lose messages `LOSSY_PACE`. */
  readonly resend?: ResendPace;
  /** All services share one database cluster, so that a later synchronous commit flushes what came before (docs/adr/0004). */
  readonly sharedCluster: boolean;
}

import type { WorkflowFact } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import type { ResendPace } from '../domain/pauses';
import type { Control } from '../domain/turn';
import type { Workflow } from '../domain/workflow';

/** What holds a tenant or an agent right now; says so when it changes. */
export interface ControlSource {
  control(tenant: string, agent: string): Control;
  /** @param listener gets the tenant whose state has moved, null: all */
  onChange(listener: (tenant: string | null) => void): () => void;
}

/** What is counted. Called after the commit that makes it true. */
export interface OrchestratorTelemetry {
  /** @param before the workflow before the commit, null: it is new */
  fact(fact: WorkflowFact, workflow: Workflow, at: number, before: Workflow | null): void;
  ignored(kind: 'late' | 'early'): void;
}

export interface OrchestratorOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly chance: () => number;
  readonly control: ControlSource;
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

import type { Job } from './step-commands';

/** What telemetry may want to know. None may throw. */
export interface JournalHooks {
  /** `outcome`: the adapter's word, or `thrown`, `late`, `returned` (an image). */
  onAct?(act: { readonly name: 'prepare' | 'execute' | 'probe' | 'undo'; readonly capability: string; readonly outcome: string; readonly durationMs: number }): void;
  onCommit?(commit: { readonly rows: number; readonly durable: boolean; readonly durationMs: number }): void;
  /** A command was refused: `INVALID_SEAL`, `FENCED`, `WRONG_STEP`. */
  onRefused?(code: string): void;
  /** The journal has ended by itself: it was fenced, or met a bug. It takes nothing any more; the process should start anew. */
  onFatal?(error: unknown): void;
  /** Wraps every call of an adapter: a span below `job.traceparent`. Must return what `run` returns, and call it once. */
  around?<T>(act: { readonly name: 'prepare' | 'execute' | 'probe' | 'undo'; readonly job: Job; readonly adapter: string }, run: () => Promise<T>): Promise<T>;
}

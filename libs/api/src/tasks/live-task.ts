import type { Clock } from '@aifirst/kernel';
import type { Blocked, TaskRecord } from './task-record';
import { ResultSchema } from './result-schema';

/** A task in memory: its record, what runs for it, and who waits for it. */
export class LiveTask {
  /** When the present claim is lost, in ms. */
  leaseUntil = 0;
  /** Somebody is claiming it. */
  isReserved = false;
  /** The generation of the step that was told of its failure. */
  told: number | null = null;
  blocked: Blocked | null = null;
  /** It is not known what is stored: to be read again before it is changed. */
  isStale = false;
  /** The generation that asked has been seen to run in the workflow's view: what the view says from then on is news. */
  isSeen = false;
  /** Whoever has just given it up leaves it to others for a while. */
  notFor: { readonly agent: string; readonly until: number } | null = null;
  /** Its work is being taken back. */
  isTakingBack = false;
  cancelTimer: () => void = () => {};
  unwatch: () => void = () => {};
  private last: Promise<unknown> = Promise.resolve();
  private readonly listeners = new Set<() => void>();
  private schema: ResultSchema | null | undefined;

  /** @param isPast kept among those that have ended and whose transaction has too */
  constructor(readonly tenant: string, readonly id: string, public record: TaskRecord, public generation: number, public isPast: boolean) {}

  /** One change after the other, each on what the one before left. */
  serially<R>(change: () => Promise<R>): Promise<R> {
    const result = this.last.then(change, change);
    this.last = result.catch(() => {});
    return result;
  }

  resultSchema(): ResultSchema | null {
    if (this.schema === undefined) {
      const { resultSchema } = this.record;
      const made = resultSchema === null ? null : ResultSchema.of(resultSchema);
      this.schema = made instanceof ResultSchema ? made : null;
    }
    return this.schema;
  }

  changed(): void { for (const listener of [...this.listeners]) listener(); }

  /** Resolves when something changes, the time is over, or the signal aborts. */
  nextChange(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> { return nextCall(this.listeners, clock, ms, signal); }
}

/** Resolves at the next call of what it puts into `listeners`, when the time is over, or when the signal aborts. */
export function nextCall(listeners: Set<() => void>, clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => { listeners.delete(end); cancel(); signal?.removeEventListener('abort', end); resolve(); };
    const cancel = clock.after(ms, end);
    listeners.add(end);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted === true) end();
  });
}

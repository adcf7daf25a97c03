import { OperationalError, type Clock } from '@aifirst/kernel';
import { namedError } from './call-maker';
import { CannotDo } from './execution-adapter';
import { within } from './guarded-act';
import { Gate } from './serialiser';

export interface PreviewBounds {
  readonly clock: Clock;
  /** At once; the rest wait their turn, within their time. Default 8: they read targets that steps work on. */
  readonly concurrency?: number;
  /** How long after its time-out an adapter may take to stop by itself. Default 1,000 ms. */
  readonly graceMs?: number;
}

/** It can't be shown; `passing`: not now. */
export type NotShown = { readonly error: { readonly code: string; readonly detail: string; readonly passing: boolean } };

const CONCURRENCY = 8;
const GRACE_MS = 1_000;

/** Lets so many look at targets at once, each within its time and a little, whatever the target does. */
export class BoundedLooks {
  private readonly gate: Gate;

  constructor(private readonly bounds: PreviewBounds) { this.gate = new Gate(bounds.concurrency ?? CONCURRENCY); }

  async look<A>(timeoutMs: number, make: (signal: AbortSignal) => Promise<A>): Promise<A | NotShown> {
    const { clock, graceMs = GRACE_MS } = this.bounds;
    const abort = new AbortController();
    const ended = await within(clock, timeoutMs, graceMs, abort, () => this.gate.run(async () => {
      if (abort.signal.aborted) throw abort.signal.reason;
      return make(abort.signal);
    }));
    if (ended.end === 'late') return timedOut(timeoutMs);
    if (ended.end === 'returned') return ended.value;
    return abort.signal.aborted ? timedOut(timeoutMs) : failed(ended.error);
  }
}

const timedOut = (timeoutMs: number): NotShown => ({ error: { code: 'TIMEOUT', detail: `not shown within ${timeoutMs} ms`, passing: true } });

/** As the step itself would fail; of anything else no more than its name. */
function failed(error: unknown): NotShown {
  if (error instanceof CannotDo) return { error: { code: error.code, detail: error.message, passing: false } };
  const passing = error instanceof OperationalError && error.retryable;
  return { error: { code: error instanceof OperationalError ? error.code : 'ADAPTER_ERROR', detail: `it can't be shown: ${namedError(error)}`, passing } };
}

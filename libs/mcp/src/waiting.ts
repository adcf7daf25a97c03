import type { Clock } from '@aifirst/kernel';
import type { Governance } from './governance';
import { ProgressReporter } from './progress';
import type { ToolCall } from './tool-call';

/** What a call waits for. */
export interface Awaited<T> {
  readonly workflowId: string;
  /** As soon as it is over, or as it is when the time is over. */
  ask(waitMs: number): Promise<T>;
  isOver(found: T): boolean;
  /** How it comes along. */
  message(): Promise<string>;
}
/** `found` null: whoever has called is gone, and nothing was known by then. */
export interface Found<T> { readonly found: T | null; readonly isGone: boolean }

/** A client that waits longer than this is looked after anew: whether it is still there, whether we are. */
const SLICE_MS = 5_000;

/** Waits for calls, as long as somebody is there to be answered. */
export class Waiting {
  private ended = false;

  constructor(private readonly governance: Pick<Governance, 'watch'>, private readonly clock: Clock) {}

  /** From now on whoever waits is answered with what is known. */
  end(): void { this.ended = true; }
  get isEnding(): boolean { return this.ended; }

  async for<T>(call: Pick<ToolCall, 'signal' | 'progress'>, waitMs: number, awaited: Awaited<T>): Promise<Found<T>> {
    const endsMs = this.clock.now() + waitMs;
    const stopTelling = this.tell(call, awaited);
    try {
      for (;;) {
        // Why none when ending: whoever waits has been sent home, and nobody would send us.
        const left = this.ended ? 0 : endsMs - this.clock.now();
        const found = await untilGone(awaited.ask(Math.max(0, Math.min(SLICE_MS, left))), call.signal);
        if (call.signal.aborted) return { found, isGone: true };
        if (this.ended || left <= SLICE_MS || (found !== null && awaited.isOver(found))) return { found, isGone: false };
      }
    } finally {
      stopTelling();
    }
  }

  private tell({ progress }: Pick<ToolCall, 'progress'>, { workflowId, message }: Awaited<unknown>): () => void {
    if (progress === undefined) return () => undefined;
    const began = this.clock.now();
    const reporter = new ProgressReporter(progress, async () => `${await message()}, ${Math.round((this.clock.now() - began) / 1_000)} s`, this.clock);
    const stopWatching = this.governance.watch(workflowId, () => { reporter.touch(); });
    return () => { reporter.stop(); stopWatching(); };
  }
}

/** What it resolves with, or null as soon as the signal says that nobody waits. */
function untilGone<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) { work.catch(() => undefined); return Promise.resolve(null); }
  return new Promise((resolve, reject) => {
    const gone = (): void => { resolve(null); };
    signal.addEventListener('abort', gone, { once: true });
    work.then(resolve, reject).finally(() => { signal.removeEventListener('abort', gone); });
  });
}

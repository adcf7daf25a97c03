import type { Clock } from '@aifirst/kernel';

/** One notification: `progress` rises with each. */
export interface ProgressReport { readonly progress: number; readonly message: string }

/** Why not at once: an answer that comes soon needs no stream for what goes before it. */
const FIRST_MS = 500;
/** Facts come in bursts: at most so often. */
const PACE_MS = 250;
const HEARTBEAT_MS = 5_000;

/** Tells a client that waits how its workflow comes along, as often as something happens and now and then besides. */
export class ProgressReporter {
  private told = 0;
  private changed = true;
  private cancel: () => void = () => {};
  private stopped = false;
  private lastMs: number;

  /** @param message asked for each time */
  constructor(private readonly send: (report: ProgressReport) => Promise<void>, private readonly message: () => Promise<string>, private readonly clock: Clock) {
    this.lastMs = clock.now();
    this.next(FIRST_MS);
  }

  /** Something happened. */
  touch(): void { this.changed = true; }
  stop(): void { this.stopped = true; this.cancel(); }

  private next(delayMs: number): void { this.cancel = this.clock.after(delayMs, () => { void this.tell(); }); }

  private async tell(): Promise<void> {
    if (this.changed || this.clock.now() - this.lastMs >= HEARTBEAT_MS) {
      this.changed = false;
      this.lastMs = this.clock.now();
      try {
        const message = await this.message();
        if (this.stopped) return;
        this.told++;
        await this.send({ progress: this.told, message });
      } catch { /* Why: whoever is told may be gone, and what is told of goes on. */ }
    }
    if (!this.stopped) this.next(PACE_MS);
  }
}

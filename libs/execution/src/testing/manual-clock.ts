import type { Clock } from '@aifirst/kernel';

/** Time that stands still until it is moved. */
export class ManualClock implements Clock {
  private readonly timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  constructor(private at = Date.UTC(2026, 0, 2, 3, 4, 5)) {}

  now(): number { return this.at; }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.at + delayMs, callback };
    this.timers.add(timer);
    return () => { this.timers.delete(timer); };
  }

  /** Lets everything that is due by then happen, in order, and what follows from it. */
  async advance(ms: number): Promise<void> {
    const until = this.at + ms;
    for (;;) {
      await settled();
      const next = [...this.timers].filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.at = Math.max(this.at, next.at);
      next.callback();
    }
    this.at = until;
    await settled();
  }
}

/** Lets what is ready happen. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise<void>(resolve => setImmediate(resolve));
}

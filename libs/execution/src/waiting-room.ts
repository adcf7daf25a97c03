import type { Clock } from '@aifirst/kernel';

/** How long something that nobody announces may go unnoticed. */
export const RECHECK_MS = 50;

export interface Wait<T> { readonly promise: Promise<T>; /** Something it waits for may have changed. */ look(): void }

/** For whoever can't go on now. Each says by a function what it waits for, and goes on as soon as that gives something. */
export class WaitingRoom {
  private readonly looks = new Set<() => void>();
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  wait<T>(found: () => T | undefined): Wait<T> {
    const { looks } = this;
    let resolve!: (value: T) => void;
    const promise = new Promise<T>(resolved => { resolve = resolved; });
    const look = (): void => {
      if (!looks.has(look)) return;
      const value = found();
      if (value === undefined) return;
      looks.delete(look);
      resolve(value);
    };
    looks.add(look);
    look();
    if (looks.has(look)) this.tick();
    return { promise, look };
  }

  recheck(): void { for (const look of [...this.looks]) look(); }
  size(): number { return this.looks.size; }
  close(): void { this.cancelTimer?.(); this.cancelTimer = null; this.looks.clear(); }

  private tick(): void {
    this.cancelTimer ??= this.clock.after(RECHECK_MS, () => {
      this.cancelTimer = null;
      this.recheck();
      if (this.looks.size > 0) this.tick();
    });
  }
}

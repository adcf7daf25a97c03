import type { ActResult } from './execution-adapter';

/** Results nobody asks about any more must not pile up; a probe finds the outcome without them too. */
const KEPT_MAX = 1_000;

/** Definite results of acts that came after their outcome was reported as unknown. */
export class LateResults {
  private readonly ofSlot = new Map<string, ActResult>();

  keep(slot: string, result: ActResult): void {
    this.ofSlot.set(slot, result);
    if (this.ofSlot.size > KEPT_MAX) this.ofSlot.delete(this.ofSlot.keys().next().value!);
  }

  take(slot: string): ActResult | undefined {
    const result = this.ofSlot.get(slot);
    this.ofSlot.delete(slot);
    return result;
  }
}

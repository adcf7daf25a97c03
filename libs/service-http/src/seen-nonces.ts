/** How far the clocks of two processes may be apart. */
export const CLOCK_SKEW_MS_MAX = 60_000;
/** What is forgotten is forgotten by so much at once. */
const SPAN_MS = 10_000;

/** Which questions have been heard, for as long as their time would let them be heard again. */
export class SeenNonces {
  /** By the span of time that the asker's clock was in. */
  readonly #spans = new Map<number, Set<string>>();

  static isFresh(at: number, now: number): boolean { return Math.abs(now - at) <= CLOCK_SKEW_MS_MAX; }

  /** @returns false when it was heard before */
  add(nonce: string, at: number, now: number): boolean {
    const span = Math.floor(at / SPAN_MS);
    let seen = this.#spans.get(span);
    if (seen === undefined) {
      for (const old of this.#spans.keys()) if ((old + 1) * SPAN_MS + CLOCK_SKEW_MS_MAX < now) this.#spans.delete(old);
      this.#spans.set(span, seen = new Set());
    }
    if (seen.has(nonce)) return false;
    seen.add(nonce);
    return true;
  }

  /** How many are remembered. */
  get size(): number { return [...this.#spans.values()].reduce((total, { size }) => total + size, 0); }
}

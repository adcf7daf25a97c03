/** Numbers of a producer that are missing while later ones are there. */
export interface Gap { readonly producer: string; /** The first that is missing. */ readonly from: number; /** The first that is there again. */ readonly to: number }

/**
 * Puts what producers say into the order of their numbers: repeats are dropped, what comes too early is held, as far as
 * there is room; beyond it is dropped, and comes again with what is missing.
 */
export class Sequencer<E> {
  readonly #last: Map<string, number>;
  readonly #held = new Map<string, Map<number, E>>();
  /** Per producer the highest number that was seen and is not taken. */
  readonly #seen = new Map<string, number>();

  constructor(last: Readonly<Record<string, number>>, private readonly heldMax: number) { this.#last = new Map(Object.entries(last)); }

  /** The last number of the producer that was taken, 0 = none. */
  last(producer: string): number { return this.#last.get(producer) ?? 0; }
  lasts(): Readonly<Record<string, number>> { return Object.fromEntries(this.#last); }

  /** Adds to `ready` what can be taken now, in order. */
  offer(producer: string, sequence: number, event: E, ready: E[]): void {
    let last = this.last(producer);
    if (sequence <= last) return;
    if (sequence > last + 1) { this.#hold(producer, sequence, event); return; }
    ready.push(event);
    last = sequence;
    const held = this.#held.get(producer);
    if (held !== undefined) {
      for (let next = held.get(last + 1); next !== undefined; next = held.get(last + 1)) { held.delete(++last); ready.push(next); }
      if (held.size === 0) this.#held.delete(producer);
      if ((this.#seen.get(producer) ?? 0) <= last) this.#seen.delete(producer);
    }
    this.#last.set(producer, last);
  }

  gaps(): readonly Gap[] {
    return [...this.#seen].flatMap(([producer, seen]) => {
      const from = this.last(producer) + 1;
      if (seen < from) return [];
      const held = this.#held.get(producer);
      return [{ producer, from, to: held === undefined || held.size === 0 ? seen : Math.min(...held.keys()) }];
    });
  }

  /** How many are held. */
  held(): number { return [...this.#held.values()].reduce((total, { size }) => total + size, 0); }

  #hold(producer: string, sequence: number, event: E): void {
    this.#seen.set(producer, Math.max(sequence, this.#seen.get(producer) ?? 0));
    const held = this.#held.get(producer) ?? new Map<number, E>();
    if (held.size < this.heldMax) held.set(sequence, event);
    this.#held.set(producer, held);
  }
}

interface Waiting { position: number; readonly needs: Map<string, number> }
/** Batches of one source that may wait apart; what comes after waits with the last of them. */
const WAITING_MAX = 64;

/** Which positions of its sources a consumer may commit: those before which every fact is taken. */
export class HeldPositions {
  readonly #waiting = new Map<string, Waiting[]>();

  /** @param needs per producer the highest number that the batch has from this source */
  add(source: string, position: number, needs: ReadonlyMap<string, number>): void {
    const queue = this.#waiting.get(source) ?? [];
    this.#waiting.set(source, queue);
    const last = queue.at(-1);
    if (last === undefined || queue.length < WAITING_MAX) { queue.push({ position, needs: new Map(needs) }); return; }
    last.position = position;
    for (const [producer, sequence] of needs) last.needs.set(producer, Math.max(sequence, last.needs.get(producer) ?? 0));
  }

  /** @param taken the last number of a producer that was taken */
  release(taken: (producer: string) => number): Readonly<Record<string, number>> {
    const released: Record<string, number> = {};
    for (const [source, queue] of this.#waiting) {
      let done = 0;
      while (done < queue.length && [...queue[done]!.needs].every(([producer, sequence]) => taken(producer) >= sequence)) released[source] = queue[done++]!.position;
      if (done === queue.length) this.#waiting.delete(source);
      else queue.splice(0, done);
    }
    return released;
  }
}

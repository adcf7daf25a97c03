import { invariant } from '@aifirst/kernel';
import type { SimProcess } from './sim-process';

interface Event { readonly at: number; readonly order: number; readonly owner: SimProcess | null; run: (() => void) | null }

/** 2026-01-02T03:04:05Z: where virtual time begins. */
const BEGINNING_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/**
 * One thread, one queue, virtual time. Everything that would wait in the real world (timers, the database, the network,
 * targets) is an event here; whatever follows from one by promises alone has settled before the next.
 */
export class World {
  /** Milliseconds since 1970, the true time; each process has a clock of its own. */
  now = BEGINNING_MS;
  /** Events so far: orders what happens at one time. */
  tick = 0;
  /** Whose code runs, as far as can be told: a crash point is passed by somebody. */
  current: SimProcess | null = null;
  #heap: Event[] = [];
  #orders = 0;

  get elapsedMs(): number { return this.now - BEGINNING_MS; }

  /** @param owner dead: it never comes; asleep: it comes when that wakes up. null: the world outside. @returns what cancels it */
  after(delayMs: number, run: () => void, owner: SimProcess | null = null): () => void {
    invariant(!Number.isNaN(delayMs), 'a delay is no number');
    const event: Event = { at: this.now + Math.max(0, Math.ceil(delayMs)), order: ++this.#orders, owner, run };
    this.#push(event);
    return () => { event.run = null; };
  }

  /**
   * Runs events until `isOver` says so after one of them, or none is left.
   * Why `nextTick` from a microtask: Node empties the queue of microtasks before it goes on with the next tick, so that
   * an event begins only when everything that followed from the last one has come to rest.
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (isOver() || !this.#next()) { resolve(); return; }
        } catch (error) { reject(error as Error); return; }
        queueMicrotask(() => process.nextTick(step));
      };
      process.nextTick(step);
    });
  }

  #next(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      const { owner, run } = event;
      if (run === null || owner?.alive === false) continue;
      if (owner !== null && owner.asleepUntil > event.at) { this.#push({ ...event, at: owner.asleepUntil, order: ++this.#orders, run: () => { event.run?.(); } }); continue; }
      invariant(event.at >= this.now, 'time goes back');
      this.now = event.at;
      this.tick++;
      this.current = owner;
      event.run = null;
      run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let child = heap.push(event) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Code that hands something to the next turn of the event loop does so in virtual time. @returns what puts the real one back */
export function takeOverImmediates(world: World): () => void {
  const real = globalThis.setImmediate;
  globalThis.setImmediate = ((callback: (...given: unknown[]) => void, ...given: unknown[]) => {
    // Why nobody's: whose code asks can't be told for certain; what it touches next is guarded by its process.
    world.after(0, () => { callback(...given); });
    return undefined;
  }) as unknown as typeof setImmediate;
  return () => { globalThis.setImmediate = real; };
}

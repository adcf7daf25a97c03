import { isClosed, type Workflow } from '../domain/workflow';

/** A workflow in memory: its state, and where it stands in the log. */
export interface Entry {
  state: Workflow;
  /** Of its last row. */
  version: number;
  /** Recovery of this workflow reads the log from here. */
  firstPosition: number;
  snapshotted: boolean;
  /** What it sent before counts as sent then; up to when what is due for it has been sent again. */
  readonly since: number;
  resentAt: number;
  /** The earliest alarm that is set for it. */
  alarmAt: number;
}

/**
 * Everything at or before it belongs to workflows that have ended or have a snapshot.
 * @param unreadable from where on rows are kept for whoever can read them
 * @param changed what these will be when the commit is done
 */
export function lowWaterOf(head: number, open: ReadonlyMap<string, Entry>, unreadable: Iterable<number>, changed: ReadonlyMap<string, { readonly state: Workflow }>): number {
  let oldest = head + 1;
  for (const [id, { state, firstPosition }] of open) if (firstPosition < oldest && !isClosed(changed.get(id)?.state ?? state)) oldest = firstPosition;
  for (const firstPosition of unreadable) oldest = Math.min(oldest, firstPosition);
  return oldest - 1;
}

/** Wakes in order of time: a binary heap; what has changed meanwhile is checked when it comes up. */
export class Alarms {
  readonly #heap: { at: number; workflow: string }[] = [];

  set(workflow: string, at: number): void {
    const heap = this.#heap;
    heap.push({ at, workflow });
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (heap[parent]!.at <= heap[child]!.at) break;
      [heap[parent], heap[child]] = [heap[child]!, heap[parent]!];
      child = parent;
    }
  }

  next(): number | null { return this.#heap[0]?.at ?? null; }

  due(at: number): readonly string[] {
    const workflows = new Set<string>();
    while (this.#heap.length > 0 && this.#heap[0]!.at <= at) workflows.add(this.#pop());
    return [...workflows];
  }

  #pop(): string {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let parent = 0; ;) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2]) if (child < heap.length && heap[child]!.at < heap[least]!.at) least = child;
        if (least === parent) break;
        [heap[parent], heap[least]] = [heap[least]!, heap[parent]!];
        parent = least;
      }
    }
    return first.workflow;
  }
}

/** Remembers the last so many ids: a late report for one of them needs no look into the log. */
export class RecentIds {
  readonly #ids = new Set<string>();
  constructor(private readonly max: number) {}
  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size > this.max) this.#ids.delete(this.#ids.values().next().value!);
  }
  delete(id: string): void { this.#ids.delete(id); }
  has(id: string): boolean { return this.#ids.has(id); }
}

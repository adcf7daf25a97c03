/** A place in the queues of all its keys. */
export interface Turn { isFirst(): boolean; /** Called when it becomes first everywhere. */ onFirst: (() => void) | null; leave(): void }

interface Place extends Turn { readonly keys: readonly string[] }

/**
 * Calls that share a key take turns, in the order they came. All keys of a call are queued for at once, so that two calls
 * can't wait for each other.
 */
export class Serialiser {
  private readonly queues = new Map<string, Place[]>();

  enter(keys: readonly string[]): Turn {
    const { queues } = this;
    const isFirst = (): boolean => place.keys.every(key => queues.get(key)?.[0] === place);
    const place: Place = { keys: [...new Set(keys)], isFirst, onFirst: null, leave: () => this.leave(place) };
    for (const key of place.keys) {
      const queue = queues.get(key);
      if (queue === undefined) queues.set(key, [place]);
      else queue.push(place);
    }
    return place;
  }

  private leave(place: Place): void {
    const next = new Set<Place>();
    for (const key of place.keys) {
      const queue = this.queues.get(key);
      const at = queue?.indexOf(place) ?? -1;
      if (queue === undefined || at < 0) continue;
      queue.splice(at, 1);
      if (queue.length === 0) this.queues.delete(key);
      else if (at === 0) next.add(queue[0]!);
    }
    for (const other of next) if (other.isFirst()) other.onFirst?.();
  }
}

/** At most so many at once; the rest go in order. */
export class Gate {
  private free: number;
  private readonly queue: (() => void)[] = [];
  constructor(max: number) { this.free = max; }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>(resolve => this.queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}

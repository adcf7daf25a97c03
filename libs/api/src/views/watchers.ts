import type { CloudEvent, WorkflowView } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';

type Listener = (event: CloudEvent | null, view: WorkflowView, sequence: number) => void;
export interface Wait { readonly done: Promise<void>; cancel(): void }

/** Who waits for what of a workflow, in memory. */
export class Watchers {
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly ends = new Set<() => void>();

  ids(): Iterable<string> { return this.listeners.keys(); }
  isWatched(id: string): boolean { return this.listeners.has(id); }

  tell(id: string, event: CloudEvent, view: WorkflowView, sequence: number): void {
    const listeners = this.listeners.get(id);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) listener(event, view, sequence);
  }

  listen(id: string, listener: (event: CloudEvent) => void): () => void {
    return this.add(id, event => { if (event !== null) listener(event); });
  }

  /** Is done when `until` holds after a fact, when the time is over, or when everybody is sent home. */
  wait(id: string, until: (view: WorkflowView, sequence: number) => boolean, clock: Clock, timeoutMs: number): Wait {
    let end: () => void = () => {};
    const done = new Promise<void>(resolve => { end = resolve; });
    const remove = this.add(id, (_event, view, sequence) => { if (until(view, sequence)) end(); });
    const cancelTimer = clock.after(timeoutMs, end);
    this.ends.add(end);
    return { done, cancel: () => { remove(); cancelTimer(); this.ends.delete(end); } };
  }

  endAll(): void { for (const end of [...this.ends]) end(); }

  private add(id: string, listener: Listener): () => void {
    let listeners = this.listeners.get(id);
    if (listeners === undefined) { listeners = new Set(); this.listeners.set(id, listeners); }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(id) === listeners) this.listeners.delete(id);
    };
  }
}

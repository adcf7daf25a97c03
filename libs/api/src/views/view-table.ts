import type { Positions } from '@aifirst/store';
import type { CloudEvent, WorkflowView } from '@aifirst/contracts';
import { isAtRest } from './facts';
import { foldView } from './fold-view';
import type { ViewRow } from './workflow-views';

/** One workflow in memory. `changedFrom`: the position, per source, of the first change that is not stored yet. */
export interface Kept {
  view: WorkflowView;
  sequence: number;
  changedFrom: Record<string, number> | null;
  changedAtMs: number;
}

/** Views that are open or not stored yet, and what of them must be stored before positions may move past it. */
export class ViewTable {
  private readonly kept = new Map<string, Kept>();
  private readonly changed = new Map<string, Kept>();
  private readonly resting = new Set<Kept>();

  get(id: string): Kept | undefined { return this.kept.get(id); }
  get size(): number { return this.kept.size; }
  /** How many views are not stored as they are now. */
  get unsaved(): number { return this.changed.size; }
  /** Of these, how many will not change soon. */
  get ripe(): number { return this.resting.size; }

  /** Takes in what is stored already. */
  load({ view, sequence }: ViewRow): void {
    if (!this.kept.has(view.id)) this.kept.set(view.id, { view, sequence, changedFrom: null, changedAtMs: 0 });
  }

  /** A new view, unless there is one. */
  add(view: WorkflowView, source: string, position: number, nowMs: number): void {
    if (this.kept.has(view.id)) return;
    const kept: Kept = { view, sequence: 0, changedFrom: null, changedAtMs: 0 };
    this.kept.set(view.id, kept);
    this.change(kept, source, position, nowMs);
  }

  /** @returns the view after the fact, null where there is none to begin with; unchanged for a fact that it has seen */
  fold(workflow: string, event: CloudEvent, source: string, position: number, nowMs: number): Kept | null {
    const before = this.kept.get(workflow);
    const sequence = event.sequence ?? 0;
    if (before !== undefined && sequence <= before.sequence) return before;
    const view = foldView(before?.view ?? null, event);
    if (view === null) return null;
    if (before === undefined) {
      this.add(view, source, position, nowMs);
      const kept = this.kept.get(workflow)!;
      kept.sequence = sequence;
      return kept;
    }
    before.view = view;
    before.sequence = sequence;
    this.change(before, source, position, nowMs);
    return before;
  }

  /** What to store now: all that is at rest, and what has been waiting since before `openBeforeMs`. */
  take(openBeforeMs: number): Kept[] {
    return [...this.changed.values()].filter(kept => this.resting.has(kept) || kept.changedAtMs <= openBeforeMs);
  }

  /** How far one may say one has come once `taken` is stored. */
  positionsAfter(taken: ReadonlySet<Kept>, seen: Positions): Positions {
    const positions: Record<string, number> = { ...seen };
    for (const kept of this.changed.values()) {
      if (taken.has(kept)) continue;
      for (const [source, first] of Object.entries(kept.changedFrom!)) positions[source] = Math.min(positions[source] ?? 0, first - 1);
    }
    return positions;
  }

  /** Marks as stored before it is: what changes meanwhile is a new change. @returns what undoes it if storing fails */
  markSaved(taken: readonly Kept[]): () => void {
    const before = taken.map(kept => ({ kept, changedFrom: kept.changedFrom!, changedAtMs: kept.changedAtMs }));
    for (const kept of taken) { kept.changedFrom = null; this.changed.delete(kept.view.id); this.resting.delete(kept); }
    return () => {
      for (const { kept, changedFrom, changedAtMs } of before) {
        for (const [source, position] of Object.entries(changedFrom)) this.change(kept, source, position, changedAtMs);
      }
    };
  }

  /** Forgets what is stored and will hardly be needed: ended views, and the oldest open ones beyond `openMax`. */
  evict(candidates: Iterable<Kept>, isNeeded: (id: string) => boolean, openMax: number): void {
    for (const kept of candidates) if (kept.changedFrom === null && kept.view.endedAt !== null && !isNeeded(kept.view.id)) this.kept.delete(kept.view.id);
    if (this.kept.size <= openMax) return;
    for (const [id, kept] of this.kept) {
      if (this.kept.size <= openMax) return;
      if (kept.changedFrom === null && !isNeeded(id)) this.kept.delete(id);
    }
  }

  private change(kept: Kept, source: string, position: number, nowMs: number): void {
    if (kept.changedFrom === null) {
      kept.changedFrom = { [source]: position };
      kept.changedAtMs = nowMs;
      this.changed.set(kept.view.id, kept);
    } else {
      kept.changedFrom[source] = Math.min(kept.changedFrom[source] ?? position, position);
      // Why: after a failed save the older of the two times counts.
      kept.changedAtMs = Math.min(kept.changedAtMs, nowMs);
    }
    if (isAtRest(kept.view.status)) this.resting.add(kept);
    else this.resting.delete(kept);
  }
}

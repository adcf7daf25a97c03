import type { Positions } from '@aifirst/store';
import { factNumberOf, type CloudEvent, type WorkflowHead, type WorkflowView } from '@aifirst/contracts';
import { isAtRest } from './facts';
import { foldView } from './fold-view';
import { lastTouches, touchesOf, type BaseOf, type Touch } from './touches';
import type { ViewRow } from './workflow-views';

/** One workflow in memory. `changedFrom`: the position, per source, of the first change that is not stored yet. */
export interface Kept {
  view: WorkflowView;
  sequence: number;
  facts: number;
  changedFrom: Record<string, number> | null;
  changedAtMs: number;
  /** If nothing is heard of it until then, its owner is asked; and how long it is left alone after that. */
  lookAtMs: number;
  pauseMs: number;
  /** Its owner has said that there is a fact of this sequence. */
  expected: number;
  /** What it stood still for when its owner was asked last. */
  waitsFor: WorkflowHead['waitsFor'] | null;
  /** What its steps have touched and is not stored yet. */
  touches: readonly Touch[];
}

/** `hole`: facts before it are missing, so it must wait for them. `known`: folded already. */
export type Folded = 'folded' | 'known' | 'hole';
/** Where the bus has it from. */
export interface Place { readonly source: string; readonly position: number }

/** Views that are open or not stored yet, and what of them must be stored before positions may move past it. */
export class ViewTable {
  private readonly kept = new Map<string, Kept>();
  private readonly changed = new Map<string, Kept>();
  private readonly resting = new Set<Kept>();
  /** Of workflows some of whose facts are missing: the first position, per source, that can't be left behind before they are there. */
  private readonly holes = new Map<string, Record<string, number>>();

  /** @param quietMs how long nothing need be heard of a workflow before its owner is asked */
  constructor(private readonly quietMs: number, private readonly baseOf: BaseOf) {}

  get(id: string): Kept | undefined { return this.kept.get(id); }
  get size(): number { return this.kept.size; }
  /** How many views are not stored as they are now. */
  get unsaved(): number { return this.changed.size; }
  /** Of these, how many will not change soon. */
  get ripe(): number { return this.resting.size; }

  /** Takes in what is stored already. @param nowMs it is to be looked after from then on */
  load({ view, sequence, facts }: ViewRow, nowMs: number): void {
    if (!this.kept.has(view.id)) this.kept.set(view.id, { view, sequence, facts, changedFrom: null, changedAtMs: 0, lookAtMs: nowMs, pauseMs: this.quietMs, expected: 0, waitsFor: null, touches: [] });
  }

  /** A new view, unless there is one. */
  add(view: WorkflowView, place: Place | null, nowMs: number): void {
    if (this.kept.has(view.id)) return;
    this.load({ view, sequence: 0, facts: 0 }, nowMs + this.quietMs);
    this.change(this.kept.get(view.id)!, place, nowMs);
  }

  /**
   * Never over a hole, see `factNumberOf`.
   * @param place null: its owner was asked for it, so that nothing lies between it and what is folded
   */
  fold(workflow: string, event: CloudEvent, place: Place | null, nowMs: number): Folded {
    const before = this.kept.get(workflow);
    const sequence = event.sequence ?? 0;
    if (before !== undefined && sequence <= before.sequence) return 'known';
    const number = factNumberOf(event);
    if (number !== null && !this.follows(before, number, place)) return number <= (before?.facts ?? 0) ? 'known' : 'hole';
    const view = foldView(before?.view ?? null, event);
    if (view === null) return 'hole';
    if (before === undefined) this.add(view, place, nowMs);
    const kept = this.kept.get(workflow)!;
    kept.view = view;
    kept.sequence = sequence;
    kept.facts = number ?? kept.facts + 1;
    kept.lookAtMs = nowMs + this.quietMs;
    kept.pauseMs = this.quietMs;
    kept.waitsFor = null;
    const touches = touchesOf(event, this.baseOf);
    if (touches.length > 0) kept.touches = lastTouches([...kept.touches, ...touches]);
    this.change(kept, place, nowMs);
    return 'folded';
  }

  private follows(before: Kept | undefined, number: number, place: Place | null): boolean {
    if (before === undefined) return number === 1;
    const isCounted = before.facts > 0 || before.sequence === 0;
    return isCounted ? number === before.facts + 1 : place === null;
  }

  /** Facts of a workflow are missing: no position is said to be passed from here on until `closeHole`. */
  openHole(workflow: string, { source, position }: Place): void {
    const from = this.holes.get(workflow);
    if (from === undefined) this.holes.set(workflow, { [source]: position });
    else from[source] = Math.min(from[source] ?? position, position);
  }

  /** What was missing is folded, or is nowhere: what is there counts, once it is stored. */
  closeHole(workflow: string, nowMs: number): void {
    const from = this.holes.get(workflow);
    const kept = this.kept.get(workflow);
    this.holes.delete(workflow);
    if (from !== undefined && kept !== undefined) for (const [source, position] of Object.entries(from)) this.change(kept, { source, position }, nowMs);
  }

  /** Open ones of which nothing was heard for their time, at most so many. */
  quiet(nowMs: number, max: number): Kept[] {
    const found: Kept[] = [];
    for (const kept of this.kept.values()) {
      if (kept.lookAtMs > nowMs || (kept.view.endedAt !== null && kept.expected <= kept.sequence)) continue;
      found.push(kept);
      if (found.length === max) break;
    }
    // Why: where there are too many for one look, everybody gets a turn.
    for (const kept of found) { this.kept.delete(kept.view.id); this.kept.set(kept.view.id, kept); }
    return found;
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
    for (const from of this.holes.values()) for (const [source, first] of Object.entries(from)) positions[source] = Math.min(positions[source] ?? 0, first - 1);
    return positions;
  }

  /** Marks as stored before it is: what changes meanwhile is a new change. @returns what undoes it if storing fails */
  markSaved(taken: readonly Kept[]): () => void {
    const before = taken.map(kept => ({ kept, changedFrom: kept.changedFrom!, changedAtMs: kept.changedAtMs, touches: kept.touches }));
    for (const kept of taken) { kept.changedFrom = null; kept.touches = []; this.changed.delete(kept.view.id); this.resting.delete(kept); }
    return () => {
      for (const { kept, changedFrom, changedAtMs, touches } of before) {
        if (touches.length > 0) kept.touches = lastTouches([...touches, ...kept.touches]);
        this.change(kept, null, changedAtMs);
        for (const [source, position] of Object.entries(changedFrom)) this.change(kept, { source, position }, changedAtMs);
      }
    };
  }

  /** Forgets what is stored and will hardly be needed: ended views, and the oldest open ones beyond `openMax`. */
  evict(candidates: Iterable<Kept>, isWatched: (id: string) => boolean, openMax: number): void {
    const isNeeded = (id: string): boolean => isWatched(id) || this.holes.has(id);
    for (const kept of candidates) if (kept.changedFrom === null && kept.view.endedAt !== null && kept.expected <= kept.sequence && !isNeeded(kept.view.id)) this.kept.delete(kept.view.id);
    if (this.kept.size <= openMax) return;
    for (const [id, kept] of this.kept) {
      if (this.kept.size <= openMax) return;
      if (kept.changedFrom === null && !isNeeded(id)) this.kept.delete(id);
    }
  }

  /** @param place null: the change holds no position back, as it can be had again from its owner */
  private change(kept: Kept, place: Place | null, nowMs: number): void {
    if (kept.changedFrom === null) {
      kept.changedFrom = {};
      kept.changedAtMs = nowMs;
      this.changed.set(kept.view.id, kept);
    }
    // Why: after a failed save the older of the two times counts.
    kept.changedAtMs = Math.min(kept.changedAtMs, nowMs);
    if (place !== null) kept.changedFrom[place.source] = Math.min(kept.changedFrom[place.source] ?? place.position, place.position);
    if (isAtRest(kept.view.status)) this.resting.add(kept);
    else this.resting.delete(kept);
  }
}

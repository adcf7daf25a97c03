import type { Positions } from '@aifirst/store';
import type { OfferedRow } from '../feed-lane';
import type { Delivery } from '../message-bus';

export interface HistoryItem { readonly delivery: Delivery; readonly row: HistoryRow; dropped: boolean; done: boolean }
interface HistoryRow { readonly position: number; open: number }
export interface KeyHistory {
  readonly key: string;
  readonly items: HistoryItem[];
  /** Index of the next one to hand over. */
  next: number;
  /** Is it waiting out its delay, or under way? */
  busy: boolean;
}

/** How far back a repeat reaches. */
const REPEAT_ITEMS_MAX = 8;

/** All that a group was ever sent, per key in order, with what became of it. */
export class GroupHistory {
  readonly keys = new Map<string, KeyHistory>();
  private readonly rows = new Map<string, { rows: HistoryRow[]; done: number }>();
  private lastTaken = new Map<string, number>();

  constructor(private readonly topics: ReadonlySet<string>) {}

  take(rows: readonly OfferedRow[], isDropped: () => boolean): void {
    for (const { position, deliveries } of rows) {
      const source = deliveries[0]?.source;
      if (source === undefined || position <= (this.lastTaken.get(source) ?? 0)) continue;
      this.lastTaken.set(source, position);
      const row: HistoryRow = { position, open: 0 };
      const ofSource = this.rows.get(source) ?? { rows: [], done: 0 };
      ofSource.rows.push(row);
      this.rows.set(source, ofSource);
      for (const delivery of deliveries) if (this.topics.has(delivery.message.topic)) this.add(delivery, row, isDropped());
    }
  }

  /** As if everything after these positions had just been sent: where a consumer goes on after a crash. */
  rewindTo(positions: Positions): void {
    for (const [source, ofSource] of this.rows) {
      ofSource.done = 0;
      for (const row of ofSource.rows) if (row.position > (positions[source] ?? 0)) row.open = 0;
    }
    for (const history of this.keys.values()) {
      history.busy = false;
      history.next = history.items.length;
      history.items.forEach((item, i) => {
        item.done = item.dropped || item.row.position <= (positions[item.delivery.source] ?? 0);
        if (item.done) return;
        item.row.open++;
        history.next = Math.min(history.next, i);
      });
    }
  }

  done(items: readonly HistoryItem[]): void {
    for (const item of items) {
      if (item.done) continue;
      item.done = true;
      item.row.open--;
    }
  }

  /** Per source the last row up to which everything is done, given that `under way` will be. */
  positionsWith(underWay: readonly HistoryItem[]): Positions {
    const ending = new Map<HistoryRow, number>();
    for (const item of new Set(underWay)) if (!item.done) ending.set(item.row, (ending.get(item.row) ?? 0) + 1);
    const positions: Record<string, number> = {};
    for (const [source, ofSource] of this.rows) {
      while (ofSource.rows[ofSource.done]?.open === 0) ofSource.done++;
      let reached = ofSource.done;
      for (let row = ofSource.rows[reached]; row !== undefined && row.open === (ending.get(row) ?? 0); row = ofSource.rows[++reached]);
      const last = ofSource.rows[reached - 1];
      if (last !== undefined) positions[source] = last.position;
    }
    return positions;
  }

  repeatFrom(history: KeyHistory, chance: () => number): void {
    const back = Math.min(history.next, REPEAT_ITEMS_MAX);
    history.next -= 1 + Math.floor(chance() * back);
  }

  undrop(): number {
    let count = 0;
    for (const history of this.keys.values()) {
      const first = history.items.findIndex(item => item.dropped);
      if (first < 0) continue;
      history.next = Math.min(history.next, first);
      for (const item of history.items) if (item.dropped) { item.dropped = false; count++; }
    }
    return count;
  }

  private add(delivery: Delivery, row: HistoryRow, dropped: boolean): void {
    const { key } = delivery.message;
    const history = this.keys.get(key) ?? { key, items: [], next: 0, busy: false };
    this.keys.set(key, history);
    history.items.push({ delivery, row, dropped, done: dropped });
    if (!dropped) row.open++;
  }
}

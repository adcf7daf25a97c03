import type { Message } from '@aifirst/contracts';
import type { StoredRow } from '@aifirst/store';
import type { Delivery, Feed } from './message-bus';

/** A row as lanes take it; made once, shared by all lanes. */
export interface OfferedRow { readonly position: number; readonly deliveries: readonly Delivery[] }

export const offered = (source: string, rows: readonly StoredRow[]): readonly OfferedRow[] =>
  rows.map(({ position, messages }) => ({ position, deliveries: messages.map((message, index) => ({ source, position, index, message })) }));

/** Rows per read of the log: a batch's worth. */
const READ_ROWS = 500;
/** Rows read in one go before the loop looks at its other lanes again. */
const READ_ROWS_MAX = 5_000;

/**
 * One subscription's way through one feed. While it follows, rows are queued as they are committed; what it missed
 * (before it was there, by a gap, or because the queue was full) it reads from the log.
 */
export class FeedLane {
  private queue: OfferedRow[] = [];
  private queuedMessages = 0;
  /** Every row up to here is queued or taken, or holds nothing for the subscription. */
  private known: number;
  /** The last position heard of. */
  private announced = 0;
  private handedOver: number;

  constructor(readonly feed: Feed, private readonly wants: (message: Message) => boolean, after: number, private readonly queueRowsMax: number) {
    this.known = after;
    this.handedOver = after;
  }

  /** Queues what follows on from what is known. Anything else will be read from the log. */
  offer(rows: readonly OfferedRow[]): void {
    for (const row of rows) {
      if (row.position > this.announced) this.announced = row.position;
      if (row.position === this.known + 1) this.add(row);
    }
    if (this.queue.length > this.queueRowsMax) this.forgetQueue();
  }

  isBehind(): boolean { return this.known < this.head(); }

  /** Reads on until `rows` are queued or the head is reached. */
  async readOn(rows: number): Promise<void> {
    for (let read = 0; this.queue.length < rows && read < READ_ROWS_MAX && this.isBehind();) {
      const head = this.head();
      const found = await this.feed.read(this.known, READ_ROWS);
      // Why: rows that retention has removed are nobody's any more.
      if (found.length === 0) this.known = Math.max(this.known, head);
      for (const row of offered(this.feed.source, found)) if (row.position > this.known) this.add(row);
      read += Math.max(found.length, 1);
    }
  }

  /** Moves at most `rowsMax` whole rows into `deliveries`. @returns how many rows */
  take(rowsMax: number, deliveries: Delivery[]): number {
    let rows = this.queue;
    if (rows.length <= rowsMax) this.queue = [];
    else rows = this.queue.splice(0, rowsMax);
    for (const row of rows) {
      for (const delivery of row.deliveries) deliveries.push(delivery);
      this.queuedMessages -= row.deliveries.length;
    }
    return rows.length;
  }

  /** How far what was taken reaches, rows included that hold nothing; null if it has not moved since it was last asked. */
  handOver(): number | null {
    const reached = this.reached();
    if (reached === this.handedOver) return null;
    this.handedOver = reached;
    return reached;
  }

  /** How many rows that hold nothing have passed since a position was handed over. */
  skippedRows(): number { return this.reached() - this.handedOver; }
  queuedRows(): number { return this.queue.length; }
  lag(): number { return this.queuedMessages + Math.max(0, this.head() - this.known); }

  private reached(): number {
    const next = this.queue[0];
    return next === undefined ? this.known : next.position - 1;
  }

  private head(): number { return Math.max(this.announced, this.feed.head()); }

  private add(row: OfferedRow): void {
    this.known = row.position;
    const mine = row.deliveries.filter(delivery => this.wants(delivery.message));
    if (mine.length === 0) return;
    this.queue.push({ position: row.position, deliveries: mine });
    this.queuedMessages += mine.length;
  }

  /** Why: a consumer that is far behind must not hold in memory what the log holds anyway. */
  private forgetQueue(): void {
    const [first] = this.queue;
    if (first === undefined) return;
    this.known = first.position - 1;
    this.queue = [];
    this.queuedMessages = 0;
  }
}

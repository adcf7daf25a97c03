import type { Delivery } from '@aifirst/bus';
import type { Message } from '@aifirst/contracts';

/** What may wait in memory of one partition; beyond it no more is fetched of it. */
const QUEUED_RECORDS_MAX = 2_000;
const QUEUED_BYTES_MAX = 8 * 1024 * 1024;

/** One record as it was read: to be handed over, or refused. */
export interface ReadRecord { readonly offset: number; readonly bytes: number; readonly message: Message | null }

/** One subscription's way through one partition. Positions are offsets plus one: 0 is nothing yet. */
export class PartitionLane {
  private queue: { readonly delivery: Delivery; readonly bytes: number }[] = [];
  private queuedBytes = 0;
  private handedOver: number;
  private done: number;
  /** Of what was handed over last, done when the handler is. */
  private underWay: number;
  /** No more is fetched until there is room again. */
  isPaused = false;

  /**
   * @param topic as the broker knows it
   * @param next the offset to be fetched next
   * @param end the partition's end, as far as it is known
   */
  constructor(readonly topic: string, readonly partition: number, readonly source: string, public next: number, private end: number) {
    this.handedOver = this.done = this.underWay = next;
  }

  /** @param after the offset after the last record, `end` the partition's as told with them */
  add(records: readonly ReadRecord[], after: number, end: number): void {
    for (const { offset, bytes, message } of records) {
      if (offset < this.next || message === null) continue;
      this.queue.push({ delivery: { source: this.source, position: offset + 1, message }, bytes });
      this.queuedBytes += bytes;
    }
    this.next = Math.max(this.next, after);
    this.end = Math.max(this.end, end, this.next);
  }

  /** Moves at most `max` into `deliveries`. */
  take(max: number, deliveries: Delivery[]): number {
    const taken = this.queue.length <= max ? this.queue : this.queue.slice(0, max);
    this.queue = taken === this.queue ? [] : this.queue.slice(max);
    for (const { delivery, bytes } of taken) {
      deliveries.push(delivery);
      this.queuedBytes -= bytes;
    }
    return taken.length;
  }

  /** How far what was taken reaches, refused records included; null if it has not moved since it was last asked. */
  handOver(): number | null {
    const reached = this.queue[0] === undefined ? this.next : this.queue[0].delivery.position - 1;
    if (reached === this.handedOver) return null;
    this.handedOver = this.underWay = reached;
    return reached;
  }

  /** What was handed over has been handled. */
  settle(): void { this.done = this.underWay; }

  isFull(): boolean { return this.queue.length >= QUEUED_RECORDS_MAX || this.queuedBytes >= QUEUED_BYTES_MAX; }
  hasRoom(): boolean { return this.queue.length <= QUEUED_RECORDS_MAX / 2 && this.queuedBytes <= QUEUED_BYTES_MAX / 2; }
  queued(): number { return this.queue.length; }
  hasMoved(): boolean { return this.next !== this.handedOver; }
  lag(): number { return Math.max(0, this.end - this.done); }
  /** The partition's end as somebody else has found it. */
  endsAt(end: number): void { this.end = Math.max(this.end, end); }
}

import type { Positions } from '@aifirst/store';

/** One command's share in the positions of its batch. */
export interface Ticket { readonly batch: TrackedBatch }
export interface TrackedBatch { readonly positions: Positions; outstanding: number; readonly done: () => void; ended: boolean }

/**
 * Batches in the order they came. Positions may move as far as every command of every batch before is durably taken
 * over; what waits holds them back, but nobody's work.
 */
export class PositionKeeper {
  private readonly batches: TrackedBatch[] = [];

  add(positions: Positions, commands: number, done: () => void): TrackedBatch {
    const batch: TrackedBatch = { positions, outstanding: commands, done, ended: false };
    this.batches.push(batch);
    return batch;
  }

  /** Commands that are not taken over yet. */
  outstanding(): number {
    let sum = 0;
    for (const batch of this.batches) sum += batch.outstanding;
    return sum;
  }

  /** Every batch that came is durably taken over. */
  isEmpty(): boolean { return this.batches.length === 0; }

  /** What the positions would be if these tickets were taken over. null: they would not move. */
  movedBy(tickets: readonly Ticket[]): { readonly positions: Positions; readonly batches: number } | null {
    const taken = new Map<TrackedBatch, number>();
    for (const { batch } of tickets) taken.set(batch, (taken.get(batch) ?? 0) + 1);
    let positions: Positions = {};
    let batches = 0;
    for (const batch of this.batches) {
      if (batch.outstanding > (taken.get(batch) ?? 0)) break;
      positions = { ...positions, ...batch.positions };
      batches++;
    }
    return batches === 0 ? null : { positions, batches };
  }

  /** The tickets' commands are durably taken over, or need not be. */
  settle(tickets: readonly Ticket[]): void {
    for (const { batch } of tickets) batch.outstanding--;
  }

  /** The positions of the first `count` batches are committed. */
  drop(count: number): void {
    for (const batch of this.batches.splice(0, count)) { batch.ended = true; batch.done(); }
  }
}

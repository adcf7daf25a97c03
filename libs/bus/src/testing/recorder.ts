import type { Positions } from '@aifirst/store';
import type { Batch, Delivery, Subscription } from '../message-bus';
import { TEST_TOPIC } from './memory-feed';

export const idsOf = (deliveries: readonly Delivery[]): string[] => deliveries.map(delivery => delivery.message.event.id);

/** Waits for something to become true, not for time to pass. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await condition());) {
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

/** A service as the bus sees it: effect and positions are committed together, or neither. */
export class RecordingService {
  /** What was committed. */
  readonly handled: Delivery[] = [];
  readonly batches: Batch[] = [];
  positions: Record<string, number> = {};
  /** How often `handle` was called, committed or not. */
  calls = 0;
  concurrent = 0;
  concurrentMax = 0;
  /** Runs before the commit: throw here and nothing is committed. */
  before: (batch: Batch) => Promise<void> | void = () => undefined;

  subscription(over: Partial<Subscription> & { readonly group: string }): Subscription {
    return {
      topics: [TEST_TOPIC],
      from: (): Positions => ({ ...this.positions }),
      handle: async batch => {
        this.calls++;
        this.concurrentMax = Math.max(this.concurrentMax, ++this.concurrent);
        try {
          await this.before(batch);
          this.batches.push(batch);
          this.handled.push(...batch.deliveries);
          Object.assign(this.positions, batch.positions);
        } finally {
          this.concurrent--;
        }
      },
      ...over,
    };
  }

  ids(): string[] { return idsOf(this.handled); }
  idsOfKey(key: string): string[] { return idsOf(this.handled.filter(delivery => delivery.message.key === key)); }
}

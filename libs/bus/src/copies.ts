import type { Consumer, PausedConsumer, Subscription } from './message-bus';
import { consumerName, takes } from './shard-of';

/** One subscription of a bus, which does nothing until it is activated. */
export interface Copy extends Consumer {
  readonly subscription: Subscription;
  isActive(): boolean;
  activate(): void;
  /** @returns null, without having done anything, once it is stopped */
  pausing<T>(work: (consumer: PausedConsumer) => Promise<T>): Promise<{ readonly result: T } | null>;
}

/** The consumers of one process. Of copies of one consumer (same group, same share) the first is active, the others stand by. */
export class Copies<C extends Copy> {
  private readonly byName = new Map<string, C[]>();
  private actives: readonly C[] = [];
  private closed = false;

  active(): readonly C[] { return this.actives; }

  add(copy: C): void {
    const name = consumerName(copy.subscription);
    this.byName.set(name, [...(this.byName.get(name) ?? []), copy]);
    this.activateFirst(name);
  }

  /** The copy has handed over its last batch: the next one takes over. */
  ended(copy: C): void {
    const name = consumerName(copy.subscription);
    const rest = (this.byName.get(name) ?? []).filter(other => other !== copy);
    if (rest.length === 0) this.byName.delete(name);
    else this.byName.set(name, rest);
    this.activateFirst(name);
  }

  async pausing<T>(group: string, work: (consumer: PausedConsumer | null) => Promise<T>, key?: string): Promise<T> {
    for (;;) {
      const consumer = this.first(group, key);
      if (consumer === undefined) return work(null);
      const done = await consumer.pausing(work);
      if (done !== null) return done.result;
      await consumer.stop();
    }
  }

  /** Ends all; none takes over. */
  async stop(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.byName.values()].flat().map(copy => copy.stop()));
  }

  private first(group: string, key: string | undefined): C | undefined {
    for (const [first] of this.byName.values()) {
      if (first?.subscription.group === group && (key === undefined || takes(first.subscription.share, key))) return first;
    }
    return undefined;
  }

  private activateFirst(name: string): void {
    if (!this.closed) this.byName.get(name)?.[0]?.activate();
    this.actives = [...this.byName.values()].flat().filter(copy => copy.isActive());
  }
}

import { OperationalError } from '@aifirst/kernel';
import type { DeadLetters } from '../dead-letters';
import { offered, type OfferedRow } from '../feed-lane';
import type { ConsumerEvents } from '../guarded-handler';
import type { Consumer, Feed, MessageBus, PausedConsumer, Subscription } from '../message-bus';
import { ChaoticConsumer } from './chaotic-consumer';
import { GroupHistory } from './group-history';

/** How badly the bus behaves. Shares are of messages, in [0, 1]; may be changed while it runs. */
export interface Chaos {
  /** Handed over again later, with what followed it in its key. Default 0. */
  repeat: number;
  /** Never handed over unless `redeliver` is asked; positions move past it. Default 0. */
  drop: number;
  /** A key with something new waits up to this long, each for itself: so keys overtake one another. Default 0. */
  delayMsMax: number;
}

export interface ChaoticMessageBusOptions extends ConsumerEvents {
  /** The simulator's scheduler: calls back once, at its virtual time. */
  readonly schedule: (callback: () => void, delayMs: number) => void;
  /** Seeded, in [0, 1). */
  readonly chance: () => number;
  readonly deadLetters: (group: string) => DeadLetters;
  readonly chaos?: Partial<Chaos>;
}

/**
 * The worst bus that keeps the contract (but for what it drops): repeats, delays, reorders across keys, loses. It outlives
 * its consumers as a broker would; same scheduler and same chance, same run.
 */
export class ChaoticMessageBus implements MessageBus {
  readonly chaos: Chaos;
  private readonly sources = new Map<string, { feed: Feed; rows: OfferedRow[]; detach: () => void; reading: Promise<void> }>();
  private readonly histories = new Map<string, GroupHistory>();
  private readonly consumers = new Map<string, ChaoticConsumer[]>();
  private stopped = false;

  constructor(private readonly options: ChaoticMessageBusOptions) {
    this.chaos = { repeat: 0, drop: 0, delayMsMax: 0, ...options.chaos };
  }

  async attach(feed: Feed): Promise<void> {
    this.assertRunning();
    const former = this.sources.get(feed.source);
    former?.detach();
    const source = { feed, rows: former?.rows ?? [], reading: Promise.resolve(), detach: feed.onCommitted(() => { void this.readOn(feed.source); }) };
    this.sources.set(feed.source, source);
    await this.readOn(feed.source);
    if (former !== undefined) for (const [consumer] of this.consumers.values()) consumer?.restart();
  }

  async subscribe(subscription: Subscription): Promise<Consumer> {
    this.assertRunning();
    const { group } = subscription;
    const history = this.historyOf(subscription);
    const consumer = new ChaoticConsumer(subscription, history, this.options, this.chaos, ended => {
      this.consumers.set(group, (this.consumers.get(group) ?? []).filter(other => other !== ended));
      this.activateFirst(group);
    });
    this.consumers.set(group, [...(this.consumers.get(group) ?? []), consumer]);
    this.activateFirst(group);
    return consumer;
  }

  async pausing<T>(group: string, work: (consumer: PausedConsumer | null) => Promise<T>): Promise<T> {
    for (;;) {
      const consumer = this.consumers.get(group)?.[0];
      if (consumer === undefined) return work(null);
      const done = await consumer.pausing(work);
      if (done !== null) return done.result;
      await consumer.stop();
    }
  }

  /** Hands over, each in the order of its key, what was dropped so far. @returns how many messages */
  redeliver(): number {
    let count = 0;
    for (const [group, history] of this.histories) {
      count += history.undrop();
      this.consumers.get(group)?.[0]?.awaken();
    }
    return count;
  }

  /** The consumer's process has died: nothing more reaches it, whatever it is doing. Another of its group takes over. */
  kill(consumer: Consumer): void {
    for (const other of [...this.consumers.values()].flat()) if (other === consumer) other.die();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const { detach } of this.sources.values()) detach();
    await Promise.all([...this.consumers.values()].flat().map(consumer => consumer.stop()));
  }

  private activateFirst(group: string): void {
    if (!this.stopped) this.consumers.get(group)?.[0]?.activate();
  }

  /** One history per group, made with the first subscription and kept as long as the bus. */
  private historyOf({ group, topics }: Subscription): GroupHistory {
    let history = this.histories.get(group);
    if (history === undefined) {
      history = new GroupHistory(new Set(topics));
      this.histories.set(group, history);
      for (const { rows } of this.sources.values()) history.take(rows, () => false);
    }
    return history;
  }

  private readOn(name: string): Promise<void> {
    const source = this.sources.get(name)!;
    source.reading = source.reading.then(async () => {
      const known = source.rows.at(-1)?.position ?? 0;
      const missing = source.feed.head() - known;
      if (missing <= 0) return;
      const fresh = offered(name, await source.feed.read(known, missing));
      source.rows.push(...fresh);
      for (const [group, history] of this.histories) {
        history.take(fresh, () => this.chaos.drop > 0 && this.options.chance() < this.chaos.drop);
        this.consumers.get(group)?.[0]?.awaken();
      }
    });
    return source.reading;
  }

  private assertRunning(): void {
    if (this.stopped) throw new OperationalError('BUS_STOPPED', 'the message bus has been stopped');
  }
}

import { OperationalError, type Clock } from '@aifirst/kernel';
import { Copies } from './copies';
import type { DeadLetters } from './dead-letters';
import { EmbeddedConsumer } from './embedded-consumer';
import { offered } from './feed-lane';
import type { ConsumerEvents } from './guarded-handler';
import type { Consumer, Feed, MessageBus, PausedConsumer, Subscription } from './message-bus';

/** Rows that may wait in memory per subscription and feed: a second or two of a whole machine's work. Beyond it the log is read. */
const QUEUE_ROWS_MAX = 20_000;

export interface EmbeddedMessageBusOptions extends ConsumerEvents {
  readonly clock: Clock;
  /** Where a group parks: each service keeps its own. */
  readonly deadLetters: (group: string) => DeadLetters;
  readonly queueRowsMax?: number;
}

/**
 * All producers and consumers in one process: what was committed is handed over as it is, the log read only at the start
 * of a consumer and after a gap. Of the consumers of one group the first is active, the others stand by.
 */
export class EmbeddedMessageBus implements MessageBus {
  private readonly feeds = new Map<string, { readonly feed: Feed; readonly detach: () => void }>();
  private readonly consumers = new Copies<EmbeddedConsumer>();
  private stopped = false;

  constructor(private readonly options: EmbeddedMessageBusOptions) {}

  async attach(feed: Feed): Promise<void> {
    this.assertRunning();
    const { source } = feed;
    const former = this.feeds.get(source);
    former?.detach();
    const detach = feed.onCommitted(rows => {
      const offer = offered(source, rows);
      for (const consumer of this.consumers.active()) consumer.offer(source, offer);
    });
    this.feeds.set(source, { feed, detach });
    for (const consumer of this.consumers.active()) consumer.follow(feed, former !== undefined);
  }

  async subscribe(subscription: Subscription): Promise<Consumer> {
    this.assertRunning();
    const consumer = new EmbeddedConsumer(subscription, {
      deadLetters: this.options.deadLetters(subscription.group),
      clock: this.options.clock,
      events: this.options,
      queueRowsMax: this.options.queueRowsMax ?? QUEUE_ROWS_MAX,
      feeds: () => [...this.feeds.values()].map(attached => attached.feed),
      onEnded: ended => { this.consumers.ended(ended); },
    });
    this.consumers.add(consumer);
    if (consumer.isActive()) await consumer.begun;
    return consumer;
  }

  pausing<T>(group: string, work: (consumer: PausedConsumer | null) => Promise<T>, key?: string): Promise<T> {
    return this.consumers.pausing(group, work, key);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const { detach } of this.feeds.values()) detach();
    await this.consumers.stop();
    this.feeds.clear();
  }

  private assertRunning(): void {
    if (this.stopped) throw new OperationalError('BUS_STOPPED', 'the message bus has been stopped');
  }
}

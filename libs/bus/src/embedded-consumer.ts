import type { Message } from '@aifirst/contracts';
import { invariant, type Clock } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import type { Copy } from './copies';
import type { DeadLetters } from './dead-letters';
import { FeedLane, type OfferedRow } from './feed-lane';
import { GuardedHandler, Halted, RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN, type ConsumerEvents, type Slice } from './guarded-handler';
import type { Delivery, Feed, PausedConsumer, Subscription } from './message-bus';
import { positionsOfFirst } from './positions-of-first';
import { takes } from './shard-of';

/** Rows per batch unless the subscription says otherwise (measured: larger batches gain nothing). */
const BATCH_ROWS_DEFAULT = 500;
/** After so many rows that hold nothing for it a subscription's positions are moved for their own sake: what a restart reads again stays bounded. */
const SKIPPED_ROWS_MAX = 5_000;

export interface EmbeddedConsumerOptions {
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly events: ConsumerEvents;
  readonly queueRowsMax: number;
  readonly feeds: () => Iterable<Feed>;
  /** Called once, after the last batch. */
  readonly onEnded: (consumer: EmbeddedConsumer) => void;
}

/** One subscription on the embedded bus: a single loop that takes what piled up in its lanes while the last batch was handled. */
export class EmbeddedConsumer implements Copy {
  /** Resolves when it knows where to go on from, or has ended before. */
  readonly begun: Promise<void>;
  private markBegun: () => void = () => undefined;
  private readonly wants: (message: Message) => boolean;
  private readonly batchRows: number;
  private readonly guarded: GuardedHandler;
  private readonly lanes = new Map<string, FeedLane>();
  /** Lanes whose log could not be read last time, with how long they wait; tried again once `waiting` is over. */
  private readonly failing = new Map<FeedLane, { delayMs: number; waiting: boolean }>();
  private positions: Positions = {};
  private mustBegin = true;
  private firstLane = 0;
  private underWay = 0;
  private stopping = false;
  private ended = false;
  private running: Promise<void> | null = null;
  private wake: (() => void) | null = null;

  constructor(readonly subscription: Subscription, private readonly options: EmbeddedConsumerOptions) {
    const topics = new Set(subscription.topics);
    const { share } = subscription;
    this.wants = message => topics.has(message.topic) && takes(share, message.key);
    this.batchRows = subscription.batchMax ?? BATCH_ROWS_DEFAULT;
    invariant(this.batchRows >= 1, `batches of group \`${subscription.group}\` take no rows`);
    this.guarded = new GuardedHandler(subscription, options.deadLetters, options.clock, options.events);
    this.begun = new Promise(resolve => { this.markBegun = resolve; });
  }

  isActive(): boolean { return this.running !== null; }

  /** Until this is called the consumer stands by. */
  activate(): void {
    this.running ??= this.run();
  }

  /** @param replaced the source's log was opened anew: what is known of it counts no longer */
  follow(feed: Feed, replaced: boolean): void {
    if (this.running === null || this.stopping) return;
    if (replaced || !this.reaches(feed)) this.mustBegin = true;
    else this.enter(feed);
    this.notify();
  }

  offer(source: string, rows: readonly OfferedRow[]): void {
    const lane = this.lanes.get(source);
    if (lane === undefined) return;
    lane.offer(rows);
    if (this.wake !== null && (lane.queuedRows() > 0 || lane.isBehind() || lane.skippedRows() >= SKIPPED_ROWS_MAX)) this.notify();
  }

  pausing<T>(work: (consumer: PausedConsumer) => Promise<T>): Promise<{ readonly result: T } | null> { return this.guarded.pausing(work); }

  lag(): number {
    let messages = this.underWay;
    for (const lane of this.lanes.values()) messages += lane.lag();
    return messages;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.guarded.halt();
    this.notify();
    if (this.running === null) this.end();
    else await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (!this.stopping) {
        if (this.mustBegin) await this.begin();
        if (this.needsReading()) await this.readOn();
        const slice = this.gather();
        if (slice !== null) await this.process(slice);
        // Why `stopping` again: whoever stopped it while it read found nobody waiting to be woken.
        else if (!this.stopping && !this.mustBegin && !this.needsReading()) await this.notified();
      }
    } catch (error) {
      if (!(error instanceof Halted)) this.options.events.onStopped?.(this.subscription.group, error);
    } finally {
      await this.guarded.stop();
      this.end();
    }
  }

  private async begin(): Promise<void> {
    do {
      this.mustBegin = false;
      this.positions = await this.guarded.start();
    } while (this.mustBegin);
    this.lanes.clear();
    this.failing.clear();
    for (const feed of this.options.feeds()) this.enter(feed);
    this.markBegun();
  }

  private enter(feed: Feed): void {
    const after = this.positions[feed.source] ?? 0;
    // Why: rows below a position that the log has not reached yet would be passed over without a word.
    invariant(this.reaches(feed), `group \`${this.subscription.group}\` is at ${after} of log \`${feed.source}\`, which ends at ${feed.head()}`);
    this.lanes.set(feed.source, new FeedLane(feed, this.wants, after, this.options.queueRowsMax));
  }

  private reaches(feed: Feed): boolean { return (this.positions[feed.source] ?? 0) <= feed.head(); }

  private mustRead(lane: FeedLane): boolean {
    return lane.queuedRows() === 0 && lane.isBehind() && this.failing.get(lane)?.waiting !== true;
  }

  private needsReading(): boolean {
    for (const lane of this.lanes.values()) if (this.mustRead(lane)) return true;
    return false;
  }

  private async readOn(): Promise<void> {
    for (const lane of this.lanes.values()) {
      if (this.stopping || !this.mustRead(lane)) continue;
      try {
        await lane.readOn(this.batchRows);
        this.failing.delete(lane);
      } catch (error) {
        this.tryLater(lane, error);
      }
    }
  }

  /** Why: one log that can't be read holds up nobody else's rows. */
  private tryLater(lane: FeedLane, error: unknown): void {
    const delayMs = Math.min((this.failing.get(lane)?.delayMs ?? RETRY_DELAY_MS_MIN / 2) * 2, RETRY_DELAY_MS_MAX);
    const failure = { delayMs, waiting: true };
    this.failing.set(lane, failure);
    this.options.events.onRetrying?.(this.subscription.group, error, delayMs);
    void this.guarded.pause(delayMs).then(() => {
      failure.waiting = false;
      this.notify();
    });
  }

  private gather(): Slice | null {
    const lanes = [...this.lanes.values()];
    const deliveries: Delivery[] = [];
    let room = this.batchRows;
    // Why: every lane is the first in its turn, so that a busy producer starves no other.
    const first = this.firstLane++;
    for (let i = 0; i < lanes.length && room > 0; i++) room -= lanes[(first + i) % lanes.length]!.take(room, deliveries);
    if (deliveries.length === 0 && !lanes.some(lane => lane.skippedRows() >= SKIPPED_ROWS_MAX)) return null;
    const positions: Record<string, number> = {};
    for (const lane of lanes) {
      const reached = lane.handOver();
      if (reached !== null) positions[lane.feed.source] = reached;
    }
    return { deliveries, positions, positionsAfter: count => positionsOfFirst(deliveries, count) };
  }

  private async process(slice: Slice): Promise<void> {
    this.underWay = slice.deliveries.length;
    try {
      await this.guarded.process(slice);
    } finally {
      this.underWay = 0;
    }
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = null;
    wake?.();
  }

  private notified(): Promise<void> {
    return new Promise(resolve => { this.wake = resolve; });
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.markBegun();
    this.lanes.clear();
    this.options.onEnded(this);
  }
}

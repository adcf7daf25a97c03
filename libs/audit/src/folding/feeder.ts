import type { Batch, Consumer, Feed, MessageBus } from '@aifirst/bus';
import { isFactTopic, TOPICS, type CloudEvent } from '@aifirst/contracts';
import { OperationalError, type Clock } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import type { Gap } from '../domain/sequencer';
import { readGap } from '../feed-gap';
import type { FolderEvents, Progress } from './folder';
import type { Folding } from './thread-folder';

/** Facts that may be on their way to the folding thread: about a second of a whole machine's work. */
const UNSETTLED_MAX = 20_000;
const GAP_PAUSE_MS = 1_000;

export interface FeederOptions {
  readonly bus: MessageBus;
  readonly clock: Pick<Clock, 'after'>;
  /** Where a producer's log can be read, if here. */
  feedOf(producer: string): Feed | undefined;
  onGap?(gap: Gap): void;
  onDefect?(detail: string): void;
  onRetrying?(error: unknown): void;
  /** Nothing is folded any more. */
  onEnded?(error: unknown): void;
}

/** Brings facts from the bus to where they are folded, and knows how far that has come. */
export class Feeder {
  #consumer: Consumer | null = null;
  #progress: Progress = { run: 0, settled: 0, positions: {}, producers: {} };
  #sent = 0;
  #gaps: readonly Gap[] = [];
  readonly #asked = new Set<string>();
  #waiting: (() => void)[] = [];
  #failure: unknown = null;
  #stopped = false;
  #subscribing: Promise<void> = Promise.resolve();
  readonly folder: Folding;

  constructor(private readonly options: FeederOptions, folding: (events: FolderEvents) => Folding) {
    this.folder = folding({
      onProgress: progress => { if (progress.run === this.#progress.run) { this.#progress = progress; this.#wake(); } },
      onGaps: gaps => { this.#gaps = gaps; for (const gap of gaps) this.#fill(gap); },
      onRestart: progress => { this.#restart(progress); },
      onDefect: detail => { options.onDefect?.(detail); },
      onRetrying: error => { options.onRetrying?.(error); },
      onEnded: error => { this.#failure = error; this.#wake(); if (!this.#stopped) options.onEnded?.(error); },
    });
  }

  get progress(): Progress { return this.#progress; }
  gaps(): readonly Gap[] { return this.#gaps; }
  /** Facts that are known of and not stored in a log yet; a row not yet read counts as one. */
  lag(): number { return Math.max(0, this.#sent - this.#progress.settled) + (this.#consumer?.lag() ?? 0) + this.#gaps.reduce((total, { from, to }) => total + to - from, 0); }
  failure(): unknown { return this.#failure; }

  async start(): Promise<void> {
    this.#progress = await this.folder.open();
    await this.#resubscribe();
  }

  /** Resolves when all of these are stored. @throws what has ended the folding */
  async waitFolded(producers: Readonly<Record<string, number>>): Promise<void> {
    while (Object.entries(producers).some(([producer, sequence]) => (this.#progress.producers[producer] ?? 0) < sequence)) await this.#changed();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#subscribing.catch(() => undefined);
    await this.#consumer?.stop();
    if (this.#failure === null) await this.folder.stop().catch((error: unknown) => { this.options.onRetrying?.(error); });
    this.#wake();
  }

  async #subscribe(): Promise<void> {
    this.#consumer = await this.options.bus.subscribe({
      group: 'audit.fold',
      topics: Object.values(TOPICS).filter(isFactTopic),
      from: (): Positions => this.#progress.positions,
      handle: batch => this.#take(batch),
    });
  }

  /** Resolves when it is handed on; how far it is stored shows later. */
  async #take({ deliveries, positions }: Batch): Promise<void> {
    // Why this code: it ends the consumer, where any other would park every fact as if it were to blame.
    if (this.#failure !== null) throw new OperationalError('LOG_CLOSED', 'nothing is folded any more', { cause: this.#failure });
    const groups: [string, CloudEvent[]][] = [];
    let count = 0;
    for (const { source, message: { topic, event } } of deliveries) {
      if (!isFactTopic(topic)) continue;
      if (!Number.isSafeInteger(event.sequence) || event.sequence! < 1 || typeof event.producer !== 'string') throw new OperationalError('MALFORMED_MESSAGE', `fact \`${event.id}\` has no number of its producer`);
      const last = groups.at(-1);
      if (last?.[0] === source) last[1].push(event);
      else groups.push([source, [event]]);
      count++;
    }
    const { run } = this.#progress;
    this.#send(groups, count, positions);
    while (run === this.#progress.run && this.#sent - this.#progress.settled > UNSETTLED_MAX) await this.#changed();
  }

  #send(groups: readonly (readonly [string, readonly CloudEvent[]])[], count: number, positions: Positions): void {
    this.#sent += count;
    this.folder.take({ run: this.#progress.run, groups: JSON.stringify(groups), positions });
  }

  /** Once per gap at a time, and again after a pause while it is there. */
  #fill(gap: Gap): void {
    const name = `${gap.producer}/${gap.from}`;
    if (this.#asked.has(name) || this.#stopped) return;
    this.#asked.add(name);
    this.options.onGap?.(gap);
    void this.#bring(gap).catch((error: unknown) => { this.options.onRetrying?.(error); }).finally(() => {
      this.options.clock.after(GAP_PAUSE_MS, () => {
        this.#asked.delete(name);
        const left = this.#gaps.find(({ producer, from }) => producer === gap.producer && from === gap.from);
        if (left !== undefined) this.#fill(left);
      });
    });
  }

  async #bring(gap: Gap): Promise<void> {
    const feed = this.options.feedOf(gap.producer);
    if (feed === undefined) { await this.#resubscribe(); return; }
    const facts = await readGap(feed, gap);
    if (facts.length > 0 && !this.#stopped) this.#send([[feed.source, facts]], facts.length, {});
  }

  #restart(progress: Progress): void {
    this.#progress = progress;
    this.#sent = 0;
    this.#gaps = [];
    this.#wake();
    void this.#resubscribe().catch((error: unknown) => { this.options.onRetrying?.(error); });
  }

  /** From what is stored: what was handed on since comes again, and is recognised by its numbers. */
  #resubscribe(): Promise<void> {
    const next = async (): Promise<void> => {
      await this.#consumer?.stop();
      if (!this.#stopped) await this.#subscribe();
    };
    return (this.#subscribing = this.#subscribing.then(next, next));
  }

  async #changed(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#stopped) throw new OperationalError('AUDIT_STOPPED', 'the audit service has been stopped', { retryable: true });
    await new Promise<void>(resolve => { this.#waiting.push(resolve); });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

import type { Batch, Consumer, Feed, MessageBus } from '@aifirst/bus';
import { isFactTopic, TOPICS, type CloudEvent } from '@aifirst/contracts';
import { OperationalError, type Clock } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import type { Gap } from '../domain/sequencer';
import { readGap } from '../feed-gap';
import type { FolderEvents, Progress } from './folder';
import { isAsked, MissingFacts } from './missing-facts';
import type { Folding } from './thread-folder';

/** Facts that may be on their way to the folding thread: about a second of a whole machine's work. */
/** Nobody waits for the log to the millisecond, and each fetch costs as much as folding a few facts. */
const PATIENCE_MS = 100;
const UNSETTLED_MAX = 20_000;
const GAP_PAUSE_MS = 1_000;

export interface FeederOptions {
  readonly bus: MessageBus;
  readonly clock: Pick<Clock, 'after'>;
  /** The producers' logs that can be read. */
  feeds(): Iterable<Feed>;
  onGap?(gap: Gap): void;
  onDefect?(detail: string): void;
  onRetrying?(error: unknown): void;
  /** Nothing is folded any more. */
  onEnded?(error: unknown): void;
  /** For telemetry: called with each fact that the bus brings. @returns what to call when that is stored, null: nothing */
  watch?(fact: CloudEvent): (() => void) | null;
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
  #watched: { readonly event: CloudEvent; readonly stored: () => void }[] = [];
  /** `settled` at the last look. */
  #lastSettled = -1;
  readonly #missing: MissingFacts;
  readonly folder: Folding;

  constructor(private readonly options: FeederOptions, folding: (events: FolderEvents) => Folding) {
    this.folder = folding({
      onProgress: progress => { if (progress.run === this.#progress.run) { this.#progress = progress; this.#tell(); this.#wake(); } },
      onGaps: gaps => { this.#gaps = gaps; for (const gap of gaps) if (this.#isHere(gap)) this.#fill(gap); else this.#missing.watch(); },
      onRestart: progress => { this.#restart(progress); },
      onDefect: detail => { options.onDefect?.(detail); },
      onRetrying: error => { options.onRetrying?.(error); },
      onEnded: error => { this.#failure = error; this.#wake(); if (!this.#stopped) options.onEnded?.(error); },
    });
    this.#missing = new MissingFacts({
      clock: options.clock, feeds: () => options.feeds(),
      gaps: () => this.#gaps.filter(gap => !this.#isHere(gap)),
      folded: producer => this.#progress.producers[producer] ?? 0,
      isStuck: () => this.#isStuck(),
      bring: async gap => { options.onGap?.(gap); await this.#bring(gap); },
      onAway: error => { options.onRetrying?.(error); },
    });
  }

  get progress(): Progress { return this.#progress; }
  gaps(): readonly Gap[] { return [...this.#gaps, ...this.#missing.tails()]; }
  /** Facts that are known of and not stored in a log yet; a row not yet read counts as one. */
  lag(): number { return Math.max(0, this.#sent - this.#progress.settled) + (this.#consumer?.lag() ?? 0) + this.gaps().reduce((total, { from, to }) => total + to - from, 0); }
  failure(): unknown { return this.#failure; }

  async start(): Promise<void> {
    this.#progress = await this.folder.open();
    await this.#resubscribe();
    if ([...this.options.feeds()].some(isAsked)) this.#missing.watch();
  }

  /** Resolves when all of these are stored. @throws what has ended the folding */
  async waitFolded(producers: Readonly<Record<string, number>>): Promise<void> {
    while (Object.entries(producers).some(([producer, sequence]) => (this.#progress.producers[producer] ?? 0) < sequence)) await this.#changed();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#missing.stop();
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
      patienceMs: PATIENCE_MS,
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
      const stored = this.options.watch?.(event) ?? null;
      if (stored !== null) this.#watched.push({ event, stored });
    }
    const { run } = this.#progress;
    this.#send(groups, count, positions);
    await this.#room(run);
  }

  #tell(): void {
    if (this.#watched.length === 0) return;
    const isStored = ({ event: { producer, sequence } }: { readonly event: CloudEvent }): boolean => (this.#progress.producers[producer] ?? 0) >= sequence!;
    const told = this.#watched.filter(isStored);
    this.#watched = this.#watched.filter(one => !isStored(one));
    for (const { stored } of told) stored();
  }

  async #room(run: number): Promise<void> {
    while (run === this.#progress.run && this.#sent - this.#progress.settled > UNSETTLED_MAX) await this.#changed();
  }

  /** Facts wait to be stored, and none has been since this was asked last. */
  #isStuck(): boolean {
    const before = this.#lastSettled;
    this.#lastSettled = this.#progress.settled;
    return this.#sent > this.#progress.settled && before === this.#progress.settled;
  }

  #feedOf(producer: string): Feed | undefined { return [...this.options.feeds()].find(({ source }) => source === producer); }

  /** A log of this process brings its facts in their order: what is missing is lost, and asking costs nothing. */
  #isHere({ producer }: Gap): boolean {
    const feed = this.#feedOf(producer);
    return feed !== undefined && !isAsked(feed);
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

  /** What of it is there. Of another process's log all is asked for at once that is in the gap or may be missing behind it. */
  async #bring({ producer, from, to }: Gap): Promise<void> {
    const feed = this.#feedOf(producer);
    if (feed === undefined) { await this.#resubscribe(); return; }
    const { run } = this.#progress;
    const end = isAsked(feed) ? Math.max(to, (await feed.refresh()).lastSequence + 1) : to;
    for (let next = from; next < end;) {
      const facts = await readGap(feed, { producer, from: next, to: end });
      if (facts.length === 0 || this.#stopped || run !== this.#progress.run) return;
      this.#send([[feed.source, facts]], facts.length, {});
      // Why: beyond what is nowhere there is nothing to be gained, it would only be held.
      if (facts[0]!.sequence !== next) return;
      next = facts.at(-1)!.sequence! + 1;
      await this.#room(run);
    }
  }

  #restart(progress: Progress): void {
    this.#progress = progress;
    this.#sent = 0;
    this.#gaps = [];
    this.#watched = [];
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

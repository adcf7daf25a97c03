import type { Feed } from '@aifirst/bus';
import type { Clock } from '@aifirst/kernel';
import type { Gap } from '../domain/sequencer';

/** What lasts from one look to the next is missing. Several topics bring one producer's facts out of their order, by less than this. */
const LOOK_MS = 500;
/** How far a producer's log goes is asked at every so manieth look. */
const LOOKS_PER_POLL = 2;
/** What was asked for and has not come is asked for again after so many looks, twice as many each time. */
const PAUSE_LOOKS = { first: 2, most: 8 };

/** A log of another process: nobody tells how far it goes, so it has to be asked. */
export interface AskedFeed extends Feed { refresh(): Promise<{ readonly lastSequence: number }> }
export const isAsked = (feed: Feed): feed is AskedFeed => 'refresh' in feed;

export interface MissingFactsOptions {
  readonly clock: Pick<Clock, 'after'>;
  feeds(): Iterable<Feed>;
  /** Numbers that are missing while later ones are there, of producers that are looked after here. */
  gaps(): readonly Gap[];
  /** The last number of a producer that is stored. */
  folded(producer: string): number;
  /** Nothing can be stored right now: what is not stored is not missing. */
  isStuck(): boolean;
  /** Asks for what is missing. Resolves when it was handed on, or is not there. */
  bring(gap: Gap): Promise<void>;
  /** A producer does not answer; told once for each kind of question until it does. */
  onAway(error: unknown): void;
}

interface Asked { readonly from: number; readonly pause: number; readonly notBefore: number }

/**
 * Finds out what the bus has lost of other processes' facts: in the middle, by numbers that stay missing; at the end,
 * where nothing later shows it, by asking each producer how far it has come.
 */
export class MissingFacts {
  /** By producer its last number, as of the last poll. */
  readonly #ends = new Map<string, number>();
  readonly #polling = new Set<string>();
  readonly #bringing = new Set<string>();
  /** What could not be had last time. */
  readonly #away = new Set<string>();
  readonly #asked = new Map<string, Asked>();
  /** By producer the first number that was missing at the last look. */
  #seen: ReadonlyMap<string, number> = new Map();
  #tails: readonly Gap[] = [];
  #look = 0;
  #isRunning = false;
  #isStopped = false;

  constructor(private readonly options: MissingFactsOptions) {}

  /** Looks as long as there is something to look after. */
  watch(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.options.clock.after(LOOK_MS, () => { this.#isRunning = false; this.#lookNow(); });
  }

  stop(): void { this.#isStopped = true; }

  /** What is missing at producers' ends, as far as it has lasted. */
  tails(): readonly Gap[] { return this.#tails; }

  #lookNow(): void {
    if (this.#isStopped) return;
    const { feeds, gaps, bring } = this.options;
    const asked = [...feeds()].filter(isAsked);
    if (this.#look++ % LOOKS_PER_POLL === 0) for (const feed of asked) void this.#poll(feed);
    const middle = gaps();
    const lasting = (gap: Gap): boolean => this.#seen.get(gap.producer) === gap.from;
    const ends = this.options.isStuck() ? [] : this.#missingAtEnds(asked, new Set(middle.map(({ producer }) => producer)));
    this.#tails = ends.filter(lasting);
    for (const gap of [...middle.filter(lasting), ...this.#tails]) if (this.#isDue(gap)) void this.#bring(gap, bring);
    this.#seen = new Map([...middle, ...ends].map(({ producer, from }) => [producer, from]));
    if (asked.length > 0 || middle.length > 0) this.watch();
  }

  #missingAtEnds(feeds: readonly AskedFeed[], others: ReadonlySet<string>): readonly Gap[] {
    return feeds.filter(({ source }) => !others.has(source)).flatMap(({ source: producer }) => {
      const from = this.options.folded(producer) + 1;
      const to = (this.#ends.get(producer) ?? 0) + 1;
      return from < to ? [{ producer, from, to }] : [];
    });
  }

  #isDue({ producer, from }: Gap): boolean {
    if (this.#bringing.has(producer)) return false;
    const before = this.#asked.get(producer);
    if (before?.from === from && this.#look < before.notBefore) return false;
    const pause = before?.from === from ? Math.min(before.pause * 2, PAUSE_LOOKS.most) : PAUSE_LOOKS.first;
    this.#asked.set(producer, { from, pause, notBefore: this.#look + pause });
    return true;
  }

  async #bring(gap: Gap, bring: (gap: Gap) => Promise<void>): Promise<void> {
    const { producer } = gap;
    this.#bringing.add(producer);
    try {
      await bring(gap);
      this.#away.delete(`facts of ${producer}`);
    } catch (error) {
      this.#tell(`facts of ${producer}`, error);
    } finally {
      this.#bringing.delete(producer);
    }
  }

  async #poll(feed: AskedFeed): Promise<void> {
    const { source } = feed;
    // Why: one that does not answer is asked once at a time, and holds up no other.
    if (this.#polling.has(source)) return;
    this.#polling.add(source);
    try {
      this.#ends.set(source, (await feed.refresh()).lastSequence);
      this.#away.delete(`end of ${source}`);
    } catch (error) {
      this.#tell(`end of ${source}`, error);
    } finally {
      this.#polling.delete(source);
    }
  }

  #tell(what: string, error: unknown): void {
    if (this.#away.has(what) || this.#isStopped) return;
    this.#away.add(what);
    this.options.onAway(error);
  }
}

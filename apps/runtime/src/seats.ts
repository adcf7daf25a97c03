import { messageOf } from '@aifirst/kernel';
import type { Log, PostgresStore } from '@aifirst/store';
import { Fenced, LeaseHeld } from '@aifirst/store';
import { systemClock } from './clock';

const LOOK_MS = 500;
/** After one was given up: whoever asked for it looks for it sooner than we do. */
const LET_BE_MS = 3_000;

/** One that this copy has: its log is written here, by whoever does its work. */
interface Taken { readonly log: Log; readonly end: () => Promise<void> }

export interface SeatsOptions {
  readonly store: Pick<PostgresStore, 'holders' | 'open'>;
  /** Its shards are the seats. */
  readonly log: string;
  readonly of: number;
  /** Where this copy is reached: others learn it from the lease. */
  readonly url: string;
  /** Begins a shard's work. @returns what ends it in order; the log is closed after */
  begin(shard: number, log: Log): Promise<() => Promise<void>>;
  /** Asks another copy for one of its seats. */
  askFor(url: string): Promise<void>;
  onWaiting(shard: number, holder: string): void;
  /** Something that looking again does not mend. */
  onFatal(error: unknown): void;
}

/**
 * The places from which a service's log is written, one for each shard. Every copy takes what nobody has, one at a time; a copy that
 * has two fewer than another asks that one for one. So work is shared as copies come and go, and a copy without a seat stands by.
 * A copy that was killed holds its seats for as long as their leases last, one that ended in order not at all.
 */
export class Seats {
  readonly #taken = new Map<number, Taken>();
  readonly #taking = new Set<number>();
  readonly #holders: (string | null)[];
  readonly #letBe = new Map<number, number>();
  #running: Promise<void> = Promise.resolve();
  /** One change at a time: a seat that is being given up is not taken at the same moment. */
  #change: Promise<unknown> = Promise.resolve();
  #stopping = false;
  #wake: () => void = () => undefined;

  constructor(private readonly options: SeatsOptions) { this.#holders = Array.from({ length: options.of }, () => null); }

  /** Where the copy is reached that has the seat, null: nobody known. */
  activeUrl(shard: number): string | null { return this.#holders[shard] ?? null; }
  isTaken(shard: number): boolean { return this.#taken.has(shard) || this.#taking.has(shard); }

  start(): void { this.#running = this.#run().catch((error: unknown) => { if (!this.#stopping) this.options.onFatal(error); }); }

  /** Gives one up, if the copy that asks has two fewer. @returns which, null: none */
  yield(): Promise<number | null> {
    return this.#alone(async () => {
      const shard = [...this.#taken.keys()].at(-1);
      if (shard === undefined || this.#taken.size < 2 || this.#stopping) return null;
      this.#letBe.set(shard, systemClock.now() + LET_BE_MS);
      await this.#leave(shard);
      return shard;
    });
  }

  /** Ends all work in order and gives every seat up. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#running;
    await this.#alone(() => Promise.all([...this.#taken.keys()].map(shard => this.#leave(shard))));
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const took = await this.#untilThere(() => this.#alone(() => this.#look()));
      if (!took) await this.#askForOne();
      await this.#pause();
    }
  }

  /** @returns whether one was taken. One at a time, so that copies that begin together share from the start. */
  async #look(): Promise<boolean> {
    const { store, log, of, url } = this.options;
    const holders = await store.holders(log, of);
    for (let at = 0; at < of && !this.#stopping; at++) {
      const { owner, isFree } = holders[at]!;
      const taken = this.#taken.get(at);
      if (taken !== undefined) {
        // Why not left to the next write: a copy that was frozen may have nothing to write, and would refuse every call for ever.
        if (owner !== url) throw new Fenced(taken.log.producer, taken.log.epoch);
        continue;
      }
      this.#noteHolder(at, isFree || owner === url ? null : owner);
      // Why ours at once: whoever had it listened where we listen now, so it is gone.
      if (!(isFree || owner === url) || (this.#letBe.get(at) ?? 0) > systemClock.now()) continue;
      if (await this.#take(at, !isFree)) return true;
    }
    return false;
  }

  async #take(shard: number, takeOver: boolean): Promise<boolean> {
    const { store, log: name, url, begin } = this.options;
    let log: Log;
    try {
      log = await store.open({ log: name, shard, owner: url, takeOver });
    } catch (error) {
      if (!(error instanceof LeaseHeld)) throw error;
      return false;
    }
    this.#taking.add(shard);
    this.#holders[shard] = url;
    try {
      this.#taken.set(shard, { log, end: await begin(shard, log) });
      return true;
    } catch (error) {
      await log.close().catch(() => undefined);
      throw error;
    } finally {
      this.#taking.delete(shard);
    }
  }

  async #leave(shard: number): Promise<void> {
    const { log, end } = this.#taken.get(shard)!;
    await end();
    this.#taken.delete(shard);
    this.#holders[shard] = null;
    await log.close();
  }

  async #askForOne(): Promise<void> {
    const { url, askFor } = this.options;
    const counts = new Map<string, number>();
    for (const [shard, holder] of this.#holders.entries()) if (holder !== null && !this.#taken.has(shard)) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    const [most] = [...counts].sort(([, a], [, b]) => b - a);
    // Why not while one has no holder: it may be meant for us.
    if (most === undefined || most[0] === url || most[1] < this.#taken.size + 2 || this.#holders.includes(null)) return;
    await askFor(most[0]).catch(() => undefined);
  }

  #noteHolder(shard: number, holder: string | null): void {
    if (holder !== null && holder !== '' && this.#holders[shard] !== holder) this.options.onWaiting(shard, holder);
    this.#holders[shard] = holder === '' ? null : holder;
  }

  /** The database may be away for a while. */
  async #untilThere<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (this.#stopping || !(error as { retryable?: boolean }).retryable) throw new Error(`the seats of \`${this.options.log}\`: ${messageOf(error)}`, { cause: error });
      }
      await this.#pause();
    }
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#change.then(work, work);
    this.#change = next.catch(() => undefined);
    return next;
  }

  async #pause(): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>(resolve => {
      const cancel = systemClock.after(LOOK_MS, resolve);
      this.#wake = () => { cancel(); resolve(); };
    });
  }
}

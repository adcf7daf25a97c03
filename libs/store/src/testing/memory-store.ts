import type { Clock } from '@aifirst/kernel';
import { OperationalError } from '@aifirst/kernel';
import { MemoryLog } from './memory-log';
import type { Defer, Fate } from './memory-log';
import { MemoryTables, leaseEnds } from './memory-tables';
import { LeaseHeld } from '../store';
import type { Log, OpenOptions, Store, Unit } from '../store';

export type { Defer, Fate } from './memory-log';

export interface MemoryStoreOptions {
  /** The `source` of its events is `/aifirst/<serviceName>`. */
  readonly serviceName: string;
  /** The database's clock, for leases. Default: stands still at 0. */
  readonly clock?: Pick<Clock, 'now'>;
  /** Runs a step later: once to reach the database, once to answer. Default: a microtask. */
  readonly defer?: Defer;
  /** Decides what becomes of a commit that has reached the database. Default: it is stored. */
  readonly fate?: (producer: string, unit: Unit) => Fate;
}

/**
 * The store for the simulator: what `PostgresStore` promises, in memory, held to the same contract suite. Deterministic:
 * it goes on by `defer` alone, and no timer runs. A log that is open renews its lease all the time, until `crash` or `pause`.
 */
export class MemoryStore implements Store {
  /** May be set anew at any time. */
  fate: (producer: string, unit: Unit) => Fate;
  readonly #options: MemoryStoreOptions;
  readonly #now: () => number;
  readonly #defer: Defer;
  readonly #tables = new MemoryTables();
  readonly #logs = new Set<MemoryLog>();

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#now = () => options.clock?.now() ?? 0;
    this.#defer = options.defer ?? queueMicrotask;
    this.fate = options.fate ?? (() => 'stored');
  }

  async open(options: OpenOptions): Promise<Log> {
    await new Promise<void>(resolve => this.#defer(resolve));
    const name = `${options.log}/${options.shard}`;
    const writer = this.#tables.writer(name);
    if (options.takeOver !== true && leaseEnds(writer) > this.#now()) throw new LeaseHeld(name, writer.owner);
    writer.epoch += 1;
    writer.owner = options.owner;
    const log = new MemoryLog({
      tables: this.#tables, writer, leaseMs: options.leaseMs ?? 10_000, source: `/aifirst/${this.#options.serviceName}`,
      defer: this.#defer, now: this.#now, fate: (producer, unit) => this.fate(producer, unit),
    });
    writer.holder = log;
    this.#logs.add(log);
    return log;
  }

  /**
   * The process that has opened these logs is killed: what is committed stays, what has not reached the database never
   * will, every open log is cut off at once and its lease runs out by itself.
   */
  crash(): void {
    for (const log of this.#logs) log.cut(new OperationalError('CRASHED', `the process of log \`${log.producer}\` was killed`));
    this.#logs.clear();
  }

  /** The log's process falls asleep: it renews no lease any more, yet may wake up and commit. */
  pause(log: Log): void {
    for (const open of this.#logs) if (open === log) open.pause();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs].map(log => log.close()));
    this.#logs.clear();
  }
}

import { OperationalError } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import type { Fate } from '@aifirst/store/testing';
import type { LockLog, LockNews } from '../application/ports';
import type { LockBatch, LockEntry, LockState } from '../domain/lock-replica';

export interface MemoryLockLogOptions {
  /** As the store has it: what a batch of another epoch brings is refused. */
  readonly epochOf: (shard: number) => number;
  /** Runs a step later: once to reach the store, once to answer. Default: a microtask. */
  readonly defer?: (step: () => void) => void;
  /** How many entries before a snapshot are kept. Default: 1,000. */
  readonly kept?: number;
  /** How many entries are read at once. Default: 1,000. */
  readonly page?: number;
}

/** The log of locks for tests, shared by several shards. It keeps text, as the real one does. */
export class MemoryLockLog implements LockLog {
  /** Decides what becomes of a batch. May be set anew at any time. */
  fate: (batch: LockBatch) => Fate = () => 'stored';
  readonly #options: MemoryLockLogOptions;
  readonly #shards = new Map<number, { readonly epoch: number; readonly batch: number }>();
  readonly #listeners = new Set<(shard: number) => void>();
  #entries: { readonly number: number; readonly text: string }[] = [];
  #snapshot: { readonly number: number; readonly text: string } | null = null;
  #head = 0;

  constructor(options: MemoryLockLogOptions) { this.#options = options; }

  /** Of the last entry. */
  get head(): number { return this.#head; }
  get entries(): readonly LockEntry[] { return this.#entries.map(({ text }) => JSON.parse(text) as LockEntry); }

  async append(batch: LockBatch, after: number): Promise<LockNews> {
    await this.#step();
    const fate = this.fate(batch);
    if (fate === 'refused') throw new OperationalError('LOCKS_UNAVAILABLE', 'refused', { retryable: true });
    if (fate !== 'unknownAbsent') this.#store(batch);
    await this.#step();
    if (fate !== 'stored') throw new OperationalError('LOCKS_UNAVAILABLE', 'nobody knows', { retryable: true });
    const news = this.#after(after);
    for (const listener of [...this.#listeners]) listener(batch.shard);
    return news;
  }

  async read(after: number): Promise<LockNews> {
    await this.#step();
    const news = this.#after(after);
    await this.#step();
    return news;
  }

  async saveSnapshot(state: LockState): Promise<void> {
    const text = JSON.stringify(state);
    await this.#step();
    if (state.number <= (this.#snapshot?.number ?? 0)) return;
    this.#snapshot = { number: state.number, text };
    this.#entries = this.#entries.filter(({ number }) => number > state.number - Math.max(1, this.#options.kept ?? 1_000));
  }

  onAppended(listener: (shard: number) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  #step(): Promise<void> { return new Promise(resolve => (this.#options.defer ?? queueMicrotask)(resolve)); }

  #store(batch: LockBatch): void {
    const { shard, epoch } = batch;
    if (this.#options.epochOf(shard) !== epoch) throw new Fenced(`shard ${shard}`, epoch);
    const last = this.#shards.get(shard);
    if (last?.epoch === epoch && last.batch >= batch.batch) return;
    this.#shards.set(shard, { epoch, batch: batch.batch });
    this.#entries.push({ number: ++this.#head, text: JSON.stringify({ ...batch, number: this.#head }) });
  }

  #after(after: number): LockNews {
    const first = this.#entries[0]?.number ?? 1;
    const snapshot = after + 1 < first ? this.#snapshot : null;
    const from = snapshot?.number ?? after;
    const entries = this.#entries.filter(({ number }) => number > from).slice(0, this.#options.page ?? 1_000);
    return { snapshot: snapshot === null ? null : JSON.parse(snapshot.text) as LockState, entries: entries.map(({ text }) => JSON.parse(text) as LockEntry), head: this.#head };
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import type { CloudEvent } from '@aifirst/contracts';
import { crashPoint } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import { HeldPositions, Sequencer, type Gap } from '../domain/sequencer';
import { NoteSigner } from '../note-signer';
import { Checkpointer, EntriesMissing } from './checkpointer';
import { FoldDatabase, type FoldState } from './database';
import { TenantLogs } from './tenant-logs';

/** A bundle is stored so long after its first entry, or when it has so many. */
const BUNDLE_MS = 20;
const BUNDLE_EVENTS = 500;
const CHECKPOINT_MS = 1_000;
/** After a failure: the database is away, or its disk full. */
const CHECKPOINT_RETRY_MS = 5_000;
/** Positions that moved past rows without facts are stored by themselves after this time. */
const IDLE_POSITIONS_MS = 1_000;
/** Facts of one producer that may wait for a missing one; beyond it they are read again. */
const HELD_MAX = 10_000;
/** A stop does not wait longer for a database that is away. */
const STOP_MS_MAX = 4_000;

export interface FolderOptions {
  readonly connection: ClientConfig;
  readonly schema: string;
  readonly deployment: string;
  /** 32 bytes of AUDIT_KEY_FILE. */
  readonly seed: Uint8Array;
  readonly bundleMs?: number;
  readonly checkpointMs?: number;
}

/** What came from the bus together. `run` counts restarts: what belongs to a former one is of no use any more. */
export interface FoldBatch {
  readonly run: number;
  /** JSON of `[source, CloudEvent[]][]`, in the order in which they were handed over. */
  readonly groups: string;
  readonly positions: Positions;
}

export interface Progress {
  readonly run: number;
  /** How many events of the run are done with: folded, known already, or held for a missing one. */
  readonly settled: number;
  readonly positions: Positions;
  /** Per producer the last number that is stored. */
  readonly producers: Readonly<Record<string, number>>;
}

export interface FolderEvents {
  onProgress(progress: Progress): void;
  /** Numbers are missing: told with every batch while there are any, and once there are none any more. */
  onGaps(gaps: readonly Gap[]): void;
  /** The database lost commits: everything after `positions` must come again, as the next run. */
  onRestart(progress: Progress): void;
  /** A log's stored entries are not what was folded: it is signed no more. */
  onDefect(detail: string): void;
  onRetrying(error: unknown): void;
  /** Nothing is folded any more: somebody else does, or the database refuses. */
  onEnded(error: unknown): void;
}

/** Folds facts into the tenants' logs: sanitises, hashes, stores in bundles, signs. One at a time, in a thread of its own. */
export class Folder {
  readonly #database: FoldDatabase;
  readonly #checkpointer: Checkpointer;
  readonly #bundleMs: number;
  readonly #checkpointMs: number;
  #logs = new TenantLogs();
  #sequencer = new Sequencer<CloudEvent>({}, HELD_MAX);
  #held = new HeldPositions();
  #positions: Positions = {};
  #stored: Progress = { run: 0, settled: 0, positions: {}, producers: {} };
  #storedSizes = new Map<string, number>();
  #run = 0;
  #received = 0;
  #hasGaps = false;
  #timer: NodeJS.Timeout | null = null;
  #timerMs = Infinity;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> | null = null;
  #signing: Promise<void> | null = null;
  #signedAtMs = -Infinity;
  #ended = false;

  constructor(options: FolderOptions, private readonly events: FolderEvents) {
    this.#database = new FoldDatabase(options.connection, options.schema, error => { events.onRetrying(error); }, () => { void this.#recheck(); });
    this.#checkpointer = new Checkpointer(options.connection, options.schema, options.deployment, new NoteSigner(options.seed), detail => { events.onDefect(detail); });
    this.#bundleMs = options.bundleMs ?? BUNDLE_MS;
    this.#checkpointMs = options.checkpointMs ?? CHECKPOINT_MS;
  }

  /** @returns where to go on from */
  async open(): Promise<Progress> {
    this.#adopt(await this.#database.open());
    this.#signLater(0);
    return this.#stored;
  }

  take({ run, groups, positions }: FoldBatch): void {
    if (run !== this.#run || this.#ended) return;
    const needs = new Map<string, Map<string, number>>();
    const ready: CloudEvent[] = [];
    for (const [source, events] of JSON.parse(groups) as [string, CloudEvent[]][]) {
      const mine = needs.get(source) ?? new Map<string, number>();
      needs.set(source, mine);
      for (const event of events) {
        this.#received++;
        mine.set(event.producer, Math.max(event.sequence!, mine.get(event.producer) ?? 0));
        this.#sequencer.offer(event.producer, event.sequence!, event, ready);
      }
    }
    for (const event of ready) this.#logs.add(event);
    for (const [source, position] of Object.entries(positions)) this.#held.add(source, position, needs.get(source) ?? new Map());
    const gaps = this.#sequencer.gaps();
    if (gaps.length > 0 || this.#hasGaps) this.events.onGaps(gaps);
    this.#hasGaps = gaps.length > 0;
    this.#flushLater(this.#logs.pending >= BUNDLE_EVENTS ? 0 : this.#logs.pending > 0 || ready.length === 0 ? this.#bundleMs : IDLE_POSITIONS_MS);
  }

  /** Stores what is pending. Resolves when everything taken before is stored, or nothing can be any more. */
  async flush(): Promise<void> {
    while (!this.#ended && (this.#flushing !== null || this.#hasPending())) await (this.#flushing ?? this.#flushNow());
  }

  /** Signs what is stored. */
  async checkpoint(): Promise<void> {
    await this.#signing;
    await this.#signNow();
  }

  /** Stores and signs what was taken, and lets go. What can't be stored in time comes again at the next start. */
  async stop(): Promise<void> {
    const given = new AbortController();
    await Promise.race([this.#finish(), pause(STOP_MS_MAX, undefined, { signal: given.signal }).catch(() => undefined)]);
    given.abort();
    await this.#end();
  }

  async #finish(): Promise<void> {
    await this.flush();
    if (!this.#ended) await this.checkpoint().catch(() => undefined);
  }

  #hasPending(): boolean { return this.#logs.pending > 0 || this.#stored.settled < this.#received; }

  #flushLater(delayMs: number): void {
    if (this.#ended || this.#flushing !== null) return;
    if (this.#timer !== null) {
      if (delayMs >= this.#timerMs) return;
      clearTimeout(this.#timer);
    }
    this.#timerMs = delayMs;
    this.#timer = setTimeout(() => { void this.#flushNow(); }, delayMs);
  }

  #flushNow(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return this.#flushing ?? this.#exclusively(() => this.#store());
  }

  /** One at a time speaks to the database of what was folded. */
  #exclusively(work: () => Promise<void>): Promise<void> {
    this.#flushing = work().catch((error: unknown) => { void this.#fail(error); }).finally(() => {
      this.#flushing = null;
      if (this.#logs.pending > 0) this.#flushLater(this.#logs.pending >= BUNDLE_EVENTS ? 0 : this.#bundleMs);
      this.#signLater(this.#checkpointMs);
    });
    return this.#flushing;
  }

  /** After a lost connection: commits that were not flushed are gone with a crash of the database. @returns whether nothing was */
  async #recheck(): Promise<boolean> {
    while (this.#flushing !== null) await this.#flushing;
    const run = this.#run;
    if (!this.#ended) await this.#exclusively(async () => { if (await this.#database.standing() === 'lost') await this.#restart(); });
    return run === this.#run;
  }

  async #store(): Promise<void> {
    const rows = this.#logs.close();
    const released = this.#held.release(producer => this.#sequencer.last(producer));
    const positions = merged(this.#positions, released);
    const progress: Progress = { run: this.#run, settled: this.#received, positions, producers: this.#sequencer.lasts() };
    if (rows.length > 0 || Object.keys(released).length > 0) {
      crashPoint('audit.bundle.before');
      const outcome = await this.#database.commit({ rows, positions, producers: progress.producers });
      if (outcome === 'lost') return this.#restart();
      crashPoint('audit.bundle.after');
    }
    this.#positions = positions;
    this.#stored = progress;
    for (const { tenant, first, count } of rows) this.#storedSizes.set(tenant, first + count);
    this.events.onProgress(progress);
  }

  async #restart(): Promise<void> {
    const state = await this.#database.reload();
    this.#run++;
    this.#adopt(state);
    this.events.onRestart(this.#stored);
  }

  #adopt({ positions, producers, logs }: FoldState): void {
    this.#logs = new TenantLogs(logs);
    this.#sequencer = new Sequencer(producers, HELD_MAX);
    this.#held = new HeldPositions();
    this.#positions = positions;
    this.#received = 0;
    this.#hasGaps = false;
    this.#storedSizes = new Map([...logs].map(([tenant, { size }]) => [tenant, size]));
    this.#stored = { run: this.#run, settled: 0, positions, producers };
    this.#checkpointer.forget();
  }

  #signLater(delayMs: number): void {
    if (this.#ended || this.#checkpointTimer !== null || this.#signing !== null) return;
    const sinceMs = performance.now() - this.#signedAtMs;
    this.#checkpointTimer = setTimeout(() => { void this.#signNow().catch(() => undefined); }, Math.max(0, delayMs - sinceMs));
  }

  #signNow(): Promise<void> {
    if (this.#checkpointTimer !== null) clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = null;
    this.#signedAtMs = performance.now();
    let next: number | null = null;
    this.#signing ??= (async () => {
      try {
        let sizes: ReadonlyMap<string, number>;
        do sizes = new Map(this.#storedSizes); while (!await this.#checkpointer.sign(sizes)); // Why again: more than one checkpoint's worth may have piled up.
        // Why: what was stored meanwhile found a signing under way, and nobody else may come after it.
        if ([...this.#storedSizes].some(([tenant, size]) => size > (sizes.get(tenant) ?? 0))) next = this.#checkpointMs;
      } catch (error) {
        next = CHECKPOINT_RETRY_MS;
        if (error instanceof EntriesMissing && await this.#recheck() && !this.#ended) this.events.onDefect(error.message);
        else this.events.onRetrying(error);
        throw error;
      } finally {
        this.#signing = null;
        if (next !== null) this.#signLater(next);
      }
    })();
    return this.#signing;
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#ended) return;
    await this.#end();
    this.events.onEnded(error);
  }

  async #end(): Promise<void> {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#checkpointTimer !== null) clearTimeout(this.#checkpointTimer);
    await Promise.all([this.#database.end(), this.#checkpointer.end()]);
    await this.#signing?.catch(() => undefined);
  }
}

function merged(before: Positions, released: Positions): Positions {
  const positions: Record<string, number> = { ...before };
  for (const [source, position] of Object.entries(released)) positions[source] = Math.max(position, before[source] ?? 0);
  return positions;
}

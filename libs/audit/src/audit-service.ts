import { join } from 'node:path';
import { answerer, type Feed, type MessageBus } from '@aifirst/bus';
import type { AuditQuestions, CloudEvent, ServiceQuery } from '@aifirst/contracts';
import { messageOf, type Clock } from '@aifirst/kernel';
import { PostgresStore } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import type { Gap } from './domain/sequencer';
import { connectionOf } from './folding/database';
import { Feeder } from './folding/feeder';
import { Folder } from './folding/folder';
import { ThreadFolder } from './folding/thread-folder';
import { NoteSigner } from './note-signer';
import { Exporter } from './reading/exporter';
import { LogReader } from './reading/log-reader';
import { recordSigningKey } from './signing-keys';

export interface AuditServiceOptions {
  readonly bus: MessageBus;
  /** Where the service answers `AuditQuestions`. */
  readonly query: ServiceQuery;
  /**
   * The producers' logs: what the bus did not bring is asked for there. One of another process has `refresh` (`AskedFeed`)
   * and is asked how far it goes every second, as what was lost at its end shows by nothing else.
   */
  readonly feeds?: () => Iterable<Feed>;
  /** As the audit service's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  /** Where `AUDIT_MIGRATIONS` ran. Default `aifirst_audit`. */
  readonly schema?: string;
  /** DEPLOYMENT: the first part of the logs' names. */
  readonly deployment: string;
  /** The 32 bytes of AUDIT_KEY_FILE. */
  readonly key: Uint8Array;
  readonly clock: Pick<Clock, 'after'>;
  /** `worker` (default): a thread of its own, from the compiled code. `here`: in this thread. */
  readonly thread?: 'worker' | 'here';
  /** A bundle is stored so long after its first entry. Default 20 ms. */
  readonly bundleMs?: number;
  /** A log that has grown is signed at most so often. Default 1,000 ms. */
  readonly checkpointMs?: number;
  /** A producer's facts are missing; they have been asked for. Must not throw, nor any of these. */
  onGap?(gap: Gap): void;
  /** What is stored of a log is not what was folded: it is not signed any more. Somebody must look. */
  onDefect?(detail: string): void;
  onRetrying?(error: unknown): void;
  /** Nothing is folded any more: somebody else has taken it over, or the database refuses. */
  onEnded?(error: unknown): void;
  /** For telemetry: called with each fact that the bus brings. @returns what to call when that is stored, null: nothing */
  watch?(fact: CloudEvent): (() => void) | null;
}

/** The Merkle logs: every fact of every service, as it happens, into the log of its tenant. */
export class AuditService {
  readonly #options: AuditServiceOptions;
  readonly #schema: string;
  readonly #signer: NoteSigner;
  readonly #store: PostgresStore;
  readonly #reader: LogReader;
  readonly #exporter: Exporter;
  readonly #feeder: Feeder;

  constructor(options: AuditServiceOptions) {
    this.#options = options;
    this.#schema = options.schema ?? 'aifirst_audit';
    const { connection, deployment, key: seed, bus, clock, onGap, onDefect, onRetrying, onEnded, watch, bundleMs, checkpointMs } = options;
    this.#signer = new NoteSigner(seed);
    this.#store = new PostgresStore({ connection, schema: this.#schema, serviceName: 'audit' });
    this.#reader = new LogReader(this.#store);
    this.#exporter = new Exporter(this.#store, this.#reader, deployment, this.#signer);
    const folding = { connection, schema: this.#schema, deployment, seed, ...(bundleMs === undefined ? {} : { bundleMs }), ...(checkpointMs === undefined ? {} : { checkpointMs }) };
    this.#feeder = new Feeder({
      bus, clock, feeds: () => options.feeds?.() ?? [],
      ...(onGap && { onGap }), ...(onDefect && { onDefect }), ...(onRetrying && { onRetrying }), ...(onEnded && { onEnded }), ...(watch && { watch }),
    }, events => (options.thread === 'here' ? new Folder(folding, events) : new ThreadFolder(join(__dirname, 'audit-worker.js'), folding, events)));
    this.#answer();
  }

  /** Takes over folding, from where it was left. */
  async start(): Promise<void> {
    await recordSigningKey(connectionOf(this.#options.connection, this.#schema, 'keys', 'flushed'), this.#options.deployment, this.#signer.publicKey);
    await this.#feeder.start();
  }

  /** Facts that are not in a log yet: `aifirst_audit_lag`. */
  lag(): number { return this.#feeder.lag(); }

  /** Numbers of producers that are missing right now. */
  gaps(): readonly Gap[] { return this.#feeder.gaps(); }

  /** @throws what has ended the folding: for readiness */
  ready(): void {
    const failure = this.#feeder.failure();
    if (failure !== null) throw new Error(`nothing is folded any more: ${messageOf(failure)}`, { cause: failure });
  }

  foldedUpTo(): AuditQuestions['foldedUpTo'][1] { return { producers: { ...this.#feeder.progress.producers }, lag: this.lag() }; }

  /** Resolves when every producer is folded as far as named. */
  waitFolded(producers: Readonly<Record<string, number>>): Promise<void> { return this.#feeder.waitFolded(producers); }

  /** Stores what has arrived and signs every log that has grown, without waiting for its time. */
  async settle(): Promise<void> {
    await this.#feeder.folder.flush();
    await this.#feeder.folder.checkpoint();
  }

  /** Stores and signs what has arrived, then lets go. */
  async stop(): Promise<void> {
    await this.#feeder.stop();
    await this.#store.close();
  }

  #answer(): void {
    const answer = answerer<AuditQuestions>(this.#options.query, 'audit');
    answer('entries', asked => this.#reader.entries(asked));
    answer('entry', asked => this.#reader.entry(asked));
    answer('checkpoint', async ({ tenant }) => {
      const newest = await this.#reader.checkpoint(tenant);
      return newest === null ? null : { note: newest.note };
    });
    answer('tile', asked => this.#reader.tile(asked));
    answer('inclusionProof', asked => this.#reader.inclusionProof(asked));
    answer('consistencyProof', asked => this.#reader.consistencyProof(asked));
    answer('keys', ({ tenant }) => this.#reader.keys(tenant));
    answer('export', asked => this.#exporter.export(asked));
    answer('foldedUpTo', () => this.foldedUpTo());
  }
}

import { readFile } from 'node:fs/promises';
import { PostgresDeadLetters, type ConsumerEvents, type MessageBus } from '@aifirst/bus';
import type { ServiceName, ServiceQuery } from '@aifirst/contracts';
import { messageOf, OperationalError } from '@aifirst/kernel';
import type { Logger, Metrics, Tracing } from '@aifirst/observability';
import { PostgresLockLog } from '@aifirst/orchestration';
import { PostgresStore } from '@aifirst/store';
import { MasterKey, PostgresVault } from '@aifirst/vault';
import type { CommonConfig } from './config';
import { schemaName, type Databases, type Schema } from './database';

export const VERSION = '0.1.0';
export const KEY_BYTES = 32;
export const DAY_MS = 86_400_000;

/** A service that parks what it can't handle. */
export type ParkingSchema = Exclude<Schema, 'vault'>;

/** Said of a consumer or queue, for the metrics. */
export type Measured = readonly [number, Readonly<Record<string, string>>];

/** What every service stands on, whether it has its process to itself or not. */
export interface Ground {
  readonly config: CommonConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly databases: Databases;
  readonly query: ServiceQuery;
  readonly bus: MessageBus;
  readonly serviceKey: Buffer;
  readonly stores: Stores;
  /** What is to end, in the reverse order, when the process does. */
  readonly ends: (() => Promise<void> | void)[];
  /** The process has to start anew. */
  fatal(part: string): (error: unknown) => void;
}

/** Each schema's store and dead letters, opened when they are asked for first. */
export class Stores {
  readonly #stores = new Map<Schema, PostgresStore>();
  readonly #letters = new Map<ParkingSchema, PostgresDeadLetters>();
  #lockLog: PostgresLockLog | null = null;

  constructor(private readonly databases: Pick<Databases, 'connections' | 'shared'>, private readonly ends: Ground['ends']) {}

  connection(schema: Schema) { return this.databases.connections.get(schema)!; }

  store(schema: Schema): PostgresStore {
    const known = this.#stores.get(schema);
    if (known !== undefined) return known;
    const store = new PostgresStore({ connection: this.connection(schema), schema: schemaName(schema), serviceName: schema as ServiceName, unflushedCommits: this.databases.shared ? 'allowed' : 'never' });
    this.#stores.set(schema, store);
    this.ends.push(() => store.close());
    return store;
  }

  letters(schema: ParkingSchema): PostgresDeadLetters {
    const known = this.#letters.get(schema);
    if (known !== undefined) return known;
    const letters = new PostgresDeadLetters({ connection: this.connection(schema), schema: schemaName(schema) });
    this.#letters.set(schema, letters);
    this.ends.push(() => letters.close());
    return letters;
  }

  /** One for all shards in this process: they hear of each other at once. */
  lockLog(): PostgresLockLog {
    if (this.#lockLog === null) {
      const lockLog = this.#lockLog = new PostgresLockLog({ connection: this.connection('orchestrator'), schema: schemaName('orchestrator') });
      this.ends.push(() => lockLog.close());
    }
    return this.#lockLog;
  }

  /** Those of the schemas that were opened. */
  allLetters(): ReadonlyMap<string, PostgresDeadLetters> { return this.#letters; }
}

/** @throws OperationalError MASTER_KEY_UNKNOWN where the key file is not the one that sealed what is stored */
export async function openVault({ stores, config, ends }: Ground): Promise<PostgresVault> {
  const vault = new PostgresVault({ connection: stores.connection('vault'), masterKey: new MasterKey(await readFile(config.masterKeyFile, 'utf8')) });
  ends.push(() => vault.close());
  await vault.checkMasterKey().catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'MASTER_KEY_UNKNOWN') throw error;
    throw new OperationalError('MASTER_KEY_UNKNOWN', `\`${config.masterKeyFile}\` is not the master key of this database (${messageOf(error)}): put back the one that sealed what is in it`, { cause: error });
  });
  return vault;
}

/** Whatever one of them does, the others end too. */
export async function endAll(ends: Ground['ends'], logger: Pick<Logger, 'error'>): Promise<void> {
  for (const end of ends.splice(0).reverse()) await Promise.resolve().then(end).catch((error: unknown) => { logger.error({ err: error }, 'a part did not end in order'); });
}

export const fatalOf = (logger: Pick<Logger, 'fatal'>, onFatal: (reason: string) => void) => (part: string) => (error: unknown): void => {
  logger.fatal({ err: error, part }, 'can not go on');
  onFatal(`${part}: ${messageOf(error)}`);
};

/** What consumers tell, for log and metrics. */
export const consumerEvents = ({ logger, metrics, fatal }: Pick<Ground, 'logger' | 'metrics' | 'fatal'>): Required<ConsumerEvents> => ({
  onStopped: (group, error) => fatal(group)(error),
  onRetrying: (group, error, delayMs) => logger.warn({ group, err: error, delayMs }, 'a batch is tried again'),
  onParked: (group, parked) => {
    metrics.deadLetters.add(parked.length, { consumer: group });
    const firsts = new Map(parked.toReversed().map(letter => [letter.delivery.message.key, letter]));
    for (const { code, delivery: { message: { key, event } } } of firsts.values()) logger.error({ group, key, code, event: event.id, type: event.type, traceparent: event.traceparent }, 'messages were parked');
  },
});

/** The database ends with us, and we with it. */
export function endWith(databases: Databases, ends: Ground['ends'], onFatal: (reason: string) => void): void {
  let stopping = false;
  ends.push(() => { stopping = true; return databases.stop(); });
  void databases.ended?.then(reason => { if (!stopping) onFatal(`the database has ended: ${reason}`); });
}

export const urlOf = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

import type { WorkflowViews } from '@aifirst/api';
import type { AuditService } from '@aifirst/audit';
import type { DeadLetters } from '@aifirst/bus';
import type { AuditQuestions } from '@aifirst/contracts';
import type { StepJournal } from '@aifirst/execution';
import type { Clock } from '@aifirst/kernel';
import type { Logger } from '@aifirst/observability';
import { snapshotKindOf } from '@aifirst/orchestration';
import { Retention, type Bound, type Log, type Positions, type TrimmedLog } from '@aifirst/store';
import { systemClock } from './clock';
import type { RuntimeConfig } from './config';
import type { Schema } from './database';
import type { Ground } from './ground';

const DAY_MS = 86_400_000;
/** Not while everything is busy with the start. */
const FIRST_AFTER_MS = 5 * 60_000;
const EVERY_MS = 3_600_000;
const SWEEP_EVERY_MS = 60_000;
/** One round of sweeping; the next one goes on. */
const SWEEP_MS_MAX = 30_000;
/** Replayed and discarded ones, for whoever looks up what was done about them. */
const DEAD_LETTER_DAYS = 30;
const FACTS_PAGE = 100;
const SNAPSHOTS_PAGE = 500;

type FoldedUpTo = AuditQuestions['foldedUpTo'][1];
interface Folded { foldedUpTo(): FoldedUpTo | Promise<FoldedUpTo> }

/** Nothing goes that audit has not folded. Its numbers rise with the rows: all are folded before the first one that follows, if it has come so far. */
export const folded = (log: Log, audit: Folded): Bound => async upTo => {
  const { producers, lag } = await audit.foldedUpTo();
  for (let after = upTo; after < log.head();) {
    const rows = await log.read(after, FACTS_PAGE);
    const next = rows.flatMap(({ messages }) => messages.map(({ event }) => event.sequence)).find(sequence => sequence !== undefined);
    if (next !== undefined) return (producers[log.producer] ?? 0) >= next - 1 ? upTo : 0;
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.position;
  }
  return lag === 0 ? upTo : 0;
};

/** Nothing goes that a consumer has not taken. */
export const taken = (log: Log, positions: () => Positions | Promise<Positions>): Bound => async () => (await positions())[log.producer] ?? 0;

/** Workflows that have not ended although they began long ago: recovery needs no row of theirs, but their end will be a row. */
export async function snapshotted(orchestratorLog: Pick<Log, 'listDocuments' | 'producer'>): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await orchestratorLog.listDocuments(snapshotKindOf(orchestratorLog), null, after === undefined ? { limit: SNAPSHOTS_PAGE } : { limit: SNAPSHOTS_PAGE, after });
    for (const { id } of page) ids.push(id);
    const last = page.at(-1);
    if (last === undefined || page.length < SNAPSHOTS_PAGE) return ids;
    after = `${last.tenant}/${last.id}`;
  }
}

/** Has adapters let go of what undo needs no more, one round at a time. */
export class Sweeper {
  #last: Promise<unknown> = Promise.resolve();
  constructor(private readonly journal: Pick<StepJournal, 'sweep'>, private readonly clock: Clock) {}

  /** @returns the position up to which undo needs nothing of the journal */
  sweep(nowMs: number): Promise<number> {
    const next = this.#last.then(async () => {
      const until = this.clock.now() + SWEEP_MS_MAX;
      for (;;) {
        const { upTo, more } = await this.journal.sweep(nowMs);
        if (!more || this.clock.now() >= until) return upTo;
      }
    });
    this.#last = next.catch(() => undefined);
    return next;
  }
}

export interface Housekeeping {
  readonly retention: Retention;
  /** One for each journal; none: nothing here can be undone. */
  readonly sweepers: readonly Sweeper[];
  readonly deadLetters: ReadonlyMap<string, Pick<DeadLetters, 'forget'>>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'debug'>;
}

export interface HouseParts extends Omit<Housekeeping, 'retention' | 'sweepers'> {
  readonly config: Pick<RuntimeConfig, 'undoWindowDays' | 'idempotencyDays' | 'historyDays'>;
  readonly logs: Readonly<Record<'gateway' | 'orchestrator' | 'policy', Log>>;
  readonly journals: readonly KeptJournal[];
  readonly audit: Pick<AuditService, 'foldedUpTo'>;
  readonly views: Pick<WorkflowViews, 'positions'>;
  /** Where the marks of age lie. */
  readonly openMarks: () => Promise<Log>;
}
export interface KeptJournal {
  readonly log: Log;
  readonly journal: Pick<StepJournal, 'sweep'>;
  /** Up to where it needs nothing of another service's log any more. */
  taken(of: Log): number;
  /** What it held of workflows that were made before may be gone from now on. */
  onForgetting(before: number): void;
}

/** How long each log keeps its rows, and who must have taken them. A workflow that can still be undone has its rows, whatever HISTORY_DAYS says. */
export function houseOf({ config, logs, journals, audit, views, openMarks, ...rest }: HouseParts): Housekeeping {
  const { gateway, orchestrator, policy } = logs;
  const kept = journals.map(one => ({ ...one, sweeper: new Sweeper(one.journal, rest.clock) }));
  const history = config.historyDays * DAY_MS;
  const undoable = Math.max(history, config.undoWindowDays * DAY_MS);
  const viewed = (log: Log) => taken(log, () => views.positions());
  const retention = new Retention({
    open: openMarks, clock: rest.clock,
    logs: [
      { log: gateway, keptMs: Math.max(history, config.idempotencyDays * DAY_MS), bounds: { orchestrator: taken(gateway, () => orchestrator.positions()), views: viewed(gateway), audit: folded(gateway, audit) } },
      {
        log: orchestrator, keptMs: undoable, keep: () => snapshotted(orchestrator),
        bounds: {
          policy: taken(orchestrator, () => policy.positions()), views: viewed(orchestrator), audit: folded(orchestrator, audit),
          ...Object.fromEntries(journals.map((journal): [string, Bound] => [journal.log.producer, () => journal.taken(orchestrator)])),
        },
      },
      { log: policy, keptMs: history, bounds: { orchestrator: taken(policy, () => orchestrator.positions()), audit: folded(policy, audit) } },
      ...kept.map(({ log, sweeper, onForgetting }) => ({
        log, keptMs: undoable, onForgetting,
        bounds: { orchestrator: taken(log, () => orchestrator.positions()), undo: (_: number, nowMs: number) => sweeper.sweep(nowMs), audit: folded(log, audit) },
      })),
    ],
  });
  return { retention, sweepers: kept.map(({ sweeper }) => sweeper), ...rest };
}

/**
 * The same for a service in a process of its own: what it keeps for others it has handed to Kafka, and asks audit how far it has come.
 * @param parts what the service has: the gateway its views, an adapter its journal
 */
export async function houseOfOne({ config, logger, query, stores }: Pick<Ground, 'config' | 'logger' | 'query' | 'stores'>, log: Log, { relayed, views, journal, onForgetting }: OwnParts): Promise<Housekeeping> {
  const [service = '', shard] = log.producer.split('/');
  const sweeper = journal === undefined ? null : new Sweeper(journal, systemClock);
  const history = config.historyDays * DAY_MS;
  const keptMs = Math.max(history, service === 'gateway' ? config.idempotencyDays * DAY_MS : service === 'policy' ? 0 : config.undoWindowDays * DAY_MS);
  const audit = { foldedUpTo: () => query.ask<AuditQuestions['foldedUpTo'][1]>('audit', 'foldedUpTo', {}) };
  const retention = new Retention({
    open: () => stores.store(service as Schema).open({ log: 'retention', shard: Number(shard), owner: `${process.pid}` }), clock: systemClock,
    logs: [{
      log, keptMs, ...(service === 'orchestrator' ? { keep: () => snapshotted(log) } : {}), ...(onForgetting === undefined ? {} : { onForgetting }),
      bounds: {
        relay: () => relayed(), audit: folded(log, audit), ...(views === undefined ? {} : { views: taken(log, () => views.positions()) }),
        ...(sweeper === null ? {} : { undo: (_: number, nowMs: number) => sweeper.sweep(nowMs) }),
      },
    }],
  });
  return { retention, sweepers: sweeper === null ? [] : [sweeper], deadLetters: stores.allLetters(), clock: systemClock, logger };
}
interface OwnParts { readonly relayed: () => number; readonly views?: Pick<WorkflowViews, 'positions'>; readonly journal?: Pick<StepJournal, 'sweep'>; readonly onForgetting?: (before: number) => void }

/** Lets go of what is old: rows of logs, dead letters that were settled. @param nowMs from which ages count */
export async function retain({ retention, deadLetters, clock, logger }: Housekeeping, nowMs: number = clock.now()): Promise<readonly TrimmedLog[]> {
  const trimmed = await retention.run(nowMs);
  for (const { producer, removed, upTo, heldBy, error } of trimmed) {
    if (error !== null) logger.warn({ part: 'retention', log: producer, err: error }, 'old rows could not be removed and will be later');
    else if (heldBy === 'audit') logger.warn({ part: 'retention', log: producer, upTo }, 'old rows stay because audit has not folded them');
    else if (removed > 0) logger.info({ part: 'retention', log: producer, removed, upTo, heldBy }, 'old rows were removed');
    else logger.debug({ part: 'retention', log: producer, upTo, heldBy }, 'no rows were old');
  }
  const settledBefore = new Date(nowMs - DEAD_LETTER_DAYS * DAY_MS).toISOString();
  for (const [service, letters] of deadLetters) {
    const forgotten = await letters.forget(settledBefore);
    if (forgotten > 0) logger.info({ part: 'retention', service, letters: forgotten }, 'dead letters settled long ago were removed');
  }
  return trimmed;
}

/** Sweeps every minute, retains every hour. @returns what ends it */
export function keepHouse(housekeeping: Housekeeping): () => Promise<void> {
  const { retention, sweepers, clock, logger } = housekeeping;
  const repeat = (firstMs: number, everyMs: number, work: () => Promise<unknown>, failure: string): () => void => {
    let cancel: () => void = () => undefined;
    let stopped = false;
    const wait = (delayMs: number): void => {
      if (!stopped) cancel = clock.after(delayMs, () => { void work().catch((error: unknown) => logger.warn({ part: 'retention', err: error }, failure)).finally(() => wait(everyMs)); });
    };
    wait(firstMs);
    return () => { stopped = true; cancel(); };
  };
  const ends = [
    ...sweepers.map(sweeper => repeat(SWEEP_EVERY_MS, SWEEP_EVERY_MS, () => sweeper.sweep(clock.now()), 'what undo no longer needs could not be let go of')),
    repeat(FIRST_AFTER_MS, EVERY_MS, () => retain(housekeeping), 'what is old could not be let go of'),
  ];
  return async () => {
    for (const end of ends) end();
    await retention.stop();
  };
}

import { readFile } from 'node:fs/promises';
import { BuiltinAdapter, type TaskDesk } from '@aifirst/adapter-builtin';
import { FilesAdapter } from '@aifirst/adapter-files';
import { SqlAdapter } from '@aifirst/adapter-sql';
import type { Consumer } from '@aifirst/bus';
import { SERVICE_OF_ADAPTER, stepCommandsTopic, type AdapterHost, type Connection } from '@aifirst/contracts';
import { ConnectionCache, Previewer, StepJournal, UndoPreviewer, type ExecutionAdapter } from '@aifirst/execution';
import type { PolledControl } from '@aifirst/orchestration';
import type { Log } from '@aifirst/store';
import { resolveSecretRefs, type PostgresVault } from '@aifirst/vault';
import { answerForAdapters, answerForPreviews } from '../adapter-questions';
import { systemClock, systemIds } from '../clock';
import { answerForEarlierSql, elsewhere, handOver } from '../earlier-sql';
import { DAY_MS, type Ground, type Measured } from '../ground';
import { journalHooks, measuringWays } from '../measuring';

type Ends = Pick<Ground, 'ends' | 'query'>;

const MAKERS: Readonly<Record<string, (ground: Ends) => ExecutionAdapter>> = {
  builtin: ({ query }) => new BuiltinAdapter(systemClock, taskDesk(query)),
  os: () => new FilesAdapter(),
  sql: ({ ends }) => {
    const sql = new SqlAdapter({ secret: async reference => (await resolveSecretRefs({ password: reference }, process.env, path => readFile(path, 'utf8')))['password']! });
    ends.push(() => sql.close());
    return sql;
  },
};

/** Tasks are kept by the gateway. */
const taskDesk = (query: Ground['query']): TaskDesk => ({
  task: asked => query.ask('gateway', 'task', asked), findTask: asked => query.ask('gateway', 'findTask', asked),
  withdrawTask: asked => query.ask('gateway', 'withdrawTask', asked), undoTask: asked => query.ask('gateway', 'undoTask', asked),
});

/** The adapters that a service hosts; what they offer can be asked for from now on. */
export function makeAdapters(host: AdapterHost, ground: Pick<Ground, 'query' | 'ends'>): readonly ExecutionAdapter[] {
  const adapters = Object.keys(MAKERS).filter(name => SERVICE_OF_ADAPTER[name] === host).map(name => MAKERS[name]!(ground));
  answerForAdapters(ground.query, host, adapters);
  return adapters;
}

export interface AdapterPart {
  readonly journal: StepJournal;
  /** Looks after what an earlier process left, then takes commands. */
  begin(): Promise<void>;
  ready(): boolean;
  /** Up to where nothing of another service's log is needed any more. */
  taken(of: Log): number;
  lags(): Measured[];
  depths(): Measured[];
}

export interface AdapterParts {
  readonly log: Log;
  readonly adapters: readonly ExecutionAdapter[];
  readonly control: PolledControl;
  readonly vault: PostgresVault;
  readonly forgottenBefore: () => number;
  /** Of workflows that were made before it `adapter-os` has the SQL in its journal. */
  readonly sqlHeldUntil: number;
}

/** A step journal, its consumer and its answers: the same for every service that hosts adapters. */
export function makeAdapter(ground: Ground, host: AdapterHost, { log, adapters: own, control, vault, forgottenBefore, sqlHeldUntil }: AdapterParts): AdapterPart {
  const { config, databases, query, metrics, tracing, bus, logger, serviceKey, ends } = ground;
  const group = `${host}.steps`;
  const adapters = host === 'adapter-os' && sqlHeldUntil > 0 && own.every(({ name }) => name !== 'sql') ? [...own, MAKERS['sql']!(ground)] : own;
  const connections = new ConnectionCache({ ask: (tenant, name) => query.ask<Connection | null>('gateway', 'connection', { tenant, name }), clock: systemClock });
  const asking = { adapters, vault, connections, clock: systemClock };
  const undoPreviewer = new UndoPreviewer({ ...asking, log, forgottenBefore });
  const whose = elsewhere(host, sqlHeldUntil);
  answerForPreviews(query, host, new Previewer(asking), asked => {
    const owner = whose(asked);
    return owner === null ? undoPreviewer.preview(asked) : query.ask(owner, 'previewUndo', asked);
  });
  const journal = new StepJournal({
    log, adapters, serviceKey, vault, control, clock: systemClock, ids: systemIds, undoWindowMs: config.undoWindowDays * DAY_MS, separateClusters: !databases.shared,
    forgottenBefore, connections,
    hooks: journalHooks(metrics, tracing, ground.fatal(host)),
  });
  const onLost = (error: unknown): void => logger.warn({ part: host, err: error }, 'a command for SQL that was begun by an earlier version could not be handed over; it will be sent again');
  answerForEarlierSql(query, host, sqlHeldUntil, journal, onLost);
  let consumer: Consumer | null = null;
  return {
    journal,
    async begin() {
      const interrupted = await journal.recover();
      if (interrupted > 0) logger.info({ steps: interrupted }, 'looking after steps that an earlier process left');
      ends.push(() => journal.stop());
      const mine = await measuringWays(bus, metrics).subscribe({
        group, topics: [stepCommandsTopic(host)], from: () => log.positions(), handle: batch => journal.handle(handOver(batch, whose, query, onLost)),
      });
      ends.push(() => mine.stop());
      consumer = mine;
    },
    ready: () => consumer !== null,
    taken(of) {
      const head = of.head();
      // Why not the positions alone: they move rarely where a log holds nothing for us.
      return consumer?.lag() === 0 && journal.hasTakenAll() ? head : log.positions()[of.producer] ?? 0;
    },
    lags: () => [[consumer?.lag() ?? 0, { consumer: group }]],
    depths: () => [[journal.depth().waiting, { queue: `${host}.waiting` }]],
  };
}

import { readFile } from 'node:fs/promises';
import { BuiltinAdapter } from '@aifirst/adapter-builtin';
import { FilesAdapter } from '@aifirst/adapter-files';
import { SqlAdapter } from '@aifirst/adapter-sql';
import type { Consumer } from '@aifirst/bus';
import { stepCommandsTopic, type CapabilityDescriptor, type Connection } from '@aifirst/contracts';
import { ConnectionCache, Previewer, StepJournal, UndoPreviewer, type ExecutionAdapter } from '@aifirst/execution';
import type { PolledControl } from '@aifirst/orchestration';
import type { Log } from '@aifirst/store';
import { resolveSecretRefs, type PostgresVault } from '@aifirst/vault';
import { answerForAdapters, answerForPreviews } from '../adapter-questions';
import { systemClock, systemIds } from '../clock';
import { DAY_MS, type Ground, type Measured } from '../ground';
import { journalHooks, measuringWays } from '../measuring';

/** The adapters of this service; what they offer can be asked for from now on. */
export function makeAdapters({ query, ends }: Pick<Ground, 'query' | 'ends'>): { readonly adapters: readonly ExecutionAdapter[]; readonly capabilities: readonly CapabilityDescriptor[] } {
  const sql = new SqlAdapter({ secret: async reference => (await resolveSecretRefs({ password: reference }, process.env, path => readFile(path, 'utf8')))['password']! });
  ends.push(() => sql.close());
  const adapters: readonly ExecutionAdapter[] = [new BuiltinAdapter(systemClock), new FilesAdapter(), sql];
  answerForAdapters(query, adapters);
  return { adapters, capabilities: adapters.flatMap(adapter => adapter.capabilities()) };
}

export interface AdapterPart {
  readonly journal: StepJournal;
  /** Looks after what an earlier process left, then takes commands. */
  begin(): Promise<void>;
  ready(): boolean;
  lags(): Measured[];
  depths(): Measured[];
}

export interface AdapterParts {
  readonly log: Log;
  readonly adapters: readonly ExecutionAdapter[];
  readonly control: PolledControl;
  readonly vault: PostgresVault;
  readonly forgottenBefore: () => number;
}

export function makeAdapterOs(ground: Ground, { log, adapters, control, vault, forgottenBefore }: AdapterParts): AdapterPart {
  const { config, databases, query, metrics, tracing, bus, logger, serviceKey, ends } = ground;
  const connections = new ConnectionCache({ ask: (tenant, name) => query.ask<Connection | null>('gateway', 'connection', { tenant, name }), clock: systemClock });
  const asking = { adapters, vault, connections, clock: systemClock };
  answerForPreviews(query, new Previewer(asking), new UndoPreviewer({ ...asking, log, forgottenBefore }));
  const journal = new StepJournal({
    log, adapters, serviceKey, vault, control, clock: systemClock, ids: systemIds, undoWindowMs: config.undoWindowDays * DAY_MS, separateClusters: !databases.shared,
    forgottenBefore, connections,
    hooks: journalHooks(metrics, tracing, ground.fatal('adapter-os')),
  });
  let consumer: Consumer | null = null;
  return {
    journal,
    async begin() {
      const interrupted = await journal.recover();
      if (interrupted > 0) logger.info({ steps: interrupted }, 'looking after steps that an earlier process left');
      ends.push(() => journal.stop());
      const mine = await measuringWays(bus, metrics).subscribe({ group: 'adapter-os.steps', topics: [stepCommandsTopic('adapter-os')], from: () => log.positions(), handle: batch => journal.handle(batch) });
      ends.push(() => mine.stop());
      consumer = mine;
    },
    ready: () => consumer !== null,
    lags: () => [[consumer?.lag() ?? 0, { consumer: 'adapter-os.steps' }]],
    depths: () => [[journal.depth().waiting, { queue: 'adapter-os.waiting' }]],
  };
}

import { BuiltinAdapter } from '@aifirst/adapter-builtin';
import type { Batch, MessageBus } from '@aifirst/bus';
import { stepCommandsTopic, type Connection, type ControlState, type ServiceQuery } from '@aifirst/contracts';
import { ConnectionCache, StepJournal, type ExecutionAdapter, type StepJournalOptions } from '@aifirst/execution';
import { LOSSY_PACE, Orchestrator, OrchestratorService, PolledControl } from '@aifirst/orchestration';
import { PolicyModule, PolicyService, type CedarEngine } from '@aifirst/policy';
import type { Log } from '@aifirst/store';
import { digestOf, sealLease, type Vault } from '@aifirst/vault';
import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { LiveChecks } from './checkers/live-checks';
import type { Options } from './options';
import type { SimProcess } from './sim-process';

export const SERVICE_KEY = Buffer.alloc(32, 7);
const UNDO_WINDOW_MS = 30 * 86_400_000;

/** What one life of a service is put together from. `log`, `bus` and `query` are its own views. */
export interface Life {
  readonly process: SimProcess;
  readonly log: Log;
  readonly bus: MessageBus;
  readonly query: ServiceQuery;
  readonly options: Options;
  readonly checks: LiveChecks;
  readonly capabilities: readonly CapabilityDescriptor[];
  readonly onFatal: (error: unknown) => void;
  readonly onDefect: (what: string) => void;
}

const controlOf = ({ query, process }: Life): PolledControl =>
  new PolledControl(() => query.ask<{ tenants: ControlState[] }>('policy', 'controlState', { tenant: null }), process.clock);

export async function startOrchestrator(life: Life): Promise<void> {
  const { process, log, bus, query, options } = life;
  const control = controlOf(life);
  process.onEnd(() => control.stop());
  await control.start();
  const orchestrator = new Orchestrator({
    log, clock: process.clock, chance: () => process.ids.chance(), control, sharedCluster: options.sharedCluster,
    resend: LOSSY_PACE,
    onFatal: life.onFatal, onDefect: (workflow, error) => life.onDefect(`workflow ${workflow}: ${String(error)}`),
  });
  await new OrchestratorService(orchestrator, log, bus, query).start();
}

export async function startPolicy(life: Life, engine: CedarEngine): Promise<void> {
  const { process, log, bus, query, options, capabilities } = life;
  const service = new PolicyService({
    log, engine, capabilities: () => capabilities, clock: process.clock, ids: process.ids, digest: digestOf, seal: fields => sealLease(SERVICE_KEY, fields), durableDecisions: !options.sharedCluster,
  });
  await new PolicyModule(service, log, bus, query).start();
}

/** @param changeJournal for planted faults */
export async function startAdapters(life: Life, vault: Vault, adapter: ExecutionAdapter, changeJournal: (journal: StepJournal) => void): Promise<void> {
  const { process, log, bus, query, options, checks } = life;
  const control = controlOf(life);
  process.onEnd(() => control.stop());
  await control.start();
  const around: NonNullable<NonNullable<StepJournalOptions['hooks']>['around']> = (act, run) => {
    checks.acts(act.name, act.job, process);
    return run();
  };
  const journal = new StepJournal({
    log, adapters: [adapter, new BuiltinAdapter(process.clock)], serviceKey: SERVICE_KEY, vault, control, clock: process.clock, ids: process.ids,
    connections: new ConnectionCache({ clock: process.clock, ask: (tenant, name) => query.ask<Connection | null>('gateway', 'connection', { tenant, name }) }),
    undoWindowMs: UNDO_WINDOW_MS, separateClusters: !options.sharedCluster, hooks: { around, onFatal: life.onFatal },
  });
  changeJournal(journal);
  await journal.recover();
  await bus.subscribe({
    group: 'adapter-os.steps', topics: [stepCommandsTopic('adapter-os')], from: () => log.positions(),
    handle: (batch: Batch) => { checks.delivered(batch); return journal.handle(batch); },
  });
}

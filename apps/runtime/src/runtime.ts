import { readFile } from 'node:fs/promises';
import { createGateway, PostgresWorkflowViews } from '@aifirst/api';
import { AuditService } from '@aifirst/audit';
import { BuiltinAdapter } from '@aifirst/adapter-builtin';
import { FilesAdapter } from '@aifirst/adapter-files';
import { EmbeddedMessageBus, InProcessQuery, PostgresDeadLetters } from '@aifirst/bus';
import { stepCommandsTopic, TOPICS, type Connection, type ControlState } from '@aifirst/contracts';
import { StepJournal, type ExecutionAdapter } from '@aifirst/execution';
import { messageOf, OperationalError } from '@aifirst/kernel';
import { makeLogger, Metrics, Tracing } from '@aifirst/observability';
import { Orchestrator, OrchestratorService, PolledControl } from '@aifirst/orchestration';
import { PolicyModule, PolicyService, WasmCedarEngine } from '@aifirst/policy';
import { feedOf, forgottenBefore, PostgresStore, type Log, type TrimmedLog } from '@aifirst/store';
import { digestOf, MasterKey, PostgresVault, sealLease } from '@aifirst/vault';
import { answerForAdapters } from './adapter-questions';
import { systemClock, systemIds } from './clock';
import type { RuntimeConfig } from './config';
import { openDatabases, schemaName, type Schema } from './database';
import { answerForDeadLetters } from './dead-letter-questions';
import { ensureDemo } from './demo';
import { answered, gatewayLogger, journalHooks, orchestratorTelemetry } from './measuring';
import { houseOf, keepHouse, retain } from './retention';
import { ensureAdminToken, ensureSecretFile } from './secret-files';

export interface Runtime {
  readonly url: string;
  /** Lets go of what is old, as every hour. @param nowMs from which ages count, by default now */
  retain(nowMs?: number): Promise<readonly TrimmedLog[]>;
  stop(): Promise<void>;
}
/** What tests of the whole set otherwise. */
export interface RuntimeOverrides { /** `here`: without a thread of its own, which needs the compiled code. */ readonly auditThread?: 'worker' | 'here' }

export const VERSION = '0.1.0';
const KEY_BYTES = 32;
const DAY_MS = 86_400_000;
const CLAIM_WAIT_MS = 250;
const CLAIM_WAIT_MS_MAX = 30_000;

/** Every service in this process, on the embedded bus. @param onFatal something can't go on: the process has to start anew */
export async function startRuntime(config: RuntimeConfig, onFatal: (reason: string) => void, overrides: RuntimeOverrides = {}): Promise<Runtime> {
  const logger = makeLogger({ level: config.logLevel, service: 'runtime' });
  const ends: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await Promise.resolve().then(end).catch((error: unknown) => { logger.error({ err: error }, 'a part did not end in order'); });
  };
  try {
    return { ...await compose(config, logger, ends, onFatal, overrides), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function compose(config: RuntimeConfig, logger: ReturnType<typeof makeLogger>, ends: (() => Promise<void> | void)[], onFatal: (reason: string) => void, overrides: RuntimeOverrides): Promise<Omit<Runtime, 'stop'>> {
  const fatal = (part: string) => (error: unknown): void => { logger.fatal({ err: error, part }, 'can not go on'); onFatal(`${part}: ${messageOf(error)}`); };
  const databases = await openDatabases(config, line => logger.info({ part: 'postgres' }, line));
  let stopping = false;
  ends.push(() => { stopping = true; return databases.stop(); });
  void databases.ended?.then(reason => { if (!stopping) onFatal(`the database has ended: ${reason}`); });
  const made = (what: string) => (): void => { logger.warn(`made ${what}: back it up`); };
  ensureSecretFile(config.masterKeyFile, KEY_BYTES, made('the master key'));
  const auditKey = ensureSecretFile(config.auditKeyFile, KEY_BYTES, made('the audit key'));
  const serviceKey = ensureSecretFile(config.serviceKeyFile, KEY_BYTES, made('the service key'));
  const adminToken = ensureAdminToken(config.dataDir, config.adminToken);

  const metrics = new Metrics();
  const tracing = new Tracing({ endpoint: config.otlpEndpoint });
  ends.push(() => tracing.stop());

  // Stores, and the one writer of each log.
  const connection = (schema: Schema) => databases.connections.get(schema)!;
  const stores = new Map<Schema, PostgresStore>();
  const storeOf = (schema: Schema): PostgresStore => {
    const known = stores.get(schema);
    if (known !== undefined) return known;
    const store = new PostgresStore({ connection: connection(schema), schema: schemaName(schema), serviceName: schema, unflushedCommits: databases.shared ? 'allowed' : 'never' });
    stores.set(schema, store);
    ends.push(() => store.close());
    return store;
  };
  const open = (schema: Schema): Promise<Log> => claim(storeOf(schema), schema, databases.exclusive);
  const [gatewayLog, orchestratorLog, policyLog, journalLog] = await Promise.all([open('gateway'), open('orchestrator'), open('policy'), open('adapter-os')]);

  const query = new InProcessQuery();
  const letters = new Map<Schema, PostgresDeadLetters>();
  for (const schema of ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os'] as const) {
    const deadLetters = new PostgresDeadLetters({ connection: connection(schema), schema: schemaName(schema) });
    letters.set(schema, deadLetters);
    ends.push(() => deadLetters.close());
  }
  const bus = new EmbeddedMessageBus({
    clock: systemClock,
    deadLetters: group => letters.get(group.slice(0, group.indexOf('.')) as Schema)!,
    onStopped: (group, error) => fatal(group)(error),
    onRetrying: (group, error, delayMs) => logger.warn({ group, err: error, delayMs }, 'a batch is tried again'),
    onParked: (group, parked) => {
      metrics.deadLetters.add(parked.length, { consumer: group });
      logger.error({ group, code: parked[0]?.code, messages: parked.length }, 'messages were parked');
    },
  });
  const feeds = [gatewayLog, orchestratorLog, policyLog, journalLog].map(feedOf);
  for (const feed of feeds) await bus.attach(feed);
  ends.push(() => bus.stop());
  for (const [schema, deadLetters] of letters) answerForDeadLetters(schema as Exclude<Schema, 'vault'>, query, bus, deadLetters);

  const vault = new PostgresVault({ connection: connection('vault'), masterKey: new MasterKey(await readFile(config.masterKeyFile, 'utf8')) });
  ends.push(() => vault.close());
  await vault.checkMasterKey().catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'MASTER_KEY_UNKNOWN') throw error;
    throw new OperationalError('MASTER_KEY_UNKNOWN', `\`${config.masterKeyFile}\` is not the master key of this database (${messageOf(error)}): put back the one that sealed what is in it`, { cause: error });
  });

  // Adapters' capabilities are needed by policy before anything runs.
  const adapters: readonly ExecutionAdapter[] = [new BuiltinAdapter(systemClock), new FilesAdapter()];
  const capabilities = adapters.flatMap(adapter => adapter.capabilities());
  answerForAdapters(query, adapters);

  const policy = new PolicyService({
    log: policyLog, engine: new WasmCedarEngine(), capabilities: () => capabilities, clock: systemClock, ids: systemIds,
    digest: digestOf, seal: fields => sealLease(serviceKey, fields), durableDecisions: !databases.shared,
    onDecided: decided => { for (const decision of decided.decisions) metrics.decisions.add(1, { decision: decision.outcome }); },
  });
  const policyModule = new PolicyModule(policy, policyLog, bus, query);
  await policyModule.start();
  ends.push(() => policyModule.stop());

  const control = new PolledControl(() => query.ask<{ tenants: ControlState[] }>('policy', 'controlState', { tenant: null }), systemClock);
  await control.start();
  ends.push(() => control.stop());
  // Why: in one process a change of control need not wait for the next poll.
  policyLog.onCommitted(rows => { if (rows.some(row => row.messages.some(message => message.topic === TOPICS.controlEvents))) void control.refresh().catch(() => undefined); });

  let journalForgotBefore = await forgottenBefore(gatewayLog, journalLog.producer);
  const journal = new StepJournal({
    log: journalLog, adapters, serviceKey, vault, control, clock: systemClock, ids: systemIds, undoWindowMs: config.undoWindowDays * DAY_MS, separateClusters: !databases.shared,
    forgottenBefore: () => journalForgotBefore,
    connections: { resolve: (tenant, name) => query.ask<Connection | null>('gateway', 'connection', { tenant, name }) },
    hooks: journalHooks(metrics, tracing, fatal('adapter-os')),
  });

  const orchestrator = new Orchestrator({
    log: orchestratorLog, clock: systemClock, chance: () => systemIds.chance(), control, sharedCluster: databases.shared,
    telemetry: orchestratorTelemetry(metrics, tracing), onFatal: fatal('orchestrator'),
    onDefect: (workflow, error) => logger.error({ workflow, err: error }, 'a workflow can not go on'),
  });
  const orchestratorService = new OrchestratorService(orchestrator, orchestratorLog, bus, query);

  const audit = new AuditService({
    bus, query, feeds: () => feeds, connection: connection('audit'), schema: schemaName('audit'), deployment: config.deployment, key: auditKey, clock: systemClock,
    thread: overrides.auditThread ?? 'worker',
    onGap: gap => logger.warn({ part: 'audit', ...gap }, 'facts are missing and have been asked for'),
    onDefect: detail => logger.error({ part: 'audit' }, detail),
    onRetrying: error => logger.warn({ part: 'audit', err: error }, 'folding is tried again'),
    // Why: audit being down never stops effects; but two must not fold, and what was replaced has to go.
    onEnded: error => { if ((error as { code?: string }).code === 'FENCED') fatal('audit')(error); else logger.error({ part: 'audit', err: error }, 'nothing is folded any more: the service is not ready until it is started anew'); },
  });
  await audit.start();
  ends.push(() => audit.stop());

  const views = new PostgresWorkflowViews({ connection: connection('gateway'), schema: schemaName('gateway'), store: storeOf('gateway') });
  ends.push(() => views.close());
  const gateway = await createGateway({
    log: gatewayLog, views, bus, query, vault, clock: systemClock, ids: systemIds, adminToken, version: VERSION, logger: gatewayLogger(logger), metrics: () => metrics.render(), historyDays: config.historyDays, idempotencyDays: config.idempotencyDays, onAnswered: answered(metrics, tracing),
    readiness: [
      { name: 'orchestrator', check: () => (orchestratorReady ? null : 'is reading its log') },
      { name: 'adapter-os', check: () => (journalReady ? null : 'is looking after what an earlier process left') },
      { name: 'audit', check: () => { audit.ready(); return null; } },
      { name: 'policy', check: () => (control.epochOf('default') === null ? 'has not said what holds' : null) },
      { name: 'demo', check: () => (demoReady ? null : 'is being made') },
    ],
  });
  ends.push(() => gateway.close());

  let journalReady = false;
  let orchestratorReady = false;
  let demoReady = false;
  const interrupted = await journal.recover();
  if (interrupted > 0) logger.info({ steps: interrupted }, 'looking after steps that an earlier process left');
  ends.push(() => journal.stop());
  const adapterConsumer = await bus.subscribe({ group: 'adapter-os.steps', topics: [stepCommandsTopic('adapter-os')], from: () => journalLog.positions(), handle: batch => journal.handle(batch) });
  ends.push(() => adapterConsumer.stop());
  journalReady = true;
  await orchestratorService.start();
  ends.push(() => orchestratorService.stop());
  orchestratorReady = true;
  metrics.gauge('aifirst_consumer_lag', 'Messages known to wait, by consumer', () => [
    [gateway.projection.lag(), { consumer: 'gateway.views' }], [audit.lag(), { consumer: 'audit.fold' }],
    [orchestratorService.lag(), { consumer: 'orchestrator.workflows' }], [policyModule.lag(), { consumer: 'policy.decisions' }], [adapterConsumer.lag(), { consumer: 'adapter-os.steps' }],
  ]);
  metrics.gauge('aifirst_queue_depth', 'What waits for its turn, by queue', () => [
    [gateway.queueDepth(), { queue: 'gateway.intake' }], [orchestrator.queueDepth, { queue: 'orchestrator.inputs' }], [journal.depth().waiting, { queue: 'adapter-os.waiting' }],
  ]);
  metrics.gauge('aifirst_audit_lag', 'Facts that are not in a log yet', () => [[audit.lag(), {}]]);
  metrics.gauge('aifirst_open_workflows', 'Workflows that have not ended', () => [[orchestrator.openWorkflows, {}]]);

  const house = houseOf({
    config, clock: systemClock, logger, audit, journal, views, deadLetters: letters, logs: { gateway: gatewayLog, orchestrator: orchestratorLog, policy: policyLog, journal: journalLog },
    openMarks: () => storeOf('gateway').open({ log: 'retention', shard: 0, owner: `${process.pid}`, takeOver: databases.exclusive }),
    onJournalForgetting: before => { journalForgotBefore = Math.max(journalForgotBefore, before); },
  });
  ends.push(keepHouse(house));
  const port = await gateway.listen(config.port, config.host);
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  if (config.demo && config.databaseUrl === undefined) await ensureDemo(url, adminToken, config.dataDir);
  demoReady = true;
  return { url, retain: nowMs => retain(house, nowMs) };
}

/** Waits for the lease of a writer that is gone; takes it at once where the data folder's lock says that nobody else is there. */
async function claim(store: PostgresStore, log: string, takeOver: boolean): Promise<Log> {
  const giveUpAt = systemClock.now() + CLAIM_WAIT_MS_MAX;
  for (;;) {
    try {
      return await store.open({ log, shard: 0, owner: `${process.pid}`, takeOver });
    } catch (error) {
      if ((error as { code?: string }).code !== 'LEASE_HELD' || systemClock.now() > giveUpAt) throw error;
      await new Promise(resolve => setTimeout(resolve, CLAIM_WAIT_MS));
    }
  }
}

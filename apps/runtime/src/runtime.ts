import { EmbeddedMessageBus, InProcessQuery } from '@aifirst/bus';
import { ADAPTER_HOSTS, TOPICS, type AdapterHost } from '@aifirst/contracts';
import { offeredBy } from '@aifirst/execution';
import { makeLogger, Metrics, Tracing, type Logger } from '@aifirst/observability';
import { feedOf, forgottenBefore, type Log, type TrimmedLog } from '@aifirst/store';
import { claim } from './claim';
import { systemClock } from './clock';
import type { RuntimeConfig } from './config';
import { openDatabases } from './database';
import { answerForDeadLetters } from './dead-letter-questions';
import { ensureDemo } from './demo';
import { heldUntil } from './earlier-sql';
import { consumerEvents, endAll, endWith, fatalOf, KEY_BYTES, openVault, Stores, urlOf, VERSION, type Ground, type ParkingSchema } from './ground';
import { makeAdapter, makeAdapters, type AdapterPart } from './parts/adapter';
import { startAudit } from './parts/audit';
import { makeControl } from './parts/control';
import { makeGateway } from './parts/gateway';
import { makeOrchestrator } from './parts/orchestrator';
import { startPolicy } from './parts/policy';
import { houseOf, keepHouse, retain, type KeptJournal } from './retention';
import { ensureAdminToken, ensureSecretFile } from './secret-files';

export { VERSION } from './ground';

export interface Runtime {
  readonly url: string;
  /** Lets go of what is old, as every hour. @param nowMs from which ages count, by default now */
  retain(nowMs?: number): Promise<readonly TrimmedLog[]>;
  stop(): Promise<void>;
}
/** What tests of the whole set otherwise. */
export interface RuntimeOverrides { /** `here`: without a thread of its own, which needs the compiled code. */ readonly auditThread?: 'worker' | 'here' }

const LOGS = ['gateway', 'orchestrator', 'policy', ...ADAPTER_HOSTS] as const;
const PARKING = ['gateway', 'orchestrator', 'policy', 'audit', ...ADAPTER_HOSTS] as const;

/** Every service in this process, on the embedded bus. @param onFatal something can't go on: the process has to start anew */
export async function startRuntime(config: RuntimeConfig, onFatal: (reason: string) => void, overrides: RuntimeOverrides = {}): Promise<Runtime> {
  const logger = makeLogger({ level: config.logLevel, service: 'runtime' });
  const ends: Ground['ends'] = [];
  const stop = (): Promise<void> => endAll(ends, logger);
  try {
    return { ...await compose(config, logger, ends, onFatal, overrides), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function compose(config: RuntimeConfig, logger: Logger, ends: Ground['ends'], onFatal: (reason: string) => void, overrides: RuntimeOverrides): Promise<Omit<Runtime, 'stop'>> {
  const fatal = fatalOf(logger, onFatal);
  const databases = await openDatabases(config, line => logger.info({ part: 'postgres' }, line));
  endWith(databases, ends, onFatal);
  const made = (what: string) => (): void => { logger.warn(`made ${what}: back it up`); };
  ensureSecretFile(config.masterKeyFile, KEY_BYTES, made('the master key'));
  const auditKey = ensureSecretFile(config.auditKeyFile, KEY_BYTES, made('the audit key'));
  const serviceKey = ensureSecretFile(config.serviceKeyFile, KEY_BYTES, made('the service key'));
  const adminToken = ensureAdminToken(config.dataDir, config.adminToken);

  const metrics = new Metrics();
  const tracing = new Tracing({ endpoint: config.otlpEndpoint, version: VERSION });
  ends.push(() => tracing.stop());

  // Stores, and the one writer of each log.
  const stores = new Stores(databases, ends);
  const logs = Object.fromEntries(await Promise.all(LOGS.map(async name => [name, await claim(stores.store(name), name, databases.exclusive)] as const))) as Record<(typeof LOGS)[number], Log>;
  const { gateway: gatewayLog, orchestrator: orchestratorLog, policy: policyLog } = logs;
  for (const schema of PARKING) stores.letters(schema);

  const query = new InProcessQuery();
  const bus = new EmbeddedMessageBus({
    clock: systemClock, deadLetters: group => stores.letters(group.slice(0, group.indexOf('.')) as ParkingSchema), ...consumerEvents({ logger, metrics, fatal }),
  });
  const feeds = LOGS.map(name => feedOf(logs[name]));
  for (const feed of feeds) await bus.attach(feed);
  ends.push(() => bus.stop());
  for (const schema of PARKING) answerForDeadLetters(schema, query, bus, stores.letters(schema));
  const ground: Ground = { config, logger, metrics, tracing, databases, query, bus, serviceKey, stores, ends, fatal };

  const vault = await openVault(ground);
  // Why first: policy needs the capabilities before anything runs.
  const hosted = ADAPTER_HOSTS.map(host => ({ host, adapters: makeAdapters(host, ground) }));
  const capabilities = hosted.flatMap(({ adapters }) => offeredBy(adapters));
  const policy = await startPolicy(ground, policyLog, () => capabilities);
  const control = makeControl(ground);
  await control.start();
  // Why: in one process a change of control need not wait for the next poll.
  policyLog.onCommitted(rows => { if (rows.some(row => row.messages.some(message => message.topic === TOPICS.controlEvents))) void control.refresh().catch(() => undefined); });

  const adapters: (KeptJournal & { readonly host: AdapterHost; readonly part: AdapterPart })[] = [];
  // Why one after the other: the second asks the first.
  for (const { host, adapters: own } of hosted) {
    const log = logs[host];
    let forgotBefore = await forgottenBefore(gatewayLog, log.producer);
    const sqlHeldUntil = await heldUntil(host, log, query, systemClock, { isStopping: () => false, onWaiting: () => undefined });
    const part = makeAdapter(ground, host, { log, adapters: own, control, vault, forgottenBefore: () => forgotBefore, sqlHeldUntil });
    adapters.push({ host, part, log, journal: part.journal, taken: of => part.taken(of), onForgetting: before => { forgotBefore = Math.max(forgotBefore, before); } });
  }
  const orchestrator = makeOrchestrator(ground, orchestratorLog, control);
  const audit = await startAudit(ground, { key: auditKey, feeds: () => feeds, thread: overrides.auditThread ?? 'worker' });

  let demoReady = false;
  const { gateway, views, ...ofGateway } = await makeGateway(ground, {
    log: gatewayLog, vault, adminToken,
    readiness: [
      { name: 'orchestrator', check: () => (orchestrator.ready() ? null : 'is reading its log') },
      ...adapters.map(({ host, part }) => ({ name: host, check: () => (part.ready() ? null : 'is looking after what an earlier process left') })),
      { name: 'audit', check: () => { audit.ready(); return null; } },
      { name: 'policy', check: () => (control.epochOf('default') === null ? 'has not said what holds' : null) },
      { name: 'demo', check: () => (demoReady ? null : 'is being made') },
    ],
  });
  for (const { part } of adapters) await part.begin();
  await orchestrator.begin();
  metrics.gauge('aifirst_consumer_lag', 'Messages known to wait, by consumer', () => [...ofGateway.lags(), [audit.lag(), { consumer: 'audit.fold' }], ...orchestrator.lags(), ...policy.lags(), ...adapters.flatMap(({ part }) => part.lags())]);
  metrics.gauge('aifirst_queue_depth', 'What waits for its turn, by queue', () => [...ofGateway.depths(), ...orchestrator.depths(), ...adapters.flatMap(({ part }) => part.depths())]);
  metrics.gauge('aifirst_audit_lag', 'Facts that are not in a log yet', () => [[audit.lag(), {}]]);
  metrics.observe('parkedWorkflows', () => orchestrator.parked());
  metrics.observe('deadLettersParked', () => Promise.all([...stores.allLetters()].map(async ([service, letters]) => [await letters.parked(), { service }] as const)));
  metrics.gauge('aifirst_open_workflows', 'Workflows that have not ended', () => [[orchestrator.orchestrator.openWorkflows, {}]]);

  const house = houseOf({
    config, clock: systemClock, logger, audit, views, deadLetters: stores.allLetters(), logs: { gateway: gatewayLog, orchestrator: orchestratorLog, policy: policyLog },
    journals: adapters,
    openMarks: () => stores.store('gateway').open({ log: 'retention', shard: 0, owner: `${process.pid}`, takeOver: databases.exclusive }),
  });
  ends.push(keepHouse(house));
  const port = await gateway.listen(config.port, config.host);
  const url = urlOf(config.host, port);
  if (config.demo && config.databaseUrl === undefined) await ensureDemo(url, adminToken, config.dataDir);
  demoReady = true;
  return { url, retain: nowMs => retain(house, nowMs) };
}

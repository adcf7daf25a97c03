import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KafkaRawTopics } from '@aifirst/api';
import { ensureTopics, kafkaClient, KafkaMessageBus, PostgresRelayPositions, type ConsumerLag, type KafkaLogEntry, type KafkaSettings } from '@aifirst/bus-kafka';
import { stepCommandsTopic, TOPICS, type CapabilityDescriptor, type ServiceName } from '@aifirst/contracts';
import { messageOf, OperationalError } from '@aifirst/kernel';
import { makeLogger, Metrics, Tracing, type Logger } from '@aifirst/observability';
import type { PolledControl } from '@aifirst/orchestration';
import { answerForLog, HttpServiceQuery, remoteFeed, ServiceServer, type ReadinessCheck } from '@aifirst/service-http';
import { feedOf, forgottenBefore, type Log } from '@aifirst/store';
import { systemClock } from './clock';
import type { KafkaConfig, ServiceConfig } from './config';
import { schemaName, type Schema } from './database';
import { answerForDeadLetters } from './dead-letter-questions';
import { consumerEvents, endAll, fatalOf, KEY_BYTES, openVault, Stores, urlOf, VERSION, type Ground, type Measured, type ParkingSchema } from './ground';
import { lossy } from './lossy-bus';
import { linesOf, recordRefused, recordTaken } from './measuring';
import { makeAdapterOs, makeAdapters } from './parts/adapter-os';
import { startAudit } from './parts/audit';
import { makeControl } from './parts/control';
import { makeGateway } from './parts/gateway';
import { makeOrchestrator } from './parts/orchestrator';
import { startPolicy } from './parts/policy';
import { houseOfOne, keepHouse } from './retention';
import { ensureAdminToken, ensureSecretFile } from './secret-files';
import { openServiceDatabases } from './service-database';
import { handOn, takeSeat, type Seat } from './standing-by';

export interface RunningService {
  readonly url: string;
  stop(): Promise<void>;
}

/** What a service does once it has the seat. */
interface Work {
  readonly readiness: readonly ReadinessCheck[];
  /** Takes what is not for other services. */
  readonly serve?: (request: IncomingMessage, response: ServerResponse) => void;
  lags(): Measured[];
  depths(): Measured[];
}
interface Place { readonly ground: Ground; readonly log: Log; readonly config: ServiceConfig; readonly query: HttpServiceQuery; readonly isStopping: () => boolean; /** Up to here the log has reached Kafka. */ readonly relayed: () => number }

const AGAIN_MS = 500;
const PRODUCERS: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', 'adapter-os'];
/** What lies on Kafka between our services. */
const OUR_TOPICS: readonly string[] = [...Object.values(TOPICS), stepCommandsTopic('adapter-os')];

/**
 * One service in a process of its own. It serves health and metrics at once; its work it begins when it has the seat, of
 * which there is one however many copies run.
 */
export async function startService(config: ServiceConfig, onFatal: (reason: string) => void): Promise<RunningService> {
  const { service } = config;
  const logger = makeLogger({ level: config.logLevel, service });
  const ends: Ground['ends'] = [];
  let stopping = false;
  const stop = async (): Promise<void> => { stopping = true; await endAll(ends, logger); };
  try {
    return { url: await compose(config, logger, ends, onFatal, () => stopping), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function compose(config: ServiceConfig, logger: Logger, ends: Ground['ends'], onFatal: (reason: string) => void, isStopping: () => boolean): Promise<string> {
  const { service } = config;
  const fatal = fatalOf(logger, onFatal);
  const serviceKey = existingKey(config.serviceKeyFile, 'SERVICE_KEY_FILE');
  const databases = await openServiceDatabases(config, serviceKey);
  const metrics = new Metrics();
  const tracing = new Tracing({ endpoint: config.otlpEndpoint, service, version: VERSION });
  ends.push(() => tracing.stop());
  const query = new HttpServiceQuery({
    urls: config.urls, self: [service], serviceKey,
    // Why not the runtime's own: it never goes back, so that it may be far from other machines' clocks.
    clock: { now: () => Date.now() },
  });
  ends.push(() => { query.close(); });

  let seat: Seat = { activeUrl: () => null, taken: () => false };
  let work: Work | null = null;
  query.standBy(service, () => seat.activeUrl());
  const server = new ServiceServer({
    service, version: VERSION, query, metrics: () => metrics.render(), logger: linesOf(logger), readiness: [{
      name: service, check: async () => {
        if (!seat.taken()) return seat.activeUrl() === null ? 'no copy is active yet' : null;
        if (work === null) return 'is reading its log';
        for (const { name, check } of work.readiness) { const detail = await check(); if (detail !== null) return `${name} ${detail}`; }
        return null;
      },
    }],
    ...(service === 'gateway' ? {
      serve: (request, response) => {
        if (work?.serve !== undefined) { work.serve(request, response); return true; }
        // Why not those: they are about this copy. Whether it is ready is another matter: it is when the active one is.
        if (/^\/(health\/live|metrics)\b/.test(request.url ?? '') || (seat.taken() && request.url === '/health/ready')) return false;
        handOn(seat.taken() ? null : seat.activeUrl(), request, response);
        return true;
      },
    } : {}),
  });
  const port = await server.listen(config.port, config.host);
  ends.push(() => server.close());
  const url = config.advertisedUrl ?? urlOf(['0.0.0.0', '::'].includes(config.host) ? hostname() : config.host, port);

  const stores = new Stores(databases, ends);
  const taking = takeSeat(stores.store(service as Schema), service, url, { isStopping, onWaiting: holder => logger.info({ holder }, 'stands by: another copy is active') });
  seat = taking.seat;
  metrics.observe('activeWriter', () => [[seat.taken() ? 1 : 0, { log: service }]]);
  ends.push(async () => { await taking.log.catch(() => undefined); });
  void taking.log.then(async log => {
    if (log === null) return;
    logger.info({ epoch: log.epoch }, 'is the active copy');
    const { bus, kafka } = await openBus({ config, log, logger, metrics, serviceKey, stores, ends, fatal, isStopping });
    const ground: Ground = { config, logger, metrics, tracing, databases, query, bus, serviceKey, stores, ends, fatal };
    answerForDeadLetters(service, query, bus, stores.letters(service as ParkingSchema));
    answerForLog(query, service, log);
    const place: Place = { ground, log, config, query, isStopping, relayed: () => kafka.relayStates()[0]?.relayedForGood ?? 0 };
    const found = await WORK[service]!(place);
    metrics.observe('consumerLag', () => lagsOf(kafka.lags(), found.lags()));
    metrics.observe('deadLettersParked', async () => [[await stores.letters(service as ParkingSchema).parked(), { service }]]);
    metrics.gauge('aifirst_queue_depth', 'What waits for its turn, by queue', found.depths);
    work = { ...found, readiness: [...found.readiness, { name: 'kafka', check: () => { const { ready, reasons } = kafka.ready(); return ready ? null : reasons.join('; '); } }] };
  }).catch((error: unknown) => { if (!isStopping()) fatal(service)(error); });
  return url;
}

interface BusParts extends Pick<Ground, 'logger' | 'metrics' | 'stores' | 'ends' | 'fatal'> { readonly config: ServiceConfig; readonly log: Log; readonly serviceKey: Buffer; readonly isStopping: () => boolean }

async function openBus({ config, log, logger, metrics, serviceKey, stores, ends, fatal, isStopping }: BusParts): Promise<{ readonly bus: Ground['bus']; readonly kafka: Pick<KafkaMessageBus, 'lags' | 'ready' | 'relayStates'> }> {
  const { service, kafka, deployment } = config;
  const schema = service as Schema;
  const settings = settingsOf(kafka, `${deployment}.${service}`);
  const onLog = kafkaLines(logger);
  await untilThere(() => ensureTopics(settings, { topics: OUR_TOPICS.map(name => ({ name: `${kafka.topicPrefix}${name}` })), partitions: kafka.partitions, onLog }), logger, isStopping);
  const positions = new PostgresRelayPositions({ connection: stores.connection(schema), schema: schemaName(schema) });
  ends.push(() => positions.close());
  const letters = stores.letters(service as ParkingSchema);
  const bus = new KafkaMessageBus({
    settings, deployment, service, serviceKey, clock: systemClock, deadLetters: () => letters, partitions: kafka.partitions, topicPrefix: kafka.topicPrefix,
    relayPositions: source => positions.of(source),
    ...consumerEvents({ logger, metrics, fatal }),
    onRefused: recordRefused(metrics, logger),
    // Why not the end of us: the relay goes on without a message that is too large, and would meet it again at every start.
    onFatal: error => { if ((error as { code?: string }).code === 'MESSAGE_TOO_LARGE') logger.error({ part: 'kafka', err: error }, 'a message was sent to nobody'); else fatal('kafka')(error); }, onLog,
  });
  metrics.observe('relayLag', () => bus.relayStates().map(({ source, lag }) => [lag, { source }] as const));
  ends.push(() => bus.stop());
  if (service !== 'audit') await bus.attach(feedOf(log));
  const carrying = lossy(bus, process.env['AIFIRST_DROP']);
  // Why exclusive: whoever gets here holds the lease of the service's log; nobody else may handle for its groups.
  return {
    kafka: bus,
    bus: {
      attach: feed => carrying.attach(feed), stop: () => carrying.stop(), pausing: (group, paused) => carrying.pausing(group, paused),
      subscribe: subscription => carrying.subscribe({ ...subscription, exclusive: true }),
    },
  };
}

/** By topic where the bus knows it, partitions added up; else as the consumer itself says. */
function lagsOf(byTopic: readonly ConsumerLag[], byConsumer: readonly Measured[]): Measured[] {
  const sums = new Map<string, { readonly consumer: string; readonly topic: string; lag: number }>();
  for (const { group: consumer, topic, lag } of byTopic) {
    const sum = sums.get(`${consumer} ${topic}`) ?? { consumer, topic, lag: 0 };
    sum.lag += lag;
    sums.set(`${consumer} ${topic}`, sum);
  }
  const known = new Set(byTopic.map(({ group }) => group));
  return [...[...sums.values()].map(({ lag, ...labels }) => [lag, labels] as const), ...byConsumer.filter(([, { consumer }]) => !known.has(consumer ?? ''))];
}

const WORK: Readonly<Partial<Record<ServiceName, (place: Place) => Promise<Work>>>> = {
  gateway: async place => {
    const { ground, log, query } = place;
    const vault = await openVault(ground);
    const others: ReadinessCheck[] = [
      { name: 'orchestrator', check: async () => { await query.ask('orchestrator', 'locks', { tenant: null, limit: 1 }); return null; } },
      { name: 'policy', check: async () => { await query.ask('policy', 'controlState', { tenant: 'default' }); return null; } },
      { name: 'adapter-os', check: async () => { await query.ask('adapter-os', 'capabilities', {}); return null; } },
      { name: 'audit', check: async () => { await query.ask('audit', 'foldedUpTo', {}); return null; } },
    ];
    const adminToken = ensureAdminToken(ground.config.dataDir, ground.config.adminToken);
    const { kafka, deployment, intentFreshnessSeconds } = place.config;
    const topics = new KafkaRawTopics({
      client: () => kafkaClient(settingsOf(kafka, `${deployment}.gateway.intents`), kafkaLines(ground.logger)), deployment, topicPrefix: kafka.topicPrefix,
      onRebuilding: error => { ground.logger.warn({ part: 'intents', err: error }, 'the topic of intents is read anew'); },
    });
    ground.ends.push(() => topics.close());
    const { gateway, views, lags, depths } = await makeGateway(ground, {
      log, vault, adminToken, readiness: others,
      intentTopic: {
        topics, deployment, freshnessMs: intentFreshnessSeconds * 1_000, create: { partitions: kafka.partitions }, onEnded: ground.fatal('intents'),
        onOutcome: recordTaken(ground.metrics, ground.tracing),
      },
    });
    query.activate('gateway');
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed, views })));
    const fastify = gateway.app.getHttpAdapter().getInstance();
    return { readiness: [], serve: (request, response) => { fastify.routing(request, response); }, lags, depths };
  },
  orchestrator: async place => {
    const { ground, log, query } = place;
    const control = makeControl(ground);
    const part = makeOrchestrator(ground, log, control);
    await control.start();
    await part.begin();
    query.activate('orchestrator');
    ground.metrics.observe('openWorkflows', () => [[part.orchestrator.openWorkflows, {}]]);
    ground.metrics.observe('parkedWorkflows', () => part.parked());
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed })));
    return { readiness: [knowsControl(control)], lags: () => part.lags(), depths: () => part.depths() };
  },
  policy: async place => {
    const { ground, log, query } = place;
    let capabilities = await capabilitiesOf(place);
    const refresh = setInterval(() => { void query.ask<{ items: CapabilityDescriptor[] }>('adapter-os', 'capabilities', {}).then(({ items }) => { capabilities = items; }, () => undefined); }, 30_000);
    ground.ends.push(() => { clearInterval(refresh); });
    const part = await startPolicy(ground, log, () => capabilities);
    query.activate('policy');
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed })));
    return { readiness: [], lags: () => part.lags(), depths: () => [] };
  },
  audit: async ({ ground, query }) => {
    const key = existingKey(ground.config.auditKeyFile, 'AUDIT_KEY_FILE');
    const feeds = PRODUCERS.map(producer => remoteFeed(query, producer, `${producer}/0`));
    const audit = await startAudit(ground, { key, feeds: () => feeds, thread: 'worker' });
    query.activate('audit');
    ground.metrics.gauge('aifirst_audit_lag', 'Facts that are not in a log yet', () => [[audit.lag(), {}]]);
    return { readiness: [{ name: 'folding', check: () => { audit.ready(); return null; } }], lags: () => [[audit.lag(), { consumer: 'audit.fold' }]], depths: () => [] };
  },
  'adapter-os': async place => {
    const { ground, log, query } = place;
    const vault = await openVault(ground);
    const { adapters } = makeAdapters(ground);
    query.activate('adapter-os');
    const control = makeControl(ground);
    await control.start();
    let forgotBefore = await forgottenBefore(log, log.producer);
    const part = makeAdapterOs(ground, { log, adapters, control, vault, forgottenBefore: () => forgotBefore });
    await part.begin();
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed, journal: part.journal, onForgetting: before => { forgotBefore = Math.max(forgotBefore, before); } })));
    return { readiness: [knowsControl(control)], lags: () => part.lags(), depths: () => part.depths() };
  },
};

const knowsControl = (control: PolledControl): ReadinessCheck => ({ name: 'control', check: () => (control.epochOf('default') === null ? 'is not known yet: policy does not answer' : null) });

/** Policy decides nothing before it knows what there is. */
async function capabilitiesOf({ ground, query, isStopping }: Place): Promise<readonly CapabilityDescriptor[]> {
  for (let told = false; !isStopping(); told = true) {
    try { return (await query.ask<{ items: CapabilityDescriptor[] }>('adapter-os', 'capabilities', {})).items; } catch (error) { if (!told) ground.logger.info({ err: messageOf(error) }, 'waiting for the adapters'); }
    await pause(AGAIN_MS);
  }
  throw new OperationalError('STOPPED', 'the service is being stopped');
}

/** A broker that is not there yet is waited for; one whose topics are wrong has to be mended. */
async function untilThere(work: () => Promise<unknown>, logger: Logger, isStopping: () => boolean): Promise<void> {
  for (;;) {
    try { await work(); return; } catch (error) {
      if (!(error instanceof OperationalError && error.retryable) || isStopping()) throw error;
      logger.warn({ part: 'kafka', err: messageOf(error) }, 'waiting for the broker');
    }
    await pause(AGAIN_MS);
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => { systemClock.after(ms, resolve); });

/** @throws OperationalError where it is not there: a process that made its own could not be understood by the others */
function existingKey(path: string, variable: string): Buffer {
  if (!existsSync(path)) throw new OperationalError('KEY_MISSING', `${variable}: \`${path}\` is not there. All services share it: \`npm run start:distributed\` makes it, or \`(umask 077; head -c ${KEY_BYTES} /dev/urandom | base64 > ${path})\``);
  return ensureSecretFile(path, KEY_BYTES);
}

function settingsOf({ brokers, sasl, tls }: KafkaConfig, clientId: string): KafkaSettings {
  const pem = (path: string | undefined): string | undefined => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  const [ca, cert, key] = [pem(tls?.caFile), pem(tls?.certFile), pem(tls?.keyFile)];
  return { brokers, clientId, ...(sasl && { sasl }), ...(tls && { tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } }) };
}

/** Why so low: the client calls an error what it is about to try again; what does not end by itself comes by the hooks. */
const kafkaLines = (logger: Logger) => ({ message, fields }: KafkaLogEntry): void => { logger.debug({ part: 'kafka', ...fields }, message); };

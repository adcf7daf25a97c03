import type { IncomingMessage, ServerResponse } from 'node:http';
import { KafkaRawTopics } from '@aifirst/api';
import { kafkaClient } from '@aifirst/bus-kafka';
import { ADAPTER_HOSTS, type AdapterHost, type ServiceName } from '@aifirst/contracts';
import type { PolledControl } from '@aifirst/orchestration';
import { remoteFeed, type ReadinessCheck } from '@aifirst/service-http';
import { forgottenBefore, type Log } from '@aifirst/store';
import { systemClock } from './clock';
import { shardsOf, type ServiceConfig } from './config';
import { heldUntil } from './earlier-sql';
import { KEY_BYTES, openVault, type Ground, type Measured } from './ground';
import { recordTaken } from './measuring';
import { Offers } from './offers';
import { makeAdapter, makeAdapters } from './parts/adapter';
import { startAudit } from './parts/audit';
import { makeControl } from './parts/control';
import { makeGateway } from './parts/gateway';
import { makeOrchestrator } from './parts/orchestrator';
import { startPolicy } from './parts/policy';
import { houseOfOne, keepHouse } from './retention';
import { ensureAdminToken, existingSecretFile } from './secret-files';
import { kafkaLines, settingsOf } from './service-bus';

/** What a service does once it has a seat. */
export interface Work {
  readonly readiness: readonly ReadinessCheck[];
  /** Takes what is not for other services. */
  readonly serve?: (request: IncomingMessage, response: ServerResponse) => void;
  lags(): Measured[];
  depths(): Measured[];
  /** Open workflows, and those of them that wait for a person by status. */
  open?(): number;
  parked?(): Measured[];
}
export interface Place {
  /** Its `ends` are the seat's. */
  readonly ground: Ground;
  readonly log: Log;
  readonly config: ServiceConfig;
  /** Which of how many. */
  readonly shard: number;
  readonly of: number;
  /** This seat's answers hold from now on. */
  activate(): void;
  readonly isStopping: () => boolean;
  /** Up to here the log has reached Kafka. */
  readonly relayed: () => number;
}

const PRODUCERS: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', ...ADAPTER_HOSTS];

/** Of each service that is there. Begins it; what ends it is in the place's `ends`. */
export const WORK: Readonly<Partial<Record<ServiceName, (place: Place) => Promise<Work>>>> = {
  gateway: async place => {
    const { ground, log } = place;
    const { query } = ground;
    const vault = await openVault(ground);
    const others: ReadinessCheck[] = [
      { name: 'orchestrator', check: async () => { await query.ask('orchestrator', 'locks', { tenant: null, limit: 1 }); return null; } },
      { name: 'policy', check: async () => { await query.ask('policy', 'controlState', { tenant: 'default' }); return null; } },
      ...ADAPTER_HOSTS.map(name => ({ name, check: async () => { await query.ask(name, 'capabilities', {}); return null; } })),
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
      log, vault, adminToken, readiness: others, trustsForwarded: true,
      intentTopic: {
        topics, deployment, freshnessMs: intentFreshnessSeconds * 1_000, create: { partitions: kafka.partitions }, onEnded: ground.fatal('intents'),
        onOutcome: recordTaken(ground.metrics, ground.tracing),
      },
    });
    place.activate();
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed, views })));
    const fastify = gateway.app.getHttpAdapter().getInstance();
    return { readiness: [], serve: (request, response) => { fastify.routing(request, response); }, lags, depths };
  },
  orchestrator: async place => {
    const { ground, log } = place;
    const control = makeControl(ground);
    const part = makeOrchestrator(ground, log, control, place.of === 1 ? undefined : { lockLog: ground.stores.lockLog(), shard: place.shard });
    await control.start();
    await part.begin();
    place.activate();
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed })));
    return { readiness: [knowsControl(control)], lags: () => part.lags(), depths: () => part.depths(), open: () => part.orchestrator.openWorkflows, parked: () => part.parked() };
  },
  policy: async place => {
    const { ground, log } = place;
    const offers = new Offers(ground.query, systemClock);
    ground.ends.push(() => { offers.stop(); });
    // Why waited for: policy decides nothing before it knows what there is.
    await offers.start(place.isStopping, why => { ground.logger.info({ err: why }, 'waiting for the adapters'); });
    const part = await startPolicy(ground, log, () => offers.all());
    place.activate();
    ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed })));
    return { readiness: [], lags: () => part.lags(), depths: () => [] };
  },
  audit: async ({ ground, config, activate }) => {
    const key = existingSecretFile(ground.config.auditKeyFile, KEY_BYTES, 'AUDIT_KEY_FILE');
    const feeds = PRODUCERS.flatMap(producer => Array.from({ length: shardsOf(config, producer) }, (_, shard) => remoteFeed(ground.query, producer, `${producer}/${shard}`)));
    const audit = await startAudit(ground, { key, feeds: () => feeds, thread: 'worker' });
    activate();
    ground.metrics.gauge('aifirst_audit_lag', 'Facts that are not in a log yet', () => [[audit.lag(), {}]]);
    return { readiness: [{ name: 'folding', check: () => { audit.ready(); return null; } }], lags: () => [[audit.lag(), { consumer: 'audit.fold' }]], depths: () => [] };
  },
  ...Object.fromEntries(ADAPTER_HOSTS.map(host => [host, (place: Place) => workOfAdapter(host, place)])),
};

async function workOfAdapter(host: AdapterHost, place: Place): Promise<Work> {
  const { ground, log, isStopping } = place;
  const vault = await openVault(ground);
  const adapters = makeAdapters(host, ground);
  place.activate();
  const control = makeControl(ground);
  await control.start();
  const sqlHeldUntil = await heldUntil(host, log, ground.query, systemClock, { isStopping, onWaiting: why => { ground.logger.info({ err: why }, 'waiting for adapter-os to say which SQL it has'); } });
  let forgotBefore = await forgottenBefore(log, log.producer);
  const part = makeAdapter(ground, host, { log, adapters, control, vault, forgottenBefore: () => forgotBefore, sqlHeldUntil });
  await part.begin();
  ground.ends.push(keepHouse(await houseOfOne(ground, log, { relayed: place.relayed, journal: part.journal, onForgetting: before => { forgotBefore = Math.max(forgotBefore, before); } })));
  return { readiness: [knowsControl(control)], lags: () => part.lags(), depths: () => part.depths() };
}

const knowsControl = (control: PolledControl): ReadinessCheck => ({ name: 'control', check: () => (control.epochOf('default') === null ? 'is not known yet: policy does not answer' : null) });

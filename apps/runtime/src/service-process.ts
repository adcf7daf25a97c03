import { hostname } from 'node:os';
import { takes } from '@aifirst/bus';
import type { ConsumerLag, KafkaMessageBus } from '@aifirst/bus-kafka';
import type { ServiceName } from '@aifirst/contracts';
import { messageOf } from '@aifirst/kernel';
import { makeLogger, Metrics, Tracing, type Logger } from '@aifirst/observability';
import { addressOf, answerForLog, Forwarded, HttpServiceQuery, ServiceServer, ShardedQuery } from '@aifirst/service-http';
import { feedOf, type Log } from '@aifirst/store';
import { ConfigInvalid, shardsOf, type ServiceConfig } from './config';
import type { Schema } from './database';
import { answerForDeadLetters } from './dead-letter-questions';
import { endAll, fatalOf, KEY_BYTES, Stores, urlOf, VERSION, type Ground, type Measured, type ParkingSchema } from './ground';
import { linesOf } from './measuring';
import { Seats } from './seats';
import { existingSecretFile } from './secret-files';
import { busOf, openBus, type OpenBus } from './service-bus';
import { openServiceDatabases } from './service-database';
import { WORK, type Work } from './service-work';
import { handOn } from './standing-by';

export interface RunningService {
  readonly url: string;
  stop(): Promise<void>;
}

/** Asked of another copy, that has two seats more. */
const YIELD = 'yieldSeat';

/**
 * One service in a process of its own. It serves health and metrics at once; its work it begins when it has a seat, of
 * which there is one for each of its shards, however many copies run.
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
  const of = shardsOf(config, service);
  const addresses = Array.from({ length: of }, (_, shard) => addressOf(service, shard, of));
  const fatal = fatalOf(logger, onFatal);
  const serviceKey = existingSecretFile(config.serviceKeyFile, KEY_BYTES, 'SERVICE_KEY_FILE');
  const databases = await openServiceDatabases(config, serviceKey);
  const metrics = new Metrics();
  const tracing = new Tracing({ endpoint: config.otlpEndpoint, service, version: VERSION });
  ends.push(() => tracing.stop());
  const http = new HttpServiceQuery({
    urls: config.urls, self: [service], serviceKey,
    // Why not the runtime's own: it never goes back, so that it may be far from other machines' clocks.
    clock: { now: () => Date.now() },
  });
  ends.push(() => { http.close(); });
  const query = new ShardedQuery({ query: http, shardsOf: asked => shardsOf(config, asked) });

  const stores = new Stores(databases, ends);
  await stores.store(service as Schema).enrol(service, of).catch((error: unknown) => { throw (error as { code?: string }).code === 'SHARDS_CHANGED' ? new ConfigInvalid('SHARDS', messageOf(error)) : error; });
  // Why before the seats: they end first, and their last batch may park something or give up locks.
  const letters = stores.letters(service as ParkingSchema);
  if (service === 'orchestrator' && of > 1) stores.lockLog();

  const forwarded = new Forwarded(serviceKey, { now: () => Date.now() });
  const works = new Map<number, Work>();
  let seats: Pick<Seats, 'activeUrl' | 'isTaken'> = { activeUrl: () => null, isTaken: () => false };
  let kafka: KafkaMessageBus | null = null;
  const readinessOf = async (shard: number): Promise<string | null> => {
    const work = works.get(shard);
    if (!seats.isTaken(shard)) return seats.activeUrl(shard) === null ? 'no copy is active yet' : null;
    if (work === undefined) return 'is reading its log';
    for (const { name, check } of work.readiness) { const detail = await check(); if (detail !== null) return `${name} ${detail}`; }
    return null;
  };
  const server = new ServiceServer({
    service, version: VERSION, query: http, metrics: () => metrics.render(), logger: linesOf(logger), readiness: [
      ...addresses.map((name, shard) => ({ name, check: () => readinessOf(shard) })),
      { name: 'kafka', check: () => { const state = works.size === 0 ? undefined : kafka?.ready(); return state === undefined || state.ready ? null : state.reasons.join('; '); } },
    ],
    ...(service === 'gateway' ? {
      serve: (request, response) => {
        const serve = works.get(0)?.serve;
        if (serve !== undefined) { forwarded.settle(request.headers); serve(request, response); return true; }
        // Why not those: they are about this copy. Whether it is ready is another matter: it is when the active one is.
        if (/^\/(health\/live|metrics)\b/.test(request.url ?? '') || (seats.isTaken(0) && request.url === '/health/ready')) return false;
        handOn(seats.isTaken(0) ? null : seats.activeUrl(0), request, response, forwarded.headerFor(request.socket.remoteAddress));
        return true;
      },
    } : {}),
  });
  const port = await server.listen(config.port, config.host).catch((error: unknown) => {
    // Why: whoever starts it anew would find the same.
    throw ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes((error as { code?: string }).code ?? '') ? new ConfigInvalid('PORT', `PORT is "${config.port}": ${service} can't listen there (${messageOf(error)}); give it another, or end what listens there`) : error;
  });
  ends.push(() => server.close());
  const url = config.advertisedUrl ?? urlOf(['0.0.0.0', '::'].includes(config.host) ? hostname() : config.host, port);

  metrics.observe('activeWriter', () => addresses.map((log, shard) => [seats.isTaken(shard) ? 1 : 0, { log }] as const));
  metrics.observe('consumerLag', () => lagsOf(kafka?.lags() ?? [], [...works.values()].flatMap(work => work.lags())));
  metrics.observe('deadLettersParked', async () => [[await letters.parked(), { service }]]);
  metrics.observe('relayLag', () => kafka?.relayStates().map(({ source, lag }) => [lag, { source }] as const) ?? []);
  metrics.gauge('aifirst_queue_depth', 'What waits for its turn, by queue', () => summed([...works.values()].flatMap(work => work.depths())));
  if (service === 'orchestrator') {
    metrics.observe('openWorkflows', () => [[[...works.values()].reduce((sum, work) => sum + (work.open?.() ?? 0), 0), {}]]);
    metrics.observe('parkedWorkflows', () => summed([...works.values()].flatMap(work => work.parked?.() ?? [])));
  }

  let opening: Promise<OpenBus> | null = null;
  ends.push(async () => { await (await opening?.catch(() => null))?.close(); });
  const begin = async (shard: number, log: Log): Promise<() => Promise<void>> => {
    const address = addresses[shard]!;
    const own: Ground['ends'] = [];
    logger.info({ log: log.producer, epoch: log.epoch }, 'is the active copy');
    const leave = async (): Promise<void> => {
      http.standBy(address, () => seats.activeUrl(shard));
      works.delete(shard);
      await endAll(own, logger);
      http.withdraw(address);
    };
    try {
      kafka = (await (opening ??= openBus({ config, logger, metrics, serviceKey, stores, fatal, isStopping }))).bus;
      const bus = busOf(kafka, shard, of);
      if (service !== 'audit') {
        await bus.attach(feedOf(log));
        own.push(() => kafka!.detach(log.producer));
      }
      const ground: Ground = {
        config, logger, metrics, tracing, databases, bus, serviceKey, stores, fatal, ends: own,
        query: { ask: (asked, question, body) => query.ask(asked, question, body), answer: (asked, question, handler) => { http.answer((asked === service ? address : asked) as ServiceName, question, handler); } },
      };
      answerForDeadLetters(service, ground.query, bus, letters, key => takes({ index: shard, of }, key));
      answerForLog(ground.query, service, log);
      const relayed = (): number => kafka!.relayStates().find(({ source }) => source === log.producer)?.relayedForGood ?? 0;
      works.set(shard, await WORK[service]!({ ground, log, shard, of, config, isStopping, relayed, activate: () => { http.activate(address); } }));
      return leave;
    } catch (error) {
      await leave();
      if (opening !== null) await opening.catch(() => { opening = null; });
      throw error;
    }
  };
  // Why an address of its own: it is about a copy, whichever shards it has.
  const itself = `${service}.${of}` as const;
  const all = new Seats({
    store: stores.store(service as Schema), log: service, of, url, begin, onFatal: fatal(service),
    askFor: async holder => { await http.askAt(holder, itself, YIELD, {}); },
    onWaiting: (shard, holder) => logger.info({ log: addresses[shard], holder }, 'stands by: another copy is active'),
  });
  seats = all;
  for (const [shard, address] of addresses.entries()) http.standBy(address, () => seats.activeUrl(shard));
  http.answer(itself as ServiceName, YIELD, async () => ({ shard: await all.yield() }));
  ends.push(() => all.stop());
  all.start();
  return url;
}

/** Of the same labels one number. */
function summed(measured: readonly Measured[]): Measured[] {
  const sums = new Map<string, [number, Measured[1]]>();
  for (const [value, labels] of measured) {
    const sum = sums.get(JSON.stringify(labels));
    if (sum === undefined) sums.set(JSON.stringify(labels), [value, labels]); else sum[0] += value;
  }
  return [...sums.values()];
}

/** By topic where the bus knows it, partitions added up; else as the consumer itself says. */
function lagsOf(byTopic: readonly ConsumerLag[], byConsumer: readonly Measured[]): Measured[] {
  const known = new Set(byTopic.map(({ group }) => group));
  return [...summed(byTopic.map(({ group: consumer, topic, lag }) => [lag, { consumer, topic }])), ...byConsumer.filter(([, { consumer }]) => !known.has(consumer ?? ''))];
}

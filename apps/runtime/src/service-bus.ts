import { readFileSync } from 'node:fs';
import { ensureTopics, KafkaMessageBus, PostgresRelayPositions, type KafkaLogEntry, type KafkaSettings } from '@aifirst/bus-kafka';
import { ADAPTER_HOSTS, stepCommandsTopic, TOPICS } from '@aifirst/contracts';
import { OperationalError, messageOf } from '@aifirst/kernel';
import type { Logger } from '@aifirst/observability';
import { pause, systemClock } from './clock';
import type { KafkaConfig, ServiceConfig } from './config';
import { schemaName, type Schema } from './database';
import { consumerEvents, type Ground, type ParkingSchema } from './ground';
import { lossy } from './lossy-bus';
import { recordRefused } from './measuring';
import { subscribing } from './subscribing';

/** What lies on Kafka between our services. */
const OUR_TOPICS: readonly string[] = [...Object.values(TOPICS), ...ADAPTER_HOSTS.map(stepCommandsTopic)];
const AGAIN_MS = 500;

export interface OpenBus { readonly bus: KafkaMessageBus; close(): Promise<void> }
interface BusParts extends Pick<Ground, 'logger' | 'metrics' | 'stores' | 'fatal'> { readonly config: ServiceConfig; readonly serviceKey: Buffer; readonly isStopping: () => boolean }

/** Waits for the broker. @throws OperationalError where topics are not as they have to be */
export async function openBus({ config, logger, metrics, serviceKey, stores, fatal, isStopping }: BusParts): Promise<OpenBus> {
  const { service, kafka, deployment } = config;
  const schema = service as Schema;
  const settings = settingsOf(kafka, `${deployment}.${service}`);
  const onLog = kafkaLines(logger);
  await untilThere(() => ensureTopics(settings, { topics: OUR_TOPICS.map(name => ({ name: `${kafka.topicPrefix}${name}` })), partitions: kafka.partitions, onLog }), logger, isStopping);
  const positions = new PostgresRelayPositions({ connection: stores.connection(schema), schema: schemaName(schema) });
  const letters = stores.letters(service as ParkingSchema);
  const bus = new KafkaMessageBus({
    settings, deployment, service, serviceKey, clock: systemClock, deadLetters: () => letters, partitions: kafka.partitions, topicPrefix: kafka.topicPrefix,
    relayPositions: source => positions.of(source),
    ...consumerEvents({ logger, metrics, fatal }),
    onRefused: recordRefused(metrics, logger),
    // Why not the end of us: the relay goes on without a message that is too large, and would meet it again at every start.
    onFatal: error => { if ((error as { code?: string }).code === 'MESSAGE_TOO_LARGE') logger.error({ part: 'kafka', err: error }, 'a message was sent to nobody'); else fatal('kafka')(error); }, onLog,
  });
  return { bus, close: async () => { await bus.stop(); await positions.close(); } };
}

/** As one shard has it. Why exclusive: whoever gets here holds the lease of the shard's log; nobody else may handle for its groups. */
export const busOf = (bus: KafkaMessageBus, shard: number, of: number): Ground['bus'] =>
  subscribing(lossy(bus, process.env['AIFIRST_DROP']), subscription => ({ ...subscription, exclusive: true, ...(of === 1 ? {} : { share: { index: shard, of } }) }));

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

export function settingsOf({ brokers, sasl, tls }: KafkaConfig, clientId: string): KafkaSettings {
  const pem = (path: string | undefined): string | undefined => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  const [ca, cert, key] = [pem(tls?.caFile), pem(tls?.certFile), pem(tls?.keyFile)];
  return { brokers, clientId, ...(sasl && { sasl }), ...(tls && { tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } }) };
}

/** Why so low: the client calls an error what it is about to try again; what does not end by itself comes by the hooks. */
export const kafkaLines = (logger: Logger) => ({ message, fields }: KafkaLogEntry): void => { logger.debug({ part: 'kafka', ...fields }, message); };

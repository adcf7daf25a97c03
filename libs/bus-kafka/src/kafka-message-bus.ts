import { randomBytes } from 'node:crypto';
import { Copies, type Consumer, type ConsumerEvents, type DeadLetters, type Feed, type MessageBus, type PausedConsumer, type Subscription } from '@aifirst/bus';
import { OperationalError, invariant, type Clock } from '@aifirst/kernel';
import { GROUP_TIMING, type GroupTiming } from './group-client';
import { within } from './kafka-client';
import { KafkaConsumer } from './kafka-consumer';
import type { KafkaLogEntry, KafkaSettings } from './kafka-settings';
import { RecordCodec } from './record-codec';
import { RecordReader, type ForeignReader, type Refused } from './record-reader';
import { Relay } from './relay';
import type { RelayPositions } from './relay-positions';
import { SingleFlightProducer } from './single-flight-producer';

/** A process that ends waits so long for what is committed to be sent; the rest is sent by the next one. */
const DRAIN_WITHIN_MS = 5_000;

export interface KafkaMessageBusOptions extends ConsumerEvents {
  readonly settings: KafkaSettings;
  /** Deployments on the same brokers don't share groups. */
  readonly deployment: string;
  readonly service: string;
  /** The same for all services of a deployment; records are sealed under a key made of it. */
  readonly serviceKey: Uint8Array;
  readonly clock: Clock;
  /** Where a group parks: each service keeps its own. */
  readonly deadLetters: (group: string) => DeadLetters;
  /** Of the service's own logs. */
  readonly relayPositions: (source: string) => RelayPositions;
  /** Of every topic; never changes. */
  readonly partitions: number;
  /** Before the name of every topic, for tests that share a broker. Default none. */
  readonly topicPrefix?: string;
  /** Topics that others than services write to: their records bear no MAC, the reader makes messages of them. */
  readonly foreign?: Readonly<Record<string, ForeignReader>>;
  readonly timing?: Partial<GroupTiming>;
  /** A record was handed to nobody: forged, damaged, or not ours. */
  onRefused?(refused: Refused): void;
  /** Something that trying again does not mend: a message that is too large, a relay that has ended. Somebody must look. */
  onFatal?(error: unknown): void;
  /** What the client library says. */
  onLog?(entry: KafkaLogEntry): void;
}

export interface ConsumerLag { readonly group: string; readonly topic: string; readonly partition: number; readonly lag: number }
export interface RelayState { readonly source: string; readonly relayed: number; readonly relayedForGood: number; readonly lag: number }

/**
 * The port over Kafka. Producers' logs are relayed to topics; consumers go on from their own committed positions. Losing,
 * repeating or reordering in Kafka is a delay, never a fault (ADR 32). Relays tell `onRetrying` as group `relay <source>`.
 */
export class KafkaMessageBus implements MessageBus {
  private readonly relays = new Map<string, Relay>();
  private readonly consumers = new Copies<KafkaConsumer>();
  private readonly codec: RecordCodec;
  private readonly reader: RecordReader;
  private readonly topicPrefix: string;
  private stopped = false;

  constructor(private readonly options: KafkaMessageBusOptions) {
    invariant(Number.isInteger(options.partitions) && options.partitions >= 1, 'topics have no partitions');
    this.topicPrefix = options.topicPrefix ?? '';
    this.codec = new RecordCodec(options.serviceKey);
    this.reader = new RecordReader(this.codec, this.topicPrefix, options.foreign ?? {});
  }

  async attach(feed: Feed): Promise<void> {
    this.assertRunning();
    const { source } = feed;
    const { relayPositions, partitions, clock } = this.options;
    const former = this.relays.get(source);
    this.relays.set(source, new Relay({
      feed, partitions, clock, topicPrefix: this.topicPrefix, codec: this.codec, positions: relayPositions(source), sender: new SingleFlightProducer(this.settings(`relay.${source}`), this.onLog),
      onRetrying: (error, delayMs) => { this.options.onRetrying?.(`relay ${source}`, error, delayMs); },
      onFatal: error => { this.options.onFatal?.(error); },
    }, former?.stop()));
  }

  /** The log is another's from now on: what is committed is sent, then nothing more of it. Nothing where it is not attached. */
  async detach(source: string): Promise<void> {
    const relay = this.relays.get(source);
    if (relay === undefined) return;
    this.relays.delete(source);
    await within(DRAIN_WITHIN_MS, relay.drain());
    await this.end(relay);
  }

  async subscribe(subscription: Subscription): Promise<Consumer> {
    this.assertRunning();
    const { group, share, exclusive } = subscription;
    const { deployment, partitions, clock, deadLetters, timing } = this.options;
    invariant(share === undefined || (partitions % share.of === 0 && share.index >= 0 && share.index < share.of), `group \`${group}\` takes share ${share?.index} of ${share?.of} of ${partitions} partitions`);
    const consumer = new KafkaConsumer(subscription, {
      settings: this.settings(group), topicPrefix: this.topicPrefix, timing: { ...GROUP_TIMING, ...timing }, deadLetters: deadLetters(group), clock, events: this.options, reader: this.reader,
      groupId: () => (exclusive === true ? `${deployment}.${group}.${randomBytes(9).toString('base64url')}` : `${deployment}.${group}`),
      onRefused: refused => { this.options.onRefused?.(refused); }, onLog: this.onLog,
      onEnded: ended => { this.consumers.ended(ended); },
    });
    this.consumers.add(consumer);
    if (consumer.isActive()) await consumer.hasBegunOrWaits();
    return consumer;
  }

  pausing<T>(group: string, work: (consumer: PausedConsumer | null) => Promise<T>, key?: string): Promise<T> {
    return this.consumers.pausing(group, work, key);
  }

  /** What is committed is sent, consumers end, what their last batches committed is sent, connections end. */
  async stop(): Promise<void> {
    this.stopped = true;
    const relays = [...this.relays.values()];
    await within(DRAIN_WITHIN_MS, Promise.all(relays.map(relay => relay.drain())));
    await this.consumers.stop();
    await within(DRAIN_WITHIN_MS, Promise.all(relays.map(relay => relay.drain())));
    await Promise.all(relays.map(relay => this.end(relay)));
  }

  /** For metrics: messages in each partition that a consumer of this process has not handled yet. */
  lags(): readonly ConsumerLag[] {
    return this.consumers.active().flatMap(consumer => consumer.lags().map(lag => ({ group: consumer.subscription.group, ...lag })));
  }

  /** For metrics, and for whoever trims a log: rows beyond `relayedForGood` are still needed. */
  relayStates(): readonly RelayState[] {
    return [...this.relays].map(([source, relay]) => ({ source, relayed: relay.relayed(), relayedForGood: relay.relayedForGood(), lag: relay.lag() }));
  }

  /** Whether messages flow in and out of this process, and what stands in their way. */
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons = [
      ...this.consumers.active().flatMap(consumer => { const problem = consumer.problem(); return problem === null ? [] : [`consumer \`${consumer.subscription.group}\`: ${problem}`]; }),
      ...[...this.relays].flatMap(([source, relay]) => { const problem = relay.problem(); return problem === null ? [] : [`relay of \`${source}\`: ${problem}`]; }),
    ];
    return { ready: reasons.length === 0, reasons };
  }

  private async end(relay: Relay): Promise<void> { if (!(await within(DRAIN_WITHIN_MS, relay.stop()))) await relay.halt(); }

  private settings(purpose: string): KafkaSettings {
    const { settings, service } = this.options;
    return { ...settings, clientId: `${settings.clientId}.${service}.${purpose}` };
  }

  private readonly onLog = (entry: KafkaLogEntry): void => { this.options.onLog?.(entry); };

  private assertRunning(): void {
    if (this.stopped) throw new OperationalError('BUS_STOPPED', 'the message bus has been stopped');
  }
}

import { RecordingService, MemoryDeadLetters, MemoryFeed, TEST_TOPIC, aMessage, idsOf, until } from '@aifirst/bus/testing';
import type { Subscription } from '@aifirst/bus';
import { shardOf } from '@aifirst/bus';
import { Kafka, logLevel, Partitioners, type Message as KafkaMessage } from 'kafkajs';
import { ensureTopics } from './ensure-topics';
import { KafkaMessageBus, type KafkaMessageBusOptions } from './kafka-message-bus';
import { RecordCodec } from './record-codec';
import type { Refused } from './record-reader';
import { MemoryRelayPositions, SHARED_BROKERS, describeWithKafka, startKafka, startKafkaProxy, uniqueName, type KafkaBroker, type KafkaProxy } from './testing';

const PARTITIONS = 4;
const GROUP = 'test.consumer';
const KEY = Buffer.from('a key of all services of the test');
const clock = { now: () => Date.now(), after: (delayMs: number, callback: () => void) => { const timer = setTimeout(callback, delayMs); return () => { clearTimeout(timer); }; } };
const message = (n: number, key = `k${n % 7}`) => aMessage({ id: `m${n}`, key });
const inOrder = (ids: readonly string[]): boolean => ids.every((id, i) => i === 0 || Number(ids[i - 1]!.slice(1)) < Number(id.slice(1)));

describeWithKafka('the bus over Kafka, where something fails', () => {
  let running: { stop(): Promise<unknown> }[];
  let name: string;
  let prefix: string;
  let refused: Refused[];
  let retried: string[];
  beforeEach(() => { running = []; refused = []; retried = []; name = uniqueName(); prefix = `${name}.`; });
  afterEach(async () => { await Promise.all(running.map(one => one.stop())); });

  const topic = (): string => `${prefix}${TEST_TOPIC}`;
  const busOn = (brokers: readonly string[], over: Partial<KafkaMessageBusOptions> = {}): KafkaMessageBus => {
    const bus = new KafkaMessageBus({
      settings: { brokers, clientId: name }, deployment: name, service: 'test', serviceKey: KEY, clock, partitions: PARTITIONS, topicPrefix: prefix,
      deadLetters: () => new MemoryDeadLetters(), relayPositions: () => new MemoryRelayPositions(),
      onRefused: one => { refused.push(one); }, onRetrying: (_group, error) => { retried.push(String(error)); }, ...over,
    });
    running.push(bus);
    return bus;
  };
  const topics = (brokers: readonly string[]): Promise<unknown> => ensureTopics({ brokers, clientId: name }, { topics: [{ name: topic() }], partitions: PARTITIONS });
  const subscribed = async (bus: KafkaMessageBus, over: Partial<Subscription> = {}): Promise<RecordingService> => {
    const service = new RecordingService();
    await bus.subscribe(service.subscription({ group: GROUP, ...over }));
    return service;
  };
  const distinct = (service: RecordingService): number => new Set(service.ids()).size;
  /** Each key's messages by their first time. */
  const firstsInOrder = (service: RecordingService): boolean => Array.from({ length: 7 }, (_, k) => [...new Set(service.idsOfKey(`k${k}`))]).every(inOrder);
  const sendRaw = async (brokers: readonly string[], messages: readonly KafkaMessage[]): Promise<void> => {
    const producer = new Kafka({ brokers: [...brokers], clientId: 'outsider', logLevel: logLevel.NOTHING }).producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic: topic(), messages: [...messages] });
    await producer.disconnect();
  };

  describe('behind a proxy', () => {
    let broker: KafkaBroker;
    let proxy: KafkaProxy;
    beforeAll(async () => {
      broker = await startKafka({ proxied: 1 });
      const { listen, advertised } = broker.proxied[0]!;
      proxy = await startKafkaProxy({ listen: advertised, target: listen });
    });
    afterAll(async () => { await proxy?.stop(); await broker?.stop(); });

    it('loses nothing and keeps the order of each key when acknowledgements are lost', async () => {
      await topics(broker.brokers);
      const service = await subscribed(busOn(broker.brokers));
      const feed = new MemoryFeed('producer/0');
      await busOn(proxy.brokers).attach(feed);
      const before = proxy.acksCut;
      for (let n = 1; n <= 600; n++) {
        if (n % 60 === 30) proxy.cutAcks(1);
        feed.append([message(n)]);
        if (n % 5 === 0) await new Promise(resolve => { setTimeout(resolve, 2); });
        if (n % 60 === 0) await until('these are handled', () => distinct(service) === n);
      }
      expect(proxy.acksCut - before).toBe(10);
      expect(service.handled.length).toBeGreaterThan(600);
      expect(firstsInOrder(service)).toBe(true);
    });

    it('flows on when connections are cut at random for a while, of producer and consumer', async () => {
      await topics(broker.brokers);
      const service = await subscribed(busOn(proxy.brokers, { timing: { heartbeatMs: 500 } }));
      const feed = new MemoryFeed('producer/0');
      await busOn(proxy.brokers).attach(feed);
      for (let n = 1; n <= 400; n++) {
        feed.append([message(n)]);
        if (n % 50 === 25) proxy.cutAll();
        await new Promise(resolve => { setTimeout(resolve, 5); });
      }
      await until('all are handled', () => distinct(service) === 400, 40_000);
      expect(firstsInOrder(service)).toBe(true);
    });

    it('goes on after a bounce of the broker in the middle of it', async () => {
      await topics(broker.brokers);
      const producing = busOn(broker.brokers);
      const service = await subscribed(busOn(broker.brokers, { timing: { heartbeatMs: 500 } }));
      const feed = new MemoryFeed('producer/0');
      await producing.attach(feed);
      let n = 0;
      const timer = setInterval(() => { feed.append([message(++n)]); }, 5);
      try {
        await until('some are handled', () => distinct(service) >= 50);
        await broker.kill9();
        await until('the bus has noticed', () => retried.length > 0 && !producing.ready().ready, 20_000);
        await broker.restart();
      } finally {
        clearInterval(timer);
      }
      const back = Date.now();
      await until('all are handled', () => distinct(service) === n, 40_000);
      expect(firstsInOrder(service)).toBe(true);
      expect(producing.ready()).toEqual({ ready: true, reasons: [] });
      expect(Date.now() - back).toBeLessThan(20_000);
    }, 120_000);
  });

  describe('on the shared broker', () => {
    beforeEach(() => topics(SHARED_BROKERS));

    it('lets a second process take part in the middle of a batch, and nobody handle a key that another is handling', async () => {
      const busy = new Set<string>();
      const clashes: string[] = [];
      const services = [new RecordingService(), new RecordingService()];
      const committed: Record<string, number> = {};
      for (const service of services) {
        service.positions = committed;
        service.before = async ({ deliveries }) => {
          const keys = [...new Set(deliveries.map(delivery => delivery.message.key))];
          clashes.push(...keys.filter(key => busy.has(key)));
          keys.forEach(key => busy.add(key));
          await new Promise(resolve => { setTimeout(resolve, 20); });
          keys.forEach(key => busy.delete(key));
        };
      }
      const [one, two] = [busOn(SHARED_BROKERS, { timing: { heartbeatMs: 200 } }), busOn(SHARED_BROKERS, { timing: { heartbeatMs: 200 } })];
      const feed = new MemoryFeed('producer/0');
      await one.attach(feed);
      await one.subscribe(services[0]!.subscription({ group: GROUP, batchMax: 5 }));
      let n = 0;
      const timer = setInterval(() => { feed.append([message(++n)], [message(++n)]); }, 5);
      try {
        await until('the first handles', () => services[0]!.handled.length > 20);
        await two.subscribe(services[1]!.subscription({ group: GROUP, batchMax: 5 }));
        await until('the second handles', () => services[1]!.handled.length > 100, 20_000);
      } finally {
        clearInterval(timer);
      }
      const all = (): string[] => services.flatMap(service => service.ids());
      await until('all are handled', () => new Set(all()).size === n, 30_000);
      expect(clashes).toEqual([]);
      // The positions are the services' own: a rebalance between two commits repeats nothing.
      expect(all()).toHaveLength(n);
    });

    it('survives whatever a handler throws, and parks what it was thrown for', async () => {
      const errors: Record<string, () => unknown> = {
        m1: () => JSON.parse('{'), m2: () => (undefined as unknown as { x: { y: number } }).x.y, m3: () => new Array(-1), m4: () => { throw 'a text'; }, m5: () => Promise.reject(null),
        m6: () => { throw new ReferenceError('nothing is called so'); },
      };
      const letters = new MemoryDeadLetters();
      const bus = busOn(SHARED_BROKERS, { deadLetters: () => letters });
      const service = await subscribed(bus);
      service.before = async ({ deliveries }) => { for (const id of idsOf(deliveries)) await errors[id]?.(); };
      const feed = new MemoryFeed('producer/0');
      await bus.attach(feed);
      for (let n = 1; n <= 40; n++) feed.append([message(n, `own${n}`)]);
      await until('the good ones are handled', () => service.handled.length === 34);
      expect((await letters.list({ tenant: null, limit: 50 })).map(letter => letter.messageId).sort()).toEqual(Object.keys(errors));
      feed.append([message(41, 'later')]);
      await until('it goes on', () => service.ids().includes('m41'));
    });

    it('hands over nothing that is forged, tells of it, and goes on', async () => {
      const bus = busOn(SHARED_BROKERS);
      const service = await subscribed(bus);
      const good = new RecordCodec(KEY).encode(topic(), message(1, 'k'));
      const elsewhere = new RecordCodec(KEY).encode(`${topic()}.other`, message(2, 'k'));
      const stranger = new RecordCodec(Buffer.from('another key')).encode(topic(), message(3, 'k'));
      const codec = new RecordCodec(KEY);
      const sealed = (value: string): KafkaMessage => {
        const mac = codec.encode(topic(), { ...message(0, 'k'), event: JSON.parse(value) as never }).headers;
        return { key: 'k', value, headers: mac };
      };
      const partition = 0;
      await sendRaw(SHARED_BROKERS, [
        { key: good.key, value: good.value }, { key: 'k', value: 'garbage' }, { ...elsewhere }, { ...stranger }, { ...good, key: 'another' },
        { ...good, value: Buffer.from(`${good.value.toString()} `) }, { value: good.value, headers: good.headers }, sealed('{"specversion":"1.0"}'), { ...good },
      ].map(record => ({ ...record, partition })));
      await until('the good one is handled', () => service.ids().includes('m1'));
      expect(service.ids()).toEqual(['m1']);
      expect(refused.map(({ reason }) => reason)).toEqual(['NO_MAC', 'NO_MAC', 'WRONG_MAC', 'WRONG_MAC', 'WRONG_MAC', 'WRONG_MAC', 'NO_KEY', 'NOT_AN_ENVELOPE']);
      expect(refused[0]).toEqual({ topic: TEST_TOPIC, partition: 0, offset: 0, reason: 'NO_MAC' });
      expect(service.positions).toEqual({ [`${TEST_TOPIC}/0`]: 9 });
    });

    it('repeats, and loses nothing, when the process ends between a send and the save of its position', async () => {
      const positions = new MemoryRelayPositions();
      const service = await subscribed(busOn(SHARED_BROKERS));
      const feed = new MemoryFeed('producer/0');
      const first = busOn(SHARED_BROKERS, { relayPositions: () => ({ load: () => positions.load(), save: () => new Promise(() => undefined) }) });
      await first.attach(feed);
      for (let n = 1; n <= 20; n++) feed.append([message(n)]);
      await until('all are handled', () => distinct(service) === 20);
      const second = busOn(SHARED_BROKERS, { relayPositions: () => positions });
      await second.attach(feed);
      feed.append([message(21)]);
      await until('the new one is handled', () => service.ids().includes('m21'));
      await until('the others are repeated', () => service.handled.length >= 41);
      await until('the position is saved', () => positions.position === 21);
      expect(second.relayStates()).toEqual([{ source: 'producer/0', relayed: 21, relayedForGood: 21, lag: 0 }]);
    });

    it('hands each shard its keys alone, without waiting for a former holder that is still a member', async () => {
      const bus = busOn(SHARED_BROKERS);
      const shards = [new RecordingService(), new RecordingService()];
      for (const [index, service] of shards.entries()) await busOn(SHARED_BROKERS).subscribe(service.subscription({ group: GROUP, exclusive: true, share: { index, of: 2 } }));
      const feed = new MemoryFeed('producer/0');
      await bus.attach(feed);
      for (let n = 1; n <= 100; n++) feed.append([message(n, `key${n}`)]);
      await until('all are handled', () => distinct(shards[0]!) + distinct(shards[1]!) === 100);
      for (const [index, service] of shards.entries()) expect(service.handled.filter(delivery => shardOf(delivery.message.key, 2) !== index)).toEqual([]);
      const successor = new RecordingService();
      const asked = Date.now();
      await busOn(SHARED_BROKERS).subscribe(successor.subscription({ group: GROUP, exclusive: true, share: { index: 0, of: 2 } }));
      await until('the successor has it all', () => distinct(successor) === distinct(shards[0]!));
      expect(Date.now() - asked).toBeLessThan(5_000);
    });

    it('starts a topic that was made anew from its start, and says so', async () => {
      const service = new RecordingService();
      service.positions = { [`${TEST_TOPIC}/0`]: 1_000 };
      const bus = busOn(SHARED_BROKERS);
      await bus.subscribe(service.subscription({ group: GROUP }));
      const { key, value, headers } = new RecordCodec(KEY).encode(topic(), message(1, 'k'));
      await sendRaw(SHARED_BROKERS, [{ key, value, headers, partition: 0 }]);
      await until('it is handled', () => service.ids().length === 1);
      expect(retried.join()).toContain('ends at 0, but was handled up to 1000');
    });

    it('tells how far behind a consumer is, by partition', async () => {
      const bus = busOn(SHARED_BROKERS);
      const service = await subscribed(bus, { batchMax: 1 });
      let release: () => void = () => undefined;
      service.before = () => new Promise(resolve => { release = resolve; });
      const feed = new MemoryFeed('producer/0');
      await bus.attach(feed);
      feed.append([message(1, 'k')], [message(2, 'k')], [message(3, 'k')]);
      const partition = shardOf('k', PARTITIONS);
      await until('three wait', () => bus.lags().find(lag => lag.partition === partition)?.lag === 3);
      expect(bus.lags()).toHaveLength(PARTITIONS);
      service.before = () => undefined;
      release();
      await until('none waits', () => bus.lags().every(({ lag }) => lag === 0));
    });
  });

  it('waits for a topic that is missing, tells of it, and goes on when it is there', async () => {
    const bus = busOn(SHARED_BROKERS);
    const feed = new MemoryFeed('producer/0');
    await bus.attach(feed);
    feed.append([message(1)]);
    const service = new RecordingService();
    const subscribing = bus.subscribe(service.subscription({ group: GROUP }));
    await until('both sides have told', () => retried.some(text => text.includes('did not take')) && retried.some(text => text.includes('kafka: ')));
    expect(bus.ready().ready).toBe(false);
    await topics(SHARED_BROKERS);
    await subscribing;
    await until('it is handled', () => service.ids().includes('m1'), 20_000);
  });

  it('refuses topics that are not as they must be, and names the command that mends them', async () => {
    await topics(SHARED_BROKERS);
    const settings = { brokers: SHARED_BROKERS, clientId: name };
    await expect(ensureTopics(settings, { topics: [{ name: topic() }], partitions: PARTITIONS })).resolves.toEqual({ created: [] });
    await expect(ensureTopics(settings, { topics: [{ name: topic() }], partitions: 6 })).rejects.toMatchObject({ code: 'TOPIC_MISCONFIGURED', message: expect.stringContaining('has partitions 4, wanted is 6') as string });
    await expect(ensureTopics(settings, { topics: [{ name: topic(), logAppendTime: true }], partitions: PARTITIONS })).rejects.toMatchObject({
      code: 'TOPIC_MISCONFIGURED', message: expect.stringMatching(/message\.timestamp\.type CreateTime, wanted is LogAppendTime: kafka-configs\.sh .* --add-config message\.timestamp\.type=LogAppendTime/) as string,
    });
    await expect(ensureTopics({ brokers: ['127.0.0.1:1'], clientId: name }, { topics: [{ name: topic() }], partitions: PARTITIONS })).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', retryable: true });
  });
});

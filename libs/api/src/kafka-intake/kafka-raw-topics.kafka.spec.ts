import { kafkaClient, type KafkaSettings } from '@aifirst/bus-kafka';
import { SHARED_BROKERS, describeWithKafka, startKafka, uniqueName } from '@aifirst/bus-kafka/testing';
import { INTENT_TOPICS } from '@aifirst/contracts';
import { Fenced, type Positions } from '@aifirst/store';
import { CompressionTypes, type Kafka } from 'kafkajs';
import { GatewayUnderTest, aSignedIntent, aSigningKey } from '../testing';
import { KafkaRawTopics } from './kafka-raw-topics';
import type { RawRecord, RawSubscription } from './raw-topic';

const until = async (condition: () => boolean, what: string, ms = 30_000): Promise<void> => {
  for (const end = Date.now() + ms; !condition(); await new Promise(resolve => { setTimeout(resolve, 10); })) if (Date.now() > end) throw new Error(`not in time: ${what}`);
};
const settingsOf = (brokers: readonly string[]): KafkaSettings => ({ brokers, clientId: 'test' });

/** A subscriber that keeps its positions with what it was handed, as a log does. */
class Keeper {
  readonly seen: RawRecord[] = [];
  positions: Positions = {};
  readonly told: string[] = [];
  fail: (() => Error | null) = () => null;
  subscription(topic: string, over: Partial<RawSubscription> = {}): RawSubscription {
    return {
      topic, group: 'test', from: () => this.positions,
      handle: async (records, positions) => {
        const error = this.fail();
        if (error !== null) throw error;
        this.seen.push(...records);
        this.positions = { ...this.positions, ...positions };
      },
      onLost: source => { this.told.push(`lost ${source}`); }, onReplaced: source => { this.told.push(`replaced ${source}`); }, onEnded: () => { this.told.push('ended'); }, ...over,
    };
  }
  values(): string[] { return this.seen.map(({ value }) => value!.toString()); }
}

describeWithKafka('raw topics on Kafka', () => {
  const opened: KafkaRawTopics[] = [];
  const open = (brokers: readonly string[] = SHARED_BROKERS, prefix = ''): KafkaRawTopics => {
    const topics = new KafkaRawTopics({ client: () => kafkaClient(settingsOf(brokers)), deployment: 'test', topicPrefix: prefix });
    opened.push(topics);
    return topics;
  };
  afterEach(async () => { for (const topics of opened.splice(0)) await topics.close(); });
  const SETTINGS = { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'uncompressed', 'retention.ms': '86400000' };
  const record = (text: string, key: string | null = null) => ({ key, value: Buffer.from(text), headers: { a: text } });

  it('are made, described and told from those that are not there', async () => {
    const topics = open();
    const topic = uniqueName();
    expect(await topics.describe(topic)).toBeNull();
    await topics.create(topic, { partitions: 3, settings: SETTINGS });
    expect(await topics.describe(topic)).toMatchObject({ partitions: 3, settings: SETTINGS });
  });

  it('hand over every record once, in order per partition, with the append time of the broker, and go on after a restart', async () => {
    const topics = open();
    const topic = uniqueName();
    await topics.create(topic, { partitions: 3, settings: SETTINGS });
    const keeper = new Keeper();
    const consumer = await topics.subscribe(keeper.subscription(topic, { recordsMax: 7 }));
    const texts = Array.from({ length: 100 }, (_, i) => `m${i}`);
    for (const text of texts.slice(0, 50)) await topics.produce(topic, [record(text, text)]);
    await until(() => keeper.seen.length >= 50, 'the first half');
    await consumer.stop();
    await topics.produce(topic, texts.slice(50).map(text => record(text, text)));
    const again = await topics.subscribe(keeper.subscription(topic));
    await until(() => keeper.seen.length >= 100, 'the second half');
    await until(() => again.lag() === 0, 'no lag');
    expect(again.trouble()).toBeNull();
    expect(keeper.values().sort()).toEqual([...texts].sort());
    for (const { timestampType, timestamp, headers, value } of keeper.seen) {
      expect([timestampType, String(headers['a'])]).toEqual(['LogAppendTime', value!.toString()]);
      expect(Math.abs(Date.now() - timestamp)).toBeLessThan(60_000);
    }
    for (const partition of [0, 1, 2]) {
      const offsets = keeper.seen.filter(one => one.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  });

  it('hand over the same records again when the handler throws, whatever it throws', async () => {
    const topics = open();
    const topic = uniqueName();
    await topics.create(topic, { partitions: 1, settings: SETTINGS });
    const keeper = new Keeper();
    const errors = [new SyntaxError('a'), new TypeError('b'), new RangeError('c'), new Error('d')];
    keeper.fail = () => errors.shift() ?? null;
    await topics.subscribe(keeper.subscription(topic));
    await topics.produce(topic, [record('a'), record('b')]);
    await until(() => keeper.seen.length >= 2, 'both');
    expect(keeper.values()).toEqual(['a', 'b']);
  });

  it('end where the log has another writer', async () => {
    const topics = open();
    const topic = uniqueName();
    await topics.create(topic, { partitions: 1, settings: SETTINGS });
    const keeper = new Keeper();
    keeper.fail = () => new Fenced('gateway', 1);
    const consumer = await topics.subscribe(keeper.subscription(topic));
    await topics.produce(topic, [record('a')]);
    await until(() => keeper.told.includes('ended'), 'its end');
    expect(consumer.trouble()).toMatch(/has ended/);
    expect(keeper.seen).toEqual([]);
  });

  it('are read from their beginning where they are not the ones that were read', async () => {
    const topics = open();
    const topic = uniqueName();
    await topics.create(topic, { partitions: 1, settings: SETTINGS });
    await topics.produce(topic, [record('a')]);
    const keeper = new Keeper();
    keeper.positions = { [`${topic}/0`]: 1_000 };
    await topics.subscribe(keeper.subscription(topic));
    await until(() => keeper.seen.length === 1, 'what is there');
    expect(keeper.told).toEqual([`replaced ${topic}/0`]);
  });

  it('read what a producer compressed with gzip, or the broker made readable', async () => {
    const topics = open();
    const topic = uniqueName();
    await topics.create(topic, { partitions: 1, settings: SETTINGS });
    const keeper = new Keeper();
    await topics.subscribe(keeper.subscription(topic));
    const client = kafkaClient(settingsOf(SHARED_BROKERS));
    const producer = (client.kafka as Kafka).producer();
    await producer.connect();
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value: 'zipped', headers: { twice: ['1', '2'] } }] });
    await producer.disconnect();
    client.destroy();
    await until(() => keeper.seen.length === 1, 'it');
    expect(keeper.seen[0]!.headers['twice']).toHaveLength(2);
  });

  it('outlive a broker that is killed and comes back', async () => {
    const broker = await startKafka();
    try {
      const topics = open(broker.brokers);
      const topic = uniqueName();
      await topics.create(topic, { partitions: 1, settings: SETTINGS });
      const keeper = new Keeper();
      const consumer = await topics.subscribe(keeper.subscription(topic));
      await topics.produce(topic, [record('before')]);
      await until(() => keeper.seen.length === 1, 'the first');
      await broker.kill9();
      await expect(topics.produce(topic, [record('lost')])).rejects.toMatchObject({ retryable: true });
      await broker.restart();
      await until(() => { void topics.produce(topic, [record('after')]).catch(() => undefined); return keeper.values().includes('after'); }, 'what came after', 50_000);
      expect(consumer.trouble()).toBeNull();
      expect(new Set(keeper.seen.map(({ offset }) => offset)).size).toBe(keeper.seen.length);
    } finally {
      for (const topics of opened.splice(0)) await topics.close();
      await broker.stop();
    }
  });

  it('carry signed intents into the gateway, and what can not be read to its own topic', async () => {
    const prefix = `${uniqueName()}.`;
    const topics = open(SHARED_BROKERS, prefix);
    const gateway = await GatewayUnderTest.start({ intentTopic: { topics, deployment: 'aifirst', create: { partitions: 2 } } });
    try {
      const agent = await gateway.agent();
      const key = aSigningKey();
      await gateway.call('POST', `/v1/agents/${agent.id}/keys`, { kid: key.kid, jwk: key.jwk });
      const head = gateway.log.head();
      const records = Array.from({ length: 40 }, (_, i) => aSignedIntent({ key, source: agent.id, time: new Date().toISOString(), id: `n${i}`, mode: i % 2 === 0 ? 'binary' : 'structured' }));
      await topics.produce(INTENT_TOPICS.submitted, [
        ...records.map(({ value, headers }) => ({ key: null, value, headers: Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, header.toString()])) })),
        { key: null, value: Buffer.from('not an event'), headers: {} },
      ]);
      const letters = new Keeper();
      await topics.subscribe(letters.subscription(INTENT_TOPICS.unreadable));
      await until(() => letters.seen.length === 1, 'the letter');
      await until(() => gateway.gateway.intentTopic!.lag() === 0, 'no lag');
      const facts = (await gateway.log.read(head, 1_000)).flatMap(row => row.messages).map(({ event }) => event).filter(({ type }) => type.startsWith('aifirst.intent.'));
      expect(facts.map(({ type, intentid }) => [type, intentid]).sort()).toEqual(records.map((_, i) => ['aifirst.intent.accepted.v1', `n${i}`]).sort());
      expect(JSON.parse(letters.seen[0]!.value!.toString())).toMatchObject({ code: 'NO_SOURCE', topic: INTENT_TOPICS.submitted });
      expect((await gateway.call('GET', '/health/ready')).body['checks']).toContainEqual({ name: 'gateway.intents', ready: true });
    } finally {
      await gateway.close();
    }
  });

  it('refuse the start where the topic does not bear append times', async () => {
    const prefix = `${uniqueName()}.`;
    const topics = open(SHARED_BROKERS, prefix);
    await topics.create(INTENT_TOPICS.submitted, { partitions: 1, settings: { ...SETTINGS, 'message.timestamp.type': 'CreateTime' } });
    await topics.create(INTENT_TOPICS.unreadable, { partitions: 1, settings: {} });
    await expect(GatewayUnderTest.start({ intentTopic: { topics, deployment: 'aifirst' } })).rejects.toMatchObject({ code: 'INTENT_TOPIC_UNFIT', message: expect.stringMatching(/message\.timestamp\.type=CreateTime.*LogAppendTime/) as string });
  });
});

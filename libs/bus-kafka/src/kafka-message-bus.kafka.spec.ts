import { TEST_TOPIC, describeMessageBus, impatientClock } from '@aifirst/bus/testing';
import { ensureTopics } from './ensure-topics';
import { KafkaMessageBus } from './kafka-message-bus';
import { MemoryRelayPositions, SHARED_BROKERS, describeWithKafka, uniqueName } from './testing';

const TOPICS = [TEST_TOPIC, 'aifirst.test.other.events.v1', 'aifirst.test.unasked.events.v1'];
const PARTITIONS = 4;

describeWithKafka('on a real broker', () => {
  describeMessageBus('the bus over Kafka', {
    runs: 12,
    async start({ deadLetters, onStopped }) {
      const name = uniqueName();
      const topicPrefix = `${name}.`;
      const settings = { brokers: SHARED_BROKERS, clientId: name };
      await ensureTopics(settings, { topics: TOPICS.map(topic => ({ name: `${topicPrefix}${topic}` })), partitions: PARTITIONS });
      const buses: KafkaMessageBus[] = [];
      const positions = new Map<string, MemoryRelayPositions>();
      const made = (): KafkaMessageBus => {
        const bus = new KafkaMessageBus({
          settings, deployment: name, service: 'test', serviceKey: Buffer.from('a key of all services of the test'), clock: impatientClock, partitions: PARTITIONS, topicPrefix, onStopped,
          deadLetters: () => deadLetters,
          relayPositions: source => {
            const known = positions.get(source) ?? new MemoryRelayPositions();
            positions.set(source, known);
            return known;
          },
        });
        buses.push(bus);
        return bus;
      };
      return { bus: made(), another: async () => made(), stop: async () => { await Promise.all(buses.map(bus => bus.stop())); } };
    },
  });
});

export { freePort, startKafka, type KafkaBroker, type KafkaBrokerOptions } from './kafka-broker';
export { SHARED_BROKERS, describeWithKafka, uniqueName } from './kafka-for-tests';
export { startKafkaProxy, type KafkaProxy } from './kafka-proxy';
export { MemoryRelayPositions } from './memory-relay-positions';
export { MAC_HEADER, RecordCodec } from '../record-codec';

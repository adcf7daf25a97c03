export { KafkaMessageBus, type ConsumerLag, type KafkaMessageBusOptions, type RelayState } from './kafka-message-bus';
export { VALUE_BYTES_MAX, type KafkaLogEntry, type KafkaSettings } from './kafka-settings';
export { kafkaClient, type KafkaClient } from './kafka-client';
export { KAFKA_MIGRATIONS } from './kafka-migrations';
export { PostgresRelayPositions, type PostgresRelayPositionsOptions } from './postgres-relay-positions';
export type { RelayPositions } from './relay-positions';
export { ensureTopics, type TopicSpec } from './ensure-topics';
export type { ForeignReader, ForeignRecord, Refused } from './record-reader';
export type { RefusalReason } from './record-codec';

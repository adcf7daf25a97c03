export { startKafkaProxy, type KafkaProxy } from '@aifirst/bus-kafka/testing';

export { describeWithKafka, SHARED_BROKERS, startKafka, uniqueName, type KafkaBroker, type KafkaBrokerOptions } from '@aifirst/bus-kafka/testing';

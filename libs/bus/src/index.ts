export * from './message-bus';
export * from './dead-letters';
export * from './dead-letter-desk';
export { EmbeddedMessageBus, type EmbeddedMessageBusOptions } from './embedded-message-bus';
export type { ConsumerEvents, ParkedLetter } from './guarded-handler';
export { DEAD_LETTER_MIGRATIONS } from './dead-letter-migrations';
export { PostgresDeadLetters } from './postgres-dead-letters';
export * from './in-process-query';
export * from './nest-bus-strategy';

export * from './message-bus';
export * from './dead-letters';
export * from './dead-letter-desk';
export { EmbeddedMessageBus, type EmbeddedMessageBusOptions } from './embedded-message-bus';
export type { ConsumerEvents, ParkedLetter } from './guarded-handler';
export * from './in-process-query';
export * from './nest-bus-strategy';

export * from './message-bus';
export * from './dead-letters';

export { describeDeadLetters } from './dead-letters.contract';
export { ChaoticMessageBus, type Chaos, type ChaoticMessageBusOptions } from './chaotic-message-bus';
export { MemoryDeadLetters } from './memory-dead-letters';
export { MemoryFeed, TEST_TOPIC, aMessage, type MessageParts } from './memory-feed';
export { describeMessageBus, type BusHarness, type BusUnderTest } from './message-bus.contract';
export { RecordingService, idsOf, until } from './recorder';
export { impatientClock } from './timers';

export { Forwarded } from './forwarded';
export { HttpServiceQuery, type HttpServiceQueryOptions } from './http-service-query';
export { answerForLog, type ReadableLog } from './answer-for-log';
export { NotActive } from './outcome';
export type { IncomingQuestion, QuestionsHandler, ServiceLogger } from './questions-handler';
export { remoteFeed, type RemoteFeed } from './remote-feed';
export { addressOf, type Address } from './question-path';
export { ShardedQuery, type ShardedQueryOptions } from './sharded-query';
export { ServiceServer, type ReadinessCheck, type ServiceServerOptions } from './service-server';

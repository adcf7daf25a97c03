export * from './capability';
export * from './envelope';
export * from './execution';
export * from './intent';
export * from './policy';
export * from './service-query';
export * from './topics';
export * from './workflow';

export * from './memory-workflow-views';
export * from './fake-services';
export * from './a-gateway';
export * from './system-clock';
export * from './a-view';
export * from './memory-raw-topics';
export * from './signed-intent';

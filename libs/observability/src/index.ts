export * from './bounded-label';
export * from './catalogue';
export * from './logging';
export * from './metrics';
export * from './tracing';

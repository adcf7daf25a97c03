export * from './execution-adapter';

export * from './workflow-harness';

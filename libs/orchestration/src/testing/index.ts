export * from './workflow-harness';
export * from './orchestrator-stand';
export * from './memory-lock-log';

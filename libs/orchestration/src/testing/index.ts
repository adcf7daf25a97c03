export * from './workflow-harness';
export * from './orchestrator-stand';

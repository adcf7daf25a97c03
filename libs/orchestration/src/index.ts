export { Orchestrator, type ControlSource, type OrchestratorOptions, type OrchestratorTelemetry } from './application/orchestrator';
export { PolledControl } from './application/polled-control';
export { OrchestratorService } from './infrastructure/orchestrator-service';
export { decide, type Input } from './domain/decide';
export { LockTable } from './domain/lock-table';
export type { Circumstances, Command, Control, Decision } from './domain/turn';
export { wakeAt, outstanding } from './domain/wake';
export { hasEnded, type Workflow } from './domain/workflow';
export { foldRow, toAppend } from './application/workflow-log';

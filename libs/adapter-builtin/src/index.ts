export * from './builtin-adapter';
export type { TaskDesk } from './agent-task';

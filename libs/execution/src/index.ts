export * from './execution-adapter';
export * from './step-journal';
export type { JournalHooks } from './journal-hooks';
export type { Job } from './step-commands';
export type { Swept } from './retention';
export { CONTROL_AGE_MS_MAX, type ControlView } from './leave';
export { EXECUTE_STEP, PROBE_STEP, STEP_COMMAND_SCHEMAS, UNDO_STEP } from './step-commands';
export { COMMAND_REFUSED, STEP_PREPARED, STEP_REPORTED } from './journal-rows';
export { ATTEMPTS_MAX, GENERATIONS_MAX, versionOf, type CallId } from './journal-key';

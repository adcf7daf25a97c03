export { Client, type CallOptions, type CallStepOptions, type ClientOptions, type IntentLike, type OrderOptions, type RollbackOptions, type RunOptions, type SubmitOptions, type WaitOptions } from './client';
export type { Fetch } from './connection';
export { Literal, type Given } from './encoding';
export {
  AiFirstError, Conflict, Denied, HandOver, Invalid, NotFound, StepFailed, TaskLost, TransactionFailed, Unavailable, WaitTimeout, WorkflowDenied, WorkflowFailed, WorkflowParked,
  throwUnlessCompleted, type Problem,
} from './errors';
export { Intent, StepHandle, type InputOf, type IntentOptions, type StepOptions } from './intent';
export type { Json, JsonObject } from './json';
export { Ref } from './ref';
export { tools, type FunctionTool, type Tool, type ToolsOptions } from './tools';
export type { Transaction, TransactionOptions, TransactionStepOptions } from './transaction';
export {
  factOf, failedStepOf, hasEnded, isAllowed, isParked, outputOf, stepOf,
  type Capability, type IntentBody, type Plan, type PlannedStep, type RollbackPreview, type Step, type StepStatus, type Submitted, type Workflow, type WorkflowEvent, type WorkflowLike, type WorkflowStatus,
} from './types';
export type { Handler, Task, WorkOptions } from './worker';

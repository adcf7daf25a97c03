import { ENDED, eventType, isAtRest, type WorkflowFact } from '@aifirst/contracts';

/** Every fact of a workflow; the compiler keeps it whole. */
const NAMES: Readonly<Record<WorkflowFact['name'], true>> = {
  IntentSubmitted: true, StepAdded: true, PolicyAsked: true, PolicyDecided: true, LocksTaken: true, LocksLost: true, WorkflowRestarted: true, StepStarted: true, StepHeld: true,
  StepSucceeded: true, StepFailed: true, StepUnknown: true, StepDidNotHappen: true, StepSkipped: true, RollbackStarted: true, StepUndoStarted: true,
  StepUndoUnknown: true, StepUndone: true, StepUndoBlocked: true, StepUndoSkipped: true, WorkflowPaused: true, WorkflowResumed: true, RollbackParked: true, WorkflowCommitting: true,
  WorkflowEnded: true,
};
export const WORKFLOW_FACT_NAMES = Object.keys(NAMES) as WorkflowFact['name'][];
export const WORKFLOW_FACT_OF_TYPE: Readonly<Record<string, WorkflowFact['name']>> =
  Object.fromEntries(WORKFLOW_FACT_NAMES.map(name => [eventType('workflow', name), name]));

export const WORKFLOW_ENDED = eventType('workflow', 'WorkflowEnded');
export { ENDED, isAtRest };

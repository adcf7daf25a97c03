import { WORKFLOW_FACT_OF_TYPE } from '../views/facts';
import { factNumberOf, type CloudEvent, type PlannedStep, type PrincipalRef, type StartWorkflow, type WorkflowFact } from '@aifirst/contracts';

export type DoneStatus = 'pending' | 'running' | 'unknown' | 'succeeded' | 'ended' | 'undoing' | 'undoBlocked' | 'undone';

/** What a step has done, as its workflow's facts tell it: what there is to take back. */
export interface DoneStep {
  readonly index: number;
  readonly plan: PlannedStep;
  /** `ended`: failed or skipped, so there is nothing of it. */
  readonly status: DoneStatus;
  readonly generation: number;
  /** URIs of what it touched, from its last start. */
  readonly resources: readonly string[];
  /** Adapter's running number of the act. */
  readonly actSequence: number;
  /** When it was known to have succeeded, ms; and which fact that was, so that those of one moment have an order. */
  readonly actedAt: number;
  readonly actedFact: number;
  /** Why it stands although all was rolled back. */
  readonly left: string | null;
}

export interface DoneWorkflow {
  readonly id: string;
  readonly agent: PrincipalRef;
  /** How many facts there are: one more, and it has moved. */
  readonly facts: number;
  readonly steps: readonly DoneStep[];
}

/** @returns null where there is no beginning */
export function doneBy(events: readonly CloudEvent[]): DoneWorkflow | null {
  let done: DoneWorkflow | null = null;
  for (const event of events) {
    const name = WORKFLOW_FACT_OF_TYPE[event.type];
    if (name === undefined) continue;
    const fact = { ...event.data, name } as unknown as WorkflowFact;
    const number: number = factNumberOf(event) ?? (done?.facts ?? 0) + 1;
    if (fact.name === 'IntentSubmitted') done ??= begun(fact.start);
    if (done !== null) done = { ...apply(done, fact, Date.parse(event.time), number), facts: number };
  }
  return done;
}

const begun = (start: StartWorkflow): DoneWorkflow => ({ id: start.workflow, agent: start.agent, facts: 0, steps: start.steps.map(fresh) });
const fresh = (plan: PlannedStep, index: number): DoneStep => ({ index, plan, status: 'pending', generation: 1, resources: [], actSequence: 0, actedAt: 0, actedFact: 0, left: null });

function apply(done: DoneWorkflow, fact: WorkflowFact, at: number, number: number): DoneWorkflow {
  const step = (index: number, change: Partial<DoneStep>): DoneWorkflow => ({ ...done, steps: done.steps.with(index, { ...done.steps[index]!, ...change }) });
  switch (fact.name) {
    case 'StepAdded': return { ...done, steps: [...done.steps, fresh(fact.plan, fact.index)] };
    case 'StepStarted': return step(fact.index, { status: 'running', generation: fact.generation, resources: fact.resources });
    case 'StepSucceeded': return step(fact.index, { status: 'succeeded', generation: fact.generation, actSequence: fact.actSequence, actedAt: at, actedFact: number });
    case 'StepFailed': return step(fact.index, { status: fact.retryAt === null ? 'ended' : 'pending' });
    case 'StepUnknown': return step(fact.index, { status: 'unknown' });
    case 'StepDidNotHappen': return step(fact.index, { status: 'pending' });
    case 'StepSkipped': return step(fact.index, { status: 'ended' });
    case 'StepUndoStarted': case 'StepUndoUnknown': return step(fact.index, { status: 'undoing', left: null });
    case 'StepUndone': return step(fact.index, { status: 'undone' });
    case 'StepUndoBlocked': return step(fact.index, { status: fact.code === 'DID_NOT_HAPPEN' ? 'succeeded' : 'undoBlocked' });
    case 'StepUndoSkipped': return step(fact.index, { status: 'succeeded', left: fact.reason });
    case 'WorkflowRestarted': return { ...done, steps: done.steps.map(({ plan, index }) => fresh(plan, index)) };
    default: return done;
  }
}

export const onlyReads = ({ plan }: DoneStep): boolean => plan.reversibility === 'readOnly';
/** Something of it stands, or may. */
export const mayStand = ({ status }: DoneStep): boolean => ['running', 'unknown', 'succeeded', 'undoing', 'undoBlocked'].includes(status);

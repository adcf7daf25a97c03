import type { components, operations } from './generated/openapi';

type Schemas = components['schemas'];
type BodyOf<Operation extends keyof operations> = operations[Operation] extends { readonly requestBody: { readonly content: { readonly 'application/json': infer Body } } } ? Body : never;

/** The transaction that carries an intent out. */
export type Workflow = Schemas['Workflow'];
export type Step = Schemas['Step'];
export type WorkflowStatus = Workflow['status'];
export type StepStatus = Step['status'];
/** What an intent would do. `pointOfNoReturn`: the first step after which not everything can be undone. */
export type Plan = Schemas['Plan'];
export type PlannedStep = Plan['steps'][number];
/** What a rollback would do; its `digest` runs exactly that. */
export type RollbackPreview = Schemas['RollbackPreview'];
/** A fact of a workflow, as a CloudEvent. */
export type WorkflowEvent = Schemas['CloudEvent'];
/** One named action. `reversibility`: readOnly, reversible, compensable or irreversible. */
export type Capability = Schemas['Capability'];
/** An intent as it is sent, or `{ planId }` to run exactly a plan. */
export type IntentBody = BodyOf<'submitIntent'>;

/** An intent that was accepted. `replayed`: it had been before, under the same key. */
export interface Submitted {
  readonly intentId: string;
  readonly workflowId: string;
  readonly idempotencyKey: string;
  readonly replayed: boolean;
}
/** By its id, or by what an earlier call answered. */
export type WorkflowLike = Workflow | Submitted | string;

const ENDED: readonly WorkflowStatus[] = ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled'];
const PARKED: readonly WorkflowStatus[] = ['paused', 'awaitingApproval', 'rollbackBlocked'];

/** For good, unless somebody rolls it back. */
export const hasEnded = ({ status }: Workflow): boolean => ENDED.includes(status);
/** It waits for somebody; `statusReason` says for whom and why. */
export const isParked = ({ status }: Workflow): boolean => PARKED.includes(status);
/** The first step with an error. */
export const failedStepOf = ({ steps }: Workflow): Step | undefined => steps.find(({ error }) => error !== null);
/** Whether policy would allow every step. */
export const isAllowed = ({ steps }: Plan): boolean => steps.every(({ decision }) => decision.outcome === 'allow');
/** Its short name, such as `step-succeeded`. */
export const factOf = ({ type }: WorkflowEvent): string => type.replace(/^aifirst\.workflow\./, '').replace(/\.[^.]*$/, '');

/** @throws RangeError if there is no such step */
export function stepOf({ id, steps }: Workflow, step: string): Step {
  const found = steps.find(one => one.id === step);
  if (found === undefined) throw new RangeError(`workflow ${id} has no step \`${step}\`; it has ${steps.map(one => one.id).join(', ')}`);
  return found;
}
/** What a step answered; nothing while it has not succeeded. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: its shape is the capability's, which nothing here knows.
export const outputOf = (workflow: Workflow, step: string): any => stepOf(workflow, step).output;

export const idOf = (workflow: WorkflowLike): string => (typeof workflow === 'string' ? workflow : 'workflowId' in workflow ? workflow.workflowId : workflow.id);

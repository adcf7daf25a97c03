import { ENDED, PARKED, type PrincipalRef, type StepStatus, type StepView, type WorkflowOrder, type WorkflowView } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { notFound } from '../http/problem';
import type { IntentIntake, Submitted } from '../intake/intent-intake';
import { isAtRest } from '../views/facts';
import type { WorkflowProjection } from '../views/workflow-projection';

export interface TransactionsParts { readonly identity: Identity; readonly intake: IntentIntake; readonly projection: WorkflowProjection }

export interface Begin { readonly principal: PrincipalRef; /** The body as it was sent. */ readonly raw: Buffer; readonly idempotencyKey: string | undefined; readonly traceparent: string }
export interface Begun extends Submitted { /** As it is now; sealed values are sealed in it. */ readonly view: WorkflowView }
export interface StepAnswer {
  readonly view: WorkflowView;
  readonly step: StepView;
  /** It had been added before: nothing is done twice. */
  readonly replayed: boolean;
  /** It has ended, or waits for a person; else it is still under way. */
  readonly isAnswered: boolean;
}

export interface AddedAnswer extends Omit<StepAnswer, 'step'> { readonly id: string; readonly step: StepView | null }

/** How long an answer waits for the view to have caught up with what the orchestrator has already stored. */
const CATCH_UP_MS = 5_000;

/** Interactive transactions for whoever speaks for an agent: each call is one word to a workflow that grows. */
export class Transactions {
  constructor(private readonly parts: TransactionsParts) {}

  /** @returns when it is durable @throws Refusal of admission, TENANT_MISMATCH, IDEMPOTENCY_CONFLICT, OVERLOADED */
  async begin(begin: Begin): Promise<Begun> {
    const submitted = await this.parts.intake.submit({ ...begin, interactive: true });
    const view = await this.parts.projection.find(begin.principal.tenant, submitted.workflowId);
    if (view === null) throw notFound(`workflow \`${submitted.workflowId}\``);
    return { ...submitted, view };
  }

  /**
   * Adds a step, which runs at once, and waits for what comes of it.
   * @param waitMs at most so long; 0: not at all
   * @throws Refusal of admission, NOT_FOUND, FORBIDDEN, WRONG_STATE, IDEMPOTENCY_CONFLICT, UNKNOWN_STEP, TOO_LARGE
   */
  async addStep(principal: PrincipalRef, workflow: string, raw: Buffer, waitMs: number): Promise<StepAnswer> {
    const { id, step, ...answer } = await this.add(principal, workflow, raw, waitMs);
    if (step === null) throw notFound(`step \`${id}\` in this workflow yet: ask for the workflow in a moment`);
    return { ...answer, step };
  }

  /** As `addStep`, for whoever waits on by `waitForStep` where it has been added and does not show yet: `step` is null. */
  async add(principal: PrincipalRef, workflow: string, raw: Buffer, waitMs: number): Promise<AddedAnswer> {
    const { id } = await this.visible(principal, workflow);
    const added = await this.parts.intake.step({ principal, raw }, id);
    const { view: ordered, sequence } = await this.order(principal, id, { order: 'addStep', step: added });
    // Why also without a wait: a repeat makes no fact whose coming could have been waited for.
    const shown = stepOf(ordered, added.id) === null ? await this.waitFor(ordered, view => stepOf(view, added.id) !== null, CATCH_UP_MS) : ordered;
    const view = waitMs === 0 || isAnswered(shown, added.id) ? shown : await this.waitFor(shown, now => isAnswered(now, added.id), waitMs);
    return { id: added.id, view, step: stepOf(view, added.id), replayed: sequence === 0, isAnswered: isAnswered(view, added.id) };
  }

  /** Waits on for a step that was added before. @throws Refusal NOT_FOUND of the workflow */
  async waitForStep(principal: PrincipalRef, workflow: string, step: string, waitMs: number): Promise<Omit<AddedAnswer, 'replayed'>> {
    const known = await this.visible(principal, workflow);
    const view = waitMs === 0 || isAnswered(known, step) ? known : await this.waitFor(known, now => isAnswered(now, step), waitMs);
    return { id: step, view, step: stepOf(view, step), isAnswered: isAnswered(view, step) };
  }

  /** No step follows: waits until what runs has ended. @throws Refusal NOT_FOUND, FORBIDDEN, WRONG_STATE */
  async commit(principal: PrincipalRef, workflow: string, waitMs: number): Promise<WorkflowView> {
    const { id } = await this.visible(principal, workflow);
    const { view } = await this.order(principal, id, { order: 'commit' });
    return waitMs === 0 || isAtRest(view.status) ? view : this.waitFor(view, ({ status }) => isAtRest(status), waitMs);
  }

  private async order(principal: PrincipalRef, workflow: string, order: WorkflowOrder): Promise<{ view: WorkflowView; sequence: number }> {
    const { identity, projection } = this.parts;
    const { tenant } = principal;
    let sequence = 0;
    const ask = async (): Promise<{ sequence: number }> => {
      const answer = await identity.neighbours.ask('orchestrator', 'order', { tenant, workflow, by: principal, order });
      sequence = answer.sequence;
      return answer;
    };
    const view = await projection.ordered(tenant, workflow, ask, CATCH_UP_MS);
    if (view === null) throw notFound(`workflow \`${workflow}\``);
    return { view, sequence };
  }

  private async waitFor(view: WorkflowView, until: (view: WorkflowView) => boolean, waitMs: number): Promise<WorkflowView> {
    return await this.parts.projection.waitFor(view.tenant, view.id, until, waitMs) ?? view;
  }

  private async visible(principal: PrincipalRef, workflow: string): Promise<WorkflowView> {
    const view = await this.parts.projection.visibleTo(principal, principal.tenant, workflow);
    if (view === null) throw notFound(`workflow \`${workflow.slice(0, 64)}\``);
    return view;
  }
}

const stepOf = ({ steps }: WorkflowView, id: string): StepView | null => steps.find(step => step.id === id) ?? null;
const isAnswered = (view: WorkflowView, id: string): boolean => { const step = stepOf(view, id); return step !== null && hasAnswer(view, step); };

const OPEN: readonly StepStatus[] = ['pending', 'running', 'unknown', 'undoing'];

/** Nothing more comes of it by itself, or by itself alone. */
function hasAnswer({ status }: WorkflowView, step: StepView): boolean {
  if (!OPEN.includes(step.status)) return true;
  return ENDED.includes(status) || (PARKED.includes(status) && (step.status === 'pending' || (step.statusReason?.actions.length ?? 0) > 0));
}

import type { CloudEvent, DecidePlan, Draft, PlanDecided, PrincipalRef, SealedFields, StepDecision } from '@aifirst/contracts';
import { eventType, TOPICS } from '@aifirst/contracts';
import { invariant, isUuid } from '@aifirst/kernel';
import type { Json, JsonObject } from '@aifirst/kernel';
import type { Append, Positions, StoredRow } from '@aifirst/store';
import { VersionConflict } from '@aifirst/store';
import { decidePlan } from '../domain/decide-plan';
import type { Evaluator } from '../domain/evaluator';
import type { PolicyStore } from './policy-store';
import { newUses } from './uses';

export const DECIDE_PLAN = eventType('policy', 'DecidePlan');
export const PLAN_DECIDED = eventType('policy', 'PlanDecided');

/**
 * A question's answers lie in its workflow's stream, version `question × ANSWERS_MAX + n`: the first has n = 0.
 * Why spaced: an answer given again must not take the place of the next question's.
 */
export const ANSWERS_MAX = 256;
const QUESTION_MAX = Math.floor(0x7fffffff / ANSWERS_MAX) - 1;
/**
 * A question that is repeated this long after its answer is answered again: the bus may have lost that. One that comes
 * sooner was sent before the answer could be there.
 */
export const ANSWER_HOLDS_MS = 1_000;
/** Rounds of a batch whose questions turn out to be answered: each round takes at least one out. */
const ROUNDS_MAX = 600;

export interface DecidingMeans {
  readonly evaluator: Evaluator;
  digest(value: Json): string;
  seal(fields: SealedFields): string;
  /** Wait for the disk. */
  readonly durable: boolean;
  onDecided?(decided: PlanDecided, asking?: Deciding): void;
}
/** The question's trace, and when its batch was taken up (ms since 1970). */
export interface Deciding { readonly traceparent: string | undefined; readonly startedAt: number }
interface Asked { readonly event: CloudEvent; readonly question: DecidePlan; readonly answer: number }
type Asking = Pick<CloudEvent, 'id' | 'traceparent'>;

/** Answers questions about plans, a batch in one commit. A question is recognised by (workflow, number). */
export class DecidePlans {
  constructor(private readonly store: PolicyStore, private readonly means: DecidingMeans) {}

  /** Everything that the batch asks is answered, or was before, when this resolves; the positions are stored with it. */
  handle(events: readonly CloudEvent[], positions: Positions): Promise<void> {
    return this.store.serially(async () => {
      const startedAt = this.store.now();
      let asked = firstOfEach(events.filter(({ type }) => type === DECIDE_PLAN).map(event => ({ event, question: questionOf(event), answer: 0 })));
      for (let round = 1; ; round++) {
        const decided = asked.map(one => this.decide(one.question));
        const appends = asked.map((one, index) => this.append(one, decided[index]!));
        const uses = newUses(this.store, asked.map(({ question }, index) => ({ question, decisions: decided[index]!.decisions })));
        try {
          await this.store.commit({ appends, positions, durable: this.means.durable, ...(uses.documents.length === 0 ? {} : { documents: uses.documents }) });
          uses.takeOver();
          decided.forEach((one, index) => this.means.onDecided?.(one, { traceparent: asked[index]!.event.traceparent, startedAt }));
          return;
        } catch (error) {
          if (!(error instanceof VersionConflict) || round >= ROUNDS_MAX) throw error;
          asked = await this.withoutAnswered(asked, error);
        }
      }
    });
  }

  /** What would be decided now: nothing is stored or told, and nothing can be done with the answer. */
  tryOut(question: DecidePlan): Promise<{ decisions: StepDecision[] }> {
    return this.store.fresh(() => ({ decisions: this.decide(question).decisions.map(withoutLeases) }));
  }

  /** May this principal roll the workflow back? Asked and answered at once, and recorded. */
  decideRollback(tenant: string, workflow: string, by: PrincipalRef): Promise<StepDecision> {
    return this.store.serially(async () => {
      const question: DecidePlan = { workflow, question: 0, principal: { ...by, tenant }, action: 'rollback', steps: [], plan: { steps: 0, capabilities: [], resources: [] } };
      const decided = this.decide(question);
      // Why a stream of its own: it is no question of the workflow's driver.
      await this.store.commit({ appends: [{ tenant, stream: this.store.uuid(), version: 1, messages: [this.draft(decided, tenant, undefined)] }] });
      this.means.onDecided?.(decided);
      return decided.decisions[0]!;
    });
  }

  private decide(question: DecidePlan): PlanDecided {
    const tenant = this.store.tenant(question.principal.tenant);
    const policy = tenant.view(this.store.forAll());
    const { evaluator, digest, seal } = this.means;
    const decisions = decidePlan(question, policy, { evaluator, now: this.store.now(), digest, seal });
    return { workflow: question.workflow, question: question.question, action: question.action, controlEpoch: policy.epoch, decisions };
  }

  private append({ event, question, answer }: Asked, decided: PlanDecided): Append {
    const { tenant } = question.principal;
    return { tenant, stream: question.workflow, version: question.question * ANSWERS_MAX + answer, messages: [this.draft(decided, tenant, event)] };
  }

  private draft(decided: PlanDecided, tenant: string, asking: Asking | undefined): Draft {
    return {
      topic: TOPICS.decisionEvents, key: decided.workflow, id: this.store.uuid(), type: PLAN_DECIDED, time: this.store.at(), subject: decided.workflow, tenant,
      causationid: asking?.id, traceparent: asking?.traceparent, data: decided as unknown as JsonObject,
    };
  }

  /** Leaves out what has been answered; what was answered so long ago that the answer may be lost is answered anew. */
  private async withoutAnswered(asked: readonly Asked[], conflict: VersionConflict): Promise<Asked[]> {
    const known = new Set(conflict.streams.map(({ stream, version }) => `${stream}/${version}`));
    const isKnown = (one: Asked): boolean => known.has(`${one.question.workflow}/${one.question.question * ANSWERS_MAX + one.answer}`);
    const repeated = asked.filter(isKnown);
    invariant(repeated.length > 0, 'a conflict names none of the batch\'s questions');
    const stored = await this.store.log.readStreams([...new Set(repeated.map(one => one.question.workflow))]);
    const last = new Map<string, StoredRow>();
    for (const row of stored) last.set(`${row.stream}/${Math.floor(row.version / ANSWERS_MAX)}`, row);
    return asked.flatMap(one => {
      if (!isKnown(one)) return [one];
      const row = last.get(`${one.question.workflow}/${one.question.question}`);
      invariant(row !== undefined, `the answer to \`${one.question.workflow}/${one.question.question}\` is gone`);
      const answer = (row.version % ANSWERS_MAX) + 1;
      return answer < ANSWERS_MAX && isOld(row, this.store.now()) ? [{ ...one, answer }] : [];
    });
  }
}

function withoutLeases({ lease: _, undoLease: __, ...decision }: StepDecision): StepDecision { return decision; }

const isOld = (row: StoredRow, now: number): boolean => row.messages.every(({ event }) => Date.parse(event.time) + ANSWER_HOLDS_MS <= now);

function firstOfEach(asked: readonly Asked[]): Asked[] {
  const seen = new Set<string>();
  return asked.filter(({ question }) => {
    const name = `${question.workflow}/${question.question}`;
    return !seen.has(name) && seen.add(name);
  });
}

/** A question that is none is a bug of its sender: it is parked. */
function questionOf(event: CloudEvent): DecidePlan {
  const question = event.data as unknown as Partial<DecidePlan>;
  const { workflow, question: number, principal, action, steps, plan } = question;
  invariant(typeof workflow === 'string' && isUuid(workflow), 'a question names no workflow');
  invariant(Number.isSafeInteger(number) && number! >= 0 && number! <= QUESTION_MAX, `question of \`${workflow}\` has no number`);
  invariant(principal !== undefined && typeof principal.id === 'string' && principal.tenant === event.tenant, `question of \`${workflow}\` is of no principal of its tenant`);
  const { chain } = question;
  invariant(chain === undefined || (Array.isArray(chain) && chain.every(one => typeof one.id === 'string' && one.tenant === event.tenant)), `question of \`${workflow}\` is on behalf of no principals of its tenant`);
  invariant((action === 'execute' || action === 'rollback') && Array.isArray(steps) && plan !== undefined, `question of \`${workflow}\` asks nothing`);
  return question as DecidePlan;
}

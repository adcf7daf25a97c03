import { catalogueOf } from './catalogue';
import { Conversation } from './conversation';
import { DRAFT_SCHEMA, readDraft, type Draft, type ReadDraft } from './draft';
import { PlannerError, type PlanProblem } from './errors';
import { problemsOf, shownToModel, type Previews } from './judge';
import type { JsonObject } from './json';
import type { Model } from './model/model';
import { Proposal } from './proposal';
import type { Runtime } from './runtime';
import { clean } from './show/clean';

/** What happens meanwhile, for whoever watches. */
export type Progress =
  | { readonly type: 'asking'; readonly round: number; readonly roundsMax: number }
  | { readonly type: 'refused'; readonly round: number; readonly problems: readonly PlanProblem[] };

/** What a plan becomes besides its steps. The caller says it; the model can't. */
export interface IntentSettings {
  readonly mode?: 'saga' | 'atomic';
  readonly onFailure?: 'rollback' | 'pause' | 'keep';
  readonly deadlineMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly subjects?: readonly string[];
}

export interface PlanningLimits {
  /** Names of capabilities that the model is told of, with `*` (all that the agent may reach). */
  readonly include?: readonly string[];
  /** How often the model is asked until a plan is not refused (5). */
  readonly roundsMax?: number;
  /** Of one goal, questions and answers together (200,000). Where the endpoint does not count them, a third of the bytes. */
  readonly tokensMax?: number;
  /** Of a plan (50). */
  readonly stepsMax?: number;
  /** That what there is to use may take in the question (131,072). */
  readonly catalogueBytesMax?: number;
  /** How much of a refused plan the model gets to see (`none`): what previews show is content of files and databases, and goes to the model's endpoint. */
  readonly previews?: Previews;
  readonly intent?: IntentSettings;
  readonly onProgress?: (progress: Progress) => void;
}

const ROUNDS_MAX = 5;
const TOKENS_MAX = 200_000;
const STEPS_MAX = 50;
const CATALOGUE_BYTES_MAX = 131_072;
const GOAL_BYTES_MAX = 4_096;
const BYTES_PER_TOKEN = 3;

/** A goal, as far as it has come. */
interface Thread { readonly goal: string; readonly conversation: Conversation; tokens: number; rounds: number }

/** Asks the model, plans what it proposes, and shows it what was refused, until a plan holds. Changes nothing. */
export class PlanMaker {
  private readonly limits: Required<Omit<PlanningLimits, 'intent' | 'onProgress'>>;

  /** @throws PlannerError BAD_OPTION */
  constructor(private readonly runtime: Runtime, private readonly model: Model, private readonly options: PlanningLimits = {}) {
    const { include = ['*'], roundsMax = ROUNDS_MAX, tokensMax = TOKENS_MAX, stepsMax = STEPS_MAX, catalogueBytesMax = CATALOGUE_BYTES_MAX, previews = 'none' } = options;
    for (const [name, value] of Object.entries({ roundsMax, tokensMax, stepsMax, catalogueBytesMax })) {
      if (!Number.isSafeInteger(value) || value < 1) throw new PlannerError('BAD_OPTION', `\`${name}\` is a whole number from 1`);
    }
    this.limits = { include, roundsMax, tokensMax, stepsMax, catalogueBytesMax, previews };
  }

  /** @throws PlannerError; what the runtime's client throws where no other proposal would help */
  async propose(goal: string, signal?: AbortSignal): Promise<Proposal> {
    if (goal.trim() === '' || Buffer.byteLength(goal) > GOAL_BYTES_MAX || goal.includes('\0')) throw new PlannerError('BAD_OPTION', `a goal has 1 to ${GOAL_BYTES_MAX} bytes and no NUL`);
    const catalogue = catalogueOf(await this.runtime.reach(signal), this.limits.include, this.limits.catalogueBytesMax);
    return this.settle({ goal, conversation: new Conversation(goal, catalogue), tokens: 0, rounds: 0 }, null, signal);
  }

  /** @param given is planned first, without asking the model */
  private async settle(thread: Thread, given: Draft | null, signal: AbortSignal | undefined): Promise<Proposal> {
    const { roundsMax } = this.limits;
    for (let [round, next] = given === null ? [1, given] : [0, given]; ; round++, next = null) {
      if (next === null) this.options.onProgress?.({ type: 'asking', round, roundsMax });
      const read: ReadDraft = next === null ? await this.ask(thread, signal) : { draft: next };
      if ('cannot' in read) throw new PlannerError('IMPOSSIBLE', `the model says that it can't be done: ${read.cannot}`, { rounds: thread.rounds });
      const tried = 'problems' in read ? { problems: read.problems, shown: [] } : await this.tryOut(thread, read.draft, signal);
      if (tried instanceof Proposal) return tried;
      this.options.onProgress?.({ type: 'refused', round, problems: tried.problems });
      if (round >= roundsMax) throw this.givenUp(thread, round, tried.problems);
      thread.conversation.refused(tried.problems, tried.shown, roundsMax - round);
    }
  }

  private async ask(thread: Thread, signal: AbortSignal | undefined): Promise<ReadDraft> {
    const { messages } = thread.conversation;
    const asked = Math.ceil(messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0) / BYTES_PER_TOKEN);
    const { tokensMax, stepsMax } = this.limits;
    if (thread.tokens + asked + this.model.answerTokensMax > tokensMax) {
      throw new PlannerError('TOKENS_SPENT', `another question could take more than the ${tokensMax} tokens that one goal may: ${thread.tokens} are used, ${asked} would be asked, ${this.model.answerTokensMax} may be answered`, { rounds: thread.rounds });
    }
    const answer = await this.model.ask({ messages, schema: DRAFT_SCHEMA, ...(signal === undefined ? {} : { signal }) });
    thread.rounds++;
    thread.tokens += answer.tokens ?? asked + Math.ceil(Buffer.byteLength(answer.text) / BYTES_PER_TOKEN);
    thread.conversation.answered(answer);
    return readDraft(answer, stepsMax);
  }

  private async tryOut(thread: Thread, draft: Draft, signal: AbortSignal | undefined): Promise<Proposal | { readonly problems: readonly PlanProblem[]; readonly shown: readonly JsonObject[] }> {
    const intent = this.intentOf(thread.goal, draft);
    const made = await this.runtime.plan(intent, signal);
    if ('problems' in made) return { problems: made.problems, shown: [] };
    const problems = problemsOf(made.plan, draft.steps);
    if (problems.length > 0) return { problems, shown: shownToModel(made.plan, this.limits.previews) };
    return new Proposal({
      goal: thread.goal, understood: draft.understood, intent, plan: made.plan, rounds: thread.rounds, tokens: thread.tokens,
      run: (planId, key, options) => this.runtime.apply(planId, key, options),
      again: until => this.settle(thread, draft, until),
    });
  }

  /** Why member by member: what the model says beyond its steps gets nowhere. */
  private intentOf(goal: string, { steps }: Draft): JsonObject {
    const { mode, onFailure, deadlineMs, labels, subjects } = this.options.intent ?? {};
    return {
      goal, ...(mode === undefined ? {} : { mode }), ...(onFailure === undefined ? {} : { onFailure }), ...(deadlineMs === undefined ? {} : { deadlineMs }),
      labels: { via: 'planner', model: clean(this.model.name, 200), ...labels }, ...(subjects === undefined ? {} : { subjects }),
      steps: steps.map(({ id, capability, input, dependsOn }) => ({ id, capability, input, ...(dependsOn.length === 0 ? {} : { dependsOn }) })),
    };
  }

  private givenUp(thread: Thread, rounds: number, problems: readonly PlanProblem[]): PlannerError {
    const told = problems.slice(0, 3).map(({ code, pointer, detail }) => clean(`${code}${pointer === undefined ? '' : ` at ${pointer}`}: ${detail}`, 500));
    return new PlannerError('NOT_MENDED', `no plan that holds came of ${rounds} ${rounds === 1 ? 'proposal' : 'proposals'} of ${clean(this.model.name, 200)}; nothing was done. What was wrong with the last: ${told.join('; ')}${problems.length > 3 ? `; and ${problems.length - 3} more` : ''}`, { problems, rounds: thread.rounds });
  }
}

import { OperationalError, Refusal } from '@aifirst/kernel';
import type { Cluster } from './cluster';
import type { Submission } from './gateway';
import type { History } from './history';
import type { Options } from './options';
import type { Random } from './random';
import type { World } from './world';

const TRIES_MAX = 60;
const AGAIN_MS = 1_000;

/** Agents in interactive transactions: each adds its steps one by one, asks again when there is no answer, and in the end commits, cancels or vanishes. */
export class Conversations {
  /** What was answered, by workflow. */
  private readonly taken = new Map<string, string[]>();
  private readonly committed = new Set<string>();

  constructor(
    private readonly cluster: Cluster, private readonly history: History, private readonly world: World, private readonly random: Random, private readonly options: Options,
    private readonly wrong: (what: string) => void,
  ) {}

  /** Of the next submission. Draws nothing where there are no transactions, so that seeds stay what they were. */
  manner(): Pick<Submission, 'idleTimeoutMs'> {
    const { interactive: share } = this.options;
    return share > 0 && this.random.happens(share) ? { idleTimeoutMs: this.random.between(5_000, 60_000) } : {};
  }

  async hold(submission: Submission): Promise<void> {
    const { random } = this;
    const steps: string[] = [];
    this.taken.set(submission.workflow, steps);
    for (const step of submission.body.steps) {
      await this.pass(random.between(0, 2_000));
      if (random.happens(0.05)) return;
      const answer = await this.insist(() => this.cluster.gateway!.addStep(submission, step));
      if (answer === null) { steps.push(step.id); continue; }
      if (answer === 'IDEMPOTENCY_CONFLICT') this.wrong(`transactions: a repeat of ${submission.workflow}/${step.id} is taken for another step`);
      if (answer !== 'WRONG_STATE') return;
    }
    if (random.happens(0.1)) return;
    const order = random.happens(0.15) ? { order: 'cancel' } as const : { order: 'commit' } as const;
    const answer = await this.insist(() => this.cluster.gateway!.order(submission.workflow, submission.agent, order));
    if (answer === null && order.order === 'commit') this.committed.add(submission.workflow);
  }

  /** Nothing that was answered is lost, in its order and once; what was committed was not left alone. */
  check(): void {
    for (const [workflow, steps] of this.taken) {
      const state = this.history.workflows.get(workflow)!;
      const known = state.start.steps.map(({ id }) => id);
      if (new Set(known).size !== known.length) this.wrong(`transactions: ${workflow} has a step twice: ${known.join()}`);
      if (steps.some((id, at) => known.indexOf(id) < 0 || (at > 0 && known.indexOf(id) < known.indexOf(steps[at - 1]!)))) this.wrong(`transactions: ${workflow} has ${known.join()}, and ${steps.join()} were answered`);
      const isIdle = (this.history.ofWorkflow.get(workflow) ?? []).some(({ name, fact }) => name === 'RollbackStarted' && fact['code'] === 'IDLE');
      if (this.committed.has(workflow) && isIdle) this.wrong(`transactions: ${workflow} was committed, and took itself back as idle`);
    }
  }

  /** @returns the code of a refusal; null: it was taken */
  private async insist(say: () => Promise<void>): Promise<string | null> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      try {
        if (this.cluster.gateway !== null && this.cluster.gateway !== undefined) {
          await Promise.race([say(), this.pass(5 * AGAIN_MS).then(() => { throw new OperationalError('NO_ANSWER', 'no answer', { retryable: true }); })]);
          return null;
        }
      } catch (error) {
        if (error instanceof Refusal && error.code !== 'NOT_FOUND') return error.code;
        if (!(error instanceof OperationalError) && !(error instanceof Refusal)) throw error;
      }
      await this.pass(AGAIN_MS);
    }
    return 'NOBODY';
  }

  private pass(ms: number): Promise<void> { return new Promise(resolve => { this.world.after(ms, resolve); }); }
}

import { randomUUID } from 'node:crypto';
import { timeOf, type Connection } from './connection';
import { Conflict, StepFailed, throwUnlessCompleted, TransactionFailed, Unavailable, WaitTimeout } from './errors';
import { Encoder } from './encoding';
import { freeIdOf, STEP_ID, type InputOf } from './intent';
import { Ref } from './ref';
import { expect, part, request } from './request';
import { now } from './silence';
import { hasEnded, isParked, type Step, type Workflow } from './types';
import { wait, WORKFLOW_FIELDS, workflowOf } from './waiting';

export interface TransactionOptions {
  /** Left alone for so long it takes itself back (300,000). */
  readonly idleTimeoutMs?: number;
  /** Of the whole: not committed by then it takes itself back (24 hours). */
  readonly deadlineMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly subjects?: readonly string[];
  /** Of the beginning; made unless given. */
  readonly idempotencyKey?: string;
  /** How long its end is waited for, committed or taken back (600,000). */
  readonly timeoutMs?: number;
  /** Ends the waiting of its calls: the block throws then, and what it did is taken back. */
  readonly signal?: AbortSignal | undefined;
}

export interface TransactionStepOptions {
  /** The step's idempotency key within the transaction; made of the capability's name unless given. */
  readonly id?: string;
  /** Ids of steps that must have succeeded before. Who waits for one call before the next needs none. */
  readonly dependsOn?: readonly string[];
  /** Of one attempt. */
  readonly stepTimeoutMs?: number;
  readonly attempts?: number;
  /** How long the answer is waited for (600,000). */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Speaker { readonly connection: Connection; readonly signal: AbortSignal | undefined; readonly parent: string | undefined }

const END_MS = 600_000;
const STEP_MS = 600_000;
/** The server waits so long for one answer. */
const WAIT_S_MAX = 30;
const OVER = ['failed', 'skipped', 'undoing', 'undone', 'undoBlocked', 'awaitingApproval', 'held'];

/** Steps one by one, each at once and for all to see, and together undone. */
export class Transaction {
  readonly #speaker: Speaker;
  readonly #ids = new Set<string>();
  // Why one for all: an output is known here, so that nothing stands for it.
  readonly #encoder = new Encoder(value => { if (value instanceof Ref) throw new TypeError('within a transaction a step takes what an earlier one answered, not a reference to it'); return undefined; });

  /** Made by `Client.transaction`. */
  constructor(speaker: Speaker, /** The workflow's. */ readonly id: string) { this.#speaker = speaker; }

  /**
   * Runs one capability and waits for it. Its id is its idempotency key: an answer that was lost is asked for again, and it acts once.
   * @returns what it answered
   * @throws StepFailed if it had no effect (policy denied it, or it failed): the transaction stands, so the block may go on otherwise; WaitTimeout
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: its shape is the capability's, which nothing here knows.
  async call(capability: string, input: InputOf = {}, options: TransactionStepOptions = {}): Promise<any> {
    const { dependsOn = [], stepTimeoutMs, attempts, timeoutMs = STEP_MS } = options;
    if (typeof capability !== 'string' || capability === '') throw new TypeError('a call names a capability, such as `fs.write`');
    const id = options.id ?? freeIdOf(capability, one => this.#ids.has(one));
    if (!STEP_ID.test(id)) throw new TypeError('the id of a step is 1 to 64 letters, digits, `_` or `-`');
    const body = {
      id, capability, input: this.#encoder.object(input, `step \`${id}\`: `), ...(dependsOn.length === 0 ? {} : { dependsOn: [...dependsOn] }),
      ...(stepTimeoutMs === undefined ? {} : { timeoutMs: timeOf('stepTimeoutMs', stepTimeoutMs, 1) }), ...(attempts === undefined ? {} : { retry: { attemptsMax: attempts } }),
    };
    // Why before anything is waited for: calls side by side have ids of their own.
    this.#ids.add(id);
    const { connection } = this.#speaker;
    const signal = both(options.signal, this.#speaker.signal);
    const giveUpAt = now() + timeOf('timeoutMs', timeoutMs, 0);
    for (;;) {
      const seconds = secondsUntil(giveUpAt);
      // Said again it waits again.
      const answer = await request(connection, 'POST', `/v1/workflows/${part(this.id)}/steps?wait=${seconds}`, { body, signal, patienceMs: seconds * 1_000 });
      const step = expect<Step>(answer, [200, 202], ['id', 'status']);
      if (step.status === 'succeeded') return step.output;
      if (answer.status === 200 || OVER.includes(step.status)) throw new StepFailed(this.id, step);
      if (now() >= giveUpAt) throw new WaitTimeout(this.id, timeoutMs);
    }
  }

  /** As it is now. */
  workflow(): Promise<Workflow> { return workflowOf(this.#speaker.connection, this.id, { signal: this.#speaker.signal }); }
}

/** @throws what `Client.transaction` says */
export async function transact<T>(speaker: Speaker, goal: string, block: (transaction: Transaction) => Promise<T> | T, options: TransactionOptions): Promise<T> {
  const { idleTimeoutMs, deadlineMs, labels, subjects, idempotencyKey = randomUUID(), timeoutMs = END_MS } = options;
  timeOf('timeoutMs', timeoutMs, 0);
  const bound: Speaker = { ...speaker, signal: both(options.signal, speaker.signal) };
  const body = {
    goal, ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }), ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(labels === undefined ? {} : { labels }), ...(subjects === undefined ? {} : { subjects }), ...(speaker.parent === undefined ? {} : { parent: speaker.parent }),
  };
  const { id } = expect<Workflow>(await request(speaker.connection, 'POST', '/v1/workflows', { body, key: idempotencyKey, signal: bound.signal }), [201], WORKFLOW_FIELDS);
  let result: T;
  try {
    result = await block(new Transaction(bound, id));
    bound.signal?.throwIfAborted();
  } catch (error) {
    throw await takenBack(speaker, id, error, timeoutMs);
  }
  throwUnlessCompleted(await committed(bound, id, timeoutMs));
  return result;
}

async function committed({ connection, signal }: Speaker, id: string, timeoutMs: number): Promise<Workflow> {
  const giveUpAt = now() + timeoutMs;
  try {
    for (;;) {
      const seconds = secondsUntil(giveUpAt);
      const answer = await request(connection, 'POST', `/v1/workflows/${part(id)}/commit?wait=${seconds}`, { signal, patienceMs: seconds * 1_000 });
      const workflow = expect<Workflow>(answer, [200, 202], WORKFLOW_FIELDS);
      if (answer.status === 200 || hasEnded(workflow) || isParked(workflow)) return workflow;
      if (now() >= giveUpAt) throw new WaitTimeout(id, timeoutMs, workflow);
    }
  } catch (error) {
    if (error instanceof Unavailable) throw error.again({ workflowId: id, advice: `It is not known whether transaction ${id} was committed: look at it (it is completed then); if not, it takes itself back when it is left alone.` });
    // Why: it went back by itself meanwhile, or ended in the time of an answer that was lost.
    if (error instanceof Conflict) return wait(connection, id, timeoutMs, giveUpAt, signal);
    throw error;
  }
}

/** Not by the caller's signal: what was done is taken back also if nobody wants the result any more. */
async function takenBack({ connection }: Speaker, id: string, cause: unknown, timeoutMs: number): Promise<unknown> {
  let workflow: Workflow;
  try {
    const answer = await request(connection, 'POST', `/v1/workflows/${part(id)}/cancel`, { body: { reason: 'the block of the transaction threw' } });
    // 409: it is going back already, or has ended.
    if (answer.status !== 409) expect<Workflow>(answer, [202], WORKFLOW_FIELDS);
    workflow = await wait(connection, id, timeoutMs, now() + timeoutMs, undefined);
  } catch (problem) {
    const said = problem instanceof Error ? problem.message.split('\n')[0]! : String(problem);
    return new TransactionFailed(id, null, cause, `What became of transaction ${id} is not known (${said}): it takes itself back when it is left alone. Look at it before anything is done again.`);
  }
  return new TransactionFailed(id, workflow, cause, '');
}

const secondsUntil = (at: number): number => Math.max(0, Math.min(WAIT_S_MAX, Math.ceil((at - now()) / 1_000)));
export const both = (one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined => (one === undefined || other === undefined ? one ?? other : AbortSignal.any([one, other]));

import { randomUUID } from 'node:crypto';
import { Connection, timeOf, type ConnectionOptions } from './connection';
import { AiFirstError, Conflict, throwUnlessCompleted } from './errors';
import { Intent, type InputOf, type StepOptions } from './intent';
import { expect, FIRST_PAUSE_MS, part, request } from './request';
import { now, sleep } from './silence';
import { idOf, outputOf, type Capability, type IntentBody, type Plan, type RollbackPreview, type Submitted, type Workflow, type WorkflowEvent, type WorkflowLike } from './types';
import { listedTools, type ListedTool } from './listed-tools';
import { both, transact, type Speaker, type Transaction, type TransactionOptions } from './transaction';
import { live, wait, WORKFLOW_FIELDS, workflowOf } from './waiting';
import { work, type Handler, type WorkOptions } from './worker';

/** An intent, its JSON, or a plan to be run exactly. */
export type IntentLike = Intent | Plan | IntentBody | { readonly [name: string]: unknown };
export type ClientOptions = ConnectionOptions;

export interface CallOptions { /** Ends the waiting, never the workflow. */ readonly signal?: AbortSignal | undefined }
export interface SubmitOptions extends CallOptions { /** 1 to 255 printable ASCII characters; made for this call unless given. */ readonly idempotencyKey?: string | undefined }
export interface WaitOptions extends CallOptions {
  /** How long it is waited for at most (600,000). */
  readonly timeoutMs?: number;
  /** Throw `WorkflowDenied`, `WorkflowParked` or `WorkflowFailed` unless it is completed (true). */
  readonly check?: boolean;
}
export interface RunOptions extends SubmitOptions, WaitOptions {}
export interface OrderOptions extends CallOptions { /** Why, for the record. */ readonly reason?: string; /** Wait so long for what comes of it; without, the answer is the workflow as the order was taken. */ readonly timeoutMs?: number }
export interface RollbackOptions extends OrderOptions {
  /** Of a preview: exactly what that showed is done, or `Conflict` with `PLAN_STALE`. */
  readonly digest?: string;
  /** What becomes of a step in whose place somebody else has changed something. `block` unless given: it waits for a person. `skip`: it stands. */
  readonly onConflict?: 'block' | 'skip' | 'force';
}
export interface CallStepOptions extends RunOptions, Pick<StepOptions, 'attempts'> { /** Of one attempt. */ readonly stepTimeoutMs?: number; readonly goal?: string; readonly labels?: Readonly<Record<string, string>> }

const WAIT_MS = 600_000;
const PLAN_MS = 120_000;
/** The server waits no longer than that for one answer (and so neither do proxies, mostly). */
const PREFER_S_MAX = 30;
const PLAN_PATIENCE_MS = 30_000;
const PLAN_PAUSE_MS_MAX = 2_000;
const PAGE = 200;
const STEP = 'call';

/** Where an order has already led to when its repeat is refused: then the first one was taken, and only its answer lost. */
const LED_TO = {
  rollback: ['rollingBack', 'rolledBack', 'rollbackBlocked'],
  cancel: ['cancelled', 'rollingBack', 'rolledBack', 'rollbackBlocked', 'failed'],
  pause: ['paused'],
  resume: ['pending', 'running', 'committing', 'completed', 'rollingBack', 'rolledBack', 'failed'],
} as const satisfies Readonly<Record<string, readonly Workflow['status'][]>>;

/** Calls as one agent. Needs no closing: nothing of it keeps a process alive. */
export class Client {
  readonly #speaker: Speaker;

  /** @param bound for a client that belongs to a task; see `within` */
  constructor(options: ClientOptions | Connection = {}, bound: { readonly parent?: string; readonly signal?: AbortSignal | undefined } = {}) {
    this.#speaker = { connection: options instanceof Connection ? options : new Connection(options), parent: bound.parent, signal: bound.signal };
  }

  get #connection(): Connection { return this.#speaker.connection; }
  get url(): string { return this.#connection.url; }

  /**
   * Hands an intent in, or a plan to be run exactly, and does not wait for its end. Without a key of the caller's one is made and
   * kept while the call is tried again: it acts once.
   */
  async submit(intent: IntentLike, options: SubmitOptions = {}): Promise<Submitted> { return (await this.#submit(intent, options, 0)).submitted; }

  /** Hands an intent in and waits until it has ended or waits for somebody. @throws WorkflowFailed unless it is completed; WaitTimeout after `timeoutMs`: the workflow goes on */
  async run(intent: IntentLike, options: RunOptions = {}): Promise<Workflow> {
    const waitMs = timeOf('timeoutMs', options.timeoutMs ?? WAIT_MS, 0);
    const giveUpAt = now() + waitMs;
    const { submitted, workflow } = await this.#submit(intent, options, waitMs);
    const found = workflow ?? await wait(this.#connection, submitted.workflowId, waitMs, giveUpAt, this.#signalOf(options));
    if (options.check !== false) throwUnlessCompleted(found);
    return found;
  }

  /** Waits until a workflow has ended or waits for somebody, as `run` does. */
  async wait(workflow: WorkflowLike, options: WaitOptions = {}): Promise<Workflow> {
    const waitMs = timeOf('timeoutMs', options.timeoutMs ?? WAIT_MS, 0);
    const found = await wait(this.#connection, idOf(workflow), waitMs, now() + waitMs, this.#signalOf(options));
    if (options.check !== false) throwUnlessCompleted(found);
    return found;
  }

  /** What an intent would do, without doing it. */
  async plan(intent: Exclude<IntentLike, Plan>, options: CallOptions & { /** How long it is waited for (120,000). */ readonly timeoutMs?: number } = {}): Promise<Plan> {
    const signal = this.#signalOf(options);
    const waitMs = timeOf('timeoutMs', options.timeoutMs ?? PLAN_MS, 0);
    const giveUpAt = now() + waitMs;
    // Why patience: the server waits half a minute for it before it says where it will be.
    const later = { patienceMs: PLAN_PATIENCE_MS, signal };
    let answer = await request(this.#connection, 'POST', '/v1/plans', { ...later, body: bodyOf(intent) });
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PLAN_PAUSE_MS_MAX)) {
      if (answer.status !== 202) return expect<Plan>(answer, [200], ['planId', 'digest', 'steps']);
      const { planId } = expect<Plan>(answer, [202], ['planId']);
      if (now() + pauseMs > giveUpAt) throw new AiFirstError('STILL_MAKING', `plan ${planId} is not made within ${waitMs / 1_000} s`, { advice: 'Nothing is done by it: ask for a plan again later.' });
      await sleep(pauseMs, signal);
      answer = await request(this.#connection, 'GET', `/v1/plans/${part(planId)}`, later);
    }
  }

  /** Runs exactly a plan and waits as `run` does. @throws Conflict `PLAN_STALE`, if what it rests on has changed; nothing was done */
  apply(plan: Plan | string, options: RunOptions = {}): Promise<Workflow> { return this.run({ planId: typeof plan === 'string' ? plan : plan.planId }, options); }

  /** One capability as a workflow of one step; what it answered. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: its shape is the capability's, which nothing here knows.
  async call(capability: string, input: InputOf = {}, { goal = `call of ${capability}`, labels, attempts, stepTimeoutMs, ...options }: CallStepOptions = {}): Promise<any> {
    const intent = new Intent(goal, labels === undefined ? {} : { labels });
    intent.step(capability, input, { id: STEP, ...(attempts === undefined ? {} : { attempts }), ...(stepTimeoutMs === undefined ? {} : { timeoutMs: stepTimeoutMs }) });
    return outputOf(await this.run(intent, { ...options, check: true }), STEP);
  }

  /** As it is now. */
  workflow(workflow: WorkflowLike, options: CallOptions = {}): Promise<Workflow> { return workflowOf(this.#connection, idOf(workflow), { signal: this.#signalOf(options) }); }

  /** What has happened to a workflow so far, in order. */
  events(workflow: WorkflowLike, options: CallOptions = {}): Promise<WorkflowEvent[]> { return this.#pages(`/v1/workflows/${part(idOf(workflow))}/events`, options); }

  /**
   * What has happened with a `sequence` above `after`, then what happens, each once and in order, until the workflow has ended. A
   * broken connection is taken up where it broke.
   */
  liveEvents(workflow: WorkflowLike, { after = 0, ...options }: CallOptions & { readonly after?: number } = {}): AsyncGenerator<WorkflowEvent, void, void> {
    return live(this.#connection, idOf(workflow), after, this.#signalOf(options));
  }

  /** Takes everything back, running or long ended; on `rollbackBlocked` tries again what is left. With `preview` it shows what it would do, and does nothing. */
  rollback(workflow: WorkflowLike, options: RollbackOptions & { readonly preview: true }): Promise<RollbackPreview>;
  rollback(workflow: WorkflowLike, options?: RollbackOptions & { readonly preview?: false }): Promise<Workflow>;
  async rollback(workflow: WorkflowLike, { preview = false, digest, onConflict, reason, ...options }: RollbackOptions & { readonly preview?: boolean } = {}): Promise<Workflow | RollbackPreview> {
    const body = { ...(reason === undefined ? {} : { reason }), ...(digest === undefined ? {} : { digest }), ...(onConflict === undefined ? {} : { onConflict }) };
    if (!preview) return this.#order('rollback', workflow, body, options);
    const answer = await request(this.#connection, 'POST', `/v1/workflows/${part(idOf(workflow))}/rollback`, { body: { ...body, preview }, patienceMs: PLAN_PATIENCE_MS, signal: this.#signalOf(options) });
    return expect<RollbackPreview>(answer, [200], ['digest', 'steps']);
  }

  /** Before any effect ends it `cancelled`; later it does as the intent's `onFailure` says. Of a transaction it takes everything back. */
  cancel(workflow: WorkflowLike, { reason, ...options }: OrderOptions = {}): Promise<Workflow> { return this.#order('cancel', workflow, reason === undefined ? {} : { reason }, options); }

  /** Starts no further step; what runs, ends. */
  pause(workflow: WorkflowLike, { reason, ...options }: Omit<OrderOptions, 'timeoutMs'> = {}): Promise<Workflow> { return this.#order('pause', workflow, reason === undefined ? {} : { reason }, options); }

  /** Goes on. `failedStep`: `retry` or `skip` what failed. */
  resume(workflow: WorkflowLike, { failedStep, ...options }: Omit<OrderOptions, 'reason'> & { readonly failedStep?: 'retry' | 'skip' } = {}): Promise<Workflow> { return this.#order('resume', workflow, failedStep === undefined ? {} : { failedStep }, options); }

  /**
   * A transaction as a block: each `tx.call` runs at once; it commits when the block returns and takes everything back when it
   * throws, and waits for that.
   * @returns what the block returned, once it is committed
   * @throws TransactionFailed if the block threw: `cause` is what, `workflow` what became of it; WorkflowFailed if it could not be committed
   */
  transaction<T>(goal: string, block: (tx: Transaction) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> { return transact(this.#speaker, goal, block, options); }

  /**
   * Works tasks that others give to this agent or to a role of it, until `signal` aborts. Each is kept by heartbeats while the handler
   * runs, completed with what it returns, and failed with what it throws (`HandOver`: given to another). `within` does its work in the
   * transaction of whoever gave the task. The handler's `signal` aborts when the claim is lost, and at the end of `graceMs`.
   * @returns when everything under way has ended @throws Denied and the like, if claiming is refused for good
   */
  work(handler: Handler<Client>, options: WorkOptions): Promise<void> { return work(this.#speaker, (token, signal) => this.within(token, signal), handler, options); }

  /** The capabilities that policy does not rule out for this agent, as the server's MCP endpoint lists them. @internal */
  reachable(options: CallOptions = {}): Promise<ListedTool[]> { return listedTools(this.#connection, this.capabilities(options), this.#signalOf(options)); }

  /** All that there is to call, whether this agent may or not; `tools` has those that it may. */
  capabilities(options: CallOptions = {}): Promise<Capability[]> { return this.#pages('/v1/capabilities', options); }

  /**
   * As this client, for a task: what it hands in belongs to the transaction of whoever gave the task, and is undone with it.
   * @param token of the task, as its claim answered it
   * @param signal ends every call that is made within
   */
  within(token: string, signal?: AbortSignal): Client { return new Client(this.#connection, { parent: token, signal }); }

  #signalOf({ signal }: CallOptions): AbortSignal | undefined { return both(signal, this.#speaker.signal); }

  async #submit(intent: IntentLike, options: SubmitOptions, waitMs: number): Promise<{ readonly submitted: Submitted; readonly workflow: Workflow | null }> {
    const { idempotencyKey = randomUUID() } = options;
    if (!/^[ -~]{1,255}$/.test(idempotencyKey)) throw new TypeError('idempotencyKey is 1 to 255 printable ASCII characters');
    const seconds = Math.min(Math.floor(waitMs / 1_000), PREFER_S_MAX);
    const body = { ...bodyOf(intent), ...(this.#speaker.parent === undefined ? {} : { parent: this.#speaker.parent }) };
    const answer = await request(this.#connection, 'POST', '/v1/intents', { body, key: idempotencyKey, patienceMs: seconds * 1_000, signal: this.#signalOf(options), headers: seconds < 1 ? {} : { prefer: `wait=${seconds}` } });
    const replayed = answer.headers.get('idempotent-replayed') === 'true';
    if (answer.status === 200) {
      const workflow = expect<Workflow>(answer, [200], WORKFLOW_FIELDS);
      return { submitted: { intentId: workflow.intentId, workflowId: workflow.id, idempotencyKey, replayed }, workflow };
    }
    const { intentId, workflowId } = expect<Pick<Submitted, 'intentId' | 'workflowId'>>(answer, [202], ['intentId', 'workflowId']);
    return { submitted: { intentId, workflowId, idempotencyKey, replayed }, workflow: null };
  }

  async #order(order: keyof typeof LED_TO, workflow: WorkflowLike, body: object, options: Pick<OrderOptions, 'timeoutMs' | 'signal'>): Promise<Workflow> {
    const id = idOf(workflow);
    const signal = this.#signalOf(options);
    let isRepeated = false;
    // Why patience: of a rollback the server looks once more at what a preview showed.
    const answer = await request(this.#connection, 'POST', `/v1/workflows/${part(id)}/${order}`, { body, signal, patienceMs: order === 'rollback' ? PLAN_PATIENCE_MS : 0, onRepeat: () => { isRepeated = true; } });
    let found: Workflow;
    try {
      found = expect<Workflow>(answer, [202], WORKFLOW_FIELDS);
    } catch (error) {
      if (!(error instanceof Conflict) || !isRepeated) throw error;
      found = await workflowOf(this.#connection, id, { signal });
      if (!(LED_TO[order] as readonly string[]).includes(found.status)) throw error;
    }
    if (options.timeoutMs === undefined) return found;
    const waitMs = timeOf('timeoutMs', options.timeoutMs, 0);
    return wait(this.#connection, id, waitMs, now() + waitMs, signal);
  }

  async #pages<T>(path: string, options: CallOptions): Promise<T[]> {
    const items: T[] = [];
    for (let cursor: string | null = null; ;) {
      const query: string = new URLSearchParams({ limit: String(PAGE), ...(cursor === null ? {} : { cursor }) }).toString();
      const page: { readonly items: readonly T[]; readonly next: string | null } = expect(await request(this.#connection, 'GET', `${path}?${query}`, { signal: this.#signalOf(options) }), [200], ['items']);
      items.push(...page.items);
      cursor = page.next;
      if (cursor === null || cursor === undefined) return items;
    }
  }
}

function bodyOf(intent: IntentLike): object {
  if (intent instanceof Intent) return intent.toJSON();
  if ('planId' in intent && 'digest' in intent) return { planId: (intent as Plan).planId };
  return intent;
}

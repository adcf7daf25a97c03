import { Conflict, Denied, HandOver, NotFound, TaskLost, Unavailable } from './errors';
import { timeOf } from './connection';
import { expect, part, request } from './request';
import { now, sleep } from './silence';
import type { Speaker } from './transaction';

/** A task, as it was claimed. */
export interface Task {
  readonly id: string;
  readonly status: string;
  /** What is to be done: whatever the one who gave it wrote. Data, and never an instruction to the worker itself. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: its shape is whatever was agreed with who gives it.
  readonly task: any;
  /** JSON Schema that the result has to fit. */
  readonly resultSchema: Readonly<Record<string, unknown>> | null;
  readonly agent: string | null;
  readonly role: string | null;
  /** Who gave it. */
  readonly from: string;
  /** Of the workflow that it belongs to. */
  readonly goal: string;
  readonly workflow: string;
  readonly step: string;
  /** How often it has been claimed, with this. */
  readonly claim: number;
  readonly leaseMs: number;
  readonly leaseUntil: string;
  readonly deadline: string;
  readonly createdAt: string;
}

export interface WorkOptions {
  /** Ends the work: no further task is claimed, and those under way get `graceMs`. */
  readonly signal: AbortSignal;
  /** How many tasks at once (1). */
  readonly concurrency?: number;
  /** How long a claim waits for a task, up to 60,000 (30,000). */
  readonly waitMs?: number;
  /** How long tasks under way may go on after `signal`; then their own signal aborts, and they are handed over (5,000). */
  readonly graceMs?: number;
  /** Told of what nobody else is told of: a handler that threw, a claim that was lost, a server that does not answer. Must not throw. */
  readonly onError?: (error: unknown, task: Task | null) => void;
}

/** What `within` is, in the words of the worker: it makes a client that belongs to the task. */
export type Handler<Within> = (task: Task, within: Within, signal: AbortSignal) => unknown;

const CLAIM_MS = 30_000;
const CLAIM_MS_MAX = 60_000;
const GRACE_MS = 5_000;
const REASON_LENGTH_MAX = 1_000;
const HEARTBEATS_PER_LEASE = 3;
const TASK_FIELDS = ['id', 'token', 'leaseMs'] as const;
interface Claimed extends Task { readonly token: string }

/** Works tasks until `signal` aborts. @throws Denied and the like, if claiming is refused for good */
export async function work<Within>(speaker: Speaker, makeWithin: (token: string, signal: AbortSignal) => Within, handler: Handler<Within>, options: WorkOptions): Promise<void> {
  const { signal, concurrency = 1, waitMs = CLAIM_MS, graceMs = GRACE_MS, onError = () => undefined } = options;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw new RangeError('concurrency is a whole number from 1 on');
  if (timeOf('waitMs', waitMs, 0) > CLAIM_MS_MAX) throw new RangeError(`waitMs is at most ${CLAIM_MS_MAX}`);
  timeOf('graceMs', graceMs, 0);
  // Why a signal of its own: one slot that is refused for good ends the others.
  const stopping = new AbortController();
  const patience = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const stop = (): void => {
    stopping.abort(signal.reason);
    grace ??= setTimeout(() => { patience.abort(new HandOver('the worker shuts down')); }, graceMs);
  };
  if (signal.aborted) return;
  signal.addEventListener('abort', stop, { once: true });
  const slot = async (): Promise<void> => {
    try {
      while (!stopping.signal.aborted) {
        const task = await claimed(speaker, waitMs, stopping.signal, error => { onError(error, null); });
        if (task !== null) await carriedOut(speaker, task, makeWithin, handler, patience.signal, onError);
      }
    } catch (error) {
      if (stopping.signal.aborted && error === stopping.signal.reason) return;
      stop();
      throw error;
    }
  };
  try {
    const ended = await Promise.allSettled(Array.from({ length: concurrency }, slot));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  } finally {
    clearTimeout(grace);
    signal.removeEventListener('abort', stop);
  }
}

/** A server that is away is waited for: a worker outlives it. @returns null if no task came in time */
async function claimed({ connection }: Speaker, waitMs: number, signal: AbortSignal, onError: (error: unknown) => void): Promise<Claimed | null> {
  try {
    const answer = await request(connection, 'POST', '/v1/tasks/claim', { body: { waitMs }, patienceMs: waitMs, signal });
    if (answer.status === 204) return null;
    return expect<Claimed>(answer, [200], TASK_FIELDS);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    onError(error);
    await sleep(error.retryAfterMs ?? 1_000, signal);
    return null;
  }
}

async function carriedOut<Within>(speaker: Speaker, claim: Claimed, makeWithin: (token: string, signal: AbortSignal) => Within, handler: Handler<Within>, patience: AbortSignal, onError: (error: unknown, task: Task | null) => void): Promise<void> {
  const { token, ...task } = claim;
  const lease = new Lease(speaker, task, token);
  const signal = AbortSignal.any([lease.lost, patience]);
  try {
    const result = await Promise.race([Promise.resolve().then(() => handler(task, makeWithin(token, signal), signal)), rejectedBy(signal)]);
    await lease.say('complete', { result: result === undefined ? null : result });
  } catch (error) {
    // Why the reasons of the signals first: what a handler throws when it is stopped may be anything.
    const why: unknown = lease.lost.aborted ? lease.lost.reason : patience.aborted ? patience.reason : error;
    onError(why, task);
    // Why not after an answer that did not come: the task may be completed. If it is not, its lease runs out.
    if (lease.lost.aborted || why instanceof Unavailable) return;
    await lease.say('fail', { reason: reasonOf(why), ...(why instanceof HandOver ? { handOver: true } : {}) }).catch((problem: unknown) => { onError(problem, task); });
  } finally {
    lease.end();
  }
}

/** Keeps a claim by heartbeats, and knows when it is lost. */
class Lease {
  private readonly controller = new AbortController();
  private readonly ended = new AbortController();
  private keptUntil: number;
  readonly lost = this.controller.signal;

  constructor(private readonly speaker: Speaker, private readonly task: Task, private readonly token: string) {
    this.keptUntil = now() + task.leaseMs;
    void this.beat();
  }

  /** Nothing is said any more. */
  end(): void { this.ended.abort(); }

  /** @throws TaskLost if the claim is; Invalid, Conflict, Unavailable */
  async say(what: 'complete' | 'fail', body: object): Promise<void> {
    const { connection } = this.speaker;
    // Why as long as the lease at least: heartbeats tell when it is of no use any more.
    const answer = await request(connection, 'POST', this.path(what), { body: { ...body, token: this.token }, signal: this.lost, retryForMs: Math.max(connection.retryForMs, this.task.leaseMs) });
    expect(answer, [200], []);
  }

  private async beat(): Promise<void> {
    const everyMs = this.task.leaseMs / HEARTBEATS_PER_LEASE;
    try {
      for (;;) {
        await sleep(Math.max(0, Math.min(everyMs, this.keptUntil - now())), this.ended.signal);
        if (now() >= this.keptUntil) return this.lose('no heartbeat has got through for the whole of its lease');
        await this.once(everyMs);
      }
    } catch { /* ended: nothing is to be kept any more */ }
  }

  private async once(everyMs: number): Promise<void> {
    const saidAt = now();
    try {
      // Why no patience: the next heartbeat is the next try.
      const answer = await request(this.speaker.connection, 'POST', this.path('heartbeat'), { body: { token: this.token }, signal: this.ended.signal, timeoutMs: Math.max(1, everyMs), retryForMs: 0 });
      expect(answer, [200], []);
      this.keptUntil = saidAt + this.task.leaseMs;
    } catch (error) {
      if (this.ended.signal.aborted) throw error;
      if (error instanceof Conflict || error instanceof NotFound || error instanceof Denied) this.lose(error.detail, error);
    }
  }

  private lose(detail: string, cause?: unknown): void {
    this.controller.abort(new TaskLost(this.task.id, detail, cause === undefined ? {} : { cause }));
    this.end();
  }

  private path(what: string): string { return `/v1/tasks/${part(this.task.id)}/${what}`; }
}

const rejectedBy = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason as Error);
  else signal.addEventListener('abort', () => { reject(signal.reason as Error); }, { once: true });
});

function reasonOf(error: unknown): string {
  const text = error instanceof HandOver ? error.detail : error instanceof Error ? error.message : String(error);
  return (text === '' ? 'it failed without saying why' : text).slice(0, REASON_LENGTH_MAX);
}

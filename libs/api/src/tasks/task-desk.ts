import type { AskedTask, ServiceQuery, TaskQuestions, TaskState } from '@aifirst/contracts';
import { OperationalError, isObject, type Json, type JsonObject } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import type { LiveTask } from './live-task';
import { ResultSchema } from './result-schema';
import type { TaskBoard } from './task-board';
import { idOf, stateOf, type TaskRecord } from './task-record';
import { offered } from './endings';

type Asked<Q extends keyof TaskQuestions> = TaskQuestions[Q][0];

/** What an answer may wait at most. */
const WAIT_MS_MAX = 30_000;
const LEASE_MS = { min: 1_000, max: 3_600_000, default: 60_000 } as const;
const CLAIMS_MAX = { min: 1, max: 20, default: 3 } as const;
/** What a task is about is sealed, also where it came by reference from something that was not. */
const SEALED_TASK: JsonObject = { type: 'object', properties: { task: { 'x-sensitive': 'content' } } };

/** Answers the steps that give tasks: each question waits for the end for a while, and is asked again. */
export class TaskDesk {
  /** Finding and making of the tasks of one step, one after the other. */
  private readonly making = new Map<string, Promise<unknown>>();

  constructor(private readonly board: TaskBoard, private readonly vault: Vault) {}

  answerBy(query: ServiceQuery): void {
    query.answer<Asked<'task'>, TaskState>('gateway', 'task', asked => this.task(asked));
    query.answer<Asked<'findTask'>, TaskState | null>('gateway', 'findTask', asked => this.findTask(asked));
    query.answer<Asked<'withdrawTask'>, TaskState | null>('gateway', 'withdrawTask', asked => this.withdrawTask(asked));
    query.answer<Asked<'undoTask'>, TaskState | null>('gateway', 'undoTask', asked => this.undoTask(asked));
  }

  async task(asked: Asked<'task'>): Promise<TaskState> {
    const until = this.untilOf(asked);
    for (;;) {
      const task = await this.inOrder(asked, () => this.foundOrMade(asked));
      if ('state' in task) return task;
      await this.board.checkParent(task);
      const state = await this.waited(task, until, ({ state }) => state !== 'open');
      if (state.state === 'undone' || (state.state === 'failed' && wasTold(task, asked.generation))) continue;
      // Why: a failure counts once. Who asks again for the same start may have lost the answer, whoever comes after it tries anew.
      if (state.state === 'failed') task.told ??= asked.generation;
      return state;
    }
  }

  async findTask(asked: Asked<'findTask'>): Promise<TaskState | null> {
    const task = await this.last(asked);
    if (task === null) return null;
    await this.board.checkParent(task);
    return this.waited(task, this.untilOf(asked), state => state.state !== 'open' || state.isEnding !== true);
  }

  async withdrawTask(asked: Asked<'withdrawTask'>): Promise<TaskState | null> {
    const until = this.untilOf(asked);
    const task = await this.last(asked);
    if (task === null) return null;
    await this.board.endAs(task, 'withdrawn', { code: asked.code, detail: asked.detail });
    return this.waited(task, until, ({ state }) => state !== 'open');
  }

  async undoTask(asked: Asked<'undoTask'>): Promise<TaskState | null> {
    const until = this.untilOf(asked);
    const task = await this.last(asked);
    if (task === null) return null;
    await this.board.endAs(task, 'undone', null);
    if (asked.again && task.blocked !== null) { task.blocked = null; task.changed(); }
    const state = await this.waited(task, until, ({ state: now }) => now !== 'open');
    // Why: of what has failed nothing stands, so that nothing is left to be taken back.
    return state.state === 'failed' ? { state: 'undone', verified: task.record.undone?.verified ?? true, reason: task.record.undone?.reason ?? null } : state;
  }

  private untilOf({ waitMs }: { readonly waitMs: number }): number { return this.board.now() + Math.min(Math.max(0, waitMs), WAIT_MS_MAX); }

  private async waited(task: LiveTask, until: number, isEnd: (state: TaskState) => boolean): Promise<TaskState> {
    for (;;) {
      const state = stateOf(task.record, task.blocked);
      const left = until - this.board.now();
      if (isEnd(state) || left <= 0 || this.board.isClosing) return state;
      await task.nextChange(this.board.parts.clock, left);
    }
  }

  /** The last task of a step, wherever it is kept. */
  private async last({ tenant, workflow, step }: Pick<AskedTask, 'tenant' | 'workflow' | 'step'>): Promise<LiveTask | null> {
    const live = this.board.lastOf(tenant, workflow, step);
    if (live !== undefined) return live;
    const past = await this.board.parts.store.lastPast(tenant, workflow, step);
    // Why once more: it may have come back meanwhile.
    return this.board.lastOf(tenant, workflow, step) ?? (past === null ? null : this.revived(this.board.madeOf(past)));
  }

  private revived(task: LiveTask): LiveTask {
    this.board.adopt(task);
    return task;
  }

  private async foundOrMade(asked: Asked<'task'>): Promise<LiveTask | TaskState> {
    const last = await this.last(asked);
    if (last !== null && last.record.status !== 'undone' && !(isFailed(last.record) && wasTold(last, asked.generation))) return last;
    return this.make(asked, (last?.record.number ?? 0) + 1);
  }

  private async make({ tenant, workflow, step, generation, agent, input, timeoutMs }: Asked<'task'>, number: number): Promise<LiveTask | TaskState> {
    const { projection, store } = this.board.parts;
    const problem = await this.problemOf(tenant, input);
    if (problem !== null) return { state: 'failed', code: 'INVALID_INPUT', detail: problem };
    const view = await projection.find(tenant, workflow);
    if (view === null) throw new OperationalError('NOT_TAKEN_YET', `workflow \`${workflow}\` does not show yet: ask again`, { retryable: true });
    const sealed = await this.vault.sealFields({ tenant, workflow }, SEALED_TASK, { task: input['task'] ?? null }) as JsonObject;
    const now = this.board.now();
    const record: TaskRecord = {
      workflow, step, number, from: agent, chain: [...await this.chainAbove(tenant, view.parent?.task), agent], root: view.parent?.root ?? workflow, goal: view.goal,
      task: sealed['task'] ?? null, resultSchema: isObject(input['resultSchema']) ? input['resultSchema'] : null, agent: textOf(input['agent']), role: textOf(input['role']),
      leaseMs: wholeOf(input['leaseMs'], LEASE_MS), onLost: input['onLost'] === 'fail' ? 'fail' : 'handOver', claimsMax: wholeOf(input['claimsMax'], CLAIMS_MAX),
      createdAt: new Date(now).toISOString(), deadlineAt: new Date(now + timeoutMs).toISOString(), status: 'open', next: null, claims: [], children: [], error: null, result: null, undone: null, endedAt: null,
    };
    const task = this.board.madeOf({ tenant, record, isPast: false }, generation);
    task.isSeen = view.status === 'running' && view.steps.find(({ id }) => id === step)?.status === 'running';
    try {
      await store.commit(store.unitOf(task, { record, facts: [offered(record)] }));
    } catch (error) {
      // Why: it may be stored after all, and must not be there twice.
      const stored = await store.find(tenant, idOf(record)).catch(() => { throw error; });
      if (stored === null) throw error;
    }
    this.board.adopt(task);
    return task;
  }

  /** On whose behalf a workflow acts that works a task; nobody's where it works none. @throws OperationalError: not to be known, so that nobody is left out of it */
  private async chainAbove(tenant: string, task: string | undefined): Promise<TaskRecord['chain']> {
    if (task === undefined) return [];
    const found = await this.board.parts.store.find(tenant, task);
    if (found === null) throw new OperationalError('TASK_GONE', `task \`${task}\` is not kept any more`, { retryable: true });
    return found.record.chain;
  }

  /** What is wrong with what a task is asked for, or null. */
  private async problemOf(tenant: string, { agent, role, resultSchema }: JsonObject): Promise<string | null> {
    if ((typeof agent === 'string') === (typeof role === 'string')) return 'a task is for an `agent` or for a `role`, and not for both';
    const { identity } = this.board.parts;
    if (typeof agent === 'string' && identity.principals.find(agent)?.tenant !== tenant) return `there is no agent \`${agent.slice(0, 64)}\``;
    if (typeof role === 'string' && (await identity.neighbours.ask('policy', 'missingRoles', { tenant, roles: [role] })).missing.length > 0) return `there is no role \`${role.slice(0, 64)}\``;
    if (resultSchema === undefined) return null;
    if (!isObject(resultSchema)) return '`resultSchema` is a JSON Schema';
    const made = ResultSchema.of(resultSchema);
    return made instanceof ResultSchema ? null : made.problem;
  }

  private inOrder<R>({ tenant, workflow, step }: Pick<AskedTask, 'tenant' | 'workflow' | 'step'>, work: () => Promise<R>): Promise<R> {
    const key = `${tenant}/${workflow}.${step}`;
    const result = (this.making.get(key) ?? Promise.resolve()).then(work, work);
    const settled = result.then(() => {}, () => {}).finally(() => { if (this.making.get(key) === settled) this.making.delete(key); });
    this.making.set(key, settled);
    return result;
  }
}

const isFailed = ({ status }: TaskRecord): boolean => status === 'failed' || status === 'withdrawn';
const wasTold = ({ told }: LiveTask, generation: number): boolean => told !== null && generation > told;
const textOf = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null);
const wholeOf = (value: Json | undefined, { min, max, default: otherwise }: { readonly min: number; readonly max: number; readonly default: number }): number =>
  (Number.isInteger(value) ? Math.min(max, Math.max(min, value as number)) : otherwise);

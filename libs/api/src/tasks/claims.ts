import { createHash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { CHAIN_MAX, ENDED, type Parent, type PrincipalRef, type TaskStatus } from '@aifirst/contracts';
import { Refusal, type Json, type Problem, type RandomBytes } from '@aifirst/kernel';
import type { DocumentPut } from '@aifirst/store';
import type { Vault } from '@aifirst/vault';
import { notFound, refuse } from '../http/problem';
import { LIMIT_MAX } from '../http/page';
import type { Unsealing } from '../routes/unsealing';
import { ending } from './endings';
import { nextCall, type LiveTask } from './live-task';
import { cleaned } from './result-schema';
import type { TaskBoard } from './task-board';
import { claimantOf, idOf, isVisibleTo, mayClaim, shown, type ShownTask, type TaskRecord } from './task-record';

/** A claim that a token proves, to be joined by workflows. */
export interface Joined { readonly task: string; readonly claim: number; readonly parent: Parent }
export interface ClaimedTask extends ShownTask { readonly token: string; readonly task: Json }
export interface WholeTask extends ShownTask { readonly task: Json; readonly result: Json }

const TOKEN_BYTES = 32;
const REASON_CHARS_MAX = 1_000;
/** So many workflows may be begun for one task. */
const CHILDREN_MAX = 1_000;

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const PARENT = '/parent';

/** Tasks for those who work them. */
export class Claims {
  constructor(private readonly board: TaskBoard, private readonly vault: Vault, private readonly unsealing: Unsealing, private readonly random: RandomBytes = randomBytes) {}

  /**
   * The oldest task that the agent may claim, or one that comes in time.
   * @param waitMs at most so long @param signal ends the wait: whoever waits has gone
   */
  async claim(agent: PrincipalRef, waitMs: number, signal: AbortSignal): Promise<ClaimedTask | null> {
    const until = this.board.now() + waitMs;
    const offers = this.board.offersOf(agent.tenant);
    while (!signal.aborted && !this.board.isClosing) {
      const task = this.firstFor(agent);
      if (task !== null) {
        const claimed = await this.take(task, agent);
        if (claimed !== null) return claimed;
        continue;
      }
      const left = until - this.board.now();
      if (left <= 0) return null;
      await nextCall(offers, this.board.parts.clock, left, signal);
    }
    return null;
  }

  /** @throws Refusal NOT_FOUND, FORBIDDEN, WRONG_STATE */
  async heartbeat(agent: PrincipalRef, id: string, token: string | undefined): Promise<ShownTask> {
    const task = await this.owned(agent, id, token);
    if (task.record.status !== 'claimed') throw over(task.record);
    task.leaseUntil = this.board.now() + task.record.leaseMs;
    return this.shownOf(task);
  }

  /** @throws as `heartbeat`, and INVALID_FIELD where the result does not fit */
  async complete(agent: PrincipalRef, id: string, token: string | undefined, result: Json): Promise<ShownTask> {
    const task = await this.owned(agent, id, token);
    const { tenant } = task;
    if (task.record.status === 'completed') return this.completedBefore(task, result);
    const problems = task.resultSchema()?.problemsOf(result) ?? [];
    if (task.record.status === 'claimed' && problems.length > 0) throw new Refusal(problems as [Problem, ...Problem[]]);
    const sealed = await this.vault.seal({ tenant, workflow: task.record.workflow }, 'content', result) as unknown as Json;
    await this.board.change(task, async record => {
      this.mustHave(record, agent, token);
      const views = await this.board.parts.projection.all(tenant, record.children);
      const open = views.find(({ status }) => !ENDED.includes(status));
      if (open !== undefined) throw refuse('WRONG_STATE', `workflow \`${open.id}\`, which was begun for the task, is \`${open.status}\`: a task is complete when all of them have ended`, { taskStatus: record.status, workflow: open.id });
      const completed: TaskRecord = { ...record, status: 'completed', result: sealed, endedAt: this.board.at() };
      return { record: completed, facts: [{ name: 'Completed', data: { by: agent.id, claim: record.claims.length } }] };
    });
    return this.shownOf(task);
  }

  /** @throws as `heartbeat` */
  async fail(agent: PrincipalRef, id: string, token: string | undefined, reason: string, handOver: boolean): Promise<ShownTask> {
    const task = await this.owned(agent, id, token);
    await this.board.change(task, record => {
      this.mustHave(record, agent, token);
      const goesOn = handOver && record.claims.length < record.claimsMax;
      const error = { code: 'TASK_FAILED', detail: cleaned(reason, REASON_CHARS_MAX) };
      if (goesOn) this.board.keepFrom(task, agent.id);
      const change = ending(record, goesOn ? 'open' : 'failed', error, this.board.at());
      return goesOn ? { ...change, facts: [{ name: 'Lost', data: { by: agent.id, claim: record.claims.length, reason: error.detail } }, ...change.facts] } : change;
    });
    return this.shownOf(task);
  }

  /** @throws Refusal NOT_FOUND, also where it is not the caller's to see */
  async find(caller: PrincipalRef, id: string): Promise<WholeTask> {
    const task = await this.visible(caller, id);
    const { workflow, task: about, result } = task.record;
    return { ...this.shownOf(task), task: await this.unsealing.json(task.tenant, workflow, about), result: await this.unsealing.json(task.tenant, workflow, result) };
  }

  /** By id, so that those of older workflows come first. */
  async page(caller: PrincipalRef, { status, workflow }: { readonly status?: TaskStatus; readonly workflow?: string }, limit: number, after: string | undefined): Promise<readonly ShownTask[]> {
    const { tenant } = caller;
    const roles = this.rolesOf(caller);
    const keeps = (record: TaskRecord): boolean => (status === undefined || record.status === status) && (workflow === undefined || record.workflow === workflow) && isVisibleTo(caller, roles, record);
    const found: ShownTask[] = [];
    for (let from = workflow !== undefined && (after === undefined || after < `${workflow}.`) ? `${workflow}.` : after; ;) {
      const past = await this.board.parts.store.pastPage(tenant, LIMIT_MAX, from);
      const live = [...this.board.live.values()].filter(task => task.tenant === tenant && (from === undefined || task.id > from));
      const ids = new Set(live.map(({ id }) => id));
      const all = [...live.map(task => ({ id: task.id, record: task.record, shown: () => this.shownOf(task) })), ...past.filter(record => !ids.has(idOf(record))).map(record => ({ id: idOf(record), record, shown: () => shown(record, null, null) }))];
      all.sort((a, b) => (a.id < b.id ? -1 : 1));
      const last = past.length < LIMIT_MAX ? undefined : idOf(past[past.length - 1]!);
      const now = last === undefined ? all : all.filter(({ id }) => id <= last);
      for (const one of now) if (keeps(one.record)) found.push(one.shown());
      if (last === undefined || found.length >= limit || (workflow !== undefined && !last.startsWith(`${workflow}.`))) return found.slice(0, limit);
      from = last;
    }
  }

  /** The claim that a token proves. @throws Refusal NOT_FOUND, FORBIDDEN, WRONG_STATE, INVALID_FIELD */
  parentOf(agent: PrincipalRef, token: string): Joined {
    const found = this.board.ofToken(digestOf(token));
    if (found === undefined || found.task.tenant !== agent.tenant) throw new Refusal({ code: 'NOT_FOUND', pointer: PARENT, detail: 'there is no task with this token, or what it belonged to has ended' });
    const { task: { id, record }, claim } = found;
    if (agent.kind !== 'agent' || record.claims[claim - 1]!.agent !== agent.id) throw new Refusal({ code: 'FORBIDDEN', pointer: PARENT, detail: 'this is the token of another agent\'s claim' });
    const { workflow, step, root, chain } = record;
    mustStand(record, claim);
    if (chain.length > CHAIN_MAX) throw new Refusal({ code: 'INVALID_FIELD', pointer: PARENT, detail: `tasks are handed on at most ${CHAIN_MAX} times` });
    if (record.children.length >= CHILDREN_MAX) throw new Refusal({ code: 'TOO_LARGE', pointer: PARENT, detail: `at most ${CHILDREN_MAX} workflows are begun for one task: begin an interactive one, or hand in several steps at once` });
    return { task: id, claim, parent: { workflow, step, task: id, root, chain } };
  }

  /** Stores a workflow together with the task's knowledge of it. @param store commits both as one unit @throws Refusal WRONG_STATE: the claim is over */
  join<T>({ task: id, claim }: Joined, workflow: string, store: (documents: readonly DocumentPut[]) => Promise<T>): Promise<T> {
    const task = this.board.live.get(id);
    if (task === undefined) throw new Refusal({ code: 'NOT_FOUND', pointer: PARENT, detail: 'what the task belonged to has ended' });
    return this.board.storing(task, async record => {
      mustStand(record, claim);
      const next: TaskRecord = { ...record, children: [...record.children, workflow] };
      return { value: await store(this.board.parts.store.unitOf(task, { record: next, facts: [] }).documents), next };
    });
  }

  private firstFor(agent: PrincipalRef): LiveTask | null {
    const found = this.board.parts.identity.principals.find(agent.id);
    if (found === null || found.data.suspended) return null;
    const now = this.board.now();
    let first: LiveTask | null = null;
    for (const task of this.board.openOf(agent.tenant)) {
      const { record, notFor } = task;
      if (task.isReserved || !mayClaim(agent.id, found.data.roles, record) || Date.parse(record.deadlineAt) <= now || (notFor?.agent === agent.id && notFor.until > now)) continue;
      if (first === null || record.createdAt < first.record.createdAt || (record.createdAt === first.record.createdAt && task.id < first.id)) first = task;
    }
    return first;
  }

  /** null: somebody else was there before */
  private async take(task: LiveTask, agent: PrincipalRef): Promise<ClaimedTask | null> {
    task.isReserved = true;
    try {
      const about = await this.unsealing.json(task.tenant, task.record.workflow, task.record.task);
      const token = `task_${Buffer.from(this.random(TOKEN_BYTES)).toString('base64url')}`;
      const { claims } = await this.board.change(task, record => {
        if (record.status !== 'open') return null;
        task.leaseUntil = this.board.now() + record.leaseMs;
        const next: TaskRecord = { ...record, status: 'claimed', claims: [...record.claims, { agent: agent.id, token: digestOf(token), at: this.board.at() }] };
        return { record: next, facts: [{ name: 'Claimed', data: { by: agent.id, claim: next.claims.length } }] };
      });
      // Why the whole lease from now on: storing it is our time.
      task.leaseUntil = Math.max(task.leaseUntil, this.board.now() + task.record.leaseMs);
      return claims.at(-1)?.token === digestOf(token) ? { ...this.shownOf(task), token, task: about } : null;
    } finally {
      task.isReserved = false;
    }
  }

  private async completedBefore(task: LiveTask, result: Json): Promise<ShownTask> {
    const before = await this.unsealing.json(task.tenant, task.record.workflow, task.record.result);
    if (!isDeepStrictEqual(before, result)) throw refuse('WRONG_STATE', 'the task has been completed with another result', { taskStatus: 'completed' });
    return this.shownOf(task);
  }

  /** One whose claim the caller has, or had. */
  private async owned(agent: PrincipalRef, id: string, token: string | undefined): Promise<LiveTask> {
    const task = await this.visible(agent, id);
    const { claims } = task.record;
    const own = claims.findLastIndex(claim => claim.agent === agent.id && (token === undefined || claim.token === digestOf(token)));
    if (own < 0) throw claims.some(claim => claim.agent === agent.id) ? new Refusal({ code: 'FORBIDDEN', pointer: '/token', detail: 'this is not the token of a claim of yours' }) : refuse('FORBIDDEN', 'another agent may work this task: claim it first');
    if (own !== claims.length - 1) throw over(task.record);
    return task;
  }

  private mustHave(record: TaskRecord, agent: PrincipalRef, token: string | undefined): void {
    if (record.status !== 'claimed' || claimantOf(record) !== agent.id || (token !== undefined && record.claims.at(-1)!.token !== digestOf(token))) throw over(record);
  }

  private async visible(caller: PrincipalRef, id: string): Promise<LiveTask> {
    const live = this.board.live.get(id);
    const found = live ?? await this.board.parts.store.find(caller.tenant, id);
    if (found === null || found.tenant !== caller.tenant || !isVisibleTo(caller, this.rolesOf(caller), found.record)) throw notFound(`task \`${id.slice(0, 128)}\``);
    return live ?? this.board.madeOf(found as Parameters<TaskBoard['madeOf']>[0]);
  }

  private rolesOf({ kind, id }: PrincipalRef): readonly string[] { return kind === 'agent' ? this.board.parts.identity.principals.find(id)?.data.roles ?? [] : []; }
  private shownOf({ record, leaseUntil, blocked }: LiveTask): ShownTask { return shown(record, record.status === 'claimed' ? leaseUntil : null, blocked); }
}

const over = ({ status, next }: TaskRecord): Refusal =>
  refuse('WRONG_STATE', `your claim is over: the task is \`${status}\`${status === 'undoing' && next !== null ? `, and \`${next}\` then` : ''}`, { taskStatus: status });

function mustStand(record: TaskRecord, claim: number): void {
  if (record.status !== 'claimed' || record.claims.length !== claim) throw new Refusal({ code: 'WRONG_STATE', pointer: PARENT, detail: `the claim is over: the task is \`${record.status}\`` }, { taskStatus: record.status });
}


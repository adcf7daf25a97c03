import type { KillSwitch, LockView, PrincipalRef, WorkflowOrder } from '@aifirst/contracts';
import { OperationalError, Refusal } from '@aifirst/kernel';
import { hasEnded, type Workflow } from '@aifirst/orchestration';
import type { Cluster } from './cluster';
import { keyOf, touches } from './checkers/effects';
import type { History } from './history';
import { CONNECTIONS } from './capabilities';
import type { Options } from './options';
import type { Random } from './random';
import type { World } from './world';

const ROLE = 'worker';
/** Nobody may do this. */
const FORBIDDEN = 'forbidden';
const ANSWER_MS_MAX = 10_000;
const ASK_AGAIN_MS = 200;

/** Agents' owners and the administrator: who put roles, throw switches, and decide what waits for them. */
export class People {
  readonly agents: readonly PrincipalRef[];
  private readonly revisions = new Map<string, number>();
  private readonly held = new Set<string>();
  private switches = 0;
  private released = false;
  private tail: Promise<void> = Promise.resolve();

  constructor(private readonly cluster: Cluster, private readonly history: History, private readonly random: Random, private readonly options: Options, private readonly world: World) {
    this.agents = Array.from({ length: options.agents }, (_, i) => ({ kind: 'agent' as const, id: `agent-${i}`, tenant: i % 3 === 2 ? 'other' : 'default' }));
  }

  static admin(tenant: string): PrincipalRef { return { kind: 'person', id: 'admin', tenant }; }

  async settleIn(): Promise<void> {
    for (const tenant of new Set(this.agents.map(agent => agent.tenant))) {
      await this.ask('putRole', { tenant, name: ROLE, by: People.admin(tenant), value: { capabilities: ['sim.*', 'noop', 'timer.sleep', 'rollback'], connections: [...CONNECTIONS] } });
      if (this.options.forbidden > 0) {
        await this.ask('putPolicy', { tenant, name: FORBIDDEN, by: People.admin(tenant), value: { cedar: this.forbidding() } });
        await this.ask('activatePolicy', { tenant, name: FORBIDDEN, version: 1, by: People.admin(tenant) });
      }
    }
    for (const agent of this.agents) await this.applyAgent(agent, false);
  }

  /** Switch or suspension, on or off. */
  hold(): Promise<void> {
    const { random } = this;
    const { tenant, id } = random.pick(this.agents);
    const name = random.pick([`agent ${tenant}/${id}`, `switch ${tenant}/${random.pick(['all', id])}`]);
    return this.inTurn(async () => {
      if (this.released || this.held.has(name)) return this.release(name);
      this.held.add(name);
      await this.setHold(name, true);
    });
  }

  /** For good. */
  releaseAll(): Promise<void> {
    this.released = true;
    return this.inTurn(async () => { for (const name of [...this.held]) await this.release(name); });
  }

  /** One after another: who engages a switch and who lifts it have waited for each other's answer. */
  private inTurn(work: () => Promise<void>): Promise<void> { return (this.tail = this.tail.then(work)); }
  get isHolding(): boolean { return !this.released || this.held.size > 0; }

  /** Somebody gives some workflow an order that may or may not fit. */
  async orderSomething(): Promise<void> {
    const { random } = this;
    const workflows = [...this.history.workflows.values()];
    if (workflows.length === 0) return;
    const state = random.pick(workflows);
    if (random.happens(0.3) && await this.settle(state)) return;
    const by = random.happens(0.3) ? state.start.agent : People.admin(state.tenant);
    const order = random.pick(['rollback', 'cancel', 'pause', 'resume', 'resume'] as const);
    if (order === 'resume') await this.give(state, by, { order, ...(random.happens(0.3) ? { failedStep: 'skip' } : {}) });
    else await this.give(state, by, { order, reason: 'why not', ...(order === 'rollback' && random.happens(0.3) ? { onConflict: 'skip' } : {}) });
  }

  /** Decides what a parked workflow waits for, by what is true at the target. @returns false: there is nothing to decide */
  async settle(state: Workflow): Promise<boolean> {
    const by = People.admin(state.tenant);
    for (let index = 0; index < state.steps.length; index++) {
      const step = state.steps[index]!;
      const { id, capability } = state.start.steps[index]!;
      const undoIsUnknown = step.status === 'undoBlocked' && step.undo?.code === 'OUTCOME_UNKNOWN';
      if (!(step.status === 'unknown' && step.parked) && !undoIsUnknown) continue;
      const key = keyOf({ workflow: state.id, step: id, generation: step.generation, direction: undoIsUnknown ? 'undo' : 'forward' });
      // Why: as long as a request may still arrive nobody can say what is true.
      if ((this.cluster.target.underWay.get(key) ?? 0) > 0) return true;
      if (undoIsUnknown) return this.give(state, by, { order: 'rollback', reason: 'try again' });
      const happened = touches(capability) ? this.cluster.target.applied.has(key) : this.random.happens(0.5);
      return this.give(state, by, { order: 'resolve', step: id, outcome: happened ? 'succeeded' : 'didNotHappen', reason: 'looked', ...(happened ? { output: { path: 'x', next: 'x', content: 'x', value: 0 } } : {}) });
    }
    if (state.status === 'paused' && !['KILL_SWITCH', 'AGENT_SUSPENDED'].includes(state.paused!.code)) {
      return this.give(state, by, this.random.pick<WorkflowOrder>([{ order: 'rollback', reason: 'enough' }, { order: 'resume', failedStep: 'skip' }, { order: 'resume', failedStep: 'retry' }]));
    }
    if (state.status === 'rollbackBlocked') return this.give(state, by, { order: 'rollback', reason: 'try again', ...(this.random.happens(0.4) ? { onConflict: 'skip' } : {}) });
    return false;
  }

  async rollBack(state: Workflow): Promise<void> { await this.give(state, People.admin(state.tenant), { order: 'rollback', reason: 'after all' }); }

  async breakLock(state: Workflow): Promise<void> {
    const query = this.cluster.gateway?.query;
    if (query === undefined) return;
    const by = People.admin(state.tenant);
    try {
      const { items } = await query.ask<{ items: LockView[] }>('orchestrator', 'locks', { tenant: state.tenant, limit: 1_000 });
      const lock = items.find(({ workflow }) => workflow === state.id);
      if (lock === undefined) return;
      this.history.say(`${by.id} breaks a lock of ${state.id}`);
      await query.ask('orchestrator', 'breakLock', { tenant: state.tenant, id: lock.id, by, reason: 'it waits too long' });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
    }
  }

  /** A refusal is an answer like any other; so is none. */
  private async give(state: Workflow, by: PrincipalRef, order: WorkflowOrder): Promise<boolean> {
    this.history.say(`${by.id} orders ${state.id} ${JSON.stringify(order)} while it is ${state.status}`);
    try {
      await this.cluster.gateway?.order(state.id, by, order);
    } catch (error) {
      this.history.say(`answered: ${(error as { code?: string }).code ?? String(error)}`);
      if (!(error instanceof OperationalError)) throw error;
      if (error instanceof Refusal && !hasEnded(state) && error.code === 'NOT_FOUND') this.cluster.defects.push(`the orchestrator does not know ${state.id}`);
    }
    return true;
  }

  private async release(name: string): Promise<void> {
    await this.setHold(name, false);
    this.held.delete(name);
  }

  private async setHold(name: string, on: boolean): Promise<void> {
    const [kind, path] = name.split(' ') as [string, string];
    const [tenant, id] = path.split('/') as [string, string];
    if (kind === 'agent') return this.applyAgent(this.agents.find(agent => agent.id === id && agent.tenant === tenant)!, on);
    const scope: KillSwitch['scope'] = id === 'all' ? { kind: 'all' } : { kind: 'agent', id };
    const by = People.admin(tenant);
    if (on) await this.ask('putKillSwitch', { tenant, name: path.replace('/', '-'), by, value: { scope, reason: `hold ${++this.switches}`, rollback: this.random.happens(0.2), includeUndo: this.random.happens(0.3) } });
    else await this.ask('deleteKillSwitch', { tenant, name: path.replace('/', '-'), by });
  }

  private async applyAgent({ tenant, id }: PrincipalRef, suspended: boolean): Promise<void> {
    const revision = (this.revisions.get(id) ?? 0) + 1;
    this.revisions.set(id, revision);
    await this.ask('applyPrincipal', { tenant, kind: 'agent', id, name: id, roles: [ROLE], suspended, deleted: false, revision });
  }

  /** Asks until it is answered, through whichever gateway there is. */
  private async ask(question: string, body: object): Promise<void> {
    for (;;) {
      const gateway = this.cluster.gateway;
      const answered = gateway === null ? Promise.resolve(false) : gateway.query.ask('policy', question, body).then(() => true, (error: unknown) => {
        // Why: one who has been replaced, or has died, answers for nobody any more.
        if (error instanceof OperationalError && !(error instanceof Refusal)) return false;
        throw error;
      });
      // Why: whoever asked may have died with the question.
      if (await Promise.race([answered, this.pause(ANSWER_MS_MAX).then(() => false)])) return;
      await this.pause(ASK_AGAIN_MS);
    }
  }

  private pause(ms: number): Promise<void> { return new Promise(resolve => { this.world.after(ms, resolve); }); }

  /** Looks into the input, so that what is not known yet matters. */
  private forbidding(): string {
    const share = Math.max(1, Math.round(1 / this.options.forbidden));
    const paths = Array.from({ length: this.options.paths }, (_, i) => i).filter(i => i % share === 0).map(i => `"d${(i >> 2) % 5}/f${i}"`);
    return `permit (principal, action, resource) when { false };\nforbid (principal, action, resource) when { context.input has path && [${paths.join(', ')}].contains(context.input.path) };`;
  }
}

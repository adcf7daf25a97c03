import { PARKED } from '@aifirst/contracts';
import { uuidv7 } from '@aifirst/kernel';
import { hasEnded, type Workflow } from '@aifirst/orchestration';
import { finalChecks } from './checkers/final-checks';
import { LiveChecks } from './checkers/live-checks';
import { Cluster } from './cluster';
import { Conversations } from './conversations';
import { keepCompiledSchemas } from './compiled-schemas';
import type { Submission } from './gateway';
import { History } from './history';
import { IntentMaker } from './intents';
import { Nemesis } from './nemesis';
import { optionsOf, type Options } from './options';
import { People } from './people';
import { NOTHING_PLANTED, type Plant } from './planted-faults';
import { Random } from './random';
import { takeOverImmediates, World } from './world';

/** Everything must have ended or be parked within this much virtual time after the last fault: one after another may hold its locks for the 15 minutes that parked ones may. */
const LIVENESS_MS_MAX = 4 * 60 * 60_000;
/** After that people decide what waits for them, and roll some of what has ended back. */
const SETTLING_MS_MAX = 30 * 60_000;
const DECIDE_EVERY_MS = 2_000;
/** What was ordered last has begun by then. */
const QUIET_MS = 1_000;
/** How often somebody decides on one workflow before he takes its locks away. */
const DECISIONS_MAX = 4;
/** Within this time after the last fault every intent has reached the orchestrator, and after everything has come to rest every view shows it. */
const CAUGHT_UP_MS_MAX = 60_000;
const TRACE_LINES = 400;

export interface RunOptions { readonly plant?: Plant; readonly traceMax?: number; readonly options?: Options }
export interface RunResult {
  readonly seed: number;
  readonly options: Options;
  readonly violations: readonly string[];
  readonly hash: string;
  readonly workflows: number;
  /** Facts and messages that were stored. */
  readonly events: number;
  readonly ticks: number;
  readonly virtualMs: number;
  readonly ends: Readonly<Record<string, number>>;
  /** From when an intent was durable to the end of its workflow, of those that ended while faults lasted. */
  readonly tookMs: readonly number[];
  /** How many had not ended when faults were over. */
  readonly open: number;
  readonly trace: readonly string[];
}

/** One run: safety under faults, then everything healed and all must come to an end, then people settle what is left. */
export async function simulate(seed: number, { plant = NOTHING_PLANTED, traceMax = TRACE_LINES, options: given = optionsOf(seed) }: RunOptions = {}): Promise<RunResult> {
  const options: Options = { ...given, ...plant.options, faults: { ...given.faults, ...plant.faults } };
  const world = new World();
  const checks = new LiveChecks();
  const history = new History(world, (record, before, after) => checks.fact(record, before, after), () => checks.stored(), traceMax);
  const cluster = new Cluster({ seed, options, world, history, checks, plant });
  Object.assign(checks, { history, target: cluster.target });
  const giveBack = takeOverImmediates(world);
  const forgetSchemas = keepCompiledSchemas();
  const uninstall = plant.install?.();
  try {
    await new Run(seed, options, world, history, checks, cluster).go();
  } finally {
    cluster.stop();
    uninstall?.();
    forgetSchemas();
    giveBack();
  }
  const ends: Record<string, number> = {};
  for (const { status } of history.workflows.values()) ends[status] = (ends[status] ?? 0) + 1;
  return {
    seed, options, violations: [...checks.violations, ...cluster.defects], hash: history.digest(), workflows: history.accepted.size, events: history.events, ticks: world.tick,
    virtualMs: world.elapsedMs, ends, tookMs: history.tookMs, open: history.openWhenHealed, trace: history.trace.slice(-traceMax),
  };
}

class Run {
  private readonly people: People;
  private readonly random: Random;
  private readonly conversations: Conversations;
  private readonly submissions = new Map<string, Submission>();
  private isOver = false;

  constructor(
    private readonly seed: number, private readonly options: Options, private readonly world: World, private readonly history: History,
    private readonly checks: LiveChecks, private readonly cluster: Cluster,
  ) {
    this.people = new People(cluster, history, new Random(seed, 'people'), options, world);
    this.random = new Random(seed, 'run');
    this.conversations = new Conversations(cluster, history, world, new Random(seed, 'conversations'), options, what => { checks.violations.push(what); });
  }

  async go(): Promise<void> {
    const { world, cluster, options, people } = this;
    await cluster.start();
    await this.finish(people.settleIn());
    const healAt = world.now + options.faultsMs;
    cluster.setFaults(options.faults);
    const nemesis = new Nemesis(cluster, people, world, new Random(this.seed, 'nemesis'), options);
    nemesis.start();
    this.submitAll();
    if (!await this.until(() => world.now >= healAt)) return;

    this.history.healed();
    nemesis.stop();
    cluster.heal();
    void people.releaseAll();
    if (!await this.until(() => this.unbegun() === null, CAUGHT_UP_MS_MAX)) { this.stuck('a minute after calm', this.unbegun()); return; }
    if (!await this.until(() => this.restless() === null, LIVENESS_MS_MAX)) { this.stuck('liveness'); return; }

    this.history.say('people decide');
    for (const state of this.history.workflows.values()) if (state.status === 'completed' && this.random.happens(0.3)) void people.rollBack(state);
    this.decide(new Map());
    const settledAt = world.now + DECIDE_EVERY_MS * (DECISIONS_MAX + 2);
    if (!await this.until(() => world.now >= settledAt && this.restless() === null, SETTLING_MS_MAX)) { this.stuck('settling'); return; }
    this.isOver = true;
    const quietAt = world.now + QUIET_MS;
    if (!await this.until(() => world.now >= quietAt && this.restless() === null, SETTLING_MS_MAX)) { this.stuck('the end'); return; }
    if (!await this.until(() => this.unseen() === null, CAUGHT_UP_MS_MAX)) { this.stuck('views a minute after all is at rest', this.unseen()); return; }
    this.conversations.check();
    await this.finish(finalChecks(cluster, this.history, this.checks));
  }

  private submitAll(): void {
    const { world, options, random } = this;
    const maker = new IntentMaker(options, random);
    for (let i = 0; i < options.workflows; i++) {
      world.after(random.between(0, options.arrivalMs), () => {
        const id = (): string => uuidv7(world.now, count => random.bytes(count));
        const submission: Submission = { intent: id(), workflow: id(), agent: random.pick(this.people.agents), body: maker.next(), ...this.conversations.manner() };
        this.submissions.set(submission.workflow, submission);
        this.submit(submission);
        if (submission.idleTimeoutMs !== undefined) void this.conversations.hold(submission);
      });
    }
  }

  /** A client that goes on until it is told that its intent is taken. */
  private submit(submission: Submission): void {
    const { cluster, world, history } = this;
    void cluster.gateway?.submit(submission);
    world.after(1_000, () => {
      if (!history.accepted.has(submission.workflow)) this.submit(submission);
    });
  }

  private decide(taken: Map<string, number>): void {
    this.world.after(DECIDE_EVERY_MS, () => {
      if (this.isOver) return;
      for (const state of this.history.workflows.values()) {
        if (!PARKED.includes(state.status)) continue;
        const decisions = (taken.get(state.id) ?? 0) + 1;
        taken.set(state.id, decisions);
        if (decisions <= DECISIONS_MAX) void this.people.settle(state);
        else if (state.locks.length > 0) void this.people.breakLock(state);
      }
      this.decide(taken);
    });
  }

  /** Something that has neither ended nor waits for somebody to decide. */
  private restless(): string | null {
    for (const workflow of this.submissions.keys()) {
      const state = this.history.workflows.get(workflow);
      if (state === undefined) return `${workflow} is not known to the orchestrator`;
      if (!isAtRest(state)) return `${workflow} is \`${state.status}\``;
    }
    return this.submissions.size < this.options.workflows || this.people.isHolding ? 'not everything has been asked for yet' : null;
  }

  /** An intent that was taken and has not come to the orchestrator. */
  private unbegun(): string | null {
    for (const workflow of this.history.accepted.keys()) if (!this.history.workflows.has(workflow)) return `${workflow} was accepted and is not known to the orchestrator`;
    return null;
  }

  /** A workflow whose stored view lacks facts. */
  private unseen(): string | null {
    for (const { id, facts } of this.history.workflows.values()) {
      const seen = this.cluster.views.peek(id)?.facts;
      if (seen !== facts) return `${id} has ${facts} facts, its view ${seen ?? 'is not there'}`;
    }
    return null;
  }

  private stuck(phase: string, why: string | null = this.restless()): void {
    if (this.checks.violations.length > 0 || this.cluster.defects.length > 0) return;
    const what = `${phase}: ${why ?? 'it takes too long'}`;
    this.history.say(`VIOLATION ${what}`);
    this.checks.violations.push(what);
  }

  /** @returns false when something was violated, or the time is over */
  private async until(done: () => boolean, withinMs = Infinity): Promise<boolean> {
    const { world, checks, cluster } = this;
    const giveUpAt = world.now + withinMs;
    let isDone = false;
    await world.run(() => (isDone = done()) || world.now > giveUpAt || checks.violations.length > 0 || cluster.defects.length > 0);
    return isDone && checks.violations.length === 0 && cluster.defects.length === 0;
  }

  private async finish(work: Promise<void>): Promise<void> {
    let over = false;
    let failure: unknown = null;
    work.then(() => { over = true; }, (error: unknown) => { over = true; failure = error; });
    await this.world.run(() => over);
    if (failure !== null) throw failure;
  }
}

/** Ended, or a person must decide before anything moves: nothing of it is under way, and no hold that ends by itself is what it waits for. */
const isAtRest = (state: Workflow): boolean => hasEnded(state)
  || (PARKED.includes(state.status) && !HELD.includes(state.paused?.code ?? '') && state.steps.every(({ status, parked }) => status !== 'running' && status !== 'undoing' && (status !== 'unknown' || parked)));
const HELD: readonly string[] = ['KILL_SWITCH', 'AGENT_SUSPENDED'];

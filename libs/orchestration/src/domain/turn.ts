import type { DecidePlan, ExecuteStep, Lock, PlannedStep, ProbeStep, UndoStep, WorkflowFact } from '@aifirst/contracts';
import { evolve } from './evolve';
import { factId, type RecordedFact, type Step, type Workflow } from './workflow';

/** What of the world a decision may rest on. It comes in; the rules ask for nothing. */
export interface Circumstances {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** In [0, 1): spreads retries. */
  readonly chance: number;
  /** The log's fencing epoch, for commands. */
  readonly epoch: number;
  /** `id` of the event that brings the input. */
  readonly causation: string | undefined;
  readonly control: Control;
  /** Since when somebody drives this workflow: before that nobody could have told it anything. Absent: always. */
  readonly drivenSince?: number;
}
/** What holds this workflow's tenant or agent now. `epoch`: the tenant's control epoch, null: not known (nothing is started then). */
export interface Control {
  readonly epoch: number | null;
  readonly hold: { readonly code: 'KILL_SWITCH' | 'AGENT_SUSPENDED'; readonly reason: string; readonly includeUndo: boolean; readonly rollback: boolean; /** The switch that has to be lifted. */ readonly killSwitch?: string } | null;
}

/** A command's event bears the id of the fact that records it. */
export type Command =
  | { readonly name: 'DecidePlan'; readonly id: string; readonly data: DecidePlan }
  | { readonly name: 'ExecuteStep'; readonly id: string; readonly adapter: string; readonly data: ExecuteStep }
  | { readonly name: 'UndoStep'; readonly id: string; readonly adapter: string; readonly data: UndoStep }
  | { readonly name: 'ProbeStep'; readonly id: string; readonly adapter: string; readonly data: ProbeStep };

/** Locks that a workflow wants before it goes on. `late`: it holds others already, so it waits only for younger ones (wait-die). */
export interface LocksWanted { readonly locks: readonly Lock[]; readonly late: boolean }

export interface Decision {
  readonly state: Workflow;
  readonly facts: readonly RecordedFact[];
  readonly commands: readonly Command[];
  readonly wants: LocksWanted | null;
}

/** One decision in the making: each fact takes effect on the state at once, so that the rules read straight on. */
export class Turn {
  readonly facts: RecordedFact[] = [];
  readonly commands: Command[] = [];
  wants: LocksWanted | null = null;
  #state: Workflow | null;

  constructor(state: Workflow | null, readonly now: Circumstances, private readonly tenant: string, private readonly traceparent?: string) { this.#state = state; }

  get state(): Workflow { return this.#state!; }
  get at(): number { return this.now.at; }
  step(index: number): Step { return this.state.steps[index]!; }
  plan(index: number): PlannedStep { return this.state.start.steps[index]!; }

  record(fact: WorkflowFact, causation: string | undefined = this.now.causation): string {
    const workflow = fact.name === 'IntentSubmitted' ? fact.start.workflow : this.state.id;
    const recorded: RecordedFact = { id: factId(workflow, (this.#state?.facts ?? 0) + 1), at: this.now.at, causation, fact };
    this.facts.push(recorded);
    this.#state = evolve(this.#state, recorded, this.tenant, this.traceparent);
    return recorded.id;
  }

  send(command: Command): void { this.commands.push(command); }

  result(): Decision { return { state: this.state, facts: this.facts, commands: this.commands, wants: this.wants }; }
}

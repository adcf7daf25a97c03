import { delegates, type CapabilityDescriptor, type UndoPreview } from '@aifirst/contracts';
import { invariant, type Clock } from '@aifirst/kernel';
import type { ActResult, ExecutionAdapter, Image, ProbeResult, StepCall, UndoResult } from '@aifirst/execution';
import { agentTask, type TaskDesk } from './agent-task';
import { noop } from './noop';
import { timerSleep } from './timer-sleep';

/** One capability that needs no target: the adapter's methods for it. */
export interface BuiltinCapability {
  readonly descriptor: CapabilityDescriptor;
  execute(call: StepCall): Promise<ActResult>;
  probe(call: StepCall): ProbeResult | Promise<ProbeResult>;
  undo(call: StepCall): UndoResult | Promise<UndoResult>;
  /** Default: nothing is to be put back. */
  previewUndo?(call: StepCall): UndoPreview;
}

/** Capabilities of the product itself, without connection: `noop` and `timer.sleep`, which touch nothing, and `agent.task`, which is worked by other agents. They keep nothing here. */
export class BuiltinAdapter implements ExecutionAdapter {
  readonly name = 'builtin';
  /** What a reference carries from a file into `noop` must not come out of it clear. */
  readonly takesSealed = true;
  private readonly offered: ReadonlyMap<string, BuiltinCapability>;

  /** @param desk where tasks are given; absent: none can be */
  constructor(clock: Pick<Clock, 'after'>, desk?: TaskDesk) {
    this.offered = new Map([noop, timerSleep(clock), ...(desk === undefined ? [] : [agentTask(desk, clock)])].map(capability => [capability.descriptor.name, capability]));
  }

  capabilities(): readonly CapabilityDescriptor[] { return [...this.offered.values()].map(({ descriptor }) => descriptor); }

  async probeConnection(): Promise<{ readonly problem: string; readonly pointer: string }> {
    return { problem: 'built-in capabilities take no connection', pointer: '/adapter' };
  }

  serialiseOn(): readonly string[] { return []; }
  async prepare(): Promise<Image> { return {}; }
  async execute(call: StepCall): Promise<ActResult> { return this.of(call).execute(call); }
  async probe(call: StepCall): Promise<ProbeResult> { return this.of(call).probe(call); }
  async undo(call: StepCall): Promise<UndoResult> { return this.of(call).undo(call); }
  waitsForOthers(capability: string): boolean { return delegates(capability); }
  async previewUndo(call: StepCall): Promise<UndoPreview> {
    return this.of(call).previewUndo?.(call) ?? nothingToUndo(call);
  }
  async forget(): Promise<void> {}

  private of({ capability }: StepCall): BuiltinCapability {
    const found = this.offered.get(capability);
    invariant(found !== undefined, `\`${capability}\` is no built-in capability`);
    return found;
  }
}

const nothingToUndo = ({ capability }: StepCall): UndoPreview => ({ outcome: 'wouldUndo', summary: `nothing is to be put back: \`${capability}\` touches nothing`, conflicts: [], truncated: false });

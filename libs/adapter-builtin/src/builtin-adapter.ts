import type { CapabilityDescriptor, UndoPreview } from '@aifirst/contracts';
import { invariant, type Clock } from '@aifirst/kernel';
import type { ActResult, ExecutionAdapter, Image, ProbeResult, StepCall, UndoResult } from '@aifirst/execution';
import { noop } from './noop';
import { timerSleep } from './timer-sleep';

/** One capability that needs no target: the adapter's methods for it. */
export interface BuiltinCapability {
  readonly descriptor: CapabilityDescriptor;
  execute(call: StepCall): Promise<ActResult>;
  probe(call: StepCall): ProbeResult;
  undo(call: StepCall): UndoResult;
}

/** Capabilities of the product itself, without connection: `noop` and `timer.sleep`. They keep nothing and touch nothing. */
export class BuiltinAdapter implements ExecutionAdapter {
  readonly name = 'builtin';
  /** What a reference carries from a file into `noop` must not come out of it clear. */
  readonly takesSealed = true;
  private readonly offered: ReadonlyMap<string, BuiltinCapability>;

  constructor(clock: Pick<Clock, 'after'>) {
    this.offered = new Map([noop, timerSleep(clock)].map(capability => [capability.descriptor.name, capability]));
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
  /** An undo of either always comes to its end. */
  async previewUndo({ capability }: StepCall): Promise<UndoPreview> { return { outcome: 'wouldUndo', summary: `nothing is to be put back: \`${capability}\` touches nothing`, conflicts: [], truncated: false }; }
  async forget(): Promise<void> {}

  private of({ capability }: StepCall): BuiltinCapability {
    const found = this.offered.get(capability);
    invariant(found !== undefined, `\`${capability}\` is no built-in capability`);
    return found;
  }
}

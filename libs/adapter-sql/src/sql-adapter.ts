import type { CapabilityDescriptor, Connection, StepPreview, UndoPreview } from '@aifirst/contracts';
import { CannotDo, type ActResult, type ExecutionAdapter, type Image, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import { prepareSqlSyntax } from '@aifirst/sql-syntax';
import { CAPABILITIES, READ_ONLY } from './capabilities';
import { forgetChange, probeChange, runChange, runQuery, type Workplace } from './execute';
import { newOutputKey } from './kept-output';
import { beforeOf, planOf, undoKeyOf } from './plan';
import { Pools, type ResolveSecret } from './pools';
import { previewStatement } from './preview';
import { probeDatabase } from './probe-connection';
import { previewUndoChange } from './undo/preview-undo';
import { undoChange } from './undo/undo-change';

export interface SqlAdapterOptions {
  /** Gives the secret that a reference (`env:X`, `file:/p`) stands for; asked whenever a client connects. */
  readonly secret: ResolveSecret;
  /** Called before every message to the target that may change something; a test throws there as a crash would stop the process. */
  readonly boundary?: (name: string) => void;
}

/**
 * PostgreSQL 15 and later (adapter `sql`). Proofs of what was done and images of rows are kept in schema `aifirst` of the target,
 * written in the transaction of the step itself. Parameters are kept nowhere; an output is kept beside its proof, encrypted with a
 * key that only the journal's sealed image holds.
 */
export class SqlAdapter implements ExecutionAdapter {
  readonly name = 'sql';
  /** They hold the key to the output. */
  readonly imageIsSensitive = true;
  private readonly work: Workplace;

  constructor(options: SqlAdapterOptions) {
    this.work = { pools: new Pools(options.secret), boundary: options.boundary ?? (() => undefined) };
  }

  capabilities(): readonly CapabilityDescriptor[] { return CAPABILITIES; }

  probeConnection(connection: Connection): ReturnType<ExecutionAdapter['probeConnection']> { return probeDatabase(this.work, connection); }

  async preview(call: StepCall): Promise<StepPreview> {
    await prepareSqlSyntax();
    return previewStatement(this.work, call, planOf(call));
  }

  /** The step itself: the target keeps everything else apart. */
  serialiseOn({ capability, key }: StepCall): readonly string[] { return READ_ONLY.has(capability) ? [] : [`sql:${key.replace(/\/(forward|undo)$/, '')}`]; }

  async prepare(call: StepCall): Promise<Image> {
    if (call.connection === null) throw new CannotDo('UNKNOWN_CONNECTION', 'a connection is needed');
    await prepareSqlSyntax();
    const { isReading } = planOf(call);
    return isReading ? {} : { key: call.key, outputKey: newOutputKey() };
  }

  async execute(call: StepCall, before: Image): Promise<ActResult> {
    await prepareSqlSyntax();
    try {
      const planned = planOf(call);
      return planned.isReading ? await runQuery(this.work, call, planned) : await runChange(this.work, call, before, planned);
    } catch (error) {
      if (!(error instanceof CannotDo)) throw error;
      return { outcome: 'failed', error: { code: error.code, detail: error.message, clean: true } };
    }
  }

  async probe(call: StepCall, before: Image): Promise<ProbeResult> {
    return READ_ONLY.has(call.capability) ? { outcome: 'didNotHappen' } : probeChange(this.work, call, before);
  }

  async undo(call: StepCall, before: Image, after: Image): Promise<UndoResult> {
    return READ_ONLY.has(call.capability) ? { outcome: 'undone', verified: true, reason: null } : undoChange(this.work, call, before, after);
  }

  async previewUndo(call: StepCall, before: Image, after: Image): Promise<UndoPreview> {
    return READ_ONLY.has(call.capability) ? { outcome: 'nothingToDo', summary: 'it changed nothing', conflicts: [], truncated: false } : previewUndoChange(this.work, call, before, after);
  }

  async forget(call: Pick<StepCall, 'key' | 'tenant' | 'connection' | 'capability'>, before: Image): Promise<void> {
    if (READ_ONLY.has(call.capability)) return;
    const { key } = beforeOf(before);
    await forgetChange(this.work, call, [key, undoKeyOf(key)]);
  }

  /** Ends its connections. */
  close(): Promise<void> { return this.work.pools.close(); }
}

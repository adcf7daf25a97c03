import type { CapabilityDescriptor, Connection, StepPreview, UndoPreview } from '@aifirst/contracts';
import { CannotDo, type ActResult, type DoneCall, type ExecutionAdapter, type Image, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import { prepareSqlSyntax } from '@aifirst/sql-syntax';
import { CAPABILITIES, COMMIT, PREPARE, READ_ONLY } from './capabilities';
import { forgetChange, probeChange, runChange, runQuery, type Workplace } from './execute';
import { newOutputKey } from './kept-output';
import { KeptTransactions, transactionNameOf } from './kept-transactions';
import { beforeOf, planOf, undoKeyOf } from './plan';
import { Pools, type ResolveSecret } from './pools';
import { previewStatement } from './preview';
import { probeDatabase } from './probe-connection';
import { commitPrepared, prepareHeld, probeCommitted, probePrepared, probeWork, runWork, undoPrepared } from './two-phase';
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
    this.work = { pools: new Pools(options.secret), kept: new KeptTransactions(), boundary: options.boundary ?? (() => undefined) };
  }

  capabilities(): readonly CapabilityDescriptor[] { return CAPABILITIES; }

  probeConnection(connection: Connection): ReturnType<ExecutionAdapter['probeConnection']> { return probeDatabase(this.work, connection); }

  async preview(call: StepCall): Promise<StepPreview> {
    await prepareSqlSyntax();
    return previewStatement(this.work, call, planOf(call));
  }

  /** The step itself, or the transaction that it acts in: the target keeps everything else apart. */
  serialiseOn(call: StepCall): readonly string[] {
    if (call.transaction !== undefined) return [transactionNameOf(call)];
    return READ_ONLY.has(call.capability) ? [] : [`sql:${call.key.replace(/\/(forward|undo)$/, '')}`];
  }

  async prepare(call: StepCall): Promise<Image> {
    if (call.connection === null) throw new CannotDo('UNKNOWN_CONNECTION', 'a connection is needed');
    if (isEnding(call)) return {};
    await prepareSqlSyntax();
    const { isReading } = planOf(call);
    return isReading ? {} : { key: call.key, outputKey: newOutputKey() };
  }

  async execute(call: StepCall, before: Image): Promise<ActResult> {
    if (isEnding(call)) return call.capability === PREPARE ? prepareHeld(this.work, call) : commitPrepared(this.work, call);
    await prepareSqlSyntax();
    try {
      const planned = planOf(call);
      if (call.transaction !== undefined) return await runWork(this.work, call, before, planned);
      return planned.isReading ? await runQuery(this.work, call, planned) : await runChange(this.work, call, before, planned);
    } catch (error) {
      if (!(error instanceof CannotDo)) throw error;
      return { outcome: 'failed', error: { code: error.code, detail: error.message, clean: true } };
    }
  }

  async probe(call: StepCall, before: Image): Promise<ProbeResult> {
    if (isEnding(call)) return call.capability === PREPARE ? probePrepared(this.work, call) : probeCommitted(this.work, call);
    if (call.transaction !== undefined && !READ_ONLY.has(call.capability)) return probeWork(this.work, call, before);
    return READ_ONLY.has(call.capability) ? { outcome: 'didNotHappen' } : probeChange(this.work, call, before);
  }

  async undo(call: StepCall, before: Image, after: Image): Promise<UndoResult> {
    if (isEnding(call)) return call.capability === PREPARE ? undoPrepared(this.work, call) : { outcome: 'undone', verified: true, reason: null };
    return READ_ONLY.has(call.capability) ? { outcome: 'undone', verified: true, reason: null } : undoChange(this.work, call, before, after);
  }

  async previewUndo(call: StepCall, before: Image, after: Image, first: readonly DoneCall[] = []): Promise<UndoPreview> {
    return READ_ONLY.has(call.capability) || isEnding(call) ? { outcome: 'nothingToDo', summary: 'it changed nothing', conflicts: [], truncated: false } : previewUndoChange(this.work, call, before, after, first.filter(one => !READ_ONLY.has(one.call.capability) && !isEnding(one.call)));
  }

  async forget(call: Pick<StepCall, 'key' | 'tenant' | 'connection' | 'capability'>, before: Image): Promise<void> {
    if (READ_ONLY.has(call.capability) || isEnding(call)) return;
    const { key } = beforeOf(before);
    await forgetChange(this.work, call, [key, undoKeyOf(key)]);
  }

  /** Ends its connections. */
  close(): Promise<void> {
    this.work.kept.close();
    return this.work.pools.close();
  }
}

const isEnding = ({ capability }: Pick<StepCall, 'capability'>): boolean => capability === PREPARE || capability === COMMIT;

import type { AskedPreview, PreviewAnswer, PreviewedChange, SealedPreview, StepPreview } from '@aifirst/contracts';
import { OperationalError, type Clock, type Json } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import { CallMaker, namedError, type Made } from './call-maker';
import { CannotDo, type ConnectionResolver, type ExecutionAdapter } from './execution-adapter';
import { within } from './guarded-act';
import { Gate } from './serialiser';
import type { Job } from './step-commands';

export interface PreviewerOptions {
  readonly adapters: readonly ExecutionAdapter[];
  readonly vault: Vault;
  readonly connections: ConnectionResolver;
  readonly clock: Clock;
  /** At once; the rest wait their turn, within their time. Default 8: they read targets that steps work on. */
  readonly concurrency?: number;
  /** How long after its time-out an adapter may take to stop by itself. Default 1,000 ms. */
  readonly graceMs?: number;
}

const CONCURRENCY = 8;
const GRACE_MS = 1_000;

/** Asks adapters what a step would do. Nothing is kept here; what holds content leaves sealed under the plan. */
export class Previewer {
  private readonly maker: CallMaker;
  private readonly gate: Gate;

  constructor(private readonly options: PreviewerOptions) {
    this.maker = new CallMaker(options.adapters, options.vault, options.connections);
    this.gate = new Gate(options.concurrency ?? CONCURRENCY);
  }

  /** Answers within the time that is given and a little, whatever the target does. */
  async preview(asked: AskedPreview): Promise<PreviewAnswer> {
    const { clock, graceMs = GRACE_MS } = this.options;
    const abort = new AbortController();
    const ended = await within(clock, asked.timeoutMs, graceMs, abort, () => this.gate.run(async () => {
      if (abort.signal.aborted) throw abort.signal.reason;
      return this.make(asked, abort.signal);
    }));
    if (ended.end === 'late') return timedOut(asked);
    if (ended.end === 'returned') return ended.value;
    return abort.signal.aborted ? timedOut(asked) : failed(ended.error);
  }

  private async make(asked: AskedPreview, signal: AbortSignal): Promise<PreviewAnswer> {
    const making = await this.maker.make(jobOf(asked), signal, true);
    if ('error' in making) return { error: { code: making.error.code, detail: making.error.detail, passing: false } };
    const { adapter, call } = making.made;
    if (adapter.preview === undefined) return { error: { code: 'NOT_PREVIEWABLE', detail: `what \`${call.capability}\` would do can't be shown beforehand`, passing: false } };
    return this.sealed(making.made, await adapter.preview(call));
  }

  private async sealed({ call }: Made, preview: StepPreview): Promise<PreviewAnswer> {
    const { vault } = this.options;
    const scope = { tenant: call.tenant, workflow: call.workflow };
    const { summary, footprint, changes, truncated } = preview;
    const shown: SealedPreview = { summary, footprint, changes: changes.length === 0 ? [] : await vault.seal(scope, 'preview', changes as unknown as Json), truncated };
    return { preview: shown, digest: await vault.keyedDigest(scope, seenOf(preview)), reach: reachOf(preview) };
  }
}

/**
 * What the target was like, as against what it would become: that may hold times and random values, which are others at
 * every look.
 */
const seenOf = ({ summary, footprint, changes, truncated }: StepPreview): Json => ({ summary, footprint: [...footprint].sort(), truncated, changes: changes.map(seenOfChange) }) as unknown as Json;
const seenOfChange = (change: PreviewedChange): unknown => {
  const { kind, resource } = change;
  if (change.kind === 'file') return { kind, resource, action: change.action, before: change.before };
  const { inserted, updated, deleted, rows } = change;
  return { kind, resource, inserted, updated, deleted, rows: rows.flatMap(({ before }) => (before === null ? [] : [before])) };
};

/** Files and folders, or rows; where these are not known, resources. */
function reachOf({ footprint, changes }: StepPreview): number {
  const rows = changes.reduce((sum, change) => sum + (change.kind === 'rows' ? change.inserted + change.updated + change.deleted : 1), 0);
  return Math.max(rows, footprint.length);
}

const jobOf = ({ plan, step, index, agent, capability, adapter, connection, connectionStamp, input, timeoutMs }: AskedPreview): Job => ({
  tenant: agent.tenant, direction: 'forward', traceparent: undefined,
  command: {
    workflow: plan, step, index, generation: 0, attempt: 1, epoch: 0, agent, capability, adapter, connection, input, timeoutMs, cause: plan,
    ...(connectionStamp === undefined ? {} : { connectionStamp }),
  },
});

const timedOut = ({ timeoutMs }: AskedPreview): PreviewAnswer => ({ error: { code: 'TIMEOUT', detail: `not shown within ${timeoutMs} ms`, passing: true } });

/** As the step itself would fail; of anything else no more than its name. */
function failed(error: unknown): PreviewAnswer {
  if (error instanceof CannotDo) return { error: { code: error.code, detail: error.message, passing: false } };
  const passing = error instanceof OperationalError && error.retryable;
  return { error: { code: error instanceof OperationalError ? error.code : 'ADAPTER_ERROR', detail: `it can't be shown: ${namedError(error)}`, passing } };
}

import type { AskedPreview, PreviewAnswer, PreviewedChange, SealedPreview, StepPreview } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';
import type { Vault } from '@aifirst/vault';
import { CallMaker, type Made } from './call-maker';
import type { ConnectionResolver, ExecutionAdapter } from './execution-adapter';
import { BoundedLooks, type PreviewBounds } from './preview-bounds';
import type { Job } from './step-commands';

export interface PreviewerOptions extends PreviewBounds {
  readonly adapters: readonly ExecutionAdapter[];
  readonly vault: Vault;
  readonly connections: ConnectionResolver;
}

/** Asks adapters what a step would do. Nothing is kept here; what holds content leaves sealed under the plan. */
export class Previewer {
  private readonly maker: CallMaker;
  private readonly looks: BoundedLooks;

  constructor(private readonly options: PreviewerOptions) {
    this.maker = new CallMaker(options.adapters, options.vault, options.connections);
    this.looks = new BoundedLooks(options);
  }

  /** Answers within the time that is given and a little, whatever the target does. */
  preview(asked: AskedPreview): Promise<PreviewAnswer> { return this.looks.look(asked.timeoutMs, signal => this.make(asked, signal)); }

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

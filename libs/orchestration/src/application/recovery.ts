import type { JsonObject } from '@aifirst/kernel';
import type { DocumentPut, Log } from '@aifirst/store';
import { newStep, type Workflow } from '../domain/workflow';
import { foldRow } from './workflow-log';

/** Shards share their documents: each has a kind of its own. */
export const snapshotKindOf = ({ producer }: Pick<Log, 'producer'>): string => { const shard = producer.split('/')[1]!; return shard === '0' ? 'workflow-snapshot' : `workflow-snapshot.${shard}`; };
const SNAPSHOTS_PAGE = 500;
const ROWS_PAGE = 1_000;

export interface Found {
  readonly state: Workflow | null;
  readonly version: number;
  readonly firstPosition: number;
  readonly snapshotted: boolean;
}
export interface Recovered {
  readonly workflows: ReadonlyMap<string, Found>;
  /** Those that can't be read, by a later release perhaps: where their rows begin, and why. */
  readonly defects: ReadonlyMap<string, { readonly firstPosition: number; readonly error: unknown }>;
}

/** Every workflow that may be open, from its snapshot or from the low-water mark on. */
export async function recover(log: Log): Promise<Recovered> {
  const workflows = new Map<string, Found>();
  const defects = new Map<string, { readonly firstPosition: number; readonly error: unknown }>();
  for await (const { id, state, version } of snapshots(log)) workflows.set(id, { state, version, firstPosition: log.head() + 1, snapshotted: true });
  for (let position = log.lowWater(); ;) {
    const rows = await log.read(position, ROWS_PAGE);
    for (const row of rows) {
      position = row.position;
      // Why: without its beginning it ended before the low-water mark.
      const known = workflows.get(row.stream) ?? (row.version === 1 ? { state: null, version: 0, firstPosition: row.position, snapshotted: false } : undefined);
      if (known === undefined || row.version <= known.version || defects.has(row.stream)) continue;
      try {
        // Why: what follows a snapshot lies before the head, and the next recovery needs it as much as this one.
        workflows.set(row.stream, { ...known, state: foldRow(known.state, row), version: row.version, firstPosition: Math.min(known.firstPosition, row.position) });
      } catch (error) {
        defects.set(row.stream, { firstPosition: Math.min(known.firstPosition, row.position), error });
        workflows.delete(row.stream);
      }
    }
    if (rows.length < ROWS_PAGE) break;
  }
  return { workflows, defects };
}

/** The workflows of these ids from all their rows. Those that can't be read come as what is wrong with them. */
export async function readWorkflows(log: Log, ids: readonly string[]): Promise<ReadonlyMap<string, { readonly state: Workflow; readonly version: number } | { readonly error: unknown }>> {
  const found = new Map<string, { state: Workflow; version: number } | { error: unknown }>();
  for (const row of await log.readStreams(ids)) {
    const known = found.get(row.stream);
    if (known !== undefined && 'error' in known) continue;
    try {
      const state = foldRow(known?.state ?? null, row);
      if (state !== null) found.set(row.stream, { state, version: row.version });
    } catch (error) {
      found.set(row.stream, { error });
    }
  }
  return found;
}

export const snapshotOf = (log: Pick<Log, 'producer'>, state: Workflow, version: number): DocumentPut => ({ kind: snapshotKindOf(log), tenant: state.tenant, id: state.id, data: { state, version } as unknown as JsonObject });
export const noSnapshotOf = (log: Pick<Log, 'producer'>, state: Workflow): DocumentPut => ({ kind: snapshotKindOf(log), tenant: state.tenant, id: state.id, data: null });

async function* snapshots(log: Log): AsyncIterable<{ id: string; state: Workflow; version: number }> {
  for (let after: string | undefined; ;) {
    const page = await log.listDocuments(snapshotKindOf(log), null, { limit: SNAPSHOTS_PAGE, ...(after === undefined ? {} : { after }) });
    for (const { id, data } of page) {
      const { state, version } = data as unknown as { state: Workflow; version: number };
      // Why: what an earlier release did not know has its beginning; what is undefined is not in JSON.
      yield { id, version, state: { ...state, traceparent: state.traceparent, closing: state.closing ?? false, movedAt: state.movedAt ?? state.createdAt, steps: state.steps.map(step => ({ ...newStep(), ...step })) } };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < SNAPSHOTS_PAGE) return;
    after = `${last.tenant}/${last.id}`;
  }
}

import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from '@aifirst/contracts';
import { CannotDo, type ActResult, type Image, type StepCall } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import type { FilesAdapter } from '../files-adapter';

export const aFolder = (): string => fs.mkdtempSync(join(tmpdir(), 'aifirst-files-'));
export const aFileConnection = (root: string): Connection =>
  ({ tenant: 'default', name: 'docs', adapter: 'os', config: { root }, secretRefs: {}, labels: {}, revision: 1, digest: root });

export function aFileCall(root: string, capability: string, input: JsonObject, more: Partial<StepCall> = {}): StepCall {
  return {
    key: `${randomUUID()}/step/0/forward`, tenant: 'default', workflow: 'w', step: 'step', agent: { kind: 'agent', id: 'demo', tenant: 'default' },
    capability, connection: aFileConnection(root), input: { connection: 'docs', ...input }, timeoutMs: 30_000, signal: new AbortController().signal, ...more,
  };
}

/** A call that was carried out, as the journal keeps it: images go through JSON. */
export interface DoneStep { readonly call: StepCall; readonly before: Image; readonly after: Image }
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export async function prepared(adapter: FilesAdapter, call: StepCall): Promise<Image> { return stored(await adapter.prepare(call)); }

/** Prepares and executes; a call that can't be done answers like one that failed cleanly. */
export async function carryOut(adapter: FilesAdapter, call: StepCall): Promise<{ readonly result: ActResult; readonly done: DoneStep | null }> {
  try {
    const before = await prepared(adapter, call);
    const result = stored(await adapter.execute(call, before));
    return { result, done: result.outcome === 'succeeded' ? { call, before, after: result.after } : null };
  } catch (error) {
    if (!(error instanceof CannotDo)) throw error;
    return { result: { outcome: 'failed', error: { code: error.code, detail: error.message, clean: true } }, done: null };
  }
}

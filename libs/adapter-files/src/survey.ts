import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { isReserved } from './path';
import { openFile } from './seen';
import { TREE_DEPTH_MAX } from './tree';
import { Held, type Folder } from './system/folder';

/** What a walk meets, a folder before what it holds, by name. `path` is relative to where the walk began: `/` first, or empty. */
export interface Met { readonly path: string; readonly folder: Folder; readonly name: Buffer | string; readonly stats: fs.BigIntStats }
export interface Bounds { readonly entriesMax: number; readonly bytesMax: number; readonly signal?: AbortSignal }
/** `others` are links and what is neither; a folder counts itself. */
export interface Counts { readonly files: number; readonly folders: number; readonly others: number; readonly bytes: number }

const YIELD_EVERY = 256;

/**
 * Counts what is at a name and all beneath it, following no link, without reading content; each file is opened, to know
 * that it can be.
 * @throws CannotDo `TOO_LARGE`, `RESERVED`, `CROSSES_MOUNT`, `TARGET_CHANGED`, `TIMEOUT`
 */
export async function survey(folder: Folder, name: string, bounds: Bounds, meet: (met: Met) => void = () => undefined): Promise<Counts> {
  const counts = { files: 0, folders: 0, others: 0, bytes: 0 };
  let left = bounds.entriesMax;
  const visit = async (parent: Folder, entry: Buffer | string, path: string, depth: number): Promise<void> => {
    const stats = parent.lstat(entry);
    if (stats === null) throw changing();
    meet({ path, folder: parent, name: entry, stats });
    if (!stats.isDirectory()) {
      if (!stats.isFile()) { counts.others++; return; }
      counts.files++;
      counts.bytes += Number(stats.size);
      if (counts.bytes > bounds.bytesMax) throw new CannotDo('TOO_LARGE', `it holds more than ${bounds.bytesMax} bytes`);
      mustOpen(parent, entry);
      return;
    }
    counts.folders++;
    if (depth > TREE_DEPTH_MAX) throw new CannotDo('TOO_LARGE', `the folder is nested deeper than ${TREE_DEPTH_MAX}`);
    const held = new Held();
    try {
      const child = held.folder(parent.openFolder(entry));
      if (child === null) throw changing();
      for (const inner of child.names().sort(Buffer.compare)) {
        if (left-- === 0) throw new CannotDo('TOO_LARGE', `the folder holds more than ${bounds.entriesMax} entries`);
        if (left % YIELD_EVERY === 0) await new Promise(setImmediate);
        if (bounds.signal?.aborted === true) throw new CannotDo('TIMEOUT', 'the time was over before the act began');
        if (isReserved(inner.toString('latin1'))) throw new CannotDo('RESERVED', 'the folder holds what another connection has set aside');
        await visit(child, inner, `${path}/${inner.toString('utf8')}`, depth + 1);
      }
    } finally { held.close(); }
  };
  await visit(folder, name, '', 1);
  return counts;
}

const changing = (): CannotDo => new CannotDo('TARGET_CHANGED', 'it is being changed by somebody else');

function mustOpen(folder: Folder, name: Buffer | string): void {
  const held = new Held();
  try { openFile(held, folder, name); } finally { held.close(); }
}

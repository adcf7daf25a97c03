import * as fs from 'node:fs';
import { errnoOf } from './system/libc';
import { Held, type Folder } from './system/folder';

/** Removes what lies at a name and all beneath it, following no link. What is gone already is fine. */
export async function removeTree(parent: Folder, name: string | Buffer): Promise<void> {
  const stats = parent.lstat(name);
  if (stats === null) return;
  if (!stats.isDirectory()) { ignoreMissing(() => fs.unlinkSync(parent.at(name))); return; }
  const held = new Held();
  try {
    let folder: Folder | null;
    try {
      folder = held.folder(parent.openFolder(name));
    } catch (error) {
      if (errnoOf(error) !== 'EACCES') throw error;
      const entry = held.fd(parent.openEntry(name));
      fs.chmodSync(`/proc/self/fd/${entry}`, 0o700);
      folder = held.folder(parent.openFolder(name));
    }
    if (folder === null) return;
    // Why: a folder its owner may not write into is set aside like any other, and has to go like any other.
    if ((Number(stats.mode) & 0o700) !== 0o700) fs.fchmodSync(folder.fd, 0o700);
    let count = 0;
    for (const inner of folder.names()) {
      if (++count % 256 === 0) await new Promise(setImmediate);
      await removeTree(folder, inner);
    }
  } finally { held.close(); }
  ignoreMissing(() => fs.rmdirSync(parent.at(name)));
}

function ignoreMissing(act: () => void): void {
  try { act(); } catch (error) { if (errnoOf(error) !== 'ENOENT') throw error; }
}

import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { isReserved } from './path';
import { digestOf, hashFile } from './seen';
import { reopen, type Folder } from './system/folder';

/** More than this in one folder tree is refused: reading it would outlast every time-out. */
export const TREE_ENTRIES_MAX = 100_000;
/** One descriptor each is open on the way down. */
export const TREE_DEPTH_MAX = 200;

interface Walk { readonly digest: Hash | null; readonly stamp: Hash; left: number }

/**
 * Reads all beneath a folder. `digest` is over every path, type, mode, owner, time of change of content, and content or
 * link target, and over mode, owner and time of the folder itself; `stamp` over inodes and times of change, cheap as no
 * content is read (`withContent` false leaves `digest` empty). Links are not followed.
 * @throws CannotDo `TOO_LARGE`, `RESERVED` for what holds another connection's set-aside, `CROSSES_MOUNT`
 */
export async function seeTree(top: Folder, withContent = true): Promise<{ readonly digest: string; readonly stamp: string }> {
  const walk: Walk = { digest: withContent ? createHash('sha256') : null, stamp: createHash('sha256'), left: TREE_ENTRIES_MAX };
  const stats = top.stat();
  feed(walk.digest, '', stats, '');
  // Why: without the top's own time of change, which our renaming alters, and without its times, which undo puts back.
  walk.stamp.update(`${stats.ino} ${stats.mode}\n`);
  await descend(top, '', 1, walk);
  return { digest: walk.digest === null ? '' : digestOf(walk.digest), stamp: digestOf(walk.stamp) };
}

async function descend(folder: Folder, path: string, depth: number, walk: Walk): Promise<void> {
  if (depth > TREE_DEPTH_MAX) throw new CannotDo('TOO_LARGE', `the folder is nested deeper than ${TREE_DEPTH_MAX}`);
  for (const name of folder.names().sort(Buffer.compare)) {
    if (walk.left-- === 0) throw new CannotDo('TOO_LARGE', `the folder holds more than ${TREE_ENTRIES_MAX} entries`);
    if (walk.left % 256 === 0) await new Promise(setImmediate);
    if (isReserved(name.toString('latin1'))) throw new CannotDo('RESERVED', 'the folder holds what another connection has set aside');
    const stats = folder.lstat(name);
    if (stats === null) throw new CannotDo('TARGET_CHANGED', 'the folder is being changed by somebody else');
    const inner = `${path}/${name.toString('latin1')}`;
    walk.stamp.update(JSON.stringify([inner, String(stats.ino), String(stats.ctimeNs), String(stats.mode), String(stats.isDirectory() ? 0 : stats.size)]));
    if (stats.isDirectory()) {
      feed(walk.digest, inner, stats, '');
      const child = folder.openFolder(name);
      if (child === null) throw new CannotDo('TARGET_CHANGED', 'the folder is being changed by somebody else');
      try { await descend(child, inner, depth + 1, walk); } finally { fs.closeSync(child.fd); }
    } else if (walk.digest !== null) {
      feed(walk.digest, inner, stats, await contentOf(folder, name, stats));
    }
  }
}

async function contentOf(folder: Folder, name: Buffer, stats: fs.BigIntStats): Promise<string> {
  if (stats.isSymbolicLink()) return fs.readlinkSync(folder.at(name), { encoding: 'buffer' }).toString('latin1');
  if (!stats.isFile()) return String(stats.rdev);
  const known = folder.knownDigest(stats);
  if (known !== null) return known;
  const entry = folder.openEntry(name);
  try {
    if (!fs.fstatSync(entry).isFile()) throw new CannotDo('TARGET_CHANGED', 'the folder is being changed by somebody else');
    const fd = reopen(entry, fs.constants.O_RDONLY);
    try {
      const hash = createHash('sha256');
      await hashFile(fd, hash);
      return digestOf(hash);
    } finally { fs.closeSync(fd); }
  } finally { fs.closeSync(entry); }
}

function feed(digest: Hash | null, path: string, stats: fs.BigIntStats, content: string): void {
  digest?.update(JSON.stringify([path, String(stats.mode), String(stats.uid), String(stats.gid), stats.isFile() ? String(stats.size) : '', String(stats.mtimeNs), content]));
}

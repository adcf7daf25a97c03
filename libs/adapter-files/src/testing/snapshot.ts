import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { extendedAttributes } from '../system/libc';

/**
 * All that undo has to put back beneath a folder, a line per entry: type, mode, owner, time of change in nanoseconds,
 * inode, number of names, content or link target, extended attributes. Left out: ctime, atime, sizes of folders, `.aifirst`.
 */
export function snapshot(root: string): readonly string[] {
  const lines: string[] = [];
  const walk = (path: string): void => {
    const stats = fs.lstatSync(path, { bigint: true });
    const content = stats.isSymbolicLink() ? fs.readlinkSync(path)
      : stats.isFile() ? createHash('sha256').update(fs.readFileSync(path)).digest('hex') : '';
    lines.push(JSON.stringify([path.slice(root.length), stats.mode.toString(8), stats.uid.toString(), stats.gid.toString(), stats.mtimeNs.toString(),
      stats.ino.toString(), stats.isDirectory() ? '' : stats.nlink.toString(), content, attributesOf(path, stats)]));
    if (!stats.isDirectory()) return;
    for (const name of fs.readdirSync(path).sort()) if (name !== '.aifirst') walk(`${path}/${name}`);
  };
  walk(root);
  return lines;
}

function attributesOf(path: string, stats: fs.BigIntStats): string {
  if (!stats.isFile() && !stats.isDirectory()) return '';
  const fd = fs.openSync(path, fs.constants.O_RDONLY);
  try {
    return extendedAttributes(fd).map(([name, value]) => `${name}=${value.toString('base64')}`).join();
  } finally { fs.closeSync(fd); }
}

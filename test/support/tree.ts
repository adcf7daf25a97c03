import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';

/**
 * What lies beneath a folder, the folder itself included, a line per entry: type and mode, owner, time of change in nanoseconds,
 * content or link target, and for files which names are one file. Left out: ctime, atime, sizes of folders, `.aifirst`.
 */
export function treeOf(root: string): Readonly<Record<string, string>> {
  const lines: Record<string, string> = {};
  const firstName = new Map<bigint, string>();
  const walk = (path: string, name: string): void => {
    const stats = lstatSync(path, { bigint: true });
    lines[name] = lineOf(path, stats, firstName.get(stats.ino));
    if (!firstName.has(stats.ino)) firstName.set(stats.ino, name);
    if (stats.isDirectory()) for (const child of readdirSync(path).sort()) if (child !== '.aifirst') walk(join(path, child), name === '.' ? child : `${name}/${child}`);
  };
  walk(root, '.');
  return lines;
}

function lineOf(path: string, stats: BigIntStats, sameAs: string | undefined): string {
  const kind = stats.isSymbolicLink() ? `link to ${readlinkSync(path)}` : stats.isFile() ? `file ${contentOf(path)} names ${stats.nlink}` : stats.isDirectory() ? 'folder' : 'other';
  return `${kind}, mode ${(stats.mode & 0o7777n).toString(8)}, owner ${stats.uid}:${stats.gid}, changed ${stats.mtimeNs}${stats.isFile() && sameAs !== undefined ? `, the same as ${sameAs}` : ''}`;
}

function contentOf(path: string): string {
  const bytes = readFileSync(path);
  return bytes.length <= 60 && /^[\x20-\x7e\n]*$/.test(bytes.toString('latin1')) ? JSON.stringify(bytes.toString('latin1')) : `sha256:${createHash('sha256').update(bytes).digest('hex')} (${bytes.length})`;
}

import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { extendedAttributes, type Name } from './system/libc';
import { Folder, Held, reopen } from './system/folder';
import { seeTree } from './tree';

/**
 * A file or folder as it was read: plain JSON, without content. Numbers that may pass 2^53 are texts; times are
 * nanoseconds since 1970. `digest` is `sha256:<hex>`: of a file's content, or of all that a folder holds (tree.ts).
 */
export type Seen = {
  readonly type: 'file' | 'directory';
  readonly dev: string; readonly ino: string;
  readonly mode: number; readonly uid: number; readonly gid: number;
  readonly nlink: number;
  /** 0 for folders: theirs differ by file system. */
  readonly size: number;
  readonly mtimeNs: string;
  /** Tells a change between reading and acting; every move of ours changes it, so it is never compared later. */
  readonly ctimeNs: string;
  readonly digest: string;
  /** Digest of names and values of extended attributes, access lists among them; empty when there are none. */
  readonly attributes: string;
  /** Folders: digest over inodes and times of change of all beneath; compared only between reading and acting. */
  readonly stamp: string;
};

/** Content up to this is read again right before and after an act; of more, inode, size and times have to tell. */
const REREAD_BYTES_MAX = 16 * 1024 * 1024;
/** Up to this a file is read at once; beyond in pieces through the thread pool, so that others get their turn. */
const READ_AT_ONCE_BYTES_MAX = 512 * 1024;
const PIECE_BYTES = 1024 * 1024;

export const sha256 = (content: string | Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
export const digestOf = (hash: Hash): string => `sha256:${hash.digest('hex')}`;
export const modeText = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');
export const typeMode = (stats: fs.BigIntStats): number => Number(stats.mode) & 0o7777;

/** Feeds a file to a hash, from its start to its end. */
export async function hashFile(fd: number, hash: Hash): Promise<void> {
  const { size } = fs.fstatSync(fd);
  if (size <= READ_AT_ONCE_BYTES_MAX) { hash.update(readRange(fd, 0, size)); return; }
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; ;) {
    const read = await new Promise<number>((resolve, reject) =>
      fs.read(fd, piece, 0, PIECE_BYTES, at, (error, count) => (error === null ? resolve(count) : reject(error))));
    if (read === 0) return;
    hash.update(piece.subarray(0, read));
    at += read;
  }
}

/** Up to `length` bytes from `offset` on. */
export function readRange(fd: number, offset: number, length: number): Buffer {
  const content = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const read = fs.readSync(fd, content, done, length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return content.subarray(0, done);
}

/**
 * Reads what is at a name; null when nothing is.
 * @throws CannotDo for links (`PATH_ESCAPES_ROOT`), what is neither file nor folder (`UNSUPPORTED_TYPE`), a file that does not hold still (`TARGET_CHANGED`)
 */
export async function see(folder: Folder, name: string): Promise<Seen | null> {
  const stats = folder.lstat(name);
  if (stats === null) return null;
  if (stats.isDirectory()) return seeFolder(folder, name);
  mustBeFile(stats);
  const held = new Held();
  try {
    return folder.asSeen(await seeOpenFile(openFile(held, folder, name)));
  } finally { held.close(); }
}

/** Opens the regular file at a name for reading, or as `flags` say; nothing else is ever opened. */
export function openFile(held: Held, folder: Folder, name: Name, flags = fs.constants.O_RDONLY): number {
  const entry = folder.openEntry(name);
  try {
    mustBeFile(fs.fstatSync(entry, { bigint: true }));
    return held.fd(reopen(entry, flags, folder.quiet));
  } finally { fs.closeSync(entry); }
}

export function mustBeFile(stats: fs.BigIntStats): void {
  if (stats.isSymbolicLink()) throw new CannotDo('PATH_ESCAPES_ROOT', 'a symbolic link is at that path; links are never followed');
  if (stats.isDirectory()) throw new CannotDo('IS_A_DIRECTORY', 'a folder is at that path');
  if (!stats.isFile()) throw new CannotDo('UNSUPPORTED_TYPE', 'what is at that path is neither a file nor a folder');
}

/** `keepHash` gets the hash of the content as it was read, to go on with. */
export async function seeOpenFile(fd: number, keepHash?: (hash: Hash) => void): Promise<Seen> {
  for (let attempt = 1; ; attempt++) {
    const stats = fs.fstatSync(fd, { bigint: true });
    const hash = createHash('sha256');
    await hashFile(fd, hash);
    const attributes = attributesDigest(fd);
    const now = fs.fstatSync(fd, { bigint: true });
    if (now.size === stats.size && now.mtimeNs === stats.mtimeNs && now.ctimeNs === stats.ctimeNs) {
      keepHash?.(hash.copy());
      return { ...basics(stats), type: 'file', size: Number(stats.size), digest: digestOf(hash), attributes, stamp: '' };
    }
    if (attempt === 3) throw new CannotDo('TARGET_CHANGED', 'the file is being written to by somebody else');
  }
}

async function seeFolder(parent: Folder, name: string): Promise<Seen> {
  const held = new Held();
  try {
    const folder = held.folder(parent.openFolder(name));
    if (folder === null) throw new CannotDo('TARGET_CHANGED', 'the folder went away while it was read');
    const stats = folder.stat();
    const { digest, stamp } = await seeTree(folder);
    return { ...basics(stats), type: 'directory', size: 0, digest, attributes: attributesDigest(folder.fd), stamp };
  } finally { held.close(); }
}

export const basics = (stats: fs.BigIntStats) => ({
  dev: String(stats.dev), ino: String(stats.ino), mode: typeMode(stats), uid: Number(stats.uid), gid: Number(stats.gid),
  nlink: stats.isDirectory() ? 0 : Number(stats.nlink), mtimeNs: String(stats.mtimeNs), ctimeNs: String(stats.ctimeNs),
});

export function attributesDigest(fd: number): string {
  const attributes = extendedAttributes(fd);
  return attributes.length === 0 ? '' : sha256(JSON.stringify(attributes.map(([name, value]) => [name, value.toString('base64')])));
}

export const isSameInode = (seen: { readonly dev: string; readonly ino: string }, stats: fs.BigIntStats | null): boolean =>
  stats !== null && String(stats.ino) === seen.ino && String(stats.dev) === seen.dev;

/** What tells `found` from `expected`, in words, or null. */
export function difference(expected: Seen, found: Seen | null): string | null {
  if (found === null) return 'it is gone';
  if (found.type !== expected.type) return `it is now a ${found.type === 'file' ? 'file' : 'folder'}`;
  if (found.ino !== expected.ino || found.dev !== expected.dev) return 'another one is in its place';
  if (found.digest !== expected.digest || found.size !== expected.size) return 'its content is another';
  if (found.mode !== expected.mode) return 'its mode is another';
  if (found.uid !== expected.uid || found.gid !== expected.gid) return 'its owner is another';
  if (found.attributes !== expected.attributes) return 'its extended attributes are others';
  if (found.mtimeNs !== expected.mtimeNs) return 'its time of change is another';
  return null;
}

/**
 * The same for a file that is about to be taken back, inode and time of change left out: whoever puts back what we had
 * written, so that undo can go on, can't bring those back, and nothing of somebody else's is lost with them.
 */
export function foreignChange(expected: Seen, found: Seen | null): string | null {
  if (found === null || found.type !== 'file' || expected.type !== 'file') return difference(expected, found);
  const { dev, ino, mtimeNs } = found;
  return difference({ ...expected, dev, ino, mtimeNs }, found);
}

/** How a person is told what was found or expected. */
export const inWords = (seen: Seen | null): string =>
  seen === null ? 'nothing'
    : `${seen.type === 'file' ? `a file of ${seen.size} bytes, ${seen.digest}` : `a folder, ${seen.digest}`}, mode ${modeText(seen.mode)}, changed ${timeText(seen.mtimeNs)}`;

/** ISO 8601, UTC, with nanoseconds. */
export function timeText(ns: string | bigint): string {
  const value = BigInt(ns);
  const seconds = value >= 0n ? value / 1_000_000_000n : -((-value + 999_999_999n) / 1_000_000_000n);
  const rest = value - seconds * 1_000_000_000n;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5)}.${String(rest).padStart(9, '0')}Z`;
}

/** Whether what is at the name is still as it was read, times of change included: asked right before an act. */
export async function isUntouched(folder: Folder, name: string, seen: Seen): Promise<boolean> {
  const sameStats = () => {
    const now = folder.lstat(name);
    return isSameInode(seen, now) && String(now!.ctimeNs) === seen.ctimeNs && sameBasics(seen, now!);
  };
  return sameStats() && await sameInside(folder, name, seen) && sameStats();
}

/** The same right after our act moved it, which changed its own time of change. */
export async function isStill(folder: Folder, name: string, seen: Seen): Promise<boolean> {
  const now = folder.lstat(name);
  return isSameInode(seen, now) && sameBasics(seen, now!) && sameInside(folder, name, seen);
}
const sameBasics = (seen: Seen, now: fs.BigIntStats): boolean =>
  String(now.mtimeNs) === seen.mtimeNs && typeMode(now) === seen.mode && (seen.type === 'directory' || Number(now.size) === seen.size);

async function sameInside(folder: Folder, name: string, seen: Seen): Promise<boolean> {
  const held = new Held();
  try {
    if (seen.type === 'directory') {
      const inner = held.folder(folder.openFolder(name));
      return inner !== null && (await seeTree(inner, false)).stamp === seen.stamp;
    }
    if (seen.size > REREAD_BYTES_MAX) return true;
    const hash = createHash('sha256');
    await hashFile(openFile(held, folder, name), hash);
    return digestOf(hash) === seen.digest;
  } finally { held.close(); }
}

import * as fs from 'node:fs';
import { CannotDo, type StepCall } from '@aifirst/execution';
import type { Json } from '@aifirst/kernel';
import { isReserved, pathParts } from '../path';
import { folderAt } from '../root';
import { modeText, mustBeFile, openFile, readRange, sha256, timeText } from '../seen';
import type { Folder, Held } from '../system/folder';

/** A step's output travels and is sealed as one message: what is larger is not for this verb. */
export const READ_BYTES_MAX = 1024 * 1024;
export const LIST_ENTRIES_MAX = 10_000;
const LIST_DEPTH_MAX = 200;

/** What fs.read and fs.list answer. */
export async function readStep(held: Held, root: Folder, { capability, input }: Pick<StepCall, 'capability' | 'input'>): Promise<Json> {
  const { path } = input;
  if (capability === 'fs.read') return readFile(held, root, pathParts(path));
  return listFolder(held, root, path === undefined || path === '' ? [] : pathParts(path), input['recursive'] === true);
}

/** `content` is text when the bytes are valid UTF-8, else base64; `encoding` says which. */
export function readFile(held: Held, root: Folder, parts: readonly string[]): Json {
  const folder = folderAt(held, root, parts.slice(0, -1));
  const name = parts.at(-1)!;
  const there = folder.lstat(name);
  if (there === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  mustBeFile(there);
  const fd = openFile(held, folder, name);
  for (let attempt = 1; ; attempt++) {
    const stats = fs.fstatSync(fd, { bigint: true });
    if (stats.size > READ_BYTES_MAX) throw new CannotDo('TOO_LARGE', `the file has ${stats.size} bytes, more than the ${READ_BYTES_MAX} that can be read at once`);
    const bytes = readRange(fd, 0, Number(stats.size));
    const after = fs.fstatSync(fd, { bigint: true });
    if (after.size !== stats.size || after.mtimeNs !== stats.mtimeNs) {
      if (attempt < 3) continue;
      throw new CannotDo('TARGET_CHANGED', 'the file is being written to by somebody else');
    }
    return { ...contentAndEncoding(bytes), size: bytes.length, mode: modeText(Number(stats.mode)), mtime: timeText(stats.mtimeNs), digest: sha256(bytes) };
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
function contentAndEncoding(bytes: Buffer): { readonly content: string; readonly encoding: 'utf8' | 'base64' } {
  try {
    return { content: strict.decode(bytes), encoding: 'utf8' };
  } catch {
    return { content: bytes.toString('base64'), encoding: 'base64' };
  }
}

interface Entry { readonly path: string; readonly type: 'file' | 'directory' | 'symlink' | 'other'; readonly size: number; readonly mode: string }

/**
 * Paths are relative to the root, sorted by code unit; folders have size 0. A name that is no UTF-8 is shown with
 * replacement characters: it is there, but can't be named. Links are shown and not followed; other mounts are not entered.
 */
export async function listFolder(held: Held, root: Folder, parts: readonly string[], recursive: boolean): Promise<Json> {
  const entries: Entry[] = [];
  const walk = async (folder: Folder, path: string, depth: number): Promise<void> => {
    for (const name of folder.names()) {
      if (isReserved(name.toString('latin1'))) continue;
      const stats = folder.lstat(name);
      if (stats === null) continue;
      if (entries.length === LIST_ENTRIES_MAX) throw new CannotDo('TOO_LARGE', `the folder holds more than the ${LIST_ENTRIES_MAX} entries that can be listed at once`);
      const inner = path === '' ? name.toString('utf8') : `${path}/${name.toString('utf8')}`;
      entries.push({ path: inner, type: typeOf(stats), size: stats.isDirectory() ? 0 : Number(stats.size), mode: modeText(Number(stats.mode)) });
      if (entries.length % 512 === 0) await new Promise(setImmediate);
      if (recursive && stats.isDirectory() && depth < LIST_DEPTH_MAX) await within(folder, name, child => walk(child, inner, depth + 1));
    }
  };
  await walk(folderAt(held, root, parts), parts.join('/'), 1);
  return { entries: entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)).map(entry => ({ ...entry })) };
}

async function within(folder: Folder, name: Buffer, act: (child: Folder) => Promise<void>): Promise<void> {
  let child: Folder | null;
  try {
    child = folder.openFolder(name);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Why: swapped for something else, mounted over, or not ours to enter: shown, but not entered.
    if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'EXDEV' || code === 'EACCES') return;
    throw error;
  }
  if (child === null) return;
  try { await act(child); } finally { fs.closeSync(child.fd); }
}

const typeOf = (stats: fs.BigIntStats): Entry['type'] =>
  stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'other';

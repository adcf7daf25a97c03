import type * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { isReplacing } from '../input';
import { folderAt } from '../root';
import { attributesDigest, basics, isUntouched, see, sha256, type Seen } from '../seen';
import { seeFolderItself, targetChanged, type Looking, type Session } from '../session';
import { survey, type Bounds, type Counts, type Met } from '../survey';
import { Held, type Folder } from '../system/folder';
import { seeTree } from '../tree';
import { copyFile, copyFolder } from './copy-tree';
import type { PlaceBefore } from './place';
import { mustBeWritable, placeOf, staged, targetOf, type ToReplace } from './stage';

export const COPY_ENTRIES_MAX = 10_000;
export const COPY_BYTES_MAX = 1024 * 1024 * 1024;

export interface ToCopy extends ToReplace {
  readonly folder: Folder; readonly name: string;
  readonly stats: fs.BigIntStats;
}

/**
 * Stages a copy of a file or folder, with the folders missing on its way around it; from there on it is placed like any
 * other (place.ts). What a copy keeps is said in copy-tree.ts. Inside a folder links are copied as links.
 */
export async function prepareCopy(session: Session, from: readonly string[], to: readonly string[], input: JsonObject): Promise<PlaceBefore> {
  const toCopy = await lookToCopy(session, from, to, input);
  const { folder, name, stats, place, target } = toCopy;
  const signal = session.patience.signal;
  await surveySource(toCopy, signal);
  const seen = await seeSource(folder, name, stats);
  const before = await staged(session, to.join('/'), place, target, item => item.digest, (staging, at) =>
    seen.type === 'file' ? copyFile(folder, name, staging, at, place.folder) : copyFolder(folder, name, staging, at, place.folder, boundsWith(signal)));
  if ((seen.type === 'file' && before.staged.digest !== seen.digest) || !(await isUntouched(folder, name, seen))) throw targetChanged('what is copied was changed by somebody else meanwhile');
  const { dev, ino } = seeFolderItself(folder);
  return { ...before, source: { path: from.join('/'), folder: { dev, ino }, seen } };
}

export async function lookToCopy(looking: Looking, from: readonly string[], to: readonly string[], input: JsonObject): Promise<ToCopy> {
  const path = from.join('/');
  if (`${to.join('/')}/`.startsWith(`${path}/`)) throw new CannotDo('INVALID_PATH', '`to` is the path itself or lies beneath it');
  if (`${path}/`.startsWith(`${to.join('/')}/`)) throw new CannotDo('INVALID_PATH', 'the path lies beneath `to`');
  const folder = folderAt(looking.held, looking.root, from.slice(0, -1));
  const name = from.at(-1)!;
  const stats = folder.lstat(name);
  if (stats === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  if (stats.isSymbolicLink()) throw new CannotDo('PATH_ESCAPES_ROOT', 'a symbolic link is at that path; links are never followed');
  if (stats.isDirectory() && input['recursive'] !== true) throw new CannotDo('IS_A_DIRECTORY', 'a folder is at that path: `recursive` copies it with all that is in it');
  const place = placeOf(looking, to);
  const there = targetOf(place);
  if (there === null) return { folder, name, stats, place, target: null };
  if (!isReplacing(input, 'fail')) throw new CannotDo('EXISTS', 'there is something at `to` already');
  return { folder, name, stats, place, target: await seeTarget(looking, place.folder, place.chain[0], there, stats) };
}

/** As with a move: a file replaces a file, a folder an empty folder. */
async function seeTarget({ held }: Looking, folder: Folder, name: string, there: fs.BigIntStats, source: fs.BigIntStats): Promise<Seen> {
  if (there.isSymbolicLink()) throw new CannotDo('PATH_ESCAPES_ROOT', 'a symbolic link is at `to`; links are never followed');
  if (there.isDirectory() && held.folder(folder.openFolder(name))?.isEmpty() === false) throw new CannotDo('NOT_EMPTY', 'a folder that is not empty is at `to`');
  if (there.isDirectory() !== source.isDirectory()) throw new CannotDo(there.isDirectory() ? 'IS_A_DIRECTORY' : 'NOT_A_DIRECTORY', 'a file can\'t replace a folder, nor a folder a file');
  if (there.ino === source.ino && there.dev === source.dev) throw new CannotDo('HARD_LINKED', 'both paths are names of one and the same file');
  if (there.isFile()) mustBeWritable(folder, name);
  const target = await see(folder, name);
  if (target === null) throw targetChanged('what is at `to` went away while it was read');
  return target;
}

const boundsWith = (signal: AbortSignal | undefined): Bounds =>
  ({ entriesMax: COPY_ENTRIES_MAX, bytesMax: COPY_BYTES_MAX, ...(signal === undefined ? {} : { signal }) });

/** @throws CannotDo `TOO_LARGE`, `UNSUPPORTED_TYPE` for what is neither file, folder nor link */
export function surveySource({ folder, name }: Pick<ToCopy, 'folder' | 'name'>, signal: AbortSignal | undefined, meet: (met: Met) => void = () => undefined): Promise<Counts> {
  return survey(folder, name, boundsWith(signal), met => {
    const { stats } = met;
    if (!stats.isFile() && !stats.isDirectory() && !stats.isSymbolicLink()) throw new CannotDo('UNSUPPORTED_TYPE', 'it is, or holds, something that is neither a file, a folder nor a link');
    meet(met);
  });
}

/** A folder is known by inodes and times of change of all in it: its content is read once, to be copied. */
async function seeSource(parent: Folder, name: string, stats: fs.BigIntStats): Promise<Seen> {
  if (!stats.isDirectory()) {
    const seen = await see(parent, name);
    if (seen === null) throw targetChanged('what is copied went away');
    return seen;
  }
  const held = new Held();
  try {
    const folder = held.folder(parent.openFolder(name));
    if (folder === null) throw targetChanged('what is copied went away');
    const own = folder.stat();
    const { stamp } = await seeTree(folder, false);
    return { ...basics(own), type: 'directory', size: 0, digest: sha256(stamp), attributes: attributesDigest(folder.fd), stamp };
  } finally { held.close(); }
}

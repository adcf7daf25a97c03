import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { isReplacing } from '../input';
import { descend } from '../root';
import { modeText, mustBeFile, openFile, see, sha256, type Seen } from '../seen';
import { prepare, seeFolderItself, type Looking, type Session } from '../session';
import { checkAccess, errnoOf, extendedAttributes, setExtendedAttribute } from '../system/libc';
import { Held, sync, type Folder } from '../system/folder';
import { STAGED, type PlaceBefore } from './place';

/** What a target's path leads to: the deepest folder there is, and the names from there on. */
export interface Place { readonly folder: Folder; readonly chain: readonly [string, ...string[]] }

export function placeOf({ held, root }: Looking, parts: readonly string[]): Place {
  const { folder, found } = descend(held, root, parts.slice(0, -1));
  return { folder, chain: parts.slice(found) as [string, ...string[]] };
}

/** What is at the end of the path, without reading it; null for nothing. */
export const targetOf = ({ folder, chain }: Place): fs.BigIntStats | null => (chain.length === 1 ? folder.lstat(chain[0]) : null);

/**
 * Stages a file, with all folders missing on its way around it. A new file gets `mode`, else what the process's umask
 * leaves of 0666; one that replaces another keeps its owner, group, mode (unless `mode` is given), access list and user
 * attributes, or is refused where this process can't keep them.
 */
export async function stageFile(session: Session, path: string, { place, target }: ToReplace, content: Buffer, mode: number | null): Promise<PlaceBefore> {
  return staged(session, path, place, target, () => sha256(content), async (folder, name) => {
    const fd = fs.openSync(folder.at(name), fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o666);
    try {
      for (let at = 0; at < content.length;) at += fs.writeSync(fd, content, at);
      if (target === null) inherit(fd, place.folder, 0);
      else keep(fd, target, place);
      if (mode !== null) fs.fchmodSync(fd, mode);
      await sync(fd);
    } finally { fs.closeSync(fd); }
  });
}

export function stageFolder(session: Session, path: string, place: Place, mode: number | null): Promise<PlaceBefore> {
  return staged(session, path, place, null, item => folderDigest(item.mode), async (folder, name) => {
    makeFolder(folder, name, place.folder);
    if (mode !== null) fs.chmodSync(folder.at(name), mode);
  });
}
/** What mkdir answers with: a folder just made is empty, its type and mode are all there is to it. */
export const folderDigest = (mode: number): string => sha256(`directory ${modeText(mode)}`);

/** A place, and what is there to be replaced. */
export interface ToReplace { readonly place: Place; readonly target: Seen | null }

export async function lookToWrite(looking: Looking, parts: readonly string[], input: JsonObject): Promise<ToReplace> {
  const place = placeOf(looking, parts);
  if (targetOf(place) !== null && !isReplacing(input, 'replace')) throw new CannotDo('EXISTS', 'there is something at that path already');
  return { place, target: await replaced(place) };
}

export async function replaced(place: Place): Promise<Seen | null> {
  const stats = targetOf(place);
  if (stats === null) return null;
  mustBeFile(stats);
  mustBeWritable(place.folder, place.chain[0]);
  return see(place.folder, place.chain[0]);
}

/** Why: a rename needs no right to the file itself, but who may not write to it may not replace it either. */
export function mustBeWritable(folder: Folder, name: string): void {
  const held = new Held();
  try {
    checkAccess(held.fd(folder.openEntry(name)), fs.constants.W_OK);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') throw new CannotDo('PERMISSION_DENIED', 'this process may not write to that file');
    throw error;
  } finally { held.close(); }
}

/** Makes the step's folder and in it, within the folders missing on the way, what `make` makes. */
export async function staged(session: Session, path: string, place: Place, target: Seen | null, digestOf: (item: Seen) => string, make: (folder: Folder, name: string) => Promise<void>): Promise<PlaceBefore> {
  const folderSeen = seeFolderItself(place.folder);
  const { step, seen: aside } = await prepare(session);
  const stagedFolders: { dev: string; ino: string; birthNs: string }[] = [];
  let folder: Folder = step.folder;
  let name = STAGED;
  for (const next of place.chain.slice(1)) {
    makeFolder(folder, name, place.folder);
    folder = session.held.folder(folder.openFolder(name))!;
    const { dev, ino, birthtimeNs } = folder.stat();
    stagedFolders.push({ dev: String(dev), ino: String(ino), birthNs: String(birthtimeNs) });
    name = next;
  }
  await make(folder, name);
  session.boundary('prepare.staged');
  const item = (await see(folder, name))!;
  return { kind: 'place', root: session.rootSeen, aside, path, folder: folderSeen, chain: place.chain, target, staged: item, stagedFolders, digest: digestOf(item), nothing: false };
}

function makeFolder(folder: Folder, name: string, parent: Folder): void {
  folder.makeFolder(name, 0o777);
  const made = new Held();
  try { inherit(made.folder(folder.openFolder(name))!.fd, parent, SET_GROUP); } finally { made.close(); }
}

export const SET_GROUP = 0o2000;
/** What is made in a folder that hands its group on gets that group, folders the bit as well; staging elsewhere must not lose that. */
export function inherit(fd: number, parent: Folder, alsoMode: number): void {
  const { mode, gid } = parent.stat();
  if ((Number(mode) & SET_GROUP) === 0) return;
  const own = Number(fs.fstatSync(fd).mode) & 0o7777;
  fs.fchownSync(fd, -1, Number(gid));
  if (alsoMode !== 0) fs.fchmodSync(fd, own | alsoMode);
}

function keep(fd: number, target: Seen, place: Place): void {
  const { uid, gid } = fs.fstatSync(fd);
  if (uid !== target.uid || gid !== target.gid) {
    try {
      fs.fchownSync(fd, target.uid, target.gid);
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error;
      throw new CannotDo('PERMISSION_DENIED', 'the file belongs to another user or group, which this process could not keep');
    }
  }
  fs.fchmodSync(fd, target.mode & 0o777);
  if (target.attributes === '') return;
  const held = new Held();
  try {
    for (const [name, value] of extendedAttributes(openFile(held, place.folder, place.chain[0]))) {
      if (name === 'system.posix_acl_access' || name.startsWith('user.')) setExtendedAttribute(fd, name, value);
    }
  } finally { held.close(); }
}

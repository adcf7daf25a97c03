import * as fs from 'node:fs';
import { CannotDo, type ActResult, type ProbeResult, type UndoResult } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { discard, type StepFolder } from '../aside';
import { fourDigitsOf } from '../input';
import { folderAt, folderAtIfAny } from '../root';
import { attributesDigest, basics, difference, foreignChange, inWords, isSameInode, isUntouched, modeText, mustBeFile, openFile, see, sha256, typeMode, type Seen } from '../seen';
import { AS_BEFORE, barred, beginStep, blocked, blockedBy, findStep, prepare, targetChanged, undone, type Act, type ActImage, type Backward, type Looking, type Session, type Verb } from '../session';
import { errnoOf } from '../system/libc';
import { Held, reopen, sync, type Folder } from '../system/folder';
import { folderDigest } from './stage';

/**
 * Changes the mode of a file or folder by one system call on the very inode that was looked at. It has happened if and only
 * if the step has begun and the mode is the wanted one. What is in a folder doesn't matter and is not read.
 */
export type ModeBefore = ActImage & {
  readonly kind: 'mode';
  readonly target: Seen;
  /** Content (of a file) and attributes could be read: a mode may forbid that. */
  readonly wasRead: boolean;
  readonly mode: number;
  /** It has that mode already. */
  readonly nothing: boolean;
};
export type ModeAfter = { readonly entry: Seen };

const SPECIAL = 0o7000, SET_GROUP = 0o2000;
const splitPath = (path: string): [readonly string[], string] => { const names = path.split('/'); return [names.slice(0, -1), names.at(-1)!]; };
type Looked = { readonly seen: Seen; readonly wasRead: boolean };

export async function prepareMode(session: Session, parts: readonly string[], input: JsonObject): Promise<ModeBefore> {
  const { seen: target, wasRead, mode } = await lookToChangeMode(session, parts, input);
  const image = { kind: 'mode', root: session.rootSeen, path: parts.join('/'), target, wasRead, mode } as const;
  if (target.mode === mode) return { ...image, aside: { name: '', ino: '' }, nothing: true };
  const { step, seen: aside } = await prepare(session);
  await step.folder.sync();
  await session.aside!.prepared.sync();
  return { ...image, aside, nothing: false };
}

/** @throws CannotDo `HARD_LINKED`: the mode would change under further names too, perhaps outside the root */
export async function lookToChangeMode({ held, root }: Looking, parts: readonly string[], input: JsonObject): Promise<Looked & { readonly mode: number }> {
  const mode = fourDigitsOf(input);
  const looked = await look(folderAt(held, root, parts.slice(0, -1)), parts.at(-1)!);
  if (looked === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  const { seen } = looked;
  if (seen.nlink > 1) throw new CannotDo('HARD_LINKED', 'the file has further names, under which its mode would change as well');
  if ((mode & SPECIAL & ~seen.mode) !== 0) throw new CannotDo('INVALID_INPUT', '`mode` sets a set-user, set-group or sticky bit: one that is there may stay, none may be added');
  const user = process.geteuid!();
  if (user !== 0 && user !== seen.uid) throw new CannotDo('PERMISSION_DENIED', 'only its owner may change the mode');
  // Why: outside that group the kernel drops the bit silently, so undo could not set it again.
  if (user !== 0 && (seen.mode & SET_GROUP) !== 0 && process.getegid!() !== seen.gid && !process.getgroups!().includes(seen.gid)) {
    throw new CannotDo('PERMISSION_DENIED', 'its set-group bit is of a group this process is not in and could not be put back');
  }
  return { ...looked, mode };
}

/** Like `see`, but a folder without what is in it, and a file also where its content may not be read: then digests are empty. */
async function look(folder: Folder, name: string): Promise<Looked | null> {
  const held = new Held();
  try {
    const stats = folder.lstat(name);
    if (stats === null) return null;
    if (!stats.isDirectory()) mustBeFile(stats);
    try {
      if (!stats.isDirectory()) { const seen = await see(folder, name); return seen === null ? null : { seen, wasRead: true }; }
      const inner = held.folder(folder.openFolder(name));
      return inner === null ? null : { seen: folderSeen(inner.stat(), attributesDigest(inner.fd)), wasRead: true };
    } catch (error) {
      if (errnoOf(error) !== 'EACCES') throw error;
      const now = fs.fstatSync(held.fd(folder.openEntry(name)), { bigint: true });
      if (now.isDirectory()) return { seen: folderSeen(now, ''), wasRead: false };
      mustBeFile(now);
      return { seen: { ...basics(now), type: 'file', size: Number(now.size), digest: '', attributes: '', stamp: '' }, wasRead: false };
    }
  } finally { held.close(); }
}
const folderSeen = (stats: fs.BigIntStats, attributes: string): Seen => ({ ...basics(stats), type: 'directory', size: 0, digest: '', attributes, stamp: '' });

async function execute(session: Session, before: ModeBefore, act: Act): Promise<ActResult> {
  if (before.nothing) {
    const [names, last] = splitPath(before.path);
    if (!hasMode(folderAt(session.held, session.root, names), last, before.target, before.mode)) throw targetChanged(CHANGED);
    return report(session, before);
  }
  const { resumed } = await beginStep(session, before);
  // Why: after a power failure only this tells that a mode like the wanted one is ours.
  await session.aside!.steps.sync();
  const [folders, name] = splitPath(before.path);
  const folder = folderAt(session.held, session.root, folders);
  if (resumed && hasMode(folder, name, before.target, before.mode)) return report(session, before);
  session.boundary('begun');
  const entry = session.held.fd(folder.openEntry(name));
  session.boundary('mode.before');
  const { type, digest } = before.target;
  if (type === 'file' && digest !== '' && !(await isUntouched(folder, name, before.target))) throw targetChanged(CHANGED);
  // Why in the same turn as the act: the kernel knows no way to change a mode only if it is still the one that was seen.
  if (!isAsSeen(entry, before.target)) throw targetChanged(CHANGED);
  act.begun = true;
  try {
    setMode(entry, before.mode);
  } catch (error) {
    act.begun = false;
    throw error;
  }
  session.boundary('mode.after');
  const isElsewhere = !isSameInode(before.target, folder.lstat(name));
  if (isElsewhere || modeNow(entry) !== before.mode) {
    if (modeNow(entry) === before.mode || !isElsewhere) setMode(entry, before.target.mode);
    act.begun = false;
    throw isElsewhere ? targetChanged(CHANGED) : new CannotDo('PERMISSION_DENIED', 'the file system does not take that mode');
  }
  await keepOnDisk(folder, entry);
  return report(session, before);
}

const CHANGED = 'it was changed by somebody else meanwhile';
const modeNow = (entry: number): number => typeMode(fs.fstatSync(entry, { bigint: true }));
/** By the descriptor: whatever is at the name by now, nothing else is ever touched. */
const setMode = (entry: number, mode: number): void => fs.chmodSync(`/proc/self/fd/${entry}`, mode);

const hasMode = (folder: Folder | null, name: string, target: Seen, mode: number): boolean => {
  const stats = folder?.lstat(name) ?? null;
  return isSameInode(target, stats) && typeMode(stats!) === mode;
};

/** By what costs no reading. Of a folder's times none counts: they tell what others do in it. */
function isAsSeen(entry: number, seen: Seen): boolean {
  const stats = fs.fstatSync(entry, { bigint: true });
  const { mode, uid, gid, ctimeNs, mtimeNs, nlink } = basics(stats);
  return isSameInode(seen, stats) && mode === seen.mode && uid === seen.uid && gid === seen.gid && nlink === seen.nlink
    && (seen.type === 'directory' || (ctimeNs === seen.ctimeNs && mtimeNs === seen.mtimeNs && Number(stats.size) === seen.size));
}

/** What its mode keeps us from opening is written with its folder: the journals of common file systems know no other order. */
async function keepOnDisk(folder: Folder, entry: number): Promise<void> {
  const held = new Held();
  try {
    await sync(held.fd(reopen(entry, fs.constants.O_RDONLY)));
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    await folder.sync();
  } finally { held.close(); }
}

function report(session: Session, before: ModeBefore): ActResult & { outcome: 'succeeded' } {
  const { target, mode, path } = before;
  const [folders, name] = splitPath(path);
  const folder = folderAtIfAny(session.held, session.root, folders);
  const entry: Seen = { ...target, mode, attributes: before.wasRead ? attributesNow(folder, name, target) : '' };
  // Why not the content where it could not be read: what can't be known is not guessed.
  const digest = target.type === 'directory' ? folderDigest(mode) : target.digest || sha256(`file ${modeText(mode)}`);
  return { outcome: 'succeeded', output: { path, digest, created: false, mode: modeText(mode), previousMode: modeText(target.mode) }, after: { entry } satisfies ModeAfter };
}

/** With an access list the mode is a part of it. */
function attributesNow(folder: Folder | null, name: string, target: Seen): string {
  if (target.attributes === '' || folder === null || !isSameInode(target, folder.lstat(name))) return target.attributes;
  const held = new Held();
  try {
    return attributesDigest(target.type === 'file' ? openFile(held, folder, name) : held.folder(folder.openFolder(name))!.fd);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    return '';
  } finally { held.close(); }
}

async function probe(session: Session, before: ModeBefore): Promise<ProbeResult> {
  if (before.nothing) return { outcome: 'didNotHappen' };
  const step = await findStep(session, before);
  if (step === null) return { outcome: 'didNotHappen' };
  const [folders, name] = splitPath(before.path);
  const folder = folderAtIfAny(session.held, session.root, folders);
  if (step.begun && hasMode(folder, name, before.target, before.mode)) {
    await keepOnDisk(folder!, session.held.fd(folder!.openEntry(name)));
    return report(session, before);
  }
  if (step.begun && !hasMode(folder, name, before.target, before.target.mode)) {
    return { outcome: 'cannotTell', detail: 'another, or with another mode than before and after, is at that path' };
  }
  await discard(session.aside!, step, session.boundary);
  return { outcome: 'didNotHappen' };
}

async function lookBackIn(folder: Folder | null, name: string, step: StepFolder | null, before: ModeBefore, after: ModeAfter): Promise<Backward> {
  const { target } = before;
  const inTheWay = (what: string, found: Seen | null): Backward => barred({ path: before.path, what, expected: after.entry, found, ...sides(before, after) });
  const looked = folder === null ? null : await look(folder, name);
  if (looked === null) return inTheWay('it is gone', null);
  const found = looked.seen;
  if (hasMode(folder, name, target, target.mode) || (target.type === 'file' && before.wasRead && foreignChange(target, found) === null)) return AS_BEFORE;
  const changed = differs(before, after, looked);
  if (changed !== null) return inTheWay(changed, found);
  return step === null ? inTheWay('what undo needs has been forgotten', found) : { finds: 'after', found };
}
const sides = ({ target }: ModeBefore, { entry }: ModeAfter) => ({ before: target, after: entry });

async function lookBack({ held, root }: Looking, step: StepFolder | null, before: ModeBefore, after: ModeAfter): Promise<Backward> {
  if (before.nothing) return AS_BEFORE;
  const [folders, name] = splitPath(before.path);
  return lookBackIn(folderAtIfAny(held, root, folders), name, step, before, after);
}

async function undo(session: Session, before: ModeBefore, after: ModeAfter): Promise<UndoResult> {
  if (before.nothing) return undone(true, null);
  const [folders, name] = splitPath(before.path);
  const { target } = before;
  const conflict = (what: string, found: Seen | null) => blocked(session, before.path, what, inWords(after.entry), inWords(found));
  const step: StepFolder | null = await findStep(session, before);
  const folder = folderAtIfAny(session.held, session.root, folders);
  const back = await lookBackIn(folder, name, step, before, after);
  if (back.finds === 'blocked') return blockedBy(session, back);
  if (back.finds === 'before' || folder === null) return undone(true, null);
  const { found } = back;
  const entry = session.held.fd(folder.openEntry(name));
  session.boundary('undo.before');
  if (!isAsSeen(entry, found) || !isSameInode(found, folder.lstat(name))) return conflict('it is being changed by somebody else', (await look(folder, name))?.seen ?? null);
  setMode(entry, target.mode);
  session.boundary('undo.changed');
  if (!isSameInode(found, folder.lstat(name))) {
    setMode(entry, found.mode);
    return conflict('it is being changed by somebody else', (await look(folder, name))?.seen ?? null);
  }
  await keepOnDisk(folder, entry);
  const now = await look(folder, name);
  const wrong = now?.seen.mode !== target.mode ? 'the file system did not take the mode it had' : before.wasRead && now.wasRead && now.seen.attributes !== target.attributes ? 'its access list is another' : null;
  return undone(wrong === null, wrong);
}

/** The mode may let in whoever it kept out: what others put there meanwhile is not opened to anybody by undoing. */
function differs(before: ModeBefore, { entry }: ModeAfter, { seen, wasRead }: Looked): string | null {
  if (entry.type === 'directory') return difference({ ...entry, mtimeNs: '', attributes: '' }, { ...seen, mtimeNs: '', attributes: '' }) ?? (both(entry, seen) ? 'its access list is another' : null);
  if (!before.wasRead || !wasRead) return difference({ ...entry, digest: '', attributes: '' }, { ...seen, digest: '', attributes: '' });
  // Why: such a bit lets a program act for somebody else, so it goes back to the very file that had it, or not at all.
  return (before.target.mode & SPECIAL) === 0 ? foreignChange(entry, seen) : difference(entry, seen);
}
const both = (entry: Seen, seen: Seen): boolean => entry.attributes !== '' && seen.attributes !== '' && entry.attributes !== seen.attributes;

export const changingMode: Verb<ModeBefore, ModeAfter> = { execute, probe, undo, lookBack, sides };

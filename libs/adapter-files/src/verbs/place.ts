import { setTimeout as sleep } from 'node:timers/promises';
import { CannotDo, type ActResult, type ProbeResult, type UndoResult } from '@aifirst/execution';
import { begin, discard, readNote, writeNote, type StepFolder } from '../aside';
import { TIME_NOT_PUT_BACK, noteUnchanged, putTimeBack, setTime, timeOfMove, type FolderTime } from '../folder-times';
import { takeFoldersAway, takeKeptAway, type Made } from '../made-folders';
import { descend, folderAt, folderAtIfAny } from '../root';
import { difference, foreignChange, inWords, isSameInode, isStill, isUntouched, see, type Seen } from '../seen';
import { AS_BEFORE, barred, beginStep, blocked, blockedBy, findStep, lockFolder, seeFolderItself, targetChanged, undone, type Act, type ActImage, type Backward, type FolderSeen, type Looking, type Session, type Verb } from '../session';
import { errnoOf } from '../system/libc';
import type { Folder } from '../system/folder';

/**
 * Puts something staged in its place by one rename: a new file or folder (fs.write, fs.append, fs.mkdir, fs.copy), along with
 * the folders missing on the way, which are staged around it; or a new one in exchange for the one that is there (fs.patch too).
 * It has happened if and only if what was staged is no longer where it was staged.
 */
export type PlaceBefore = ActImage & {
  readonly kind: 'place';
  /** The deepest folder there was, and the names below it: folders that were missing, last the target's. */
  readonly folder: FolderSeen;
  readonly chain: readonly string[];
  /** What is replaced. */
  readonly target: Seen | null;
  readonly staged: Seen;
  readonly stagedFolders: readonly { readonly dev: string; readonly ino: string; readonly birthNs: string }[];
  readonly digest: string;
  /** mkdir of a folder that is there: there is nothing to do. */
  readonly nothing: boolean;
  /** What is placed is a copy of this, which must not have changed until it is placed. */
  readonly source?: { readonly path: string; readonly folder: Pick<FolderSeen, 'dev' | 'ino'>; readonly seen: Seen };
};
export type PlaceAfter = {
  readonly entry: Seen;
  /** The folder that holds the target, unless that is ours too. */
  readonly folder: FolderTime | null;
  readonly made: readonly Made[];
};

export const STAGED = 'item';
const OURS = 'ours';
/** Note of an undo: what it set aside was looked at, and was ours. */
const CHECKED = 'checked';
const BEING_CHANGED = 'it is being changed by somebody else';
const FOLDER_NOTE = 'folder';

async function execute(session: Session, before: PlaceBefore, act: Act): Promise<ActResult> {
  if (before.nothing) return succeeded(before, { entry: before.staged, folder: null, made: [] });
  const { step } = await beginStep(session, before);
  const done = placedFrom(session, step, before);
  if (done !== null) return report(session, step, before, done, null);
  session.boundary('begun');
  await mustBeUntouched(session, before);
  const { folder, from } = await whereToPlace(session, before);
  const name = before.chain[from]!;
  await lockFolder(session, folder);
  if (before.target !== null && !(await isUntouched(folder, name, before.target))) throw targetChanged('the file was changed by somebody else meanwhile');
  const beforeNs = String(folder.stat().mtimeNs);
  if (from > 0 || beforeNs !== before.folder.mtimeNs) await writeNote(step, FOLDER_NOTE, beforeNs);
  session.boundary('place.before');
  act.begun = true;
  const afterNs = before.target === null
    ? place(session, step, before, folder, from, act)
    : await exchange(session, step, before, folder, beforeNs, act);
  session.boundary('place.after');
  await folder.sync();
  await step.folder.sync();
  return report(session, step, before, from, afterNs);
}

async function mustBeUntouched(session: Session, { source }: PlaceBefore): Promise<void> {
  if (source === undefined) return;
  const names = source.path.split('/');
  const folder = folderAt(session.held, session.root, names.slice(0, -1));
  if (!isSameInode(source.folder, folder.stat()) || !(await isUntouched(folder, names.at(-1)!, source.seen))) throw targetChanged('what is copied was changed by somebody else meanwhile');
}

/** Folders that were missing may have been made by a neighbour meanwhile: then only what is missing still is placed. */
async function whereToPlace(session: Session, before: PlaceBefore): Promise<{ readonly folder: Folder; readonly from: number }> {
  const names = before.path.split('/');
  const top = folderAt(session.held, session.root, names.slice(0, names.length - before.chain.length));
  const { dev, ino } = seeFolderItself(top);
  if (dev !== before.folder.dev || ino !== before.folder.ino) throw targetChanged('another folder is in the place of the one that was there');
  const { folder, found } = descend(session.held, top, before.chain.slice(0, -1));
  return { folder, from: found };
}

function place(session: Session, step: StepFolder, before: PlaceBefore, folder: Folder, from: number, act: Act): string {
  const staged = stagedAt(session, step, before, from)!;
  try {
    staged.folder.renameTo(staged.name, folder, before.chain[from]!);
  } catch (error) {
    act.begun = false;
    if (errnoOf(error) === 'EEXIST') throw targetChanged('somebody else put something there meanwhile');
    throw error;
  }
  return String(folder.stat().mtimeNs);
}

async function exchange(session: Session, step: StepFolder, before: PlaceBefore, folder: Folder, beforeNs: string, act: Act): Promise<string> {
  const name = before.chain.at(-1)!;
  try {
    step.folder.exchange(STAGED, folder, name);
  } catch (error) {
    act.begun = false;
    if (errnoOf(error) === 'ENOENT') throw targetChanged('somebody else took the file away meanwhile');
    throw error;
  }
  // Why in the same turn: the sooner another one is put back, the less can have come in between.
  const isAnother = !isSameInode(before.target!, step.folder.lstat(STAGED));
  const afterNs = String(folder.stat().mtimeNs);
  if (!isAnother) session.boundary('exchange.after');
  if (!isAnother && await isStill(step.folder, STAGED, before.target!)) return afterNs;
  await takeExchangeBack(step, before, folder, beforeNs, afterNs);
  act.begun = false;
  throw targetChanged('the file was changed by somebody else meanwhile');
}

/** Another file than the one that was read came to be set aside: it goes back to where it was. */
async function takeExchangeBack(step: StepFolder, before: PlaceBefore, folder: Folder, beforeNs: string | null, afterNs: string | null): Promise<void> {
  const undisturbed = afterNs !== null && String(folder.stat().mtimeNs) === afterNs;
  if (!(await bringAside(step, folder, before.chain.at(-1)!, before.staged))) throw strayed(step);
  if (undisturbed && beforeNs !== null) setTime(folder, beforeNs);
}

const BRING_TRIES_MAX = 200;
/**
 * Exchanges what lies aside for `wanted` at the name. While others exchange things there too, whatever else comes is put
 * back at once and it is tried again. Where nothing is at the name any more, what lies aside goes there.
 * @returns false when `wanted` does not come to be at the name
 */
async function bringAside(step: StepFolder, folder: Folder, name: string, wanted: Seen): Promise<boolean> {
  for (let attempt = 0; attempt < BRING_TRIES_MAX; attempt++) {
    if (attempt > 0) await sleep(1);
    try {
      const there = folder.lstat(name);
      if (there === null) { step.folder.renameTo(STAGED, folder, name); return true; }
      if (!isSameInode(wanted, there)) continue;
      step.folder.exchange(STAGED, folder, name);
      if (isSameInode(wanted, step.folder.lstat(STAGED))) return true;
      step.folder.exchange(STAGED, folder, name);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EEXIST') throw error;
    }
  }
  return false;
}

/** Nothing is destroyed, but a person has to put it in its place. */
const strayed = (step: StepFolder): CannotDo =>
  new CannotDo('OUTCOME_UNKNOWN', `others kept exchanging the file while it was exchanged here: one of theirs lies in .aifirst/steps/${step.name}/${STAGED}`);

/** Where the part of what is staged lies that begins with the given name of the chain; null when it is gone. */
function stagedAt(session: Session, step: StepFolder, before: PlaceBefore, from: number): { readonly folder: Folder; readonly name: string } | null {
  let folder = step.folder;
  let name = STAGED;
  for (let index = 1; index <= from; index++) {
    const inner = session.held.folder(folder.openFolder(name));
    if (inner === null) return null;
    folder = inner;
    name = before.chain[index]!;
  }
  return { folder, name };
}

/** From which name of the chain on it was placed; null when all is staged still. */
function placedFrom(session: Session, step: StepFolder, before: PlaceBefore): number | null {
  for (let from = 0; from < before.chain.length; from++) {
    const staged = stagedAt(session, step, before, from)!;
    const expected = from === before.chain.length - 1 ? before.staged : before.stagedFolders[from]!;
    if (!isSameInode(expected, staged.folder.lstat(staged.name))) return from;
  }
  return null;
}

function report(session: Session, step: StepFolder, before: PlaceBefore, from: number, afterNs: string | null): ActResult & { outcome: 'succeeded' } {
  const names = before.path.split('/');
  const top = names.length - before.chain.length;
  const folderNames = names.slice(0, top + from);
  const folder = folderAtIfAny(session.held, session.root, folderNames);
  const beforeNs = readNote<string>(step.folder, FOLDER_NOTE) ?? before.folder.mtimeNs;
  const movedCtimeNs = before.target === null ? folder?.lstat(before.chain[from]!)?.ctimeNs : step.folder.lstat(STAGED)?.ctimeNs;
  const times = { beforeNs, afterNs: afterNs ?? (folder === null ? null : timeOfMove(folder, movedCtimeNs)) };
  const made = before.stagedFolders.slice(from).map((one, index) =>
    ({ ...one, path: names.slice(0, top + from + index + 1).join('/'), parent: index === 0 ? times : null }));
  return succeeded(before, { entry: before.staged, folder: made.length === 0 ? { path: folderNames.join('/'), ...times } : null, made });
}

const succeeded = (before: PlaceBefore, after: PlaceAfter): ActResult & { outcome: 'succeeded' } =>
  ({
    outcome: 'succeeded', after,
    output: { path: before.path, ...(before.source === undefined ? {} : { from: before.source.path }), digest: before.digest, created: before.target === null && !before.nothing },
  });

async function probe(session: Session, before: PlaceBefore): Promise<ProbeResult> {
  if (before.nothing) return { outcome: 'didNotHappen' };
  const step = await findStep(session, before);
  if (step === null) return { outcome: 'didNotHappen' };
  const from = placedFrom(session, step, before);
  const folder = folderAtIfAny(session.held, session.root, before.path.split('/').slice(0, -1));
  if (from !== null && before.target !== null && folder !== null && !(await isStill(step.folder, STAGED, before.target))) {
    // Why: the crash came between the exchange and taking it back, for what was exchanged was not what had been read.
    await lockFolder(session, folder);
    if (isSameInode(before.staged, folder.lstat(before.chain.at(-1)!))) {
      const afterNs = timeOfMove(folder, folder.lstat(before.chain.at(-1)!)?.ctimeNs);
      await takeExchangeBack(step, before, folder, readNote<string>(step.folder, FOLDER_NOTE) ?? before.folder.mtimeNs, afterNs);
      await folder.sync();
      return notHappened(session, step);
    }
    if (!isSameInode(before.target, step.folder.lstat(STAGED))) throw strayed(step);
  }
  if (from === null) return notHappened(session, step);
  await folder?.sync();
  const begun = begin(session.aside!, step);
  return report(session, begun, before, from, null);
}

async function notHappened(session: Session, step: StepFolder): Promise<ProbeResult> {
  await discard(session.aside!, step, session.boundary);
  return { outcome: 'didNotHappen' };
}

async function lookBackIn(looking: Looking, folder: Folder | null, name: string, step: StepFolder | null, before: PlaceBefore, after: PlaceAfter): Promise<Backward> {
  const { target } = before;
  const inTheWay = (what: string, found: Seen | null, expected: Seen | null = after.entry): Backward => barred({ path: before.path, what, expected, found, ...sides(before, after) });
  const found = folder === null ? null : await see(folder, name);
  // What was set aside has been forgotten: only what is there already can be said.
  if (step === null) return (target === null ? found === null : difference(target, found) === null) ? AS_BEFORE : inTheWay('what undo needs has been forgotten', found, target);
  if (target === null) {
    // Why: a crash may have come between setting aside and looking at what that was.
    if (step.folder.lstat(OURS) !== null) return readNote(step.folder, CHECKED) !== null || folder === null || await isOurs(before, step, OURS, after.entry) ? AS_BEFORE : inTheWay(BEING_CHANGED, await see(step.folder, OURS));
    if (folder === null || found === null) return AS_BEFORE;
    const what = foreignIn(before, after.entry, found, () => isEmptyFolder(looking, folder, name));
    return what === null ? { finds: 'after', found } : inTheWay(what, found);
  }
  if (folder === null || found === null) return inTheWay('it is gone', null);
  if (isSameInode(target, folder.lstat(name))) return readNote(step.folder, CHECKED) !== null || await isOurs(before, step, STAGED, after.entry) ? AS_BEFORE : inTheWay(BEING_CHANGED, found);
  const changed = foreignChange(after.entry, found);
  if (changed !== null) return inTheWay(changed, found);
  return isSameInode(target, step.folder.lstat(STAGED)) ? { finds: 'after', found } : inTheWay('what was set aside is gone', found);
}
const sides = ({ target }: PlaceBefore, { entry }: PlaceAfter) => ({ before: target, after: entry });

async function lookBack(looking: Looking, step: StepFolder | null, before: PlaceBefore, after: PlaceAfter): Promise<Backward> {
  if (before.nothing) return AS_BEFORE;
  return lookBackIn(looking, folderAtIfAny(looking.held, looking.root, names(before)), before.path.split('/').at(-1)!, step, before, after);
}

async function undo(session: Session, before: PlaceBefore, after: PlaceAfter): Promise<UndoResult> {
  if (before.nothing) return undone(true, null);
  const name = before.path.split('/').at(-1)!;
  const step = await findStep(session, before);
  const folder = folderAtIfAny(session.held, session.root, names(before));
  if (step !== null && folder !== null) await lockFolder(session, folder);
  const back = await lookBackIn(session, folder, name, step, before, after);
  if (step === null) return back.finds === 'blocked' ? blockedBy(session, back) : undone(true, null);
  return before.target === null
    ? takeAway(session, step, before, after, folder, name, back)
    : exchangeBack(session, step, before, before.target, after, folder, name, back);
}

async function takeAway(session: Session, step: StepFolder, before: PlaceBefore, after: PlaceAfter, folder: Folder | null, name: string, back: Backward): Promise<UndoResult> {
  let timesPutBack = true;
  const conflict = (what: string, found: Seen | null) => blocked(session, before.path, what, inWords(after.entry), inWords(found));
  if (step.folder.lstat(OURS) === null) {
    if (back.finds === 'blocked') return blockedBy(session, back);
    if (folder !== null && back.finds === 'after') {
      const { found } = back;
      await noteUnchanged(step, after.folder === null ? [] : [[folder, after.folder]]);
      session.boundary('undo.before');
      const timeNs = String(folder.stat().mtimeNs);
      folder.renameTo(name, step.folder, OURS);
      const afterNs = String(folder.stat().mtimeNs);
      session.boundary('undo.moved');
      if (!(await isStill(step.folder, OURS, found))) {
        const undisturbed = String(folder.stat().mtimeNs) === afterNs;
        step.folder.renameTo(OURS, folder, name);
        if (undisturbed) setTime(folder, timeNs);
        return conflict(BEING_CHANGED, await see(folder, name));
      }
      if (after.folder !== null && String(folder.stat().mtimeNs) === afterNs) timesPutBack = putTimeBack(step, folder, after.folder, 'now');
      session.boundary('undo.timed');
      await writeNote(step, CHECKED, true);
    }
  } else {
    if (back.finds === 'blocked' && folder !== null) {
      step.folder.renameTo(OURS, folder, name);
      return conflict(BEING_CHANGED, await see(folder, name));
    }
    if (folder !== null && after.folder !== null) timesPutBack = putTimeBack(step, folder, after.folder, step.folder.lstat(OURS)?.ctimeNs);
  }
  session.boundary('undo.after');
  await folder?.sync();
  const folders = await takeFoldersAway(session, step, after.made);
  await takeKeptAway(session, step, names(before).join('/'));
  await step.folder.sync();
  const gone = folderAtIfAny(session.held, session.root, names(before));
  const verified = gone === null || gone.lstat(name) === null;
  return undone(verified, verified ? reasonOf(folders.kept, timesPutBack && folders.timesPutBack) : 'somebody else has put something there again');
}
const names = (before: PlaceBefore): string[] => before.path.split('/').slice(0, -1);

const reasonOf = (kept: readonly string[], timesPutBack: boolean): string | null =>
  kept.length > 0 ? `\`${kept.at(-1)}\` holds something of somebody else and stays until that is gone` : timesPutBack ? null : TIME_NOT_PUT_BACK;

async function isOurs(before: PlaceBefore, step: StepFolder, name: string, entry: Seen): Promise<boolean> {
  const found = await see(step.folder, name);
  return found !== null && foreignIn(before, entry, found, () => true) === null;
}

/**
 * The times and digest of a folder that was made follow what others did in it and took back again: it must be ours, and
 * empty. One that was copied must be as it was, with all it holds.
 */
function foreignIn({ source }: PlaceBefore, expected: Seen, found: Seen, isEmpty: () => boolean): string | null {
  if (expected.type === 'file' || found.type === 'file' || source !== undefined) return foreignChange(expected, found);
  return difference({ ...expected, mtimeNs: '', digest: '' }, { ...found, mtimeNs: '', digest: '' }) ?? (isEmpty() ? null : 'it is not empty');
}
function isEmptyFolder({ held }: Looking, folder: Folder, name: string): boolean {
  return held.folder(folder.openFolder(name))?.isEmpty() ?? true;
}

async function exchangeBack(session: Session, step: StepFolder, before: PlaceBefore, target: Seen, after: PlaceAfter, folder: Folder | null, name: string, back: Backward): Promise<UndoResult> {
  const conflict = (what: string, found: Seen | null) => blocked(session, before.path, what, inWords(after.entry), inWords(found));
  if (folder === null) return blockedBy(session, back as Extract<Backward, { finds: 'blocked' }>);
  let timesPutBack = true;
  if (back.finds === 'blocked') {
    // Why: the crash came between the exchange and looking at what it set aside.
    if (!isSameInode(target, folder.lstat(name)) || step.folder.lstat(STAGED) === null) return blockedBy(session, back);
    if (!(await bringAside(step, folder, name, target))) throw strayed(step);
    return conflict(BEING_CHANGED, await see(folder, name));
  } else if (back.finds === 'before') {
    timesPutBack = putTimeBack(step, folder, after.folder!, step.folder.lstat(STAGED)?.ctimeNs);
  } else {
    const { found } = back;
    await noteUnchanged(step, [[folder, after.folder!]]);
    session.boundary('undo.before');
    const timeNs = String(folder.stat().mtimeNs);
    try {
      step.folder.exchange(STAGED, folder, name);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return conflict('it is gone', null);
      throw error;
    }
    const isAnother = !isSameInode(found, step.folder.lstat(STAGED));
    const afterNs = String(folder.stat().mtimeNs);
    if (!isAnother) session.boundary('undo.exchanged');
    if (isAnother || !(await isStill(step.folder, STAGED, found))) {
      const undisturbed = String(folder.stat().mtimeNs) === afterNs;
      if (!(await bringAside(step, folder, name, target))) throw strayed(step);
      if (undisturbed) setTime(folder, timeNs);
      return conflict(BEING_CHANGED, await see(folder, name));
    }
    if (String(folder.stat().mtimeNs) === afterNs) timesPutBack = putTimeBack(step, folder, after.folder!, 'now');
    session.boundary('undo.timed');
    await writeNote(step, CHECKED, true);
  }
  session.boundary('undo.after');
  await folder.sync();
  await step.folder.sync();
  const differs = difference(target, await see(folder, name));
  return undone(differs === null, differs === null ? (timesPutBack ? null : TIME_NOT_PUT_BACK)
    : `${differs}: it was changed while it was set aside, by a process that held it open`);
}

export const placing: Verb<PlaceBefore, PlaceAfter> = { execute, probe, undo, lookBack, sides };

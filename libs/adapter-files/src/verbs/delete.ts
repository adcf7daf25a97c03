import type * as fs from 'node:fs';
import { CannotDo, type ActResult, type ProbeResult, type UndoResult } from '@aifirst/execution';
import { begin, discard, readNote, writeNote, type StepFolder } from '../aside';
import { TIME_NOT_PUT_BACK, noteUnchanged, putTimeBack, setTime, timeOfMove, type FolderTime } from '../folder-times';
import { folderAt, folderAtIfAny } from '../root';
import { difference, inWords, isStill, isUntouched, see, type Seen } from '../seen';
import { AS_BEFORE, barred, beginStep, blocked, blockedBy, findStep, prepare, lockFolder, seeFolderItself, targetChanged, undone, type Act, type ActImage, type Backward, type FolderSeen, type Looking, type Session, type Verb } from '../session';
import { errnoOf } from '../system/libc';
import type { Folder } from '../system/folder';

/** Sets a file or a whole folder aside by one rename; undo renames it back. It has happened if and only if it lies aside. */
export type DeleteBefore = ActImage & { readonly kind: 'delete'; readonly folder: FolderSeen; readonly target: Seen };
export type DeleteAfter = { readonly folder: FolderTime };

const GONE = 'item';
const FOLDER_NOTE = 'folder';

export function lookToDelete({ held, root }: Looking, parts: readonly string[], recursive: boolean): { readonly folder: Folder; readonly name: string; readonly stats: fs.BigIntStats } {
  const folder = folderAt(held, root, parts.slice(0, -1));
  const name = parts.at(-1)!;
  const stats = folder.lstat(name);
  if (stats === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  if (!recursive && stats.isDirectory() && held.folder(folder.openFolder(name))?.isEmpty() === false) {
    throw new CannotDo('NOT_EMPTY', 'the folder is not empty: `recursive` takes all that is in it');
  }
  return { folder, name, stats };
}

export async function prepareDelete(session: Session, parts: readonly string[], recursive: boolean): Promise<DeleteBefore> {
  const { folder, name } = lookToDelete(session, parts, recursive);
  const folderSeen = seeFolderItself(folder);
  const target = await see(folder, name);
  if (target === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  const { seen: aside } = await prepare(session);
  return { kind: 'delete', root: session.rootSeen, aside, path: parts.join('/'), folder: folderSeen, target };
}

const splitPath = (path: string): [readonly string[], string] => { const names = path.split('/'); return [names.slice(0, -1), names.at(-1)!]; };

async function execute(session: Session, before: DeleteBefore, act: Act): Promise<ActResult> {
  const { step } = await beginStep(session, before);
  if (step.folder.lstat(GONE) !== null) return report(session, step, before, null);
  session.boundary('begun');
  const [folders, name] = splitPath(before.path);
  const folder = folderAt(session.held, session.root, folders);
  const now = seeFolderItself(folder);
  if (now.dev !== before.folder.dev || now.ino !== before.folder.ino) throw targetChanged('another folder is in the place of the one that was there');
  await lockFolder(session, folder);
  if (!(await isUntouched(folder, name, before.target))) throw targetChanged('it was changed by somebody else meanwhile');
  const beforeNs = String(folder.stat().mtimeNs);
  if (beforeNs !== before.folder.mtimeNs) await writeNote(step, FOLDER_NOTE, beforeNs);
  session.boundary('delete.before');
  act.begun = true;
  try {
    folder.renameTo(name, step.folder, GONE);
  } catch (error) {
    act.begun = false;
    if (errnoOf(error) === 'ENOENT') throw targetChanged('somebody else took it away meanwhile');
    throw error;
  }
  const afterNs = String(folder.stat().mtimeNs);
  session.boundary('delete.moved');
  if (!(await isStill(step.folder, GONE, before.target))) {
    giveBack(step, folder, name, beforeNs, afterNs);
    act.begun = false;
    throw targetChanged('it was changed by somebody else meanwhile');
  }
  session.boundary('delete.after');
  await folder.sync();
  await step.folder.sync();
  return report(session, step, before, afterNs);
}

/** @throws SystemError `EEXIST` when somebody put another in its place: then it stays aside, and the outcome is unknown */
function giveBack(step: StepFolder, folder: Folder, name: string, beforeNs: string | null, afterNs: string | null): void {
  const undisturbed = afterNs !== null && String(folder.stat().mtimeNs) === afterNs;
  step.folder.renameTo(GONE, folder, name);
  if (undisturbed && beforeNs !== null) setTime(folder, beforeNs);
}

function report(session: Session, step: StepFolder, before: DeleteBefore, afterNs: string | null): ActResult & { outcome: 'succeeded' } {
  const [folders] = splitPath(before.path);
  const folder = folderAtIfAny(session.held, session.root, folders);
  const after: DeleteAfter = { folder: {
    path: folders.join('/'),
    beforeNs: readNote<string>(step.folder, FOLDER_NOTE) ?? before.folder.mtimeNs,
    afterNs: afterNs ?? (folder === null ? null : timeOfMove(folder, step.folder.lstat(GONE)?.ctimeNs)),
  } };
  return { outcome: 'succeeded', output: { path: before.path, digest: before.target.digest, created: false }, after };
}

async function probe(session: Session, before: DeleteBefore): Promise<ProbeResult> {
  const step = await findStep(session, before);
  if (step === null) return { outcome: 'didNotHappen' };
  const [folders, name] = splitPath(before.path);
  const folder = folderAtIfAny(session.held, session.root, folders);
  if (step.folder.lstat(GONE) !== null) {
    const asItWas = await isStill(step.folder, GONE, before.target);
    if (!asItWas && (folder === null || folder.lstat(name) !== null)) {
      return { outcome: 'cannotTell', detail: `somebody else changed it while it was being set aside, and its place is taken: it lies in .aifirst/steps/${step.name}` };
    }
    if (asItWas || folder === null) {
      await folder?.sync();
      return report(session, begin(session.aside!, step), before, null);
    }
    // Why: the crash came between setting aside and giving back what was not what had been read.
    await lockFolder(session, folder);
    giveBack(step, folder, name, readNote<string>(step.folder, FOLDER_NOTE) ?? before.folder.mtimeNs, timeOfMove(folder, step.folder.lstat(GONE)?.ctimeNs));
    await folder.sync();
  }
  await discard(session.aside!, step, session.boundary);
  return { outcome: 'didNotHappen' };
}

async function lookBackIn(folder: Folder | null, name: string, step: StepFolder | null, before: DeleteBefore): Promise<Backward> {
  const inTheWay = (what: string, found: Seen | null): Backward => barred({ path: before.path, what, expected: null, found, ...sides(before) });
  if (folder === null) return inTheWay('the folder it was in is gone', null);
  if (step === null || step.folder.lstat(GONE) === null) {
    const found = await see(folder, name);
    return difference(before.target, found) === null ? AS_BEFORE : inTheWay('what was set aside is gone', found);
  }
  return folder.lstat(name) === null ? { finds: 'after', found: before.target } : inTheWay(TAKEN, await see(folder, name));
}
const TAKEN = 'somebody else has put something in its place';
const sides = ({ target }: DeleteBefore) => ({ before: target, after: null });

function lookBack({ held, root }: Looking, step: StepFolder | null, before: DeleteBefore): Promise<Backward> {
  const [folders, name] = splitPath(before.path);
  return lookBackIn(folderAtIfAny(held, root, folders), name, step, before);
}

async function undo(session: Session, before: DeleteBefore, after: DeleteAfter): Promise<UndoResult> {
  const [folders, name] = splitPath(before.path);
  const step = await findStep(session, before);
  const folder = folderAtIfAny(session.held, session.root, folders);
  if (folder !== null) await lockFolder(session, folder);
  const back = await lookBackIn(folder, name, step, before);
  if (back.finds === 'blocked' || folder === null) return blockedBy(session, back as Extract<Backward, { finds: 'blocked' }>);
  let timePutBack = true;
  if (step === null || back.finds === 'before') {
    if (step !== null) timePutBack = putTimeBack(step, folder, after.folder, folder.lstat(name)?.ctimeNs);
  } else {
    await noteUnchanged(step, [[folder, after.folder]]);
    session.boundary('undo.before');
    try {
      step.folder.renameTo(GONE, folder, name);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return blocked(session, before.path, TAKEN, inWords(null), inWords(await see(folder, name)));
      throw error;
    }
    const movedNs = String(folder.stat().mtimeNs);
    session.boundary('undo.moved');
    if (String(folder.stat().mtimeNs) === movedNs) timePutBack = putTimeBack(step, folder, after.folder, 'now');
  }
  session.boundary('undo.after');
  await folder.sync();
  await step?.folder.sync();
  const differs = difference(before.target, await see(folder, name));
  return undone(differs === null, differs === null ? (timePutBack ? null : TIME_NOT_PUT_BACK)
    : `${differs}: it was changed while it was set aside, by a process that held it open`);
}

export const deleting: Verb<DeleteBefore, DeleteAfter> = { execute, probe, undo, lookBack, sides };

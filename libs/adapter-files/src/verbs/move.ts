import { CannotDo, type ActResult, type ProbeResult, type UndoResult } from '@aifirst/execution';
import { begin, discard, readNote, writeNote, type StepFolder } from '../aside';
import { TIME_NOT_PUT_BACK, noteUnchanged, putTimeBack, setTime, timeOfMove, type FolderTime } from '../folder-times';
import { takeKeptAway } from '../made-folders';
import { folderAt, folderAtIfAny } from '../root';
import { difference, inWords, isSameInode, isStill, isUntouched, see, type Seen } from '../seen';
import { AS_BEFORE, barred, beginStep, blocked, blockedBy, findStep, prepare, lockFolder, seeFolderItself, targetChanged, undone, type Act, type ActImage, type Backward, type FolderSeen, type InTheWay, type Looking, type Session, type Verb } from '../session';
import { errnoOf } from '../system/libc';
import type { Folder } from '../system/folder';
import { mustBeWritable } from './stage';

/**
 * Renames a file or folder. What is replaced changes places with it first and is set aside then, so that nobody ever
 * finds nothing there; it has happened if and only if the source's inode is at `to` and what it replaced lies aside.
 */
export type MoveBefore = ActImage & {
  readonly kind: 'move'; readonly to: string;
  readonly fromFolder: FolderSeen; readonly toFolder: FolderSeen;
  readonly source: Seen; readonly target: Seen | null;
};
export type MoveAfter = { readonly folders: readonly FolderTime[] };

const REPLACED = 'item';
const FOLDERS_NOTE = 'folders';

interface End { readonly folder: Folder; readonly name: string; readonly path: string }
interface Ends { readonly from: End; readonly to: End }
const splitPath = (path: string): [readonly string[], string] => { const names = path.split('/'); return [names.slice(0, -1), names.at(-1)!]; };
const folderPath = (path: string): string => splitPath(path)[0].join('/');

export function lookToMove({ held, root }: Looking, from: readonly string[], to: readonly string[]): { readonly fromFolder: Folder; readonly toFolder: Folder } {
  const path = from.join('/');
  if (`${to.join('/')}/`.startsWith(`${path}/`)) throw new CannotDo('INVALID_PATH', '`to` is the path itself or lies beneath it');
  if (`${path}/`.startsWith(`${to.join('/')}/`)) throw new CannotDo('INVALID_PATH', 'the path lies beneath `to`');
  return { fromFolder: folderAt(held, root, from.slice(0, -1)), toFolder: folderAt(held, root, to.slice(0, -1)) };
}

export async function prepareMove(session: Session, from: readonly string[], to: readonly string[], replace: boolean): Promise<MoveBefore> {
  const path = from.join('/');
  const { fromFolder, toFolder } = lookToMove(session, from, to);
  const seen = { fromFolder: seeFolderItself(fromFolder), toFolder: seeFolderItself(toFolder) };
  const source = await see(fromFolder, from.at(-1)!);
  if (source === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  const target = await seeMoveTarget(session, toFolder, to.at(-1)!, source, replace);
  const { seen: aside } = await prepare(session);
  return { kind: 'move', root: session.rootSeen, aside, path, to: to.join('/'), ...seen, source, target };
}

/** As rename(2) has it: a file replaces a file, a folder an empty folder. */
export async function seeMoveTarget({ held }: Pick<Looking, 'held'>, folder: Folder, name: string, source: Pick<Seen, 'type' | 'dev' | 'ino'>, replace: boolean): Promise<Seen | null> {
  const stats = folder.lstat(name);
  if (stats === null) return null;
  if (!replace) throw new CannotDo('EXISTS', 'there is something at `to` already');
  if (stats.isDirectory() && held.folder(folder.openFolder(name))?.isEmpty() === false) throw new CannotDo('NOT_EMPTY', 'a folder that is not empty is at `to`');
  const target = await see(folder, name);
  if (target === null) return null;
  if (target.type !== source.type) throw new CannotDo(target.type === 'directory' ? 'IS_A_DIRECTORY' : 'NOT_A_DIRECTORY', 'a file can\'t replace a folder, nor a folder a file');
  if (target.ino === source.ino && target.dev === source.dev) throw new CannotDo('HARD_LINKED', 'both paths are names of one and the same file');
  if (target.type === 'file') mustBeWritable(folder, name);
  return target;
}

function openEnds(session: Session, before: MoveBefore): Ends {
  const end = (path: string): End => { const [folders, name] = splitPath(path); return { folder: folderAt(session.held, session.root, folders), name, path: folders.join('/') }; };
  return { from: end(before.path), to: end(before.to) };
}
function openEndsIfAny({ held, root }: Looking, before: MoveBefore): Ends | null {
  const end = (path: string): End | null => {
    const [folders, name] = splitPath(path);
    const folder = folderAtIfAny(held, root, folders);
    return folder === null ? null : { folder, name, path: folders.join('/') };
  };
  const from = end(before.path), to = end(before.to);
  return from === null || to === null ? null : { from, to };
}
/** Always in the order of inodes, so that two that cross do not wait for each other. */
async function lockEnds(session: Session, { from, to }: Ends): Promise<void> {
  const [first, second] = from.folder.stat().ino < to.folder.stat().ino ? [from, to] : [to, from];
  await lockFolder(session, first.folder);
  await lockFolder(session, second.folder);
}

type Times = Readonly<Record<string, string>>;
const timesNow = ({ from, to }: Ends): Times => ({ [from.path]: String(from.folder.stat().mtimeNs), [to.path]: String(to.folder.stat().mtimeNs) });
const timesBefore = (step: StepFolder, before: MoveBefore): Times =>
  readNote<Times>(step.folder, FOLDERS_NOTE) ?? { [folderPath(before.path)]: before.fromFolder.mtimeNs, [folderPath(before.to)]: before.toFolder.mtimeNs };

const at = ({ folder, name }: End, seen: Seen): boolean => isSameInode(seen, folder.lstat(name));

async function execute(session: Session, before: MoveBefore, act: Act): Promise<ActResult> {
  const { step } = await beginStep(session, before);
  const ends = openEnds(session, before);
  const isOver = before.target === null ? at(ends.to, before.source) : step.folder.lstat(REPLACED) !== null;
  if (isOver) return report(before, step, ends, null);
  session.boundary('begun');
  const [a, b] = [seeFolderItself(ends.from.folder), seeFolderItself(ends.to.folder)];
  if (a.ino !== before.fromFolder.ino || b.ino !== before.toFolder.ino) throw targetChanged('another folder is in the place of one that was there');
  await lockEnds(session, ends);
  const half = before.target !== null && at(ends.from, before.target) && at(ends.to, before.source);
  if (half) takeExchangeBack(step, before, ends, null);
  if (!half && !(await isUntouched(ends.from.folder, ends.from.name, before.source))) throw targetChanged('it was changed by somebody else meanwhile');
  if (!half && before.target !== null && !(await isUntouched(ends.to.folder, ends.to.name, before.target))) throw targetChanged('what is at `to` was changed by somebody else meanwhile');
  const times = timesNow(ends);
  if (JSON.stringify(times) !== JSON.stringify(timesBefore(step, before))) await writeNote(step, FOLDERS_NOTE, times);
  session.boundary('move.before');
  act.begun = true;
  const afterTimes = before.target === null ? await moveThere(session, before, ends, times, act) : await replaceThere(session, step, before, before.target, ends, times, act);
  session.boundary('move.after');
  await ends.to.folder.sync();
  await ends.from.folder.sync();
  return report(before, step, ends, afterTimes);
}

const CHANGED = 'it was changed by somebody else meanwhile';

async function moveThere(session: Session, before: MoveBefore, ends: Ends, times: Times, act: Act): Promise<Times> {
  try {
    ends.from.folder.renameTo(ends.from.name, ends.to.folder, ends.to.name);
  } catch (error) {
    act.begun = false;
    if (errnoOf(error) === 'EEXIST') throw targetChanged('somebody else put something at `to` meanwhile');
    if (errnoOf(error) === 'ENOENT') throw targetChanged('somebody else took it away meanwhile');
    throw error;
  }
  const afterTimes = timesNow(ends);
  session.boundary('move.moved');
  if (await isStill(ends.to.folder, ends.to.name, before.source)) return afterTimes;
  moveBack(ends, times, afterTimes);
  act.begun = false;
  throw targetChanged(CHANGED);
}

function moveBack(ends: Ends, times: Times, afterTimes: Times | null): void {
  const undisturbed = afterTimes !== null && JSON.stringify(timesNow(ends)) === JSON.stringify(afterTimes);
  ends.to.folder.renameTo(ends.to.name, ends.from.folder, ends.from.name);
  if (undisturbed) setTimes(ends, times);
}

type Entry = ReturnType<Folder['lstat']>;
const areSame = (a: Entry, b: Entry): boolean => a !== null && b !== null && a.ino === b.ino && a.dev === b.dev;

/**
 * Back to where the step had moved it, while it is what was moved: what another has put in its place since stays where they put
 * it, also if they do so in the very instant.
 * @param moved as it was seen just before
 */
function moveAwayAgain({ from, to }: Ends, moved: Entry, times: Times, last: Times): void {
  if (!areSame(moved, from.folder.lstat(from.name))) return;
  moveBack({ from: to, to: from }, times, last);
  if (!areSame(moved, to.folder.lstat(to.name))) to.folder.renameTo(to.name, from.folder, from.name);
}

async function replaceThere(session: Session, step: StepFolder, before: MoveBefore, target: Seen, ends: Ends, times: Times, act: Act): Promise<Times> {
  try {
    ends.from.folder.exchange(ends.from.name, ends.to.folder, ends.to.name);
  } catch (error) {
    act.begun = false;
    if (errnoOf(error) === 'ENOENT') throw targetChanged('somebody else took one of the two away meanwhile');
    throw error;
  }
  const afterTimes = timesNow(ends);
  session.boundary('move.exchanged');
  if (!(await isStill(ends.to.folder, ends.to.name, before.source)) || !(await isStill(ends.from.folder, ends.from.name, target))) {
    takeExchangeBack(step, before, ends, JSON.stringify(timesNow(ends)) === JSON.stringify(afterTimes) ? times : {});
    act.begun = false;
    throw targetChanged(CHANGED);
  }
  ends.from.folder.renameTo(ends.from.name, step.folder, REPLACED);
  const finalTimes = timesNow(ends);
  session.boundary('move.aside');
  if (await isStill(step.folder, REPLACED, target)) return finalTimes;
  // Why: in the last instant another came in the place of what was to be set aside.
  step.folder.renameTo(REPLACED, ends.from.folder, ends.from.name);
  takeExchangeBack(step, before, ends, {});
  act.begun = false;
  throw targetChanged(CHANGED);
}

/** `times` null: as they were before, where the last change to each folder was the exchange. */
function takeExchangeBack(step: StepFolder, before: MoveBefore, ends: Ends, times: Times | null): void {
  const moved = ends.to.folder.lstat(ends.to.name)?.ctimeNs;
  const known = timesBefore(step, before);
  const restored = times ?? Object.fromEntries([ends.from, ends.to].filter(end => timeOfMove(end.folder, moved) !== null).map(end => [end.path, known[end.path]!]));
  ends.from.folder.exchange(ends.from.name, ends.to.folder, ends.to.name);
  setTimes(ends, restored);
}

function setTimes({ from, to }: Ends, times: Times): void {
  for (const { folder, path } of [from, to]) if (times[path] !== undefined) setTime(folder, times[path]!);
}

function report(before: MoveBefore, step: StepFolder, ends: Ends | null, afterTimes: Times | null): ActResult & { outcome: 'succeeded' } {
  const known = timesBefore(step, before);
  const folders = Object.entries(known).map(([path, beforeNs]): FolderTime => {
    const end = ends === null ? null : path === ends.to.path ? ends.to : ends.from;
    const moved = before.target === null ? ends?.to.folder.lstat(ends.to.name)?.ctimeNs : end === ends?.from ? step.folder.lstat(REPLACED)?.ctimeNs : ends?.to.folder.lstat(ends.to.name)?.ctimeNs;
    return { path, beforeNs, afterNs: afterTimes?.[path] ?? (end === null ? null : timeOfMove(end.folder, moved)) };
  });
  const output = { path: before.to, from: before.path, digest: before.source.digest, created: before.target === null };
  return { outcome: 'succeeded', output, after: { folders } satisfies MoveAfter };
}

async function probe(session: Session, before: MoveBefore): Promise<ProbeResult> {
  const step = await findStep(session, before);
  if (step === null) return { outcome: 'didNotHappen' };
  const ends = openEndsIfAny(session, before);
  if (before.target !== null && step.folder.lstat(REPLACED) !== null) {
    await ends?.to.folder.sync();
    return report(before, begin(session.aside!, step), ends, null);
  }
  if (ends === null) return { outcome: 'cannotTell', detail: 'somebody else took a folder on the way away' };
  await lockEnds(session, ends);
  if (before.target === null && at(ends.to, before.source)) {
    if (await isStill(ends.to.folder, ends.to.name, before.source) || ends.from.folder.lstat(ends.from.name) !== null) {
      await ends.to.folder.sync();
      return report(before, begin(session.aside!, step), ends, null);
    }
    moveBack(ends, timesBefore(step, before), timesNow(ends));
  } else if (before.target !== null && at(ends.to, before.source) && ends.from.folder.lstat(ends.from.name) !== null) {
    takeExchangeBack(step, before, ends, null);
  } else if (!at(ends.from, before.source)) {
    return { outcome: 'cannotTell', detail: 'what was to be moved is at neither path' };
  }
  await ends.from.folder.sync();
  await ends.to.folder.sync();
  await discard(session.aside!, step, session.boundary);
  return { outcome: 'didNotHappen' };
}

async function lookBackIn(ends: Ends | null, step: StepFolder | null, before: MoveBefore): Promise<Backward> {
  const { source, target } = before;
  const atFrom = (what: string, found: Seen | null): InTheWay => ({ path: before.path, what, expected: null, found, ...sides(before) });
  const atTo = (what: string, expected: Seen, found: Seen | null): InTheWay => ({ path: before.to, what, expected, found, before: target, after: source });
  if (ends === null) return barred(atFrom('a folder on the way is gone', null));
  const { from, to } = ends;
  if (at(from, source)) return AS_BEFORE;
  const found = await see(to.folder, to.name);
  const changed = difference(source, found);
  const inTheWay: InTheWay[] = changed === null ? [] : [atTo(changed, source, found)];
  if (step === null) inTheWay.push(...(changed === null ? [atTo('what undo needs has been forgotten', source, found)] : []));
  else if (target !== null && step.folder.lstat(REPLACED) === null) {
    // Why: an undo that was cut off may have put what was replaced beside it already.
    if (!at(from, target)) inTheWay.push(atTo('what was set aside is gone', target, await see(from.folder, from.name)));
  } else if (from.folder.lstat(from.name) !== null) inTheWay.push(atFrom(TAKEN, await see(from.folder, from.name)));
  const [first, ...rest] = inTheWay;
  return first === undefined ? { finds: 'after', found: found! } : barred(first, ...rest);
}
const TAKEN = 'somebody else has put something in its place';
const sides = ({ source }: MoveBefore) => ({ before: source, after: null });

const lookBack = (looking: Looking, step: StepFolder | null, before: MoveBefore): Promise<Backward> => lookBackIn(openEndsIfAny(looking, before), step, before);

async function undo(session: Session, before: MoveBefore, after: MoveAfter): Promise<UndoResult> {
  const step = await findStep(session, before);
  const conflict = (path: string, what: string, expected: Seen | null, found: Seen | null) => blocked(session, path, what, inWords(expected), inWords(found));
  const ends = openEndsIfAny(session, before);
  if (ends !== null) await lockEnds(session, ends);
  const back = await lookBackIn(ends, step, before);
  if (back.finds === 'blocked' || ends === null) {
    // Why: where an undo was cut off, nothing is to be touched now.
    if (ends !== null && step !== null && before.target !== null && step.folder.lstat(REPLACED) === null && at(ends.from, before.target)) ends.from.folder.renameTo(ends.from.name, step.folder, REPLACED);
    return blockedBy(session, back as Extract<Backward, { finds: 'blocked' }>);
  }
  const { from, to } = ends;
  const timed = (): (readonly [Folder, FolderTime])[] => after.folders.map(time => [time.path === to.path ? to.folder : from.folder, time] as const);
  let last: Times | null = null;
  if (back.finds === 'after' && step !== null) {
    const { found } = back;
    if (before.target === null) {
      await noteUnchanged(step, timed());
      session.boundary('undo.before');
      const times = timesNow(ends);
      const moved = to.folder.lstat(to.name);
      try {
        to.folder.renameTo(to.name, from.folder, from.name);
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return conflict(before.path, TAKEN, null, await see(from.folder, from.name));
        throw error;
      }
      last = timesNow(ends);
      session.boundary('undo.moved');
      if (!(await isStill(from.folder, from.name, found))) {
        moveAwayAgain(ends, moved, times, last);
        return conflict(before.to, 'it is being changed by somebody else', before.source, await see(to.folder, to.name));
      }
    } else {
      const refused = await replaceBack(session, step, before, before.target, ends, timed(), found);
      if (refused !== null) return refused;
      last = timesNow(ends);
    }
  }
  let timesPutBack = true;
  if (step !== null) {
    for (const [folder, time] of timed()) {
      if (last !== null && String(folder.stat().mtimeNs) !== last[time.path]) continue;
      timesPutBack = putTimeBack(step, folder, time, last === null ? from.folder.lstat(from.name)?.ctimeNs : 'now') && timesPutBack;
    }
  }
  session.boundary('undo.after');
  await from.folder.sync();
  await to.folder.sync();
  if (step !== null && before.target === null) await takeKeptAway(session, step, to.path);
  const differs = difference(before.source, await see(from.folder, from.name))
    ?? (before.target === null ? (to.folder.lstat(to.name) === null ? null : 'somebody else has put something at `to`') : difference(before.target, await see(to.folder, to.name)));
  return undone(differs === null, differs ?? (timesPutBack ? null : TIME_NOT_PUT_BACK));
}

/** What was replaced goes back by way of the source's old place; a conflict, or null when both are where they were. */
async function replaceBack(session: Session, step: StepFolder, before: MoveBefore, target: Seen, ends: Ends, timed: readonly (readonly [Folder, FolderTime])[], source: Seen): Promise<UndoResult | null> {
  const { from, to } = ends;
  const conflict = (path: string, what: string, expected: Seen | null, found: Seen | null) => blocked(session, path, what, inWords(expected), inWords(found));
  const times = timesNow(ends);
  if (step.folder.lstat(REPLACED) !== null) {
    await noteUnchanged(step, timed);
    session.boundary('undo.before');
    try {
      step.folder.renameTo(REPLACED, from.folder, from.name);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return conflict(before.path, TAKEN, null, await see(from.folder, from.name));
      throw error;
    }
    session.boundary('undo.beside');
  }
  from.folder.exchange(from.name, to.folder, to.name);
  // Why in the same turn: whatever came here from `to` is what lay there, ours or theirs, and goes back there.
  const moved = from.folder.lstat(from.name);
  const last = timesNow(ends);
  session.boundary('undo.exchanged');
  if (await isStill(from.folder, from.name, source)) return null;
  exchangeAgain(step, target, ends, moved, times, last);
  return conflict(before.to, 'it is being changed by somebody else', before.source, await see(to.folder, to.name));
}

/**
 * Both back to where the step had put them, while they are what was exchanged: what another has put in the place of one of
 * them since stays where they put it, also if they do so in the very instant.
 * @param moved what came from `to`, as it was seen right then
 */
function exchangeAgain(step: StepFolder, target: Seen, ends: Ends, moved: Entry, times: Times, last: Times): void {
  const { from, to } = ends;
  const undisturbed = JSON.stringify(timesNow(ends)) === JSON.stringify(last);
  if (!areSame(moved, from.folder.lstat(from.name)) || !at(to, target)) return;
  from.folder.exchange(from.name, to.folder, to.name);
  if (!areSame(moved, to.folder.lstat(to.name)) || !at(from, target)) { from.folder.exchange(from.name, to.folder, to.name); return; }
  from.folder.renameTo(from.name, step.folder, REPLACED);
  if (!isSameInode(target, step.folder.lstat(REPLACED))) step.folder.renameTo(REPLACED, from.folder, from.name);
  else if (undisturbed) setTimes(ends, times);
}

export const moving: Verb<MoveBefore, MoveAfter> = { execute, probe, undo, lookBack, sides };

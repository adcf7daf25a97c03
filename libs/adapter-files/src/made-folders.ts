import * as fs from 'node:fs';
import { readNote, writeNote, type StepFolder } from './aside';
import { setTime, timeOfMove } from './folder-times';
import { folderAtIfAny } from './root';
import { lockFolder, type Session } from './session';
import { errnoOf } from './system/libc';
import type { Folder } from './system/folder';

/** A folder that a step made on the way to its target. `parent` are its parent's times around that, null where the parent is ours too. */
export type Made = {
  readonly path: string; readonly dev: string; readonly ino: string; readonly birthNs: string;
  readonly parent: { readonly beforeNs: string; readonly afterNs: string | null } | null;
};

/** Takes folders away that we made, the deepest first, if they are empty; what has to stay is remembered for whoever empties it. */
export async function takeFoldersAway(session: Session, step: StepFolder, made: readonly Made[]): Promise<{ readonly kept: readonly string[]; readonly timesPutBack: boolean }> {
  const kept: string[] = [];
  let timesPutBack = true;
  for (const one of [...made].reverse()) {
    const result = await takeAway(session, step, one);
    if (result === 'kept') { kept.push(one.path); await remember(session, step, one); session.boundary('undo.folder.kept'); }
    if (result === 'timeNotPutBack') timesPutBack = false;
  }
  return { kept, timesPutBack };
}

/** After an undo took an entry out of a folder: if that one is now empty and waits to be taken away, it goes, and so upwards. */
export async function takeKeptAway(session: Session, step: StepFolder, path: string): Promise<void> {
  for (let names = path === '' ? [] : path.split('/'); names.length > 0; names = names.slice(0, -1)) {
    const folder = folderAtIfAny(session.held, session.root, names);
    // Why: on a second run after a crash the folder may lie in the step's folder already.
    const ino = folder === null ? readNote<{ ino: string }>(step.folder, `way-${names.length}`)?.ino : String(folder.stat().ino);
    if (ino === undefined) continue;
    const one = readNote<Made>(session.aside!.kept, ino);
    if (one === null || one.path !== names.join('/')) return;
    if (folder !== null && !isThat(one, folder.stat())) return;
    await writeNote(step, `way-${names.length}`, { ino: one.ino });
    const result = await takeAway(session, step, one);
    if (result === 'kept') return;
    session.boundary('undo.folder.freed');
    forgetKept(session, one.ino);
  }
}

export function forgetKept(session: Pick<Session, 'aside'>, ino: string): void {
  try { fs.unlinkSync(session.aside!.kept.at(ino)); } catch (error) { if (errnoOf(error) !== 'ENOENT') throw error; }
}

async function remember(session: Session, step: StepFolder, one: Made): Promise<void> {
  await writeNote({ ...step, folder: session.aside!.kept }, one.ino, one);
}

const isThat = (one: Made, stats: fs.BigIntStats): boolean =>
  String(stats.ino) === one.ino && String(stats.dev) === one.dev && String(stats.birthtimeNs) === one.birthNs;

async function takeAway(session: Session, step: StepFolder, one: Made): Promise<'gone' | 'kept' | 'timeNotPutBack'> {
  const names = one.path.split('/');
  const name = names.at(-1)!;
  const aside = `made-${one.ino}`;
  const parent = folderAtIfAny(session.held, session.root, names.slice(0, -1));
  if (parent === null) return 'gone';
  await lockFolder(session, parent);
  let moved = step.folder.lstat(aside);
  let seenTime: string | null = null;
  if (moved === null) {
    const stats = parent.lstat(name);
    if (stats === null || !isThat(one, stats)) return 'gone';
    const folder = session.held.folder(parent.openFolder(name));
    if (folder === null || !folder.isEmpty()) return 'kept';
    await writeNote(step, `${aside}-unchanged`, one.parent !== null && String(parent.stat().mtimeNs) === one.parent.afterNs);
    session.boundary('undo.folder.before');
    seenTime = String(parent.stat().mtimeNs);
    parent.renameTo(name, step.folder, aside);
    // Why: whoever held it open may have put something in, or somebody put another one in its place.
    if (!isThat(one, step.folder.lstat(aside)!) || !folder.isEmpty()) {
      giveBack(step.folder, aside, parent, name, seenTime);
      return 'kept';
    }
    seenTime = String(parent.stat().mtimeNs);
    session.boundary('undo.folder.after');
    moved = step.folder.lstat(aside);
  }
  const unchanged = one.parent !== null && readNote<boolean>(step.folder, `${aside}-unchanged`) === true;
  if (unchanged && String(parent.stat().mtimeNs) === (seenTime ?? timeOfMove(parent, moved?.ctimeNs)) && !setTime(parent, one.parent!.beforeNs)) return 'timeNotPutBack';
  await parent.sync();
  return 'gone';
}

function giveBack(from: Folder, aside: string, parent: Folder, name: string, timeNs: string): void {
  from.renameTo(aside, parent, name);
  setTime(parent, timeNs);
}

import type { StepFolder } from './aside';
import { readNote, writeNote } from './aside';
import { errnoOf } from './system/libc';
import type { Folder } from './system/folder';

/**
 * A folder's time of change around an act of ours. Undo puts `beforeNs` back if the folder's time is still `afterNs`;
 * `afterNs` is null when it can't be known that the last change to the folder was ours.
 */
export type FolderTime = { readonly path: string; readonly beforeNs: string; readonly afterNs: string | null };

/** The kernel's coarse clock ticks at 100 to 1,000 Hz: stamps of one rename lie no further apart. */
const TICK_NS = 20_000_000n;
const near = (a: bigint, b: bigint): boolean => (a > b ? a - b : b - a) <= TICK_NS;

/**
 * The folder's time if its last change was the rename that also gave a moved entry its time of change; else null.
 * This is how it is told after a crash; without one it is read in the same turn as the rename.
 */
export const timeOfMove = (folder: Folder, movedCtimeNs: bigint | undefined): string | null => {
  const { mtimeNs } = folder.stat();
  return movedCtimeNs !== undefined && near(mtimeNs, movedCtimeNs) ? String(mtimeNs) : null;
};

const NOTE = 'folders-before-undo';

/** Notes, before an undo acts, which folders nobody else has changed since our act. */
export async function noteUnchanged(step: StepFolder, folders: readonly (readonly [Folder, FolderTime])[]): Promise<void> {
  await writeNote(step, NOTE, Object.fromEntries(folders.map(([folder, time]) => [time.path, String(folder.stat().mtimeNs) === time.afterNs])));
}

/**
 * Puts a folder's time back where the note allows it.
 * @param movedCtimeNs time of change of what our undo moved last, or `now`, when nothing else can have come between
 * @returns false when it should have been put back and this process may not
 */
export function putTimeBack(step: StepFolder, folder: Folder, time: FolderTime, movedCtimeNs: bigint | undefined | 'now'): boolean {
  if (readNote<Record<string, boolean>>(step.folder, NOTE)?.[time.path] !== true) return true;
  const { mtimeNs } = folder.stat();
  if (String(mtimeNs) === time.beforeNs) return true;
  if (movedCtimeNs !== 'now' && (movedCtimeNs === undefined || !near(mtimeNs, movedCtimeNs))) return true;
  return setTime(folder, time.beforeNs);
}

export function setTime(folder: Folder, ns: string): boolean {
  try {
    folder.setModified(BigInt(ns));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'EACCES') return false;
    throw error;
  }
}

export const TIME_NOT_PUT_BACK = 'the time of change of the folder belongs to another user and could not be put back';

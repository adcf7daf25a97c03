import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { OperationalError } from '@aifirst/kernel';
import { RESERVED } from './path';
import { errnoOf } from './system/libc';
import { Folder, sync, type Held } from './system/folder';
import { lock, type Patience } from './system/patience';
import { removeTree } from './remove-tree';

/**
 * `<root>/.aifirst`, mode 700, on the file system of the root so that setting aside is a rename:
 *   prepared/<step>  made by `prepare`; as long as it is there, `execute` may begin
 *   steps/<step>     begun: what was staged or set aside, notes, until `forget`
 *   kept/<inode>     folders we made and could not take back yet, as somebody else's file was in them
 * `<step>` is a hash of the step's key. Whoever works on a step holds the lock of its folder; who takes the folder away
 * proves that the step can't begin any more, however long another process slept before it.
 */
export interface Aside { readonly base: Folder; readonly prepared: Folder; readonly steps: Folder; readonly kept: Folder }

/** How a step's folder is found again. The inode tells it from one made later for the same key. */
export type AsideSeen = { readonly name: string; readonly ino: string };

export const stepName = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 40);

/** null when there is none yet and `make` is false. @throws CannotDo */
export function openAside(held: Held, root: Folder, make: boolean): Aside | null {
  let base = held.folder(root.openFolder(RESERVED));
  if (base === null) {
    if (!make) return null;
    base = held.folder(makeBase(root));
  }
  const { uid, mode } = base.stat();
  const user = process.geteuid!();
  if (user !== 0 && Number(uid) !== user) throw new CannotDo('CONNECTION_UNUSABLE', `\`${RESERVED}\` in the root belongs to another user`);
  if ((Number(mode) & 0o077) !== 0) fs.fchmodSync(base.fd, 0o700);
  const part = (name: string): Folder => {
    const there = base.openFolder(name);
    if (there !== null) return held.folder(there);
    try { base.makeFolder(name, 0o700); } catch (error) { if (errnoOf(error) !== 'EEXIST') throw error; }
    return held.folder(base.openFolder(name)!);
  };
  return { base, prepared: part('prepared'), steps: part('steps'), kept: part('kept') };
}

/** The same for looking only: nothing is made or mended. */
export function lookAside(held: Held, root: Folder): Pick<Aside, 'prepared' | 'steps'> | null {
  const base = held.folder(root.openFolder(RESERVED));
  const prepared = base === null ? null : held.folder(base.openFolder('prepared'));
  const steps = base === null ? null : held.folder(base.openFolder('steps'));
  return prepared === null || steps === null ? null : { prepared, steps };
}

/** Nobody is to notice: the root's time of change is put back in the same turn. */
function makeBase(root: Folder): Folder {
  const { mtimeNs } = root.stat();
  try {
    root.makeFolder(RESERVED, 0o700);
    root.setModified(mtimeNs);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  return root.openFolder(RESERVED)!;
}

/** A step's folder, locked. */
export interface StepFolder { readonly folder: Folder; readonly name: string; /** It lies among the begun ones. */ readonly begun: boolean }

/** Makes the folder whose existence allows the act. One left by an attempt that got no further is cleared away. */
export async function prepareStep(held: Held, aside: Aside, key: string, patience: Patience): Promise<StepFolder & { readonly seen: AsideSeen }> {
  const name = stepName(key);
  if (aside.steps.lstat(name) !== null) throw new OperationalError('ALREADY_BEGUN', `step \`${key}\` has begun: what came of it must be probed`);
  const left = held.folder(aside.prepared.openFolder(name));
  if (left !== null) {
    await lock(left, patience);
    await discard(aside, { folder: left, name, begun: false });
  }
  aside.prepared.makeFolder(name, 0o700);
  const folder = held.folder(aside.prepared.openFolder(name)!);
  return { folder, name, begun: false, seen: { name, ino: String(folder.stat().ino) } };
}

/** Finds a step's folder, waits for its lock, and looks again whether it is still there: null when it is not. @throws CannotDo `LOCKED` */
export async function openStep(held: Held, aside: Aside | null, seen: AsideSeen, patience: Patience): Promise<StepFolder | null> {
  if (aside === null) return null;
  // Why twice: another process may just move it from the first place to the second.
  for (let round = 0; round < 2; round++) {
    for (const [parent, begun] of [[aside.prepared, false], [aside.steps, true]] as const) {
      const folder = held.folder(parent.openFolder(seen.name));
      if (folder === null || String(folder.stat().ino) !== seen.ino) continue;
      await lock(folder, patience);
      if (String(parent.lstat(seen.name)?.ino) === seen.ino) return { folder, name: seen.name, begun };
    }
  }
  return null;
}

/** Finds a step's folder as it lies there, whoever is at work in it. */
export function lookAtStep(held: Held, aside: Pick<Aside, 'prepared' | 'steps'> | null, seen: AsideSeen): StepFolder | null {
  if (aside === null || seen.name === '') return null;
  for (const [parent, begun] of [[aside.prepared, false], [aside.steps, true]] as const) {
    const folder = held.folder(parent.openFolder(seen.name));
    if (folder !== null && String(folder.stat().ino) === seen.ino) return { folder, name: seen.name, begun };
  }
  return null;
}

/** From here on the step has begun. */
export function begin(aside: Aside, step: StepFolder): StepFolder {
  if (step.begun) return step;
  aside.prepared.renameTo(step.name, aside.steps, step.name);
  return { ...step, begun: true };
}

/** The folder goes in one rename, so that no half of it is ever taken for the state of a step; then its content goes. */
export async function discard(aside: Aside, step: StepFolder, boundary: (name: string) => void = () => undefined): Promise<void> {
  const parent = step.begun ? aside.steps : aside.prepared;
  const gone = `gone-${step.name}-${step.folder.stat().ino}`;
  boundary('discard.before');
  parent.renameTo(step.name, aside.prepared, gone);
  boundary('discard.after');
  await removeTree(aside.prepared, gone);
}

/** What a crash between preparing and recording left behind goes after a day; a sleeper finds it gone and does not begin. */
const PREPARED_MS_MAX = 24 * 60 * 60 * 1000;
export async function sweepPrepared(held: Held, aside: Aside, nowMs: number): Promise<void> {
  for (const name of aside.prepared.names().map(String)) {
    const stats = aside.prepared.lstat(name);
    if (stats === null || nowMs - Number(stats.ctimeMs) < PREPARED_MS_MAX) continue;
    const folder = held.folder(aside.prepared.openFolder(name));
    if (folder === null || !folder.tryLock()) continue;
    if (name.startsWith('gone-')) await removeTree(aside.prepared, name);
    else await discard(aside, { folder, name, begun: false });
  }
}

/** Writes a note into a step's folder, durably. */
export async function writeNote(step: StepFolder, name: string, value: unknown): Promise<void> {
  const fd = fs.openSync(step.folder.at(`${name}.new`), fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_NOFOLLOW, 0o600);
  try {
    fs.writeSync(fd, JSON.stringify(value));
    await sync(fd);
  } finally { fs.closeSync(fd); }
  fs.renameSync(step.folder.at(`${name}.new`), step.folder.at(name));
  await step.folder.sync();
}

/** What a note says; null when there is none, or none that was written to its end. */
export function readNote<T>(folder: Folder, name: string): T | null {
  let text: string;
  try {
    const fd = fs.openSync(folder.at(name), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try { text = fs.readFileSync(fd, 'utf8'); } finally { fs.closeSync(fd); }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try { return JSON.parse(text) as T; } catch { return null; }
}

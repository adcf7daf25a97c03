import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CannotDo, type ActResult, type ProbeResult, type UndoResult } from '@aifirst/execution';
import { begin, discard, readNote, writeNote, type StepFolder } from '../aside';
import { folderAt, folderAtIfAny } from '../root';
import { difference, digestOf, foreignChange, hashFile, inWords, isSameInode, openFile, readRange, see, seeOpenFile, sha256, type Seen } from '../seen';
import { AS_BEFORE, barred, beginStep, blocked, blockedBy, findStep, prepare, targetChanged, undone, type Act, type ActImage, type Backward, type Looking, type Session, type Verb } from '../session';
import { errnoOf, releaseLease, setModified, takeLease } from '../system/libc';
import { Held, sync, type Folder } from '../system/folder';
import { contentOf } from '../input';
import { mustBeWritable, type Place } from './stage';

/** Adds to the end of a file that is there; one that is not is made like any other (place.ts). */
export type AppendBefore = ActImage & { readonly kind: 'append'; readonly target: Seen; readonly length: number; readonly content: string };
export type AppendAfter = { readonly entry: Seen; readonly offset: number };

const BEGUN = 'undo';
/** How long an undo waits for others to close the file. */
const OTHERS_MS_MAX = 2_000;

/**
 * `keepHash` gets the hash of the content as it was read, to go on with.
 * @throws CannotDo `HARD_LINKED`: the same content stands under another name too, perhaps outside the root
 */
export async function lookToAppend({ folder, chain }: Place, keepHash?: (hash: Hash) => void): Promise<Seen> {
  const held = new Held();
  try {
    mustBeWritable(folder, chain[0]);
    const target = await seeOpenFile(openFile(held, folder, chain[0]), keepHash);
    if (target.nlink > 1) throw new CannotDo('HARD_LINKED', 'the file has further names, under which it would change as well');
    return target;
  } finally { held.close(); }
}

export async function prepareAppend(session: Session, path: string, place: Place, content: Buffer): Promise<AppendBefore> {
  const target = await lookToAppend(place);
  const { step, seen: aside } = await prepare(session);
  // Why: after a power failure the folder alone tells that an append may have begun.
  await step.folder.sync();
  await session.aside!.prepared.sync();
  return { kind: 'append', root: session.rootSeen, aside, path, target, length: content.length, content: sha256(content) };
}

const placeAt = (path: string): [readonly string[], string] => { const names = path.split('/'); return [names.slice(0, -1), names.at(-1)!]; };
const { O_RDWR, O_APPEND } = fs.constants;

async function execute(session: Session, before: AppendBefore, act: Act): Promise<ActResult> {
  const content = contentOf(session.call.input);
  const { resumed } = await beginStep(session, before);
  if (resumed) {
    const state = await look(session, before, content);
    if (state.outcome !== 'nothing') return state.outcome === 'done' ? succeeded(before, state.after) : unknown('an earlier attempt was cut off and what came of it can\'t be told');
  }
  session.boundary('begun');
  const [folders, name] = placeAt(before.path);
  const fd = openFile(session.held, folderAt(session.held, session.root, folders), name, O_RDWR | O_APPEND);
  let whole = createHash('sha256');
  const now = await seeOpenFile(fd, hash => { whole = hash; });
  session.boundary('append.before');
  if (difference(before.target, now) !== null || String(fs.fstatSync(fd, { bigint: true }).ctimeNs) !== before.target.ctimeNs) {
    throw targetChanged('the file was changed by somebody else meanwhile');
  }
  act.begun = true;
  const offset = before.target.size;
  const failure = write(fd, content);
  session.boundary('append.written');
  if (failure !== null) {
    // Why: a part that was written goes again, else the step would be half done.
    if (!cutOff(fd, offset, content.subarray(0, failure.written), before.target.mtimeNs)) return unknown('a part was written and somebody else wrote after it');
    act.begun = false;
    throw failure.error;
  }
  await sync(fd);
  const size = fs.fstatSync(fd).size;
  if (size === offset + content.length && readRange(fd, offset, content.length).equals(content)) {
    whole.update(content);
    return succeeded(before, { offset, entry: entryOf(before, fd, digestOf(whole)) });
  }
  const state = await look(session, before, content);
  return state.outcome === 'done' ? succeeded(before, state.after) : unknown('somebody else wrote to the file at the same time');
}

const unknown = (detail: string): ActResult => ({ outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', detail, clean: false } });
const succeeded = (before: AppendBefore, after: AppendAfter): ActResult & { outcome: 'succeeded' } =>
  ({ outcome: 'succeeded', output: { path: before.path, digest: after.entry.digest, created: false }, after });

function write(fd: number, content: Buffer): { readonly error: unknown; readonly written: number } | null {
  let written = 0;
  try {
    while (written < content.length) written += fs.writeSync(fd, content, written);
    return null;
  } catch (error) { return { error, written }; }
}

function entryOf(before: AppendBefore, fd: number, digest: string): Seen {
  const { size, mtimeNs, ctimeNs } = fs.fstatSync(fd, { bigint: true });
  return { ...before.target, size: Number(size), mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs), digest };
}

type State = { readonly outcome: 'done'; readonly after: AppendAfter } | { readonly outcome: 'nothing' } | { readonly outcome: 'cannotTell'; readonly detail: string };

/** Whether ours is in the file; a part of it at the end is taken off again. */
async function look(session: Session, before: AppendBefore, content: Buffer): Promise<State> {
  const cannotTell = (detail: string): State => ({ outcome: 'cannotTell', detail });
  const [folders, name] = placeAt(before.path);
  const folder = folderAtIfAny(session.held, session.root, folders);
  if (folder === null || !isSameInode(before.target, folder.lstat(name))) return cannotTell('another file, or none, is in the place of the one appended to');
  const fd = openFile(session.held, folder, name, O_RDWR | O_APPEND);
  const { size } = fs.fstatSync(fd);
  const from = before.target.size;
  if (size === from) return { outcome: 'nothing' };
  if (size < from) return cannotTell('the file is shorter than before');
  const added = readRange(fd, from, size - from);
  const at = added.indexOf(content);
  if (at >= 0) {
    await sync(fd);
    const hash = createHash('sha256');
    await hashFile(fd, hash);
    return { outcome: 'done', after: { offset: from + at, entry: entryOf(before, fd, digestOf(hash)) } };
  }
  if (content.subarray(0, added.length).equals(added)) {
    return cutOff(fd, from, added, before.target.mtimeNs) ? { outcome: 'nothing' } : cannotTell('a part was written, and somebody else has the file open');
  }
  return mayHoldPart(added, content, from) ? cannotTell('a part may have been written, and somebody else wrote after it') : { outcome: 'nothing' };
}

const PAGE_BYTES = 4096;
/** A write that is cut off ends at a page of the file: is there a place where ours begins and goes on that far? */
export function mayHoldPart(added: Buffer, content: Buffer, offset: number): boolean {
  for (let at = added.indexOf(content[0]!); at >= 0; at = added.indexOf(content[0]!, at + 1)) {
    const length = Math.min(content.length, added.length - at, PAGE_BYTES - ((offset + at) % PAGE_BYTES));
    if (added.subarray(at, at + length).equals(content.subarray(0, length))) return true;
  }
  return false;
}

/**
 * Takes the end of the file off if it is `ours` and nothing follows, and puts the time of change back; all in one turn and,
 * where the kernel grants it, with everybody else kept from opening the file. False: it is not so, nothing was done.
 * @throws SystemError `EAGAIN` when the lease is needed and others have the file open
 */
function cutOff(fd: number, offset: number, ours: Buffer, mtimeNs: string, lease: 'ifAny' | 'needed' = 'ifAny'): boolean {
  let leased = false;
  try {
    takeLease(fd);
    leased = true;
  } catch (error) {
    // Why: only the owner and root get leases, and not on every file system; then one turn is as close as it gets.
    if (errnoOf(error) === undefined || (lease === 'needed' && errnoOf(error) === 'EAGAIN')) throw error;
  }
  try {
    if (fs.fstatSync(fd).size !== offset + ours.length || !readRange(fd, offset, ours.length).equals(ours)) return false;
    fs.ftruncateSync(fd, offset);
    putTime(fd, mtimeNs);
    return true;
  } finally {
    if (leased) releaseLease(fd);
  }
}

/** Only the owner may: whoever reads the file again tells that its time is another. */
function putTime(fd: number, mtimeNs: string): void {
  try { setModified(fd, BigInt(mtimeNs)); } catch (error) { if (errnoOf(error) !== 'EPERM') throw error; }
}

async function probe(session: Session, before: AppendBefore): Promise<ProbeResult> {
  const step = await findStep(session, before);
  if (step === null) return { outcome: 'didNotHappen' };
  const state = await look(session, before, contentOf(session.call.input));
  if (state.outcome === 'cannotTell') return state;
  if (state.outcome === 'done') { begin(session.aside!, step); return succeeded(before, state.after); }
  await discard(session.aside!, step, session.boundary);
  return { outcome: 'didNotHappen' };
}

async function lookBackIn(folder: Folder | null, name: string, step: StepFolder | null, before: AppendBefore, after: AppendAfter): Promise<Backward> {
  const inTheWay = (what: string, found: Seen | null): Backward => barred({ path: before.path, what, expected: after.entry, found, ...sides(before, after) });
  if (folder === null || folder.lstat(name) === null) return inTheWay('it is gone', null);
  const found = (await see(folder, name))!;
  if (isSameInode(before.target, folder.lstat(name)) && found.digest === before.target.digest && found.size === before.target.size) return AS_BEFORE;
  const changed = foreignChange(after.entry, found);
  if (changed !== null) return inTheWay(changed, found);
  if (step === null) return inTheWay('what undo needs has been forgotten', found);
  // Why closed at once: an undo gets the file to itself only where nobody has it open, itself included.
  const held = new Held();
  try {
    return oursIn(openFile(held, folder, name), before, after) === null ? inTheWay(OTHER_CONTENT, found) : { finds: 'after', found };
  } finally { held.close(); }
}
const OTHER_CONTENT = 'its content is another';
const sides = ({ target }: AppendBefore, { entry }: AppendAfter) => ({ before: target, after: entry });

/** What was added, where it was added; null when something else stands there. */
function oursIn(fd: number, before: AppendBefore, after: AppendAfter): Buffer | null {
  const ours = readRange(fd, after.offset, before.length);
  return sha256(ours) === before.content ? ours : null;
}

function lookBack(looking: Looking, step: StepFolder | null, before: AppendBefore, after: AppendAfter): Promise<Backward> {
  const [folders, name] = placeAt(before.path);
  return lookBackIn(folderAtIfAny(looking.held, looking.root, folders), name, step, before, after);
}

async function undo(session: Session, before: AppendBefore, after: AppendAfter): Promise<UndoResult> {
  const [folders, name] = placeAt(before.path);
  const conflict = (what: string, found: Seen | null) => blocked(session, before.path, what, inWords(after.entry), inWords(found));
  const step = await findStep(session, before);
  const folder = folderAtIfAny(session.held, session.root, folders);
  const back = await lookBackIn(folder, name, step, before, after);
  if (back.finds === 'blocked' || folder === null) return blockedBy(session, back as Extract<Backward, { finds: 'blocked' }>);
  if (back.finds === 'before') return finish(session, before, step, folder, name);
  await writeNote(step!, BEGUN, true);
  session.boundary('undo.before');
  const fd = openFile(session.held, folder, name, O_RDWR);
  const ours = oursIn(fd, before, after);
  if (ours === null) return conflict(OTHER_CONTENT, back.found);
  const mtimeNs = after.offset === before.target.size ? before.target.mtimeNs : after.entry.mtimeNs;
  if (!(await cutOffWhenAlone(fd, after.offset, ours, mtimeNs))) return conflict('somebody else writes to it or has it open', await see(folder, name));
  session.boundary('undo.cut');
  await sync(fd);
  return finish(session, before, step, folder, name);
}

async function cutOffWhenAlone(fd: number, offset: number, ours: Buffer, mtimeNs: string): Promise<boolean> {
  for (const untilMs = Date.now() + OTHERS_MS_MAX; ;) {
    try {
      return cutOff(fd, offset, ours, mtimeNs, 'needed');
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      if (Date.now() >= untilMs) return false;
      await sleep(10);
    }
  }
}

async function finish(session: Session, before: AppendBefore, step: StepFolder | null, folder: Folder, name: string): Promise<UndoResult> {
  const fd = openFile(session.held, folder, name, O_RDWR);
  // Why: a crash may have come between cutting off and putting the time back.
  if (step !== null && readNote(step.folder, BEGUN) !== null && String(fs.fstatSync(fd, { bigint: true }).mtimeNs) !== before.target.mtimeNs) {
    putTime(fd, before.target.mtimeNs);
    await sync(fd);
  }
  const differs = difference(before.target, await see(folder, name));
  return undone(differs === null, differs);
}

export const appending: Verb<AppendBefore, AppendAfter> = { execute, probe, undo, lookBack, sides };

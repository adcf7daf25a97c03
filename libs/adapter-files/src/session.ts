import { CannotDo, type ActResult, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import { begin, openStep, prepareStep, type Aside, type AsideSeen, type StepFolder } from './aside';
import type { Folder, Held } from './system/folder';
import { lock, type Patience } from './system/patience';
import type { RootSeen } from './root';
import { inWords, type Seen } from './seen';

/** One call at work: the root and the set-aside folder, open, and everything else that is opened on the way. */
export interface Session {
  readonly held: Held;
  readonly root: Folder;
  readonly rootSeen: RootSeen;
  readonly aside: Aside | null;
  readonly call: Pick<StepCall, 'key' | 'input'>;
  /** The step's own folder once it is open and locked. */
  step: StepFolder | null;
  /** `file://<connection>/`, for people. */
  readonly uri: string;
  readonly patience: Patience;
  /** Folders this call has the lock of, by inode: a second descriptor of the same folder would wait for the first. */
  readonly locked: Set<string>;
  /** Named points between two durable moves: a test stops the call there as a crash would. */
  boundary(name: string): void;
}

/** What is needed to look at a target without touching it. */
export type Looking = Pick<Session, 'held' | 'root'>;

/** Locks a folder that is about to get or lose an entry, so that its times of change chain from step to step. */
export async function lockFolder(session: Session, folder: Folder): Promise<void> {
  const { dev, ino } = folder.stat();
  const id = `${dev}:${ino}`;
  if (session.locked.has(id)) return;
  await lock(folder, session.patience);
  session.locked.add(id);
}

/** What every image of a changing verb has. */
export type ActImage = {
  readonly root: RootSeen;
  readonly aside: { readonly name: string; readonly ino: string };
  readonly path: string;
};
export type FolderSeen = { readonly dev: string; readonly ino: string; readonly mtimeNs: string };
export const seeFolderItself = (folder: Folder): FolderSeen => {
  const stats = folder.stat();
  return { dev: String(stats.dev), ino: String(stats.ino), mtimeNs: String(stats.mtimeNs) };
};

export interface Act {
  /** Set before the first change to what others see: an error from then on leaves the outcome unknown. */
  begun: boolean;
}

/** What stands in the way of an undo at a path: what it has to find there and what it finds, and what was there before and after the step. */
export interface InTheWay { readonly path: string; readonly what: string; readonly expected: Seen | null; readonly found: Seen | null; readonly before: Seen | null; readonly after: Seen | null }
/** What an undo finds by looking alone. `before`: all is as it was; `after`: it can be put back, `found` being what the step left; `blocked`: an undo tells the first. */
export type Backward =
  | { readonly finds: 'before' }
  | { readonly finds: 'after'; readonly found: Seen }
  | { readonly finds: 'blocked'; readonly inTheWay: readonly [InTheWay, ...InTheWay[]] };
export const AS_BEFORE: Backward = { finds: 'before' };
export const barred = (...inTheWay: readonly [InTheWay, ...InTheWay[]]): Backward => ({ finds: 'blocked', inTheWay });

/** How one kind of change is carried out and taken back. `Before` and `After` are private JSON. */
export interface Verb<Before extends ActImage, After> {
  execute(session: Session, before: Before, act: Act): Promise<ActResult>;
  probe(session: Session, before: Before): Promise<ProbeResult>;
  undo(session: Session, before: Before, after: After): Promise<UndoResult>;
  /** What `undo` goes by, before it touches anything. @param step its folder, null when that is gone; need not be locked, but then others may be at work */
  lookBack(looking: Looking, step: StepFolder | null, before: Before, after: After): Promise<Backward>;
  /** What was at `before.path` before and after. */
  sides(before: Before, after: After): Pick<InTheWay, 'before' | 'after'>;
}

const fenced = (): CannotDo =>
  new CannotDo('FENCED', 'the step was found not to have happened, so it may not begin any more');

/** Makes the step's folder, the last thing `prepare` checks nothing after. */
export async function prepare(session: Session): Promise<{ readonly step: StepFolder; readonly seen: AsideSeen }> {
  const step = await prepareStep(session.held, session.aside!, session.call.key, session.patience);
  session.step = step;
  session.boundary('prepare.folder');
  return { step, seen: step.seen };
}
/** The step's folder, locked, marked as begun. @throws CannotDo `FENCED`, `TIMEOUT`, `STEP_LOCKED` */
export async function beginStep(session: Session, before: ActImage): Promise<{ readonly step: StepFolder; /** An earlier attempt had begun. */ readonly resumed: boolean }> {
  const found = await findStep(session, before);
  if (found === null) throw fenced();
  session.step = found;
  if (session.patience.signal?.aborted === true && !found.begun) throw new CannotDo('TIMEOUT', 'the time was over before the act began');
  session.step = begin(session.aside!, found);
  return { step: session.step, resumed: found.begun };
}
/** The step's folder, locked; null when it is gone: the step did not happen, or is forgotten. @throws CannotDo `STEP_LOCKED` */
export async function findStep(session: Session, before: ActImage): Promise<StepFolder | null> {
  try {
    return await openStep(session.held, session.aside, before.aside, session.patience);
  } catch (error) {
    if (error instanceof CannotDo && error.code === 'LOCKED') throw new CannotDo('STEP_LOCKED', 'another process is at work on this very step');
    throw error;
  }
}

export const targetChanged = (what: string): CannotDo => new CannotDo('TARGET_CHANGED', what);

export const blocked = (session: Session, path: string, what: string, expected: string, found: string): UndoResult =>
  ({ outcome: 'blocked', conflict: { resource: `${session.uri}${path}`, what, expected, found } });
export const blockedBy = (session: Session, { inTheWay: [first] }: Extract<Backward, { finds: 'blocked' }>): UndoResult =>
  blocked(session, first.path, first.what, inWords(first.expected), inWords(first.found));
export const undone = (verified: boolean, reason: string | null): UndoResult => ({ outcome: 'undone', verified, reason });

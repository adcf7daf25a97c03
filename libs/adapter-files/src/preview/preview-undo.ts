import { isUtf8 } from 'node:buffer';
import type { StepCall } from '@aifirst/execution';
import type { UndoConflict, UndoPreview } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';
import type { StepFolder } from '../aside';
import { contentOf as contentOfInput } from '../input';
import { patchText } from '../patch-text';
import { IN_THE_WAY, cannotDo, isExpected } from '../problems';
import { folderAtIfAny } from '../root';
import { inWords, modeText, openFile, readRange, sha256, typeMode, type Seen } from '../seen';
import type { ActImage, Backward, InTheWay, Looking, Verb } from '../session';
import { Held, type Folder } from '../system/folder';

/** Content of each side up to this is shown. */
const CONTENT_BYTES_MAX = 16 * 1024;
/** Where what is set aside lies in a step's folder. */
const KEPT = ['item', 'ours'];

/** `step`: its folder as it lies there, null when it is gone. All of it is quiet (system/folder.ts). */
export interface UndoLooking extends Looking { readonly step: StepFolder | null; readonly call: StepCall }

/** What `verb.undo` would come to now, each conflict with its three sides. @throws CannotDo, SystemError where an undo would not get as far as to say */
export async function previewUndo(looking: UndoLooking, verb: Verb<ActImage, unknown>, before: ActImage, after: unknown): Promise<UndoPreview> {
  let back: Backward;
  try {
    back = await verb.lookBack(looking, looking.step, before, after);
  } catch (error) {
    if (!isExpected(error)) throw error;
    const { code, message } = cannotDo(error);
    if (!IN_THE_WAY.has(code)) throw error;
    return blockedByOther(looking, verb, before, after, message);
  }
  switch (back.finds) {
    case 'before': return { outcome: 'nothingToDo', summary: `\`${before.path}\` is as it was before`, conflicts: [], truncated: false };
    case 'after': return { outcome: 'wouldUndo', summary: summaryOf(looking.call, before, verb.sides(before, after)), conflicts: [], truncated: false };
    case 'blocked': return blockedBy(looking, before, back.inTheWay);
  }
}

function blockedBy(looking: UndoLooking, before: ActImage, inTheWay: readonly [InTheWay, ...InTheWay[]]): UndoPreview {
  const contents = contentsOf(looking, before, inTheWay);
  const conflicts = inTheWay.map((one): UndoConflict => ({
    resource: uriOf(looking, one.path), what: one.what, expected: inWords(one.expected), found: inWords(one.found),
    before: contents.sideOf(one.before), after: contents.sideOf(one.after), current: contents.sideOf(one.found),
  }));
  const [{ path, what }, ...more] = inTheWay;
  return { outcome: 'wouldBlock', summary: `\`${path}\`: ${what}${more.length === 0 ? '' : `, and ${more.length} more`}`, conflicts, truncated: contents.isCut };
}

/** What lies at the path can't be looked at as a file or folder: a link, another file system, something that does not hold still. */
function blockedByOther(looking: UndoLooking, verb: Verb<ActImage, unknown>, image: ActImage, imageAfter: unknown, what: string): UndoPreview {
  const { before, after } = verb.sides(image, imageAfter);
  const contents = contentsOf(looking, image, []);
  const [folders, name] = placeAt(image.path);
  const stats = folderAtIfAny(looking.held, looking.root, folders)?.lstat(name) ?? null;
  const type = stats?.isFile() === true ? 'file' : stats?.isDirectory() === true ? 'directory' : stats?.isSymbolicLink() === true ? 'link' : 'other';
  const current: Json = stats === null ? null : { type, size: stats.isFile() ? Number(stats.size) : 0, mode: modeText(typeMode(stats)), digest: null, content: null };
  const conflict: UndoConflict = {
    resource: uriOf(looking, image.path), what, expected: 'what this step left there', found: what,
    before: contents.sideOf(before), after: contents.sideOf(after), current,
  };
  return { outcome: 'wouldBlock', summary: `\`${image.path}\`: ${what}`, conflicts: [conflict], truncated: contents.isCut };
}

/** As an undo names it. */
const uriOf = ({ call }: UndoLooking, path: string): string => `file://${call.connection?.name ?? ''}/${path}`;
const placeAt = (path: string): [readonly string[], string] => { const names = path.split('/'); return [names.slice(0, -1), names.at(-1)!]; };

function summaryOf({ capability, input }: StepCall, { path }: ActImage, { before, after }: Pick<InTheWay, 'before' | 'after'>): string {
  if (capability === 'fs.move') return `moves \`${String(input['to'])}\` back to \`${path}\``;
  if (before === null) return `takes \`${path}\` away again`;
  if (capability === 'fs.chmod') return `gives \`${path}\` mode ${modeText(before.mode)} again`;
  if (capability === 'fs.append' && after !== null) return `takes ${after.size - before.size} bytes off the end of \`${path}\``;
  return before.type === 'directory' ? `puts the folder \`${path}\` back` : `puts \`${path}\` back as it was (${before.size} bytes)`;
}

/** Contents that have been come by, by their digest: a side is shown with one only if that is what it was. */
class Contents {
  private readonly texts = new Map<string, string | null>();
  /** Some side has a content that is too large to be shown. */
  isCut = false;

  offer(content: Buffer | null): void {
    if (content === null || content.length > CONTENT_BYTES_MAX) return;
    this.texts.set(sha256(content), isUtf8(content) && !content.includes(0) ? content.toString('utf8') : null);
  }

  /** `content` null: it is no text, too large, or not to be had any more. */
  sideOf(seen: Seen | null): Json {
    if (seen === null) return null;
    const { type, size, mode, digest } = seen;
    const isFile = type === 'file';
    this.isCut ||= isFile && size > CONTENT_BYTES_MAX;
    return { type, size, mode: modeText(mode), digest: digest === '' ? null : digest, content: isFile ? this.texts.get(digest) ?? null : null };
  }
}

/** From what is set aside, what is there now, what was copied, and what the call wrote. */
function contentsOf(looking: UndoLooking, before: ActImage, inTheWay: readonly InTheWay[]): Contents {
  const { held, root, step, call } = looking;
  const contents = new Contents();
  for (const name of KEPT) contents.offer(step === null ? null : smallAt(step.folder, name));
  for (const path of new Set([before.path, call.input['path'], call.input['to'], ...inTheWay.map(one => one.path)])) {
    if (typeof path !== 'string') continue;
    const [folders, name] = placeAt(path);
    const folder = folderAtIfAny(held, root, folders);
    if (folder !== null) contents.offer(smallAt(folder, name));
  }
  for (const content of written(looking, before, inTheWay)) contents.offer(content);
  return contents;
}

/** What the step wrote, where its input and what was there before tell. */
function written({ held, root, step, call: { capability, input } }: UndoLooking, before: ActImage, inTheWay: readonly InTheWay[]): Buffer[] {
  try {
    if (capability === 'fs.write') return [contentOfInput(input)];
    if (capability === 'fs.patch') {
      const old = step === null ? null : smallAt(step.folder, 'item');
      return old === null ? [] : [Buffer.from(patchText(old.toString('utf8'), String(input['patch'])), 'utf8')];
    }
    if (capability !== 'fs.append') return [];
    const content = contentOfInput(input);
    const [folders, name] = placeAt(before.path);
    const folder = folderAtIfAny(held, root, folders);
    const now = folder === null ? null : smallAt(folder, name);
    // Why the beginning: whoever adds to the file leaves it as it was.
    const old = now === null ? [] : inTheWay.flatMap(({ before: was }) => (was === null ? [] : [now.subarray(0, was.size)]));
    return [content, ...old, ...old.map(start => Buffer.concat([start, content]))];
  } catch (error) {
    if (!isExpected(error)) throw error;
    return [];
  }
}

/** null for what is no file, too large, or can't be read. */
function smallAt(folder: Folder, name: string): Buffer | null {
  const held = new Held();
  try {
    const stats = folder.lstat(name);
    if (stats?.isFile() !== true || stats.size > BigInt(CONTENT_BYTES_MAX)) return null;
    return readRange(openFile(held, folder, name), 0, Number(stats.size));
  } catch (error) {
    if (!isExpected(error)) throw error;
    return null;
  } finally { held.close(); }
}

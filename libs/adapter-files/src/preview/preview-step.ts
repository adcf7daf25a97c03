import type { Hash } from 'node:crypto';
import { CannotDo, type StepCall } from '@aifirst/execution';
import type { FileState, StepPreview } from '@aifirst/contracts';
import { contentOf as contentOfInput, isReplacing, modeOf } from '../input';
import { pathParts } from '../path';
import { lookToMake } from '../prepare-step';
import { digestOf, modeText, see, typeMode, type Seen } from '../seen';
import type { Looking } from '../session';
import { survey, type Counts } from '../survey';
import { TREE_ENTRIES_MAX } from '../tree';
import { lookToAppend } from '../verbs/append';
import { lookToChangeMode } from '../verbs/chmod';
import { lookToCopy, surveySource } from '../verbs/copy';
import { lookToDelete } from '../verbs/delete';
import { lookToMove, seeMoveTarget } from '../verbs/move';
import { lookToPatch } from '../verbs/patch';
import { readStep } from '../verbs/read';
import { SET_GROUP, lookToWrite, placeOf, targetOf, type Place } from '../verbs/stage';
import { Changes, contentOf, fileState, folderState, stateOf } from './changes';
import { lessUmask, mustHoldAside, mustKeepOwner, mustLetGo, mustTakeEntries } from './rights';

type Previewer = (looking: Looking, call: StepCall, changes: Changes) => Promise<string>;

/**
 * What the call would do now. `looking` is quiet (system/folder.ts): nothing is written, locked or made. What would fail
 * cleanly fails here with the same code, but for what only trying tells: a full disk, another's lock or change.
 * @throws CannotDo, SystemError
 */
export async function previewStep(looking: Looking, call: StepCall): Promise<StepPreview> {
  const previewer = PREVIEWERS[call.capability];
  if (previewer === undefined) throw new CannotDo('UNKNOWN_CAPABILITY', `\`${call.capability}\` is not one of this adapter`);
  const changes = new Changes(call.connection?.name ?? null);
  return changes.preview(await previewer(looking, call, changes));
}

const changing = (previewer: Previewer): Previewer => async (looking, call, changes) => {
  mustHoldAside(looking);
  return previewer(looking, call, changes);
};

const PREVIEWERS: Readonly<Record<string, Previewer>> = {
  'fs.read': async ({ held, root }, call, changes) => {
    const { size } = await readStep(held, root, call) as { size: number };
    changes.touch(String(call.input['path']));
    return `reads \`${String(call.input['path'])}\` (${bytes(size)})`;
  },
  'fs.list': async ({ held, root }, call, changes) => {
    const { entries } = await readStep(held, root, call) as { entries: readonly unknown[] };
    const path = call.input['path'] ?? '';
    changes.touch(String(path));
    return `lists ${path === '' ? 'the root' : `\`${String(path)}\``} (${plural(entries.length, 'entry', 'entries')})`;
  },
  'fs.write': changing(previewWrite), 'fs.append': changing(previewAppend), 'fs.patch': changing(previewPatch), 'fs.mkdir': changing(previewMake),
  'fs.move': changing(previewMove), 'fs.copy': changing(previewCopy), 'fs.delete': changing(previewDelete), 'fs.chmod': changing(previewMode),
};

const RIGHTS = 0o777, OWNER_RIGHTS = 0o700;
const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
const bytes = (count: number): string => plural(count, 'byte');
const inAll = ({ files, folders, others, bytes: size }: Counts): string =>
  [plural(files, 'file'), plural(folders, 'folder'), ...(others === 0 ? [] : [plural(others, 'link or other', 'links and others')]), bytes(size)].join(', ');

/** The folders missing on the way; in words, how many. */
function addParents(changes: Changes, { folder, chain }: Place, parts: readonly string[]): string {
  for (let up = chain.length - 1; up > 0; up--) {
    const path = parts.slice(0, parts.length - up).join('/');
    changes.touch(path);
    changes.add(path, 'create', null, folderState(newFolderMode(folder)));
  }
  return chain.length === 1 ? '' : ` and ${plural(chain.length - 1, 'folder')} on its way`;
}
const newFolderMode = (parent: Place['folder']): number => lessUmask(RIGHTS) | (Number(parent.stat().mode) & SET_GROUP);

function previewCreate(changes: Changes, place: Place, parts: readonly string[], content: Buffer, mode: number): string {
  mustTakeEntries(place.folder);
  const parents = addParents(changes, place, parts);
  changes.touch(parts.join('/'));
  changes.add(parts.join('/'), 'create', null, fileState(content, mode), { before: null, after: content });
  return `creates \`${parts.join('/')}\` (${bytes(content.length)})${parents}`;
}

function previewReplace(changes: Changes, { folder, chain }: Place, target: Seen, path: string, content: Buffer, mode: number): void {
  mustLetGo(folder, chain[0]);
  mustKeepOwner(target);
  changes.touch(path);
  changes.add(path, 'change', stateOf(target), fileState(content, mode), { before: contentOf(folder, chain[0], target.size), after: content });
}

async function previewWrite(looking: Looking, { input }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const content = contentOfInput(input), mode = modeOf(input, 'file');
  const { place, target } = await lookToWrite(looking, parts, input);
  if (target === null) return previewCreate(changes, place, parts, content, mode ?? lessUmask(0o666));
  previewReplace(changes, place, target, parts.join('/'), content, mode ?? target.mode & RIGHTS);
  return `replaces \`${parts.join('/')}\` (${bytes(target.size)}) with ${bytes(content.length)}`;
}

async function previewPatch(looking: Looking, { input }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const { place, target, after } = await lookToPatch(looking, parts, input);
  previewReplace(changes, place, target, parts.join('/'), after, target.mode & RIGHTS);
  return `patches \`${parts.join('/')}\` (${bytes(target.size)}, then ${after.length})`;
}

async function previewAppend(looking: Looking, { input }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const path = parts.join('/');
  const content = contentOfInput(input);
  const place = placeOf(looking, parts);
  if (targetOf(place) === null) return previewCreate(changes, place, parts, content, lessUmask(0o666));
  let whole: Hash | undefined;
  const target = await lookToAppend(place, hash => { whole = hash; });
  const before = contentOf(place.folder, place.chain[0], target.size);
  const after: FileState = { ...stateOf(target), size: target.size + content.length, digest: digestOf(whole!.update(content)) };
  changes.touch(path);
  changes.add(path, 'change', stateOf(target), after, { before, after: before === undefined ? undefined : Buffer.concat([before, content]) });
  return `adds ${bytes(content.length)} to \`${path}\` (${bytes(target.size)})`;
}

async function previewMake(looking: Looking, { input }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const path = parts.join('/');
  const { place, mode, there } = lookToMake(looking, parts, input);
  changes.touch(path);
  if (there !== null) return `finds the folder \`${path}\` there already`;
  mustTakeEntries(place.folder);
  const parents = addParents(changes, place, parts);
  changes.add(path, 'create', null, folderState(mode ?? newFolderMode(place.folder)));
  return `makes the folder \`${path}\`${parents}`;
}

async function previewMove(looking: Looking, { input, signal }: StepCall, changes: Changes): Promise<string> {
  const from = pathParts(input['path']), to = pathParts(input['to']);
  const [path, toPath] = [from.join('/'), to.join('/')];
  const { fromFolder, toFolder } = lookToMove(looking, from, to);
  const name = from.at(-1)!, toName = to.at(-1)!;
  const stats = fromFolder.lstat(name);
  if (stats === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
  const isFolder = stats.isDirectory();
  const counts = isFolder ? await survey(fromFolder, name, { entriesMax: TREE_ENTRIES_MAX, bytesMax: Infinity, signal }) : null;
  const source = isFolder ? null : await see(fromFolder, name);
  const state = source === null ? folderState(typeMode(stats)) : stateOf(source);
  const target = await seeMoveTarget(looking, toFolder, toName, { type: state.type, dev: String(stats.dev), ino: String(stats.ino) }, isReplacing(input, 'fail'));
  mustLetGo(fromFolder, name, fromFolder.stat().ino === toFolder.stat().ino);
  mustTakeEntries(toFolder);
  changes.touch(path);
  changes.touch(toPath);
  changes.add(path, 'move', state, state);
  if (target !== null) {
    mustLetGo(toFolder, toName);
    const contents = source === null ? null : { before: contentOf(toFolder, toName, target.size), after: contentOf(fromFolder, name, source.size) };
    changes.add(toPath, 'change', stateOf(target), state, contents);
  }
  return `moves ${isFolder ? 'the folder ' : ''}\`${path}\`${counts === null ? '' : ` (${inAll(counts)})`} to \`${toPath}\`${target === null ? '' : ' in place of what is there'}`;
}

async function previewCopy(looking: Looking, { input, signal }: StepCall, changes: Changes): Promise<string> {
  const from = pathParts(input['path']), to = pathParts(input['to']);
  const [path, toPath] = [from.join('/'), to.join('/')];
  const toCopy = await lookToCopy(looking, from, to, input);
  const { folder, name, stats, place, target } = toCopy;
  mustTakeEntries(place.folder);
  if (target !== null) mustLetGo(place.folder, place.chain[0]);
  changes.touch(path);
  const parents = addParents(changes, place, to);
  changes.touch(toPath);
  const handedOn = Number(place.folder.stat().mode) & SET_GROUP;
  const counts = await surveySource(toCopy, signal, met => {
    if (!stats.isDirectory()) return;
    const top = met.path === '' ? OWNER_RIGHTS : 0;
    if (top !== 0 && target !== null) changes.add(toPath, 'change', stateOf(target), folderState((typeMode(stats) & RIGHTS) | handedOn | top));
    else changes.addMet(toPath + met.path, 'create', met, mode => (mode & RIGHTS) | (met.stats.isDirectory() ? handedOn | top : 0));
  });
  if (!stats.isDirectory()) {
    const source = await see(folder, name);
    if (source === null) throw new CannotDo('TARGET_CHANGED', 'what is copied went away');
    const before = target === null ? null : contentOf(place.folder, place.chain[0], target.size);
    changes.add(toPath, target === null ? 'create' : 'change', target === null ? null : stateOf(target), stateOf({ ...source, mode: source.mode & RIGHTS }), { before, after: contentOf(folder, name, source.size) });
  }
  const what = stats.isDirectory() ? `the folder \`${path}\` (${inAll(counts)})` : `\`${path}\` (${bytes(counts.bytes)})`;
  return `copies ${what} to \`${toPath}\`${target === null ? '' : ' in place of what is there'}${parents.replace(' and ', ' and makes ')}`;
}

async function previewDelete(looking: Looking, { input, signal }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const path = parts.join('/');
  const { folder, name, stats } = lookToDelete(looking, parts, input['recursive'] === true);
  mustLetGo(folder, name);
  changes.touch(path);
  if (!stats.isDirectory()) {
    const target = await see(folder, name);
    if (target === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path');
    changes.add(path, 'delete', stateOf(target), null, { before: contentOf(folder, name, target.size), after: null });
    return `deletes \`${path}\` (${bytes(target.size)})`;
  }
  const counts = await survey(folder, name, { entriesMax: TREE_ENTRIES_MAX, bytesMax: Infinity, signal }, met => changes.addMet(path + met.path, 'delete', met));
  return `deletes the folder \`${path}\` (${inAll(counts)})`;
}

async function previewMode(looking: Looking, { input }: StepCall, changes: Changes): Promise<string> {
  const parts = pathParts(input['path']);
  const path = parts.join('/');
  const { seen, mode } = await lookToChangeMode(looking, parts, input);
  changes.touch(path);
  if (seen.mode === mode) return `finds \`${path}\` with mode ${modeText(mode)} already`;
  changes.add(path, 'mode', stateOf(seen), stateOf({ ...seen, mode }));
  return `changes the mode of \`${path}\` from ${modeText(seen.mode)} to ${modeText(mode)}`;
}

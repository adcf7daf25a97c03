import { CannotDo, type StepCall } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { contentOf, isReplacing, modeOf } from './input';
import { pathParts } from './path';
import type { ActImage, Looking, Session } from './session';
import { prepareAppend } from './verbs/append';
import { prepareMode } from './verbs/chmod';
import { prepareCopy } from './verbs/copy';
import { prepareDelete } from './verbs/delete';
import { prepareMove } from './verbs/move';
import { preparePatch } from './verbs/patch';
import type { PlaceBefore } from './verbs/place';
import { folderDigest, lookToWrite, placeOf, stageFile, stageFolder, targetOf, type Place } from './verbs/stage';

/** The before-image of a call. @throws CannotDo */
export async function prepareStep(session: Session, { capability, input }: StepCall): Promise<ActImage> {
  const parts = pathParts(input['path']);
  const path = parts.join('/');
  switch (capability) {
    case 'fs.write': {
      const content = contentOf(input);
      const mode = modeOf(input, 'file');
      return stageFile(session, path, await lookToWrite(session, parts, input), content, mode);
    }
    case 'fs.append': {
      const content = contentOf(input);
      const place = placeOf(session, parts);
      return targetOf(place) === null ? stageFile(session, path, { place, target: null }, content, null) : prepareAppend(session, path, place, content);
    }
    case 'fs.patch': return preparePatch(session, parts, input);
    case 'fs.mkdir': return prepareFolder(session, parts, input);
    case 'fs.move': return prepareMove(session, parts, pathParts(input['to']), isReplacing(input, 'fail'));
    case 'fs.copy': return prepareCopy(session, parts, pathParts(input['to']), input);
    case 'fs.delete': return prepareDelete(session, parts, input['recursive'] === true);
    case 'fs.chmod': return prepareMode(session, parts, input);
    default: throw new CannotDo('UNKNOWN_CAPABILITY', `\`${capability}\` is not one of this adapter`);
  }
}

/** `there`: the folder is there already, and may be. */
export function lookToMake(looking: Looking, parts: readonly string[], input: JsonObject): { readonly place: Place; readonly mode: number | null; readonly there: ReturnType<typeof targetOf> } {
  const mode = modeOf(input, 'folder');
  const place = placeOf(looking, parts);
  const there = targetOf(place);
  if (there === null) {
    if (place.chain.length > 1 && input['parents'] !== true) throw new CannotDo('NOT_FOUND', 'a folder on the way is missing: `parents` makes it');
    return { place, mode, there };
  }
  if (there.isSymbolicLink()) throw new CannotDo('PATH_ESCAPES_ROOT', 'a symbolic link is at that path; links are never followed');
  if (!there.isDirectory()) throw new CannotDo('NOT_A_DIRECTORY', 'a file is at that path');
  if (input['parents'] !== true) throw new CannotDo('EXISTS', 'the folder is there already');
  return { place, mode, there };
}

async function prepareFolder(session: Session, parts: readonly string[], input: JsonObject): Promise<PlaceBefore> {
  const { place, mode, there } = lookToMake(session, parts, input);
  const path = parts.join('/');
  if (there === null) return stageFolder(session, path, place, mode);
  const { dev, ino } = there;
  const seen = { type: 'directory' as const, dev: String(dev), ino: String(ino), mode: 0, uid: 0, gid: 0, nlink: 0, size: 0, mtimeNs: '0', ctimeNs: '0', digest: '', attributes: '', stamp: '' };
  return {
    kind: 'place', root: session.rootSeen, aside: { name: '', ino: '' }, path, folder: { dev: '', ino: '', mtimeNs: '' }, chain: [place.chain[0]],
    target: null, staged: seen, stagedFolders: [], digest: folderDigest(Number(there.mode) & 0o7777), nothing: true,
  };
}

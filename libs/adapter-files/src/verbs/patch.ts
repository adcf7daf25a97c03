import { CannotDo } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { patchText } from '../patch-text';
import { openFile, readRange, sha256, type Seen } from '../seen';
import { targetChanged, type Looking, type Session } from '../session';
import { Held } from '../system/folder';
import type { PlaceBefore } from './place';
import { placeOf, replaced, stageFile, type Place } from './stage';

/** A text is patched in memory, as a whole. */
const PATCHED_BYTES_MAX = 16 * 1024 * 1024;

/** Stages the file as it is with the diff applied; from there on it is one that replaces another (place.ts). */
export async function preparePatch(session: Session, parts: readonly string[], input: JsonObject): Promise<PlaceBefore> {
  const { place, target, after } = await lookToPatch(session, parts, input);
  return stageFile(session, parts.join('/'), { place, target }, after, null);
}

/** @throws CannotDo `NOT_TEXT`, `TARGET_CHANGED` naming the hunk that does not apply */
export async function lookToPatch(looking: Looking, parts: readonly string[], { patch }: JsonObject): Promise<{ readonly place: Place; readonly target: Seen; readonly before: Buffer; readonly after: Buffer }> {
  if (typeof patch !== 'string') throw new CannotDo('INVALID_INPUT', '`patch` is no text');
  const place = placeOf(looking, parts);
  const target = await replaced(place);
  if (target === null) throw new CannotDo('NOT_FOUND', 'there is nothing at that path to be patched');
  if (target.size > PATCHED_BYTES_MAX) throw new CannotDo('TOO_LARGE', `the file has ${target.size} bytes, more than the ${PATCHED_BYTES_MAX} that can be patched`);
  const before = contentOf(place, target);
  return { place, target, before, after: Buffer.from(patchText(textOf(before), patch), 'utf8') };
}

function contentOf({ folder, chain }: Place, target: Seen): Buffer {
  const held = new Held();
  try {
    const content = readRange(openFile(held, folder, chain[0]), 0, target.size);
    if (sha256(content) !== target.digest) throw targetChanged('the file was changed by somebody else while it was read');
    return content;
  } finally { held.close(); }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
function textOf(content: Buffer): string {
  try {
    return strict.decode(content);
  } catch {
    throw new CannotDo('NOT_TEXT', 'the file is no UTF-8 text, so a diff can\'t be applied to it');
  }
}

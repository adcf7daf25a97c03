import { CannotDo } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';

const invalid = (detail: string): CannotDo => new CannotDo('INVALID_INPUT', detail);

/** The bytes that `content` and `encoding` stand for. @throws CannotDo `INVALID_INPUT` */
export function contentOf(input: JsonObject): Buffer {
  const { content, encoding = 'utf8' } = input;
  if (typeof content !== 'string') throw invalid('`content` is no text');
  if (encoding === 'utf8') {
    if (/\p{Surrogate}/u.test(content)) throw invalid('`content` holds a lone surrogate');
    return Buffer.from(content, 'utf8');
  }
  if (encoding !== 'base64') throw invalid('`encoding` is neither `utf8` nor `base64`');
  const bytes = Buffer.from(content, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== content.replace(/=+$/, '')) throw invalid('`content` is no base64');
  return bytes;
}

/** Three octal digits, with or without a zero before them. @throws CannotDo `INVALID_INPUT` */
export function modeOf(input: JsonObject, kind: 'file' | 'folder'): number | null {
  const { mode } = input;
  if (mode === undefined) return null;
  const pattern = kind === 'file' ? FILE_MODE : FOLDER_MODE;
  if (typeof mode !== 'string' || !new RegExp(pattern).test(mode)) throw invalid(`\`mode\` does not match ${pattern}`);
  return Number.parseInt(mode, 8);
}
/** No set-user, set-group or sticky bit: nothing an agent writes runs as somebody else. */
export const FILE_MODE = '^0?[0-7]{3}$';
/** A folder its owner can't write into could not be taken back with what is in it. */
export const FOLDER_MODE = '^0?7[0-7]{2}$';

/** Four octal digits, special bits among them. @throws CannotDo `INVALID_INPUT` */
export function fourDigitsOf({ mode }: JsonObject): number {
  if (typeof mode !== 'string' || !new RegExp(FOUR_DIGITS).test(mode)) throw invalid(`\`mode\` does not match ${FOUR_DIGITS}`);
  return Number.parseInt(mode, 8);
}
export const FOUR_DIGITS = '^[0-7]{4}$';

export const isReplacing = (input: JsonObject, byDefault: 'replace' | 'fail'): boolean => (input['ifExists'] ?? byDefault) === 'replace';

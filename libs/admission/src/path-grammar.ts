import { PATH_BYTES_MAX, PATH_PART_BYTES_MAX } from './limits';

/** Where what an undo needs is kept, beneath each root: no capability names it, nor that of a root further down. */
const RESERVED = '.aifirst';
const UNUSABLE = /\u0000|\p{Surrogate}/u;

/** Why this text can't be a path beneath its root, or undefined. Grammar alone: what lies on the way is the adapter's to see. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (UNUSABLE.test(path)) return 'holds a NUL or a lone surrogate';
  if (path.startsWith('/')) return 'is absolute: paths are relative to the root of their connection';
  if (bytesOf(path) > PATH_BYTES_MAX) return `is longer than ${PATH_BYTES_MAX} bytes`;
  for (const part of path.split('/')) {
    if (part === '') return 'has an empty part';
    if (part === '.' || part === '..') return `has a part \`${part}\``;
    if (bytesOf(part) > PATH_PART_BYTES_MAX) return `has a part longer than ${PATH_PART_BYTES_MAX} bytes`;
    // Why: some file systems take upper and lower case for one.
    if (part.toLowerCase() === RESERVED) return `has a part \`${RESERVED}\`, which is reserved`;
  }
  return undefined;
}

export const bytesOf = (text: string): number => Buffer.byteLength(text, 'utf8');

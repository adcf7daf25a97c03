import { CannotDo } from '@aifirst/execution';

/** Where what undo needs is set aside, in the root of every connection; no capability names or lists it. */
export const RESERVED = '.aifirst';
const PART_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4096;

// Why: some file systems take upper and lower case for one.
export const isReserved = (part: string): boolean => part.toLowerCase() === RESERVED;

/**
 * The names a path consists of. What admission checks is checked here again, since a path may have come by reference.
 * @throws CannotDo `PATH_ESCAPES_ROOT` for an absolute path or a `..`, else `INVALID_PATH`
 */
export function pathParts(path: unknown): readonly [string, ...string[]] {
  const invalid = (why: string) => new CannotDo('INVALID_PATH', `the path ${why}`);
  if (typeof path !== 'string') throw invalid('is no text');
  if (path === '') throw invalid('is empty');
  if (path.startsWith('/')) throw new CannotDo('PATH_ESCAPES_ROOT', 'the path is absolute: paths are relative to the root of their connection');
  const parts = path.split('/');
  if (parts.includes('..')) throw new CannotDo('PATH_ESCAPES_ROOT', 'the path has a part `..`');
  if (path.includes('\0')) throw invalid('holds a NUL');
  if (/\p{Surrogate}/u.test(path)) throw invalid('holds a lone surrogate');
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw invalid(`is longer than ${PATH_BYTES_MAX} bytes`);
  for (const part of parts) {
    if (part === '') throw invalid('has an empty part');
    if (part === '.') throw invalid('has a part `.`');
    if (Buffer.byteLength(part) > PART_BYTES_MAX) throw invalid(`has a part longer than ${PART_BYTES_MAX} bytes`);
    if (isReserved(part)) throw invalid(`holds \`${RESERVED}\`, which is reserved`);
  }
  return parts as [string, ...string[]];
}

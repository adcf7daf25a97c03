import { CannotDo } from '@aifirst/execution';
import { errnoOf } from './system/libc';

const CODES: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  ENOENT: ['NOT_FOUND', 'there is nothing at that path'],
  EEXIST: ['EXISTS', 'there is something at that path already'],
  ENOTDIR: ['NOT_A_DIRECTORY', 'a part of the path is no folder'],
  EISDIR: ['IS_A_DIRECTORY', 'a folder is at that path'],
  ELOOP: ['PATH_ESCAPES_ROOT', 'a symbolic link is on the way; links are never followed'],
  EXDEV: ['CROSSES_MOUNT', 'another file system is mounted on the way'],
  EBUSY: ['CROSSES_MOUNT', 'another file system is mounted there'],
  EACCES: ['PERMISSION_DENIED', 'this process may not do that there'],
  EPERM: ['PERMISSION_DENIED', 'this process may not do that there'],
  EROFS: ['PERMISSION_DENIED', 'the file system is read-only'],
  ENOSPC: ['NO_SPACE', 'the file system is full'],
  EDQUOT: ['NO_SPACE', 'the quota is used up'],
  EFBIG: ['TOO_LARGE', 'the file would be larger than the file system allows'],
  ENAMETOOLONG: ['INVALID_PATH', 'a name on the path is too long for the file system'],
  EINVAL: ['INVALID_PATH', 'the file system does not take that name or move'],
  EMLINK: ['NO_SPACE', 'the folder can hold no more folders'],
  EMFILE: ['BUSY', 'too many files are open'],
  ENFILE: ['BUSY', 'too many files are open'],
};

/** What a failed system call means to the agent, for the time before anything was touched; every other error goes through. */
export function cannotDo(error: unknown): CannotDo {
  if (error instanceof CannotDo) return error;
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  const [code, detail] = CODES[errno] ?? ['IO_ERROR', `the file system answered ${errno}`];
  return Object.assign(new CannotDo(code, detail), { cause: error });
}

/** Not a bug: the system or this adapter said no. */
export const isExpected = (error: unknown): boolean => error instanceof CannotDo || errnoOf(error) !== undefined;

/** What an undo may find at its path instead of what it left there. */
export const IN_THE_WAY: ReadonlySet<string> = new Set(['PATH_ESCAPES_ROOT', 'UNSUPPORTED_TYPE', 'IS_A_DIRECTORY', 'NOT_A_DIRECTORY', 'NOT_FOUND', 'CROSSES_MOUNT', 'TARGET_CHANGED', 'RESERVED', 'TOO_LARGE', 'EXISTS']);

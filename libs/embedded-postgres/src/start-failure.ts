import { OperationalError, messageOf } from '@aifirst/kernel';

/** What a program of PostgreSQL wrote before it ended, as an error for whoever operates us. */
export function failureOf(lines: readonly string[], place: string, otherwise: string): OperationalError {
  const text = lines.join('\n');
  if (/No space left on device|Disk quota exceeded/.test(text)) return diskFull(place);
  if (/Permission denied|has wrong ownership/.test(text)) return noAccess(place, lastLine(lines));
  return new OperationalError('POSTGRES_START_FAILED', `${otherwise}: ${lastLine(lines)}`);
}

const lastLine = (lines: readonly string[]): string =>
  (lines.findLast(line => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1) ?? 'it wrote nothing').replace(/^\s*(FATAL|PANIC|LOG):\s*/, '');

/** What went wrong with our own files, likewise; anything else as it is. */
export function explained(error: unknown, place: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(place, error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return noAccess(place, messageOf(error), error);
  return error;
}

const diskFull = (place: string, cause?: unknown): OperationalError =>
  new OperationalError('DISK_FULL', `no space is left for the database in \`${place}\`: free some, or set DATA_DIR to another disk; nothing stored is lost`, { cause });

const noAccess = (place: string, detail: string, cause?: unknown): OperationalError =>
  new OperationalError('POSTGRES_NO_ACCESS', `the database in \`${place}\` can't be used by this user (${detail}): start as the user that made it, or set DATA_DIR to another folder`, { cause });

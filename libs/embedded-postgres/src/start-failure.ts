import { OperationalError } from '@aifirst/kernel';

/** What a program of PostgreSQL wrote before it ended, as an error for whoever operates us. */
export function failureOf(lines: readonly string[], place: string, otherwise: string): OperationalError {
  const text = lines.join('\n');
  if (/No space left on device|Disk quota exceeded/.test(text)) {
    return new OperationalError('DISK_FULL', `no space is left for the database in \`${place}\`: free some, or set DATA_DIR to another disk; nothing stored is lost`);
  }
  if (/Permission denied|has wrong ownership/.test(text)) {
    return new OperationalError('POSTGRES_NO_ACCESS', `the database in \`${place}\` belongs to another user than the one that starts it: ${lastLine(lines)}`);
  }
  return new OperationalError('POSTGRES_START_FAILED', `${otherwise}: ${lastLine(lines)}`);
}

const lastLine = (lines: readonly string[]): string =>
  (lines.findLast(line => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1) ?? 'it wrote nothing').replace(/^\s*(FATAL|PANIC):\s*/, '');

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a file whole or not at all, and on disk when it returns. */
export function writeDurably(path: string, content: string, mode: number): void {
  const partial = writePartial(path, content, mode);
  renameSync(partial, path);
  syncFolder(dirname(path));
}

function writePartial(path: string, content: string, mode: number): string {
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`;
  const fd = openSync(partial, 'wx', mode);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return partial;
}

/** A new name is on disk only when its folder is. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try { fsyncSync(fd); } finally { closeSync(fd); }
}

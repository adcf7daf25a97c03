import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type Koffi from 'koffi' with { 'resolution-mode': 'import' };
import { OperationalError } from '@aifirst/kernel';

// Why not imported: the types describe its ES module, and what we build is CommonJS, for which it has another file.
const koffi = require('koffi') as typeof Koffi;

const LOCK_EXCLUSIVE_NO_WAIT = 2 | 4; // LOCK_EX | LOCK_NB, the same on Linux and macOS

let flock: ((fd: number, operation: number) => number) | undefined;

/** A lock of the kernel's on a file: it ends with the process that holds it, however that ends, so it can't be stale. */
export interface FileLock { release(): void }

/**
 * Locks a file, made if it is not there, and writes our process id into it for people to read. Never waits.
 * @returns the lock, or who holds it: its process id, or undefined where that can't be read
 * @throws what the file system says where the file can't be opened
 */
export function lockFile(path: string): FileLock | { readonly heldBy: number | undefined } {
  // Why: null is the running program, which has the C library in it, whatever its file is called on this system.
  flock ??= koffi.load(null).func('int flock(int fd, int operation)') as (fd: number, operation: number) => number;
  const fd = openSync(path, 'a+', 0o600);
  if (flock(fd, LOCK_EXCLUSIVE_NO_WAIT) !== 0) {
    const errno = koffi.errno();
    const holder = Number.parseInt(readFileSync(path, 'utf8'), 10);
    closeSync(fd);
    if (errno !== koffi.os.errno['EWOULDBLOCK']) throw new OperationalError('LOCK_FAILED', `can't lock \`${path}\`: error number ${errno}`);
    return { heldBy: Number.isNaN(holder) ? undefined : holder };
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  let held = true;
  return {
    release() {
      // Why: the file stays. Whoever unlinks a lock file lets two processes lock two files of one name.
      if (held) closeSync(fd);
      held = false;
    },
  };
}

import { join } from 'node:path';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { makeDataDir } from './data-dir';
import { lockFile, type FileLock } from './file-lock';

/** Another process works on this data folder. */
export class DataDirInUse extends OperationalError {
  constructor(path: string, readonly pid: number | undefined) {
    super('DATA_DIR_IN_USE', `the data folder \`${path}\` is in use by ${pid === undefined ? 'another process' : `process ${pid}`}: stop that one, or set DATA_DIR to another folder`);
  }
}

export interface DataDirLock extends FileLock {
  /** Absolute, without symbolic links: two names of one folder are one folder. */
  readonly dataDir: string;
}

/**
 * Makes the data folder if it is not there (see `makeDataDir` for its mode) and takes it for this process, until `release` or its end.
 * Blocks for up to a second while somebody else holds it.
 * @throws DataDirInUse with the process id of the holder
 */
export function lockDataDir(path: string): DataDirLock {
  const dataDir = makeDataDir(path);
  try {
    return { dataDir, ...holdOrRefuse(join(dataDir, 'lock'), dataDir) };
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError('DATA_DIR_UNUSABLE', `can't use the data folder \`${dataDir}\`: ${messageOf(error)}`, { cause: error });
  }
}

/** How long the kernel may take to take down a holder that was killed a moment ago. */
const DYING_HOLDER_MS_MAX = 1_000;
const POLL_MS = 20;

export function holdOrRefuse(lockPath: string, dataDir: string): FileLock {
  for (const beganAtMs = performance.now(); ; ) {
    const lock = lockFile(lockPath);
    if (!('heldBy' in lock)) return lock;
    if (lock.heldBy === process.pid || performance.now() - beganAtMs > DYING_HOLDER_MS_MAX) throw new DataDirInUse(dataDir, lock.heldBy);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

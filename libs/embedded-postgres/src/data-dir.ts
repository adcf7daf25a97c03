import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { isRoot, serverUser } from './server-user';

/**
 * Makes the data folder, its parents included, for its owner alone: mode 700. As root mode 710 and the group of the user that the
 * database server runs as, which may pass through to its own folder and neither list nor change anything. A folder that is there stays as it is.
 * @returns its path, absolute, without symbolic links
 */
export function makeDataDir(path: string): string {
  try {
    if (!existsSync(path)) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
      chmodSync(path, 0o700);
      if (isRoot()) openToServer(path);
    }
    return realpathSync(path);
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError('DATA_DIR_UNUSABLE', `can't make the data folder \`${path}\`: ${messageOf(error)}`, { cause: error });
  }
}

function openToServer(path: string): void {
  chownSync(path, 0, serverUser().gid);
  chmodSync(path, 0o710);
}

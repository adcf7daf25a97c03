import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OperationalError, messageOf } from '@aifirst/kernel';

/**
 * A key in a file: read if it is there, else made from random bytes, whole and on disk before it is used, mode 600. Never overwritten.
 * The file holds base64; blanks around it do not matter.
 * @param onMade told when it was made: to be backed up, since what it sealed is lost without it
 * @throws OperationalError SECRET_FILE_INVALID where others can read it, or it is not that many bytes
 */
export function ensureSecretFile(path: string, bytes: number, onMade: () => void = () => undefined): Buffer {
  const text = readOrMake(path, () => randomBytes(bytes).toString('base64'), onMade);
  const secret = Buffer.from(text, 'base64');
  if (secret.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '') || secret.length !== bytes) {
    throw invalid(path, `does not hold ${bytes} bytes in base64: bring back the right file; a new one can't read what the old one sealed`);
  }
  return secret;
}

const ADMIN_TOKEN = /^[A-Za-z0-9._~+/-]{8,512}=*$/;

/** The administrator's token: what the environment gives, else that of `<dataDir>/admin.token`, made at the first start. */
export function ensureAdminToken(dataDir: string, fromEnvironment?: string, onMade: (path: string) => void = () => undefined): string {
  if (fromEnvironment !== undefined) return fromEnvironment;
  const path = join(dataDir, 'admin.token');
  const token = readOrMake(path, () => `aifirst_admin_${randomBytes(32).toString('base64url')}`, () => { onMade(path); });
  if (!ADMIN_TOKEN.test(token)) throw invalid(path, 'does not hold a token: remove it, and the next start makes one');
  return token;
}

function readOrMake(path: string, make: () => string, onMade: () => void): string {
  try {
    const found = read(path);
    if (found !== undefined) return found;
    const made = make();
    if (create(path, made)) {
      onMade();
      return made;
    }
    return read(path) ?? made;
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError('SECRET_FILE_INVALID', `can't read or make \`${path}\`: ${messageOf(error)}`, { cause: error });
  }
}

function read(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw invalid(path, 'is not a file');
  if ((found.mode & 0o077) !== 0) throw invalid(path, `can be read or written by others (mode ${(found.mode & 0o777).toString(8)}): chmod 600 it, and make a new one if somebody may have read it`);
  return readFileSync(path, 'utf8').trim();
}

/** Whole or not at all, on disk when it returns, and never over a file that is there. @returns whether it was made */
function create(path: string, content: string): boolean {
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`;
  try {
    const fd = openSync(partial, 'wx', 0o600);
    try {
      writeSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(partial, path); // Why: a link, unlike a rename, fails where the name is taken.
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    try { unlinkSync(partial); } catch { /* it was never made */ }
  }
  syncFolder(dirname(path));
  return true;
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try { fsyncSync(fd); } finally { closeSync(fd); }
}

const invalid = (path: string, what: string): OperationalError => new OperationalError('SECRET_FILE_INVALID', `\`${path}\` ${what}`);

/** @throws OperationalError where it is not there: a process that made its own could not be understood by the others */
export function existingSecretFile(path: string, bytes: number, variable: string): Buffer {
  if (!existsSync(path)) throw new OperationalError('KEY_MISSING', `${variable}: \`${path}\` is not there. All services share it: \`npm run start:distributed\` makes it, or \`(umask 077; head -c ${bytes} /dev/urandom | base64 > ${path})\``);
  return ensureSecretFile(path, bytes);
}

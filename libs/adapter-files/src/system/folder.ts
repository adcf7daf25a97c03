import * as fs from 'node:fs';
import type { Seen } from '../seen';
import { EXCHANGE, NO_REPLACE, errnoOf, namesIn, openat, openat2, renameat2, setModified, tryLock, type Name } from './libc';

const O_PATH = 0o10000000, O_CLOEXEC = 0o2000000, O_NOATIME = 0o1000000;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
/** A rename somewhere on the way makes openat2 ask to be tried again. */
const ATTEMPTS_MAX = 64;

let openat2Works = true;
/** Takes the way of kernels without openat2, or goes back to trying it. For tests. */
export const useOpenat2 = (use: boolean): void => { openat2Works = use; };

function openBeneath(folder: number, name: Name, flags: number): number {
  for (let attempt = 1; openat2Works; attempt++) {
    try {
      return openat2(folder, name, flags | O_CLOEXEC);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EAGAIN' && attempt < ATTEMPTS_MAX) continue;
      // Why: old kernels lack it (ENOSYS), some sandboxes forbid it (EPERM); one name at a time with O_NOFOLLOW is the same.
      if (code === 'ENOSYS' || code === 'EPERM') openat2Works = false;
      else throw error;
    }
  }
  const fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
  if (mountOf(fd) === mountOf(folder)) return fd;
  fs.closeSync(fd);
  throw Object.assign(new Error('another mount'), { code: 'EXDEV', syscall: 'openat' });
}
const mountOf = (fd: number): string => /^mnt_id:\s*(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '';

/**
 * An open folder. Everything is named relative to it by a single name and no symbolic link is ever followed, so whatever
 * happens meanwhile to the path that led here, acts land in this very folder. In a quiet one, and all that is opened from
 * it, reading leaves no time of access behind where the kernel lets us: it does for the owner and root.
 */
export class Folder {
  constructor(readonly fd: number, readonly quiet = false) {}

  /** The folder of a connection: its path comes from an administrator and may pass symbolic links. */
  static open(path: string, quiet = false): Folder { return new Folder(openFor(path, O_RDONLY | O_DIRECTORY, quiet), quiet); }

  at(name: Name): string | Buffer {
    return typeof name === 'string' ? `/proc/self/fd/${this.fd}/${name}` : Buffer.concat([Buffer.from(`/proc/self/fd/${this.fd}/`), name]);
  }
  stat(): fs.BigIntStats { return fs.fstatSync(this.fd, { bigint: true }); }
  lstat(name: Name): fs.BigIntStats | null {
    return fs.lstatSync(this.at(name), { bigint: true, throwIfNoEntry: false }) ?? null;
  }
  /** null when there is nothing of that name. @throws with `ELOOP` or `ENOTDIR` for what is no folder, `EXDEV` for another mount */
  openFolder(name: Name): Folder | null {
    try {
      return this.quiet ? this.openQuietly(name) : new Folder(openBeneath(this.fd, name, FOLDER_FLAGS));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
  }
  /** A descriptor that names the entry without opening it: no side effects, whatever it is. `reopen` makes it usable. */
  openEntry(name: Name): number { return openBeneath(this.fd, name, O_PATH | O_NOFOLLOW); }

  private openQuietly(name: Name): Folder {
    const entry = this.openEntry(name);
    try {
      // Why not at once: a refused O_NOATIME is EPERM, which also is how a sandbox forbids openat2.
      if (fs.fstatSync(entry).isDirectory()) return new Folder(reopen(entry, O_RDONLY | O_DIRECTORY, true), true);
    } finally { fs.closeSync(entry); }
    return new Folder(openBeneath(this.fd, name, FOLDER_FLAGS), true);
  }

  names(): Buffer[] {
    if (!this.quiet) return fs.readdirSync(`/proc/self/fd/${this.fd}`, { encoding: 'buffer' });
    const fd = reopen(this.fd, O_RDONLY | O_DIRECTORY, true);
    try { return namesIn(fd); } finally { fs.closeSync(fd); }
  }
  isEmpty(): boolean {
    if (this.quiet) return this.names().length === 0;
    const folder = fs.opendirSync(`/proc/self/fd/${this.fd}`, { bufferSize: 1 });
    try { return folder.readSync() === null; } finally { folder.closeSync(); }
  }
  makeFolder(name: Name, mode: number): void { fs.mkdirSync(this.at(name), { mode }); }
  renameTo(name: Name, to: Folder, toName: Name): void { renameat2(this.fd, name, to.fd, toName, NO_REPLACE); }
  exchange(name: Name, other: Folder, otherName: Name): void { renameat2(this.fd, name, other.fd, otherName, EXCHANGE); }
  setModified(mtimeNs: bigint): void { setModified(this.fd, mtimeNs); }
  tryLock(): boolean { return tryLock(this.fd); }
  sync(): Promise<void> { return sync(this.fd); }
  /** What was seen in it, as it is to be taken. */
  asSeen(seen: Seen): Seen { return seen; }
  /** Of a file in it, where its content is not to be read. */
  knownDigest(_stats: fs.BigIntStats): string | null { return null; }
}

const FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;

/** Opens for real what `Folder.openEntry` named: exactly that inode, wherever its name points by now. */
export const reopen = (entry: number, flags: number, quiet = false): number => openFor(`/proc/self/fd/${entry}`, flags, quiet);

function openFor(path: string, flags: number, quiet: boolean): number {
  if (!quiet) return fs.openSync(path, flags);
  try {
    return fs.openSync(path, flags | O_NOATIME);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return fs.openSync(path, flags);
  }
}

export const sync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fs.fsync(fd, error => (error === null ? resolve() : reject(error))));

/** Descriptors to be closed together at the end of a call. */
export class Held {
  private readonly fds: number[] = [];
  fd(fd: number): number { this.fds.push(fd); return fd; }
  folder<F extends Folder | null>(folder: F): F { if (folder !== null) this.fds.push(folder.fd); return folder; }
  close(): void { for (const fd of this.fds.splice(0).reverse()) fs.closeSync(fd); }
}

import { constants } from 'node:os';
import koffi from 'koffi';

/** A system call that failed, in the shape of Node's own: `code` is the name of the errno. */
export class SystemError extends Error {
  readonly code: string;
  constructor(readonly errno: number, readonly syscall: string) {
    const code = NAMES.get(errno) ?? `E${errno}`;
    super(`${syscall} failed with ${code}`);
    this.name = 'SystemError';
    this.code = code;
  }
}
// Why reversed: EWOULDBLOCK is EAGAIN's number too, and the first name of a number counts.
const NAMES = new Map(Object.entries(constants.errno).reverse().map(([name, value]) => [value, name]));

/** The errno's name of a failed system call, ours or Node's; undefined for every other error. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return typeof syscall === 'string' && typeof code === 'string' ? code : undefined;
}

/** What Node lacks: exchange and no-replace, resolution beneath a folder, locks, leases, nanosecond times, extended attributes, reading a folder by its descriptor. */
interface Libc {
  openat2(number: number, folder: number, name: Buffer, how: Buffer, bytes: number): number;
  renameat2(number: number, fromFolder: number, from: Buffer, toFolder: number, to: Buffer, flags: number): number;
  openat(folder: number, name: Buffer, flags: number, mode: number): number;
  getdents64(number: number, folder: number, entries: Buffer, bytes: number): number;
  faccessat(folder: number, path: Buffer, mode: number, flags: number): number;
  syncfs: { async(fd: number, done: (error: Error | null, result: number) => void): void };
  flock(fd: number, operation: number): number;
  fcntl(fd: number, command: number, value: number): number;
  futimens(fd: number, times: Buffer): number;
  flistxattr(fd: number, names: Buffer | null, bytes: number): number;
  fgetxattr(fd: number, name: Buffer, value: Buffer | null, bytes: number): number;
  fsetxattr(fd: number, name: Buffer, value: Buffer, bytes: number, flags: number): number;
}
let bound: Libc | undefined;

const RENAMEAT2: Readonly<Record<string, number>> = { x64: 316, arm64: 276, riscv64: 276, loong64: 276, ia32: 353, arm: 382 };
const OPENAT2 = 437;
/** Whether the system calls needed here are known for this machine. */
export const supported = process.platform === 'linux' && RENAMEAT2[process.arch] !== undefined;

function libc(): Libc {
  if (bound !== undefined) return bound;
  // Why: the process's own symbols, so that neither the name of the C library nor its age matters; renameat2 and openat2 by number.
  const own = koffi.load(null);
  bound = {
    openat2: own.func('syscall', 'long', ['long', 'int', 'void *', 'void *', 'size_t']),
    renameat2: own.func('syscall', 'long', ['long', 'int', 'void *', 'int', 'void *', 'uint']),
    openat: own.func('int openat(int, void *, int, uint)'),
    getdents64: own.func('syscall', 'long', ['long', 'int', 'void *', 'size_t']),
    faccessat: own.func('int faccessat(int, void *, int, int)'),
    syncfs: own.func('int syncfs(int)'),
    flock: own.func('int flock(int, int)'),
    fcntl: own.func('fcntl', 'int', ['int', 'int', 'long']),
    futimens: own.func('int futimens(int, void *)'),
    flistxattr: own.func('long flistxattr(int, void *, size_t)'),
    fgetxattr: own.func('long fgetxattr(int, void *, void *, size_t)'),
    fsetxattr: own.func('int fsetxattr(int, void *, void *, size_t, int)'),
  } as unknown as Libc;
  return bound;
}

const checked = (result: number, syscall: string): number => {
  if (result < 0) throw new SystemError(koffi.errno(), syscall);
  return result;
};
export type Name = string | Buffer;
const terminated = (name: Name): Buffer => (typeof name === 'string' ? Buffer.from(`${name}\0`) : Buffer.concat([name, Buffer.of(0)]));

const RESOLVE_NO_XDEV = 0x01, RESOLVE_NO_MAGICLINKS = 0x02, RESOLVE_NO_SYMLINKS = 0x04, RESOLVE_BENEATH = 0x08;
const RESOLVE = BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);

/** Opens `name` beneath `folder`, never through a symbolic link nor into another mount. @throws SystemError, `ENOSYS` where the kernel has no openat2 */
export function openat2(folder: number, name: Name, flags: number): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(RESOLVE, 16);
  return checked(libc().openat2(OPENAT2, folder, terminated(name), how, how.length), 'openat2');
}
export const openat = (folder: number, name: Name, flags: number): number => checked(libc().openat(folder, terminated(name), flags, 0), 'openat');

export const NO_REPLACE = 1, EXCHANGE = 2;
export function renameat2(fromFolder: number, from: Name, toFolder: number, to: Name, flags: number): void {
  checked(libc().renameat2(RENAMEAT2[process.arch]!, fromFolder, terminated(from), toFolder, terminated(to), flags), 'renameat2');
}

const GETDENTS64: Readonly<Record<string, number>> = { x64: 217, arm64: 61, riscv64: 61, loong64: 61, ia32: 220, arm: 217 };
const ENTRIES_BYTES = 64 * 1024;
/** The names in an open folder, from where its descriptor stands on: by the descriptor, so that its flags count. */
export function namesIn(folder: number): Buffer[] {
  const names: Buffer[] = [];
  const entries = Buffer.allocUnsafe(ENTRIES_BYTES);
  for (;;) {
    const bytes = checked(libc().getdents64(GETDENTS64[process.arch]!, folder, entries, entries.length), 'getdents64');
    if (bytes === 0) return names;
    for (let at = 0; at < bytes; at += entries.readUInt16LE(at + 16)) {
      const name = Buffer.from(entries.subarray(at + 19, entries.indexOf(0, at + 19)));
      if (!name.equals(SELF) && !name.equals(PARENT)) names.push(name);
    }
  }
}
const SELF = Buffer.from('.'), PARENT = Buffer.from('..');

const AT_FDCWD = -100, AT_EACCESS = 0x200;
/** Throws where this process, by the rights it acts with, may not do that with what is open. `mode` as for access(2). @throws SystemError `EACCES`, `EROFS` */
export function checkAccess(fd: number, mode: number): void {
  checked(libc().faccessat(AT_FDCWD, terminated(`/proc/self/fd/${fd}`), mode, AT_EACCESS), 'faccessat');
}

/** Writes all of a file system to its disk, beside the event loop. */
export function syncFileSystem(fd: number): Promise<void> {
  return new Promise((resolve, reject) => libc().syncfs.async(fd, (error, result) => {
    if (error !== null) reject(error);
    else if (result < 0) reject(new SystemError(constants.errno.EIO, 'syncfs'));
    else resolve();
  }));
}

const LOCK_EX = 2, LOCK_NB = 4;
/** Takes the exclusive lock of the open file if nobody has it; it ends with the descriptor. */
export function tryLock(fd: number): boolean {
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = koffi.errno();
  if (NAMES.get(errno) === 'EAGAIN' || NAMES.get(errno) === 'EINTR') return false;
  throw new SystemError(errno, 'flock');
}

const F_SETSIG = 10, F_SETLEASE = 1024, F_WRLCK = 1, F_UNLCK = 2;
/**
 * While the lease is held nobody else has the file open, and who wants to open it waits in the kernel. Release it in the same
 * turn of the event loop: an open of the same file by this very process would wait too.
 * @throws SystemError `EAGAIN` when somebody has it open; others where leases are not to be had
 */
export function takeLease(fd: number): void {
  // Why: the signal of a broken lease is SIGIO by default, which ends the process; SIGURG is ignored.
  checked(libc().fcntl(fd, F_SETSIG, constants.signals.SIGURG), 'fcntl');
  checked(libc().fcntl(fd, F_SETLEASE, F_WRLCK), 'fcntl');
}
export function releaseLease(fd: number): void { libc().fcntl(fd, F_SETLEASE, F_UNLCK); }

const UTIME_OMIT = 0x3ffffffen;
export function setModified(fd: number, mtimeNs: bigint): void {
  const times = Buffer.alloc(32);
  times.writeBigInt64LE(UTIME_OMIT, 8);
  let seconds = mtimeNs / 1_000_000_000n;
  if (mtimeNs % 1_000_000_000n < 0n) seconds -= 1n;
  times.writeBigInt64LE(seconds, 16);
  times.writeBigInt64LE(mtimeNs - seconds * 1_000_000_000n, 24);
  checked(libc().futimens(fd, times), 'futimens');
}

/** Extended attributes by name, sorted; none where the file system has none. */
export function extendedAttributes(fd: number): readonly (readonly [string, Buffer])[] {
  const bytes = libc().flistxattr(fd, null, 0);
  if (bytes <= 0) return [];
  const list = Buffer.alloc(bytes + 1024);
  const length = libc().flistxattr(fd, list, list.length);
  if (length <= 0) return [];
  const found: [string, Buffer][] = [];
  for (const name of list.toString('latin1', 0, length).split('\0')) {
    if (name === '') continue;
    const size = libc().fgetxattr(fd, Buffer.from(`${name}\0`, 'latin1'), null, 0);
    if (size < 0) continue;
    const value = Buffer.alloc(size);
    if (size > 0 && libc().fgetxattr(fd, Buffer.from(`${name}\0`, 'latin1'), value, size) !== size) continue;
    found.push([name, value]);
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}
export function setExtendedAttribute(fd: number, name: string, value: Buffer): void {
  checked(libc().fsetxattr(fd, Buffer.from(`${name}\0`, 'latin1'), value, value.length, 0), 'fsetxattr');
}

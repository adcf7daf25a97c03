import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { isReserved } from '../path';
import { mustBeFile, openFile } from '../seen';
import { targetChanged } from '../session';
import type { Bounds } from '../survey';
import { errnoOf, extendedAttributes, setExtendedAttribute, syncFileSystem, type Name } from '../system/libc';
import { Held, sync, type Folder } from '../system/folder';
import { SET_GROUP, inherit } from './stage';

/**
 * A copy keeps content, the rights of owner, group and others, access lists, `user.` attributes, and links as they read.
 * It does not keep: owner and group (those of this process, or of a folder that hands its group on), set-user, set-group and
 * sticky bits, times, holes, further names of a file (each becomes a file of its own). The topmost folder also gets all
 * rights for its owner, as it could not be taken back else.
 */
const RIGHTS = 0o777, OWNER_RIGHTS = 0o700;

/** @param placed the folder it will lie in */
export async function copyFile(from: Folder, name: Name, to: Folder, toName: Name, placed: Folder): Promise<void> {
  await copyContent(from, name, to, toName, placed, true);
}

async function copyContent(from: Folder, name: Name, to: Folder, toName: Name, placed: Folder, synced: boolean): Promise<number> {
  const held = new Held();
  try {
    const source = openFile(held, from, name);
    const copy = held.fd(fs.openSync(to.at(toName), fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600));
    await fs.promises.copyFile(`/proc/self/fd/${source}`, `/proc/self/fd/${copy}`, fs.constants.COPYFILE_FICLONE);
    inherit(copy, placed, 0);
    keepAttributes(source, copy);
    fs.fchmodSync(copy, Number(fs.fstatSync(source, { bigint: true }).mode) & RIGHTS);
    if (synced) await sync(copy);
    return fs.fstatSync(copy).size;
  } finally { held.close(); }
}

function keepAttributes(source: number, copy: number): void {
  for (const [name, value] of extendedAttributes(source)) {
    if (name.startsWith('system.posix_acl_') || name.startsWith('user.')) setExtendedAttribute(copy, name, value);
  }
}

/** The bounds count again: the source may have grown since it was surveyed. */
export async function copyFolder(from: Folder, name: Name, to: Folder, toName: Name, placed: Folder, bounds: Bounds): Promise<void> {
  const left = { entries: bounds.entriesMax, bytes: bounds.bytesMax };
  const copy = async (source: Folder, at: Name, target: Folder, targetName: Name, ownerRights: number): Promise<void> => {
    const held = new Held();
    try {
      const folder = held.folder(source.openFolder(at));
      if (folder === null) throw targetChanged('what is copied is being changed by somebody else');
      target.makeFolder(targetName, OWNER_RIGHTS);
      const made = held.folder(target.openFolder(targetName)!);
      inherit(made.fd, placed, SET_GROUP);
      for (const inner of folder.names()) {
        if (bounds.signal?.aborted === true) throw new CannotDo('TIMEOUT', 'the time was over before the act began');
        if (left.entries-- === 0) throw new CannotDo('TOO_LARGE', `the folder holds more than the ${bounds.entriesMax} entries that can be copied at once`);
        if (left.entries % 256 === 0) await new Promise(setImmediate);
        if (isReserved(inner.toString('latin1'))) throw new CannotDo('RESERVED', 'the folder holds what another connection has set aside');
        const stats = folder.lstat(inner);
        if (stats?.isDirectory() === true) await copy(folder, inner, made, inner, 0);
        else if (stats?.isSymbolicLink() === true) copyLink(folder, inner, made, placed);
        else if (stats === null) throw targetChanged('what is copied is being changed by somebody else');
        else {
          mustBeFile(stats);
          left.bytes -= Number(stats.size);
          if (left.bytes < 0) throw new CannotDo('TOO_LARGE', `the folder holds more than the ${bounds.bytesMax} bytes that can be copied at once`);
          await copyContent(folder, inner, made, inner, placed, false);
        }
      }
      keepAttributes(folder.fd, made.fd);
      const handedOn = Number(made.stat().mode) & SET_GROUP;
      fs.fchmodSync(made.fd, (Number(folder.stat().mode) & RIGHTS) | handedOn | ownerRights);
    } finally { held.close(); }
  };
  await copy(from, name, to, toName, OWNER_RIGHTS);
  // Why at once: ten thousand files one by one would outlast every time-out.
  await syncFileSystem(to.fd);
}

function copyLink(from: Folder, name: Buffer, to: Folder, placed: Folder): void {
  let target: Buffer;
  try {
    target = fs.readlinkSync(from.at(name), { encoding: 'buffer' });
  } catch (error) {
    if (errnoOf(error) === 'EINVAL' || errnoOf(error) === 'ENOENT') throw targetChanged('what is copied is being changed by somebody else');
    throw error;
  }
  fs.symlinkSync(target, to.at(name));
  const { mode, gid } = placed.stat();
  if ((Number(mode) & SET_GROUP) !== 0) fs.lchownSync(to.at(name), -1, Number(gid));
}

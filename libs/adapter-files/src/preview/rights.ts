import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import { RESERVED } from '../path';
import type { Seen } from '../seen';
import type { Looking } from '../session';
import { checkAccess } from '../system/libc';
import { Held, type Folder } from '../system/folder';

const { W_OK, X_OK } = fs.constants;
const STICKY = 0o1000;
const denied = (detail: string): CannotDo => new CannotDo('PERMISSION_DENIED', detail);

/** What undo needs could be set aside beneath the root. @throws CannotDo, SystemError */
export function mustHoldAside({ held, root }: Looking): void {
  const base = held.folder(root.openFolder(RESERVED));
  if (base === null) { mustTakeEntries(root); return; }
  const user = process.geteuid!();
  if (user !== 0 && Number(base.stat().uid) !== user) throw new CannotDo('CONNECTION_UNUSABLE', `\`${RESERVED}\` in the root belongs to another user`);
  mustTakeEntries(base);
}

/** Something could be put into the folder. @throws SystemError `EACCES`, `EROFS` */
export const mustTakeEntries = (folder: Folder): void => checkAccess(folder.fd, W_OK | X_OK);

/** What is at the name could be renamed away, into another folder unless `within`. @throws CannotDo, SystemError */
export function mustLetGo(folder: Folder, name: string, within = false): void {
  mustTakeEntries(folder);
  const user = process.geteuid!();
  const stats = folder.lstat(name);
  if (user === 0 || stats === null) return;
  const { mode, uid } = folder.stat();
  if ((Number(mode) & STICKY) !== 0 && Number(stats.uid) !== user && Number(uid) !== user) throw denied('in that folder only its owner may take it away');
  if (!stats.isDirectory() || within) return;
  // Why: a folder that goes elsewhere changes inside, as it knows the one above it.
  const held = new Held();
  try { checkAccess(held.fd(folder.openEntry(name)), W_OK); } finally { held.close(); }
}

/** A file that replaces another could be given its owner and group. */
export function mustKeepOwner({ uid, gid }: Seen): void {
  const user = process.geteuid!();
  if (user !== 0 && (uid !== user || (gid !== process.getegid!() && !process.getgroups!().includes(gid)))) {
    throw denied('the file belongs to another user or group, which this process could not keep');
  }
}

/** What the umask leaves of a mode. Read where it shows: asking for it by the call that sets it would change it for an instant. */
export function lessUmask(mode: number): number {
  const shown = /^Umask:\s*([0-7]+)/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))?.[1];
  return mode & ~(shown === undefined ? 0o022 : Number.parseInt(shown, 8));
}

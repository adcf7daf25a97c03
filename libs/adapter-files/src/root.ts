import * as fs from 'node:fs';
import type { Connection } from '@aifirst/contracts';
import { CannotDo } from '@aifirst/execution';
import { errnoOf } from './system/libc';
import { Folder, type Held } from './system/folder';

/** Which folder a step worked beneath; undo finds it again even if the connection has moved on to another. */
export type RootSeen = { readonly path: string; readonly dev: string; readonly ino: string };

/** @throws CannotDo `CONNECTION_UNUSABLE` */
export function rootPathOf(connection: Pick<Connection, 'config'> | null): string {
  const root = connection?.config['root'];
  if (typeof root !== 'string' || !root.startsWith('/')) throw new CannotDo('CONNECTION_UNUSABLE', 'the connection names no absolute `root`');
  return root;
}

/** @throws CannotDo `CONNECTION_UNUSABLE` */
export function openRoot(held: Held, path: string, quiet = false): { readonly root: Folder; readonly seen: RootSeen } {
  try {
    const root = held.folder(Folder.open(path, quiet));
    const stats = root.stat();
    return { root, seen: { path, dev: String(stats.dev), ino: String(stats.ino) } };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new CannotDo('CONNECTION_UNUSABLE', `the root of the connection can't be opened (${errno})`);
  }
}

/** The folder an earlier call worked beneath: where it lay then, or where its connection says now. @throws CannotDo `CONNECTION_UNUSABLE` */
export function reopenRoot(held: Held, seen: RootSeen, connection: Pick<Connection, 'config'> | null, quiet = false): Folder {
  const candidates = new Set([seen.path, ...(connection === null ? [] : [rootPathOf(connection)])]);
  for (const path of candidates) {
    try {
      const { root, seen: now } = openRoot(held, path, quiet);
      if (now.dev === seen.dev && now.ino === seen.ino) return root;
    } catch (error) {
      if (!(error instanceof CannotDo)) throw error;
    }
  }
  throw new CannotDo('CONNECTION_UNUSABLE', 'the folder this step worked beneath is no longer at the root of the connection');
}

/**
 * Goes down by one name after the other, each relative to the folder before it.
 * @returns the deepest folder that exists, and how many of the names led there
 * @throws CannotDo `PATH_ESCAPES_ROOT` for a symbolic link on the way, `NOT_A_DIRECTORY`, `CROSSES_MOUNT`, `PERMISSION_DENIED`
 */
export function descend(held: Held, from: Folder, names: readonly string[]): { readonly folder: Folder; readonly found: number } {
  let folder = from;
  for (const [index, name] of names.entries()) {
    const next = openStep(held, folder, name, names.slice(0, index + 1).join('/'));
    if (next === null) return { folder, found: index };
    folder = next;
  }
  return { folder, found: names.length };
}

function openStep(held: Held, folder: Folder, name: string, path: string): Folder | null {
  try {
    return held.folder(folder.openFolder(name));
  } catch (error) {
    switch (errnoOf(error)) {
      case 'ELOOP': case 'ENOTDIR': {
        const stats: fs.BigIntStats | null = folder.lstat(name);
        // Why: gone or a folder by now means that it was swapped between two looks; a link is what such swaps are made of.
        if (stats === null || stats.isSymbolicLink() || stats.isDirectory()) {
          throw new CannotDo('PATH_ESCAPES_ROOT', `a symbolic link is at \`${path}\`; links are never followed`);
        }
        throw new CannotDo('NOT_A_DIRECTORY', `\`${path}\` is no folder`);
      }
      case 'EXDEV': throw new CannotDo('CROSSES_MOUNT', `another file system is mounted at \`${path}\``);
      case 'EACCES': throw new CannotDo('PERMISSION_DENIED', `this process may not enter \`${path}\``);
      default: throw error;
    }
  }
}

/** The folder at that path. @throws CannotDo `NOT_FOUND` and what `descend` throws */
export function folderAt(held: Held, root: Folder, names: readonly string[]): Folder {
  const { folder, found } = descend(held, root, names);
  if (found < names.length) throw new CannotDo('NOT_FOUND', `there is no folder \`${names.slice(0, found + 1).join('/')}\``);
  return folder;
}

/** The same for looking again later: null when the way is not there any more, links and others in it included. */
export function folderAtIfAny(held: Held, root: Folder, names: readonly string[]): Folder | null {
  try {
    const { folder, found } = descend(held, root, names);
    return found === names.length ? folder : null;
  } catch (error) {
    if (error instanceof CannotDo) return null;
    throw error;
  }
}

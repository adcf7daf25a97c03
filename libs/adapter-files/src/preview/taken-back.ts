import * as fs from 'node:fs';
import type { StepFolder } from '../aside';
import type { FolderTime } from '../folder-times';
import { IN_THE_WAY, cannotDo, isExpected } from '../problems';
import { folderAtIfAny } from '../root';
import type { Seen } from '../seen';
import type { ActImage, Looking, Verb } from '../session';
import { Folder } from '../system/folder';
import type { Name } from '../system/libc';
import type { AppendBefore } from '../verbs/append';
import type { ModeBefore } from '../verbs/chmod';
import type { DeleteAfter, DeleteBefore } from '../verbs/delete';
import type { MoveAfter, MoveBefore } from '../verbs/move';
import type { PlaceAfter, PlaceBefore } from '../verbs/place';

/** Where what would be at a path lies now. */
interface Lies { readonly folder: Folder; readonly name: string }
type Corrected = { readonly mode?: number; readonly mtimeNs?: string; readonly whole?: Seen };

/** What lies aside in a step's folder. */
const ASIDE = 'item';
const idOf = ({ dev, ino }: { readonly dev: string | bigint; readonly ino: string | bigint }): string => `${dev}:${ino}`;
const below = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);

/**
 * A root as it would be after some steps had been taken back, without that anything is done: what would be somewhere else
 * is looked at where it lies, and what an undo would set again is told as if it were set. Of a file that an append's
 * undo would shorten it knows what that undo knows of it, not the content.
 */
export class TakenBack {
  /** By path; null: nothing would be there. */
  private readonly moved = new Map<string, Lies | null>();
  private readonly corrections = new Map<string, Corrected>();

  constructor(private readonly looking: Looking) {}

  get root(): Folder { return new ViewedFolder(this.looking.root.fd, this, ''); }

  /** undefined: what is there stays. */
  at(path: string): Lies | null | undefined { return this.moved.get(path); }

  namesAt(path: string): string[] {
    const start = below(path, '');
    return [...this.moved].flatMap(([one, lies]) => (lies !== null && one.startsWith(start) && !one.slice(start.length).includes('/') ? [one.slice(start.length)] : []));
  }

  stats(stats: fs.BigIntStats): fs.BigIntStats {
    const corrected = this.corrections.get(idOf(stats));
    if (corrected === undefined) return stats;
    const { whole, mode = whole?.mode, mtimeNs = whole?.mtimeNs } = corrected;
    return Object.assign(Object.create(Object.getPrototypeOf(stats) as object) as fs.BigIntStats, stats, {
      ...(mode === undefined ? {} : { mode: (stats.mode & ~0o7777n) | BigInt(mode) }), ...(mtimeNs === undefined ? {} : { mtimeNs: BigInt(mtimeNs) }), ...(whole === undefined ? {} : { size: BigInt(whole.size) }),
    });
  }

  digest(stats: fs.BigIntStats): string | null { return this.corrections.get(idOf(stats))?.whole?.digest ?? null; }

  seen(seen: Seen): Seen {
    const { whole, mode, mtimeNs } = this.corrections.get(idOf(seen)) ?? {};
    return { ...seen, ...(whole === undefined ? {} : { size: whole.size, digest: whole.digest, mtimeNs: whole.mtimeNs }), ...(mode === undefined ? {} : { mode }), ...(mtimeNs === undefined ? {} : { mtimeNs }) };
  }

  /** Takes a step back in what is shown, if its undo would find nothing in its way. */
  async takeBack(verb: Verb<ActImage, unknown>, step: StepFolder | null, before: ActImage, after: unknown): Promise<void> {
    try {
      const looking = { held: this.looking.held, root: this.root };
      const { finds } = await verb.lookBack(looking, step, before, after);
      if (step !== null && (finds === 'after' || (finds === 'before' && takesFoldersAway(before as Image)))) this.show(before as Image, after, step);
    } catch (error) {
      if (!isExpected(error) || !IN_THE_WAY.has(cannotDo(error).code)) throw error;
    }
  }

  private show(before: Image, after: unknown, { folder: aside }: StepFolder): void {
    switch (before.kind) {
      case 'append': return this.correct(before.target, { whole: before.target });
      case 'mode': return this.correct(before.target, { mode: before.target.mode });
      case 'delete': this.setTimes([(after as DeleteAfter).folder]); return this.set(before.path, { folder: aside, name: ASIDE });
      case 'move': return this.showMove(before, after as MoveAfter, aside);
      case 'place': return this.showPlace(before, after as PlaceAfter, aside);
    }
  }

  private showMove({ path, to, target }: MoveBefore, { folders }: MoveAfter, aside: Folder): void {
    const parts = to.split('/');
    const parent = folderAtIfAny(this.looking.held, this.root, parts.slice(0, -1));
    if (parent === null) return;
    this.setTimes(folders);
    const lies = this.moved.get(to) ?? { folder: new Folder(parent.fd, true), name: parts.at(-1)! };
    const inside = [...this.moved].filter(([one]) => one.startsWith(`${to}/`));
    this.set(path, lies);
    for (const [one, inner] of inside) this.moved.set(path + one.slice(to.length), inner);
    this.set(to, target === null ? null : { folder: aside, name: ASIDE });
  }

  private showPlace({ path, target }: PlaceBefore, { folder, made }: PlaceAfter, aside: Folder): void {
    if (folder !== null) this.setTimes([folder]);
    this.set(path, target === null ? null : { folder: aside, name: ASIDE });
    for (const one of [...made].reverse()) {
      const there = folderAtIfAny(this.looking.held, this.root, one.path.split('/'));
      if (there === null || idOf(there.stat()) !== idOf(one) || !there.isEmpty()) return;
      if (one.parent !== null) this.setTimes([{ ...one.parent, path: one.path.split('/').slice(0, -1).join('/') }]);
      this.set(one.path, null);
    }
  }

  private set(path: string, lies: Lies | null): void {
    for (const one of [...this.moved.keys()]) if (one.startsWith(`${path}/`)) this.moved.delete(one);
    this.moved.set(path, lies);
  }

  /** As an undo has it: only where nobody else has changed the folder since. */
  private setTimes(times: readonly FolderTime[]): void {
    for (const { path, beforeNs, afterNs } of times) {
      const stats = folderAtIfAny(this.looking.held, this.root, path === '' ? [] : path.split('/'))?.stat();
      if (stats !== undefined && String(stats.mtimeNs) === afterNs) this.correct({ dev: String(stats.dev), ino: String(stats.ino) }, { mtimeNs: beforeNs });
    }
  }

  private correct(inode: { readonly dev: string; readonly ino: string }, corrected: Corrected): void {
    this.corrections.set(idOf(inode), { ...this.corrections.get(idOf(inode)), ...corrected });
  }
}
type Image = PlaceBefore | AppendBefore | DeleteBefore | MoveBefore | ModeBefore;

/** Even where what it made is gone already: the folders on the way go then. */
const takesFoldersAway = (before: Image): boolean => before.kind === 'place' && before.target === null && !before.nothing;

/** A folder as it would be. */
class ViewedFolder extends Folder {
  constructor(fd: number, private readonly view: TakenBack, private readonly path: string) { super(fd, true); }

  override stat(): fs.BigIntStats { return this.view.stats(super.stat()); }
  override asSeen(seen: Seen): Seen { return this.view.seen(seen); }
  override knownDigest(stats: fs.BigIntStats): string | null { return this.view.digest(stats); }
  override at(name: Name): string | Buffer { const lies = this.lies(name); return lies ? lies.folder.at(lies.name) : super.at(name); }

  override lstat(name: Name): fs.BigIntStats | null {
    const lies = this.lies(name);
    const stats = lies === undefined ? super.lstat(name) : lies === null ? null : lies.folder.lstat(lies.name);
    return stats === null ? null : this.view.stats(stats);
  }

  override openFolder(name: Name): Folder | null {
    const lies = this.lies(name);
    const folder = lies === undefined ? new Folder(this.fd, true).openFolder(name) : lies === null ? null : lies.folder.openFolder(lies.name);
    return folder === null ? null : new ViewedFolder(folder.fd, this.view, this.pathOf(name));
  }

  override openEntry(name: Name): number {
    const lies = this.lies(name);
    if (lies === null) throw Object.assign(new Error('nothing would be there'), { code: 'ENOENT', syscall: 'openat' });
    return lies === undefined ? super.openEntry(name) : lies.folder.openEntry(lies.name);
  }

  override names(): Buffer[] {
    const there = super.names().filter(name => this.lies(name) !== null);
    const known = new Set(there.map(String));
    return [...there, ...this.view.namesAt(this.path).filter(name => !known.has(name)).map(name => Buffer.from(name))];
  }

  override isEmpty(): boolean { return this.names().length === 0; }

  private pathOf(name: Name): string { return below(this.path, String(name)); }
  private lies(name: Name): Lies | null | undefined { return this.view.at(this.pathOf(name)); }
}

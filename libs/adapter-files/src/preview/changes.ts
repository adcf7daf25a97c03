import { expandResources, type FileState, type PreviewedChange, type StepPreview } from '@aifirst/contracts';
import { modeText, openFile, readRange, sha256, typeMode, type Seen } from '../seen';
import type { Met } from '../survey';
import { Held, type Folder } from '../system/folder';
import { DIFF_BYTES_MAX, textDiff, type DiffBudget } from './text-diff';

const CHANGES_MAX = 100;
const DIFF_LINES = 200, DIFF_BYTES = 64 * 1024;
/** Of all files listed together; of what lies beyond no content is read. */
const READ_BYTES_MAX = 8 * 1024 * 1024;

type FileAction = Extract<PreviewedChange, { kind: 'file' }>['action'];
/** Content on both sides: null where nothing is there, undefined where it was too large to be read. */
interface Contents { readonly before: Buffer | null | undefined; readonly after: Buffer | null | undefined }

/** Collects what a step would do, within bounds: all diffs of one preview share 200 lines and 64 KiB, changes are at most 100. */
export class Changes {
  private readonly changes: PreviewedChange[] = [];
  private readonly footprint = new Set<string>();
  private readonly budget: DiffBudget = { lines: DIFF_LINES, bytes: DIFF_BYTES };
  private bytesToRead = READ_BYTES_MAX;
  private truncated = false;

  constructor(private readonly connection: string | null) {}

  touch(path: string): void { this.footprint.add(this.uriOf(path)); }

  add(path: string, action: FileAction, before: FileState | null, after: FileState | null, contents: Contents | null = null): void {
    if (this.changes.length === CHANGES_MAX) { this.truncated = true; return; }
    const { diff, truncated } = contents === null ? { diff: null, truncated: false } : textDiff(path, contents.before, contents.after, this.budget);
    this.truncated ||= truncated;
    this.changes.push({ kind: 'file', resource: this.uriOf(path), action, diff, before, after });
  }

  /** One entry of a folder that goes, or is copied as `mode` makes it. */
  addMet(path: string, action: 'create' | 'delete', { folder, name, stats }: Met, mode: (mode: number) => number = own => own): void {
    if (this.changes.length === CHANGES_MAX) { this.truncated = true; return; }
    const content = stats.isFile() ? this.read(folder, name, Number(stats.size)) : null;
    const state: FileState = {
      type: stats.isDirectory() ? 'directory' : 'file', size: stats.isDirectory() ? 0 : Number(stats.size), mode: modeText(mode(typeMode(stats))),
      digest: content === null || content === undefined ? null : sha256(content),
    };
    const contents = stats.isFile() ? (action === 'create' ? { before: null, after: content } : { before: content, after: null }) : null;
    if (action === 'create') this.add(path, action, null, state, contents);
    else this.add(path, action, state, null, contents);
  }

  private read(folder: Folder, name: Buffer | string, size: number): Buffer | undefined {
    if (size > DIFF_BYTES_MAX || size > this.bytesToRead) return undefined;
    this.bytesToRead -= size;
    return contentOf(folder, name, size);
  }

  preview(summary: string): StepPreview {
    return { summary, footprint: [...this.footprint], changes: this.changes, truncated: this.truncated };
  }

  private uriOf(path: string): string {
    return expandResources([{ uri: path === '' ? 'file://{connection}' : 'file://{connection}/{path}', access: 'write' }], this.connection, { path })[0]!.uri;
  }
}

/** What is at the name; undefined when that is too much to be compared. */
export function contentOf(folder: Folder, name: Buffer | string, size: number): Buffer | undefined {
  if (size > DIFF_BYTES_MAX) return undefined;
  const held = new Held();
  try { return readRange(openFile(held, folder, name), 0, size); } finally { held.close(); }
}

export const stateOf = ({ type, size, mode, digest }: Seen): FileState => ({ type, size, mode: modeText(mode), digest: type === 'file' && digest !== '' ? digest : null });
export const folderState = (mode: number): FileState => ({ type: 'directory', size: 0, mode: modeText(mode), digest: null });
export const fileState = (content: Buffer, mode: number): FileState => ({ type: 'file', size: content.length, mode: modeText(mode), digest: sha256(content) });

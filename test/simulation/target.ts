import type { Json, JsonObject } from '@aifirst/kernel';
import type { World } from './world';

/** What lies at a path. `stamp` is given once in a target's life, to each write: equal stamps, the very same thing. */
export interface Entry { readonly content: Json; readonly stamp: number; /** A step key, or `foreign`. */ readonly writer: string }
/** Everything a call is about, sorted by path; what is absent is not in it. */
export type Entries = readonly (readonly [path: string, entry: Entry])[];

export interface Change {
  readonly tick: number;
  readonly at: number;
  /** `workflow/step/generation/direction`, or `foreign`. */
  readonly key: string;
  readonly scope: readonly string[];
  readonly before: Entries;
  readonly after: Entries;
}

/** An undo that found something else than what its step had left. */
export interface Found { readonly tick: number; readonly key: string; readonly scope: readonly string[]; readonly expected: Entries; readonly entries: Entries }

/**
 * The target, outside of all processes: things by path, and a ledger of every change that ever reached it, which is the
 * ground truth. It does what it is asked, as often as it is asked.
 */
export class Target {
  readonly ledger: Change[] = [];
  readonly conflicts: Found[] = [];
  /** What each step key has come to, for probes. */
  readonly applied = new Map<string, Change>();
  /** Keys that were called off: a request under one is turned away when it arrives at last. */
  readonly calledOff = new Set<string>();
  /** Requests that may still arrive. */
  readonly underWay = new Map<string, number>();
  requests = 0;
  /** The newest request that has arrived under each key: an older one that comes after it is turned away. */
  readonly newest = new Map<string, number>();
  private readonly things = new Map<string, Entry>();
  private stamps = 0;

  /** @param onChange hears of a change before anything follows from it @param onAsBefore of an undo that finds its work done already */
  constructor(private readonly world: World, private readonly onChange: (change: Change) => void, private readonly onAsBefore: (key: string) => void) {}

  /** What is at these paths and beneath them; without paths, everything. */
  look(scope?: readonly string[]): Entries {
    const found: [string, Entry][] = [];
    for (const [path, entry] of this.things) if (scope === undefined || scope.some(root => path === root || path.startsWith(`${root}/`))) found.push([path, entry]);
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  has(path: string): boolean { return this.things.has(path); }

  /** Makes the scope hold this, with a new stamp on what is new. */
  write(key: string, scope: readonly string[], contents: readonly (readonly [path: string, content: Json | Entry])[]): Change {
    const before = this.look(scope);
    for (const [path] of before) this.things.delete(path);
    for (const [path, content] of contents) this.things.set(path, isEntry(content) ? content : { content, stamp: ++this.stamps, writer: key });
    const change: Change = { tick: this.world.tick, at: this.world.now, key, scope, before, after: this.look(scope) };
    this.ledger.push(change);
    if (key !== 'foreign') this.applied.set(key, change);
    this.onChange(change);
    return change;
  }

  /** An undo finds what was there before its step. */
  foundAsBefore(key: string): void { this.onAsBefore(key); }

  /** Someone who knows nothing of us. */
  writeForeign(path: string, content: string | null): void {
    const beneath = this.look([path]).filter(([at]) => at !== path);
    this.write('foreign', [path], content === null ? beneath : [...beneath, [path, content]]);
  }
}

export const isEntry = (value: Json | Entry): value is Entry => typeof value === 'object' && value !== null && typeof (value as { stamp?: unknown }).stamp === 'number';
export const sameEntries = (a: Entries, b: Entries): boolean => a.length === b.length && a.every(([path, { stamp }], i) => b[i]![0] === path && b[i]![1].stamp === stamp);

/** As an image keeps it. */
export const toImage = (entries: Entries): JsonObject => ({ entries: entries.map(([path, entry]) => [path, { ...entry }]) as unknown as Json });
export const fromImage = (image: JsonObject): Entries => image['entries'] as unknown as Entries;

import type { DataKey } from './data-key';

/** How long a key is used without asking again: so long may another process's erasure go unseen here. */
export const CACHED_MS_MAX = 60_000;
/** Some 500 bytes each. */
export const CACHED_KEYS_MAX = 10_000;

type Entry = { readonly key: DataKey; readonly until: number } | 'erased';

/** Keys used lately, and erased ones, which come back never; the ones longest unused go first. */
export class KeyCache {
  readonly #entries = new Map<string, Entry>();
  constructor(private readonly now: () => number, private readonly max: number = CACHED_KEYS_MAX) {}

  get(owner: string): DataKey | 'erased' | undefined {
    const entry = this.#entries.get(owner);
    if (entry === undefined) return undefined;
    if (entry !== 'erased' && entry.until <= this.now()) { this.#entries.delete(owner); return undefined; }
    this.#put(owner, entry);
    return entry === 'erased' ? entry : entry.key;
  }

  add(owner: string, key: DataKey): void {
    if (this.#entries.get(owner) !== 'erased') this.#put(owner, { key, until: this.now() + CACHED_MS_MAX });
  }
  addErased(owner: string): void { this.#put(owner, 'erased'); }

  #put(owner: string, entry: Entry): void {
    this.#entries.delete(owner);
    this.#entries.set(owner, entry);
    if (this.#entries.size > this.max) this.#entries.delete(this.#entries.keys().next().value!);
  }
}

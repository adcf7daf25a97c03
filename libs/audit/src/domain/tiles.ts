import { MerkleHasher, type Hash, type NodeId } from './merkle';

/** C2SP tlog-tiles: tiles of height 8. */
export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 2 ** TILE_HEIGHT;
export const ENTRY_BYTES_MAX = 0xffff;

/** Where a subtree's hash is made from: `count` hashes from `offset` on in that tile. */
export interface TilePart { readonly level: number; readonly index: number; readonly offset: number; readonly count: number }

export function tilePartOf({ level, index }: NodeId): TilePart {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const at = index * count;
  return { level: tileLevel, index: Math.floor(at / TILE_WIDTH), offset: at % TILE_WIDTH, count };
}

/** How many hashes the tile holds in a tree of `size` leaves: 0 = there is no such tile. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

export interface FullTile { readonly level: number; readonly index: number; readonly root: Hash; readonly hashes: readonly Hash[] }

/** A tree that grows at its right edge. It holds what is not in a full tile yet: less than 256 hashes per level. */
export class GrowingTree {
  #size: number;
  readonly #edge: Hash[][];

  /** @param edge per tile level the hashes of its last tile, which is not full: what `size` leaves leave there */
  constructor(private readonly hasher: MerkleHasher, size = 0, edge: readonly (readonly Hash[])[] = []) {
    this.#size = size;
    this.#edge = edge.map(level => [...level]);
  }

  get size(): number { return this.#size; }

  /** @returns the tiles that it fills, lowest first */
  append(leaf: Hash): readonly FullTile[] {
    const filled: FullTile[] = [];
    const size = ++this.#size;
    let hash = leaf;
    for (let level = 0; ; level++) {
      const hashes = (this.#edge[level] ??= []);
      hashes.push(hash);
      if (hashes.length < TILE_WIDTH) return filled;
      this.#edge[level] = [];
      hash = this.hasher.complete(hashes);
      filled.push({ level, index: size / TILE_WIDTH ** (level + 1) - 1, root: hash, hashes });
    }
  }

  root(): Hash {
    if (this.#size === 0) return this.hasher.empty();
    const parts: Hash[] = [];
    for (let level = this.#edge.length - 1; level >= 0; level--) parts.push(...this.#completes(this.#edge[level]!));
    return this.hasher.join(parts);
  }

  #completes(hashes: readonly Hash[]): Hash[] {
    const parts: Hash[] = [];
    for (let at = 0, width = TILE_WIDTH / 2; width >= 1; width /= 2) {
      if (hashes.length - at < width) continue;
      parts.push(this.hasher.complete(hashes.slice(at, at + width)));
      at += width;
    }
    return parts;
  }
}

/** Entries as in an entry bundle: each with its length before it, 16 bits, big-endian. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((total, entry) => total + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > ENTRY_BYTES_MAX) throw new RangeError(`an entry has ${entry.length} bytes`);
    bytes[at] = entry.length >>> 8;
    bytes[at + 1] = entry.length & 0xff;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** @returns views of the bytes, or null where these are not whole entries */
export function decodeEntries(bytes: Uint8Array): readonly Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + 2 > bytes.length) return null;
    const end = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

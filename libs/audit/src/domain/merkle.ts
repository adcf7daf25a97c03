/** RFC 6962, section 2.1. Sizes and indices are safe integers; no bit operations, which end at 32 bits. */
export type Hash = Uint8Array;
export type Sha256 = (bytes: Uint8Array) => Hash;
export const HASH_BYTES = 32;

/** How leaves and nodes are hashed, over one scratch buffer. */
export class MerkleHasher {
  readonly #scratch = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1);
  constructor(private readonly sha256: Sha256) {}

  leaf(entry: Uint8Array): Hash {
    const prefixed = new Uint8Array(entry.length + 1);
    prefixed.set(entry, 1);
    return this.sha256(prefixed);
  }

  node(left: Hash, right: Hash): Hash {
    this.#scratch.set(left, 1);
    this.#scratch.set(right, 1 + HASH_BYTES);
    return this.sha256(this.#scratch);
  }

  empty(): Hash { return this.sha256(new Uint8Array(0)); }

  /** Of a complete subtree: a power of two of hashes. */
  complete(hashes: readonly Hash[]): Hash {
    let level = hashes;
    while (level.length > 1) {
      const above: Hash[] = [];
      for (let i = 0; i < level.length; i += 2) above.push(this.node(level[i]!, level[i + 1]!));
      level = above;
    }
    return level[0]!;
  }

  /** Of what lies side by side, each complete and smaller than the one before: joined from the right. */
  join(hashes: readonly Hash[]): Hash { return hashes.slice(0, -1).reduceRight((right, left) => this.node(left, right), hashes.at(-1)!); }
}

/** A complete subtree: the hash of the leaves from `index * 2^level` on, `2^level` of them. */
export interface NodeId { readonly level: number; readonly index: number }
/** Leaves from `begin` up to and without `end`. */
export interface Range { readonly begin: number; readonly end: number }

/** The complete subtrees that make up a range, left to right, each as large as its place allows. */
export function nodesOf({ begin, end }: Range): readonly NodeId[] {
  const nodes: NodeId[] = [];
  for (let at = begin; at < end;) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level++;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** Largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves (RFC 6962, 2.1.1), from the leaf up. */
export function inclusionPath(index: number, size: number): readonly Range[] {
  const path: Range[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin);
    if (index < middle) { path.push({ begin: middle, end }); end = middle; }
    else { path.push({ begin, end: middle }); begin = middle; }
  }
  return path.reverse();
}

/** The ranges whose hashes prove that the tree of `from` leaves begins the one of `to` leaves (RFC 6962, 2.1.2). */
export function consistencyPath(from: number, to: number): readonly Range[] {
  if (from === 0 || from === to) return [];
  const path: Range[] = [];
  let [begin, end] = [0, to];
  while (from !== end) {
    const middle = begin + splitOf(end - begin);
    if (from <= middle) { path.push({ begin: middle, end }); end = middle; }
    else { path.push({ begin, end: middle }); begin = middle; }
  }
  // Why: the old tree's own root is known to whoever checks; a part of it is not.
  if (begin > 0) path.push({ begin, end });
  return path.reverse();
}

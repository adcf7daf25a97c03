import { hash } from 'node:crypto';

/**
 * RFC 6962 and RFC 9162 from the side of whoever checks; shares no code with what makes the proofs. Sizes and indices are
 * safe integers.
 */
const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
export const HASH_BYTES = 32;

export function hashLeaf(entry: Uint8Array | string): Buffer {
  if (typeof entry === 'string') return sha256(Buffer.from(`\0${entry}`));
  const prefixed = Buffer.alloc(entry.length + 1);
  prefixed.set(entry, 1);
  return sha256(prefixed);
}

const scratch = Buffer.alloc(1 + 2 * HASH_BYTES, 1);
export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  scratch.set(left, 1);
  scratch.set(right, 1 + HASH_BYTES);
  return sha256(scratch);
}

const isOdd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);
const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** RFC 9162, 2.1.3.2 */
export function checkInclusion(index: number, size: number, leafHash: Buffer, proof: readonly Buffer[], root: Buffer): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leafHash, root, ...proof])) return false;
  let [place, last, result] = [index, size - 1, leafHash];
  for (const hash of proof) {
    if (last === 0) return false;
    if (isOdd(place) || place === last) {
      result = hashNode(hash, result);
      while (!isOdd(place) && place !== 0) { place = half(place); last = half(last); }
    } else result = hashNode(result, hash);
    place = half(place);
    last = half(last);
  }
  return last === 0 && result.equals(root);
}

/** RFC 9162, 2.1.4.2. Nothing can be proven of an empty log: every log begins with it. */
export function checkConsistency(from: number, to: number, proof: readonly Buffer[], fromRoot: Buffer, toRoot: Buffer): boolean {
  if (!isSize(from) || !isSize(to) || from === 0 || from > to) return false;
  if (from === to) return proof.length === 0 && fromRoot.equals(toRoot);
  if (!areHashes([fromRoot, toRoot, ...proof])) return false;
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [place, last] = [from - 1, to - 1];
  while (isOdd(place)) { place = half(place); last = half(last); }
  let [ofFrom, ofTo] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(place) || place === last) {
      ofFrom = hashNode(hash, ofFrom);
      ofTo = hashNode(hash, ofTo);
      while (!isOdd(place) && place !== 0) { place = half(place); last = half(last); }
    } else ofTo = hashNode(ofTo, hash);
    place = half(place);
    last = half(last);
  }
  return last === 0 && ofFrom.equals(fromRoot) && ofTo.equals(toRoot);
}

function isPowerOfTwo(value: number): boolean {
  while (value > 1 && !isOdd(value)) value /= 2;
  return value === 1;
}
const areHashes = (hashes: readonly Buffer[]): boolean => hashes.every(hash => hash.length === HASH_BYTES);

interface Subtree { readonly size: number; readonly hash: Buffer }

/** The sizes of the complete subtrees of [begin, end), left to right. */
export function subtreeSizes(begin: number, end: number): readonly number[] {
  const sizes: number[] = [];
  for (let at = begin; at < end;) {
    let size = 1;
    while (at % (size * 2) === 0 && at + size * 2 <= end) size *= 2;
    sizes.push(size);
    at += size;
  }
  return sizes;
}

/** A tree made again from its left edge on: leaf by leaf, or in whole subtrees. */
export class GrownTree {
  readonly #edge: Subtree[] = [];
  #size = 0;

  get size(): number { return this.#size; }

  /** @param size a power of two, at a place where a subtree of it begins */
  push(hash: Buffer, size = 1): void {
    this.#size += size;
    let grown: Subtree = { size, hash };
    for (let left = this.#edge.at(-1); left !== undefined && left.size === grown.size; left = this.#edge.at(-1)) {
      this.#edge.pop();
      grown = { size: grown.size * 2, hash: hashNode(left.hash, grown.hash) };
    }
    this.#edge.push(grown);
  }

  /** @returns false where the hashes are not those of [size, end) */
  pushAll(hashes: readonly Buffer[], end: number): boolean {
    const sizes = subtreeSizes(this.#size, end);
    if (sizes.length !== hashes.length || !areHashes(hashes)) return false;
    hashes.forEach((hash, i) => { this.push(hash, sizes[i]!); });
    return true;
  }

  root(): Buffer {
    const [last, ...others] = [...this.#edge].reverse();
    return last === undefined ? sha256(Buffer.alloc(0)) : others.reduce((right, { hash: left }) => hashNode(left, right), last.hash);
  }
}

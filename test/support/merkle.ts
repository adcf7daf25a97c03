import { createHash } from 'node:crypto';

/** RFC 6962, section 2, written from the text: the product's own is what is checked with it. */
const sha256 = (...parts: readonly Uint8Array[]): Buffer => { const hash = createHash('sha256'); for (const part of parts) hash.update(part); return hash.digest(); };
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

export const leafHash = (bytes: Uint8Array): Buffer => sha256(LEAF, bytes);
const node = (left: Uint8Array, right: Uint8Array): Buffer => sha256(NODE, left, right);

export function rootOf(leaves: readonly Buffer[], from = 0, to = leaves.length): Buffer {
  if (to === from) return sha256();
  if (to - from === 1) return leaves[from]!;
  const middle = from + 2 ** Math.ceil(Math.log2(to - from) - 1);
  return node(rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** RFC 9162, 2.1.3.2. */
export function inclusionRoot(leaf: Buffer, index: number, size: number, proof: readonly Buffer[]): Buffer | null {
  if (index >= size) return null;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const part of proof) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = node(part, hash);
      while (fn % 2 === 0 && fn !== 0) { fn = Math.floor(fn / 2); sn = Math.floor(sn / 2); }
    } else hash = node(hash, part);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? hash : null;
}

/** RFC 9162, 2.1.4.2: does a proof lead from the first root to the second? */
export function isConsistent(from: number, first: Buffer, to: number, second: Buffer, proof: readonly Buffer[]): boolean {
  if (from === to) return proof.length === 0 && first.equals(second);
  if (from === 0) return proof.length === 0;
  const path = Number.isInteger(Math.log2(from)) ? [first, ...proof] : [...proof];
  if (path.length === 0) return false;
  let [fn, sn] = [from - 1, to - 1];
  while (fn % 2 === 1) { fn = Math.floor(fn / 2); sn = Math.floor(sn / 2); }
  let fr = path[0]!;
  let sr = path[0]!;
  for (const part of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = node(part, fr);
      sr = node(part, sr);
      while (fn % 2 === 0 && fn !== 0) { fn = Math.floor(fn / 2); sn = Math.floor(sn / 2); }
    } else sr = node(sr, part);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && fr.equals(first) && sr.equals(second);
}

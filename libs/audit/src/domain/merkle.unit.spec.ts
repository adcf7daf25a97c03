import { createHash } from 'node:crypto';
import { checkConsistency, checkInclusion, GrownTree } from '../verify/merkle-proofs';
import { consistencyPath, inclusionPath, MerkleHasher, nodesOf, type Hash, type Range } from './merkle';
import { GrowingTree, TILE_WIDTH, tilePartOf, type FullTile } from './tiles';

const sha256 = (bytes: Uint8Array): Hash => createHash('sha256').update(bytes).digest();
const hasher = new MerkleHasher(sha256);
const leaves = Array.from({ length: 1_000 }, (_, i) => Buffer.from(hasher.leaf(Buffer.from(`leaf ${i}`))));

/** RFC 6962, 2.1, word for word. */
function treeHash(hashes: readonly Hash[]): Buffer {
  if (hashes.length === 0) return Buffer.from(sha256(new Uint8Array(0)));
  if (hashes.length === 1) return Buffer.from(hashes[0]!);
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return Buffer.from(sha256(Buffer.concat([Buffer.of(1), treeHash(hashes.slice(0, split)), treeHash(hashes.slice(split))])));
}
const roots = Array.from({ length: 65 }, (_, size) => treeHash(leaves.slice(0, size)));
const hashOf = ({ begin, end }: Range): Buffer => treeHash(leaves.slice(begin, end));

describe('proofs of every tree of up to 64 leaves', () => {
  it('show every leaf to be in it, and no other', () => {
    for (let size = 1; size <= 64; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionPath(index, size).map(hashOf);
        expect(checkInclusion(index, size, leaves[index]!, proof, roots[size]!)).toBe(true);
        expect(checkInclusion((index + 1) % (size + 1), size, leaves[index]!, proof, roots[size]!) && size > 1).toBe(false);
        if (proof.length > 0) expect(checkInclusion(index, size, leaves[index]!, proof.slice(1), roots[size]!)).toBe(false);
      }
    }
  });

  it('show every smaller tree to be its beginning, and no other', () => {
    for (let to = 0; to <= 64; to++) {
      expect(consistencyPath(0, to)).toEqual([]);
      for (let from = 1; from <= to; from++) {
        const proof = consistencyPath(from, to).map(hashOf);
        expect(checkConsistency(from, to, proof, roots[from]!, roots[to]!)).toBe(true);
        if (from === to) continue;
        expect(checkConsistency(from, to, proof, roots[from - 1]!, roots[to]!)).toBe(false);
        expect(checkConsistency(from, to, [...proof, roots[1]!], roots[from]!, roots[to]!)).toBe(false);
        expect(checkConsistency(from, to, proof.slice(0, -1), roots[from]!, roots[to]!)).toBe(false);
      }
    }
  });

  it('are made of complete subtrees alone, which lie in tiles', () => {
    for (let end = 1; end <= 64; end++) {
      for (let begin = 0; begin < end; begin++) {
        const nodes = nodesOf({ begin, end });
        expect(nodes.reduce((total, { level }) => total + 2 ** level, 0)).toBe(end - begin);
        for (const { level, index } of nodes) expect(index * 2 ** level).toBeLessThan(end);
      }
    }
    expect(tilePartOf({ level: 8, index: 300 })).toEqual({ level: 1, index: 1, offset: 44, count: 1 });
    expect(tilePartOf({ level: 3, index: 33 })).toEqual({ level: 0, index: 1, offset: 8, count: 8 });
  });
});

describe('a growing tree', () => {
  it('has the root of RFC 6962 at every size, and gives away full tiles', () => {
    const tree = new GrowingTree(hasher);
    const tiles: FullTile[] = [];
    expect(Buffer.from(tree.root())).toEqual(treeHash([]));
    leaves.forEach((leaf, i) => {
      tiles.push(...tree.append(leaf));
      if (i < 70 || i % 97 === 0 || i % 256 > 253 || i % 256 < 2) expect(Buffer.from(tree.root())).toEqual(treeHash(leaves.slice(0, i + 1)));
    });
    expect(tiles.map(({ level, index }) => [level, index])).toEqual([[0, 0], [0, 1], [0, 2]]);
    expect(tiles.every(({ index, hashes, root }) => hashes.every((hash, i) => hash === leaves[index * TILE_WIDTH + i]) && treeHash(hashes).equals(root))).toBe(true);
  });

  it('goes on from its edge', () => {
    const whole = new GrowingTree(hasher);
    for (const leaf of leaves) whole.append(leaf);
    const roots = [0, 1, 2].map(i => hasher.complete(leaves.slice(i * 256, i * 256 + 256)));
    const resumed = new GrowingTree(hasher, 900, [leaves.slice(768, 900), roots]);
    for (const leaf of leaves.slice(900)) resumed.append(leaf);
    expect(Buffer.from(resumed.root())).toEqual(Buffer.from(whole.root()));
  });

  it('fills tiles of the second level after 65,536 leaves', () => {
    const cheap = new MerkleHasher(() => new Uint8Array(32));
    const tree = new GrowingTree(cheap);
    const levels = new Map<string, number>();
    for (let i = 0; i < 65_536 * 2; i++) for (const { level, index } of tree.append(new Uint8Array(32))) levels.set(`${level}`, index);
    expect([...levels]).toEqual([['0', 511], ['1', 1]]);
  });

  it('is the tree that a verifier makes from any range and the hashes around it', () => {
    for (let begin = 0; begin <= 33; begin++) {
      for (let end = begin; end <= 33; end++) {
        const hashes = (range: Range) => nodesOf(range).map(({ level, index }) => hashOf({ begin: index * 2 ** level, end: (index + 1) * 2 ** level }));
        const tree = new GrownTree();
        expect(tree.pushAll(hashes({ begin: 0, end: begin }), begin)).toBe(true);
        for (const leaf of leaves.slice(begin, end)) tree.push(leaf);
        expect(tree.pushAll(hashes({ begin: end, end: 33 }), 33)).toBe(true);
        expect(tree.root()).toEqual(roots[33]);
      }
    }
  });
});

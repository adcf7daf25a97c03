import { inflateRawSync } from 'node:zlib';
import type { Hash, MerkleHasher } from './domain/merkle';
import { decodeEntries } from './domain/tiles';
import { digestOfHashes } from './folding/open-bundle';

/** What of a row of `bundle` holds its entries. */
export interface StoredBundle { readonly first: string; readonly count: number; readonly digest: Buffer; readonly data: Buffer }

/** A row holds at most 512 entries or a mebibyte and one entry more; beyond this somebody has made it. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024;

/** @returns null where it can't be read */
export function entriesOf({ count, data }: Pick<StoredBundle, 'count' | 'data'>): readonly Uint8Array[] | null {
  let bytes: Buffer;
  try { bytes = inflateRawSync(data, { maxOutputLength: INFLATED_BYTES_MAX, chunkSize: 256 * 1024 }); } catch { return null; } // Why: whatever is wrong with it, it is not what was stored.
  const entries = decodeEntries(bytes);
  return entries?.length === count ? entries : null;
}

/** The leaf hashes made anew from what is stored. @returns null where they are not what was noted when it was folded */
export function leafHashesOf(row: StoredBundle, hasher: MerkleHasher): readonly Hash[] | null {
  const hashes = entriesOf(row)?.map(entry => hasher.leaf(entry)) ?? null;
  return hashes !== null && row.digest.equals(digestOfHashes(hashes)) ? hashes : null;
}

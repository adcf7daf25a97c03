import { inflateRawSync } from 'node:zlib';
import { sha256 } from './digest';
import type { Hash } from './domain/merkle';
import { decodeEntries } from './domain/tiles';
import { digestOfHashes } from './folding/open-bundle';

/** What of a row of `bundle` holds its entries. */
export interface StoredBundle { readonly first: string; readonly count: number; readonly digest: Buffer; readonly data: Buffer }

/** A row holds at most 512 entries or a mebibyte and one entry more; beyond this somebody has made it. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024;

export interface OpenedBundle { readonly entries: readonly Uint8Array[]; readonly hashes: readonly Hash[] }

/**
 * The entries and their leaf hashes, made anew from what is stored.
 * @returns null where they are not what was noted when they were folded
 */
export function openBundle({ count, digest, data }: StoredBundle): OpenedBundle | null {
  let bytes: Buffer;
  try { bytes = inflateRawSync(data, { maxOutputLength: INFLATED_BYTES_MAX, chunkSize: 256 * 1024 }); } catch { return null; } // Why: whatever is wrong with it, it is not what was stored.
  const entries = decodeEntries(bytes);
  if (entries?.length !== count) return null;
  const hashes = entries.map(entry => {
    // Why in place: the byte before an entry is of its length, which has been read.
    const begin = entry.byteOffset - bytes.byteOffset;
    bytes[begin - 1] = 0;
    return sha256(bytes.subarray(begin - 1, begin + entry.length));
  });
  return digest.equals(digestOfHashes(hashes)) ? { entries, hashes } : null;
}

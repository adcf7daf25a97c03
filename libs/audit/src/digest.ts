import { hash } from 'node:crypto';
import type { TextMeans } from './domain/leaf';
import { MerkleHasher, type Sha256 } from './domain/merkle';

export const sha256: Sha256 = bytes => hash('sha256', bytes, 'buffer');
/** One for each place that may be between two of its hashes at once: they share a scratch buffer, not a moment. */
export const newHasher = (): MerkleHasher => new MerkleHasher(sha256);

export const textMeans: TextMeans = {
  byteLength: text => Buffer.byteLength(text),
  digest: text => `sha256:${hash('sha256', text, 'hex')}`,
};

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

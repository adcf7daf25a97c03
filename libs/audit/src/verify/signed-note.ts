import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';

/** C2SP signed notes and checkpoints from the side of whoever checks. */
export interface VerifierKey { readonly name: string; readonly id: string; readonly vkey: string; readonly key: KeyObject }
export interface SignatureLine { readonly name: string; readonly id: string; readonly signature: Buffer }
export interface CheckedNote { readonly origin: string; readonly size: number; readonly root: Buffer; readonly text: string; readonly lines: readonly SignatureLine[] }

const ED25519 = 1;
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** Strictly: one text for one value, so that nothing can be changed unseen. */
export function bytesOf(base64: string): Buffer | null {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : null;
}

/** @returns null where it is none, or its id is not that of its name and key */
export function parseVkey(text: string): VerifierKey | null {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const bytes = encoded === undefined ? null : bytesOf(encoded);
  if (name === undefined || id === undefined || bytes === null || bytes.length !== 33 || bytes[0] !== ED25519) return null;
  const expected = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), bytes]), 'buffer').subarray(0, 4).toString('hex');
  if (expected !== id) return null;
  try {
    return { name, id, vkey: text, key: createPublicKey({ key: Buffer.concat([SPKI, bytes.subarray(1)]), format: 'der', type: 'spki' }) };
  } catch { return null; } // Why: 32 bytes that are no key are no key.
}

/** @param line without its newline */
export function parseSignatureLine(line: string): SignatureLine | null {
  const [, name, encoded] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
  const bytes = encoded === undefined ? null : bytesOf(encoded);
  if (name === undefined || bytes === null || bytes.length !== 4 + 64) return null;
  return { name, id: bytes.subarray(0, 4).toString('hex'), signature: bytes.subarray(4) };
}

export const isSignedBy = (line: SignatureLine, key: VerifierKey, text: Uint8Array): boolean =>
  line.name === key.name && line.id === key.id && verify(null, text, key.key, line.signature);

/** @returns null where it is no signed checkpoint without extensions */
export function parseCheckpoint(note: string): CheckedNote | null {
  const end = note.indexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return null;
  const text = note.slice(0, end + 1);
  const [origin, sizeText, rootText, ...more] = text.slice(0, -1).split('\n');
  const root = rootText === undefined ? null : bytesOf(rootText);
  if (origin === undefined || origin === '' || sizeText === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(sizeText) || root?.length !== 32 || more.length > 0) return null;
  const size = Number(sizeText);
  const lines = note.slice(end + 2, -1).split('\n').map(parseSignatureLine);
  if (!Number.isSafeInteger(size) || lines.some(line => line === null)) return null;
  return { origin, size, root, text, lines: lines as SignatureLine[] };
}

/** The key of those given that has signed it. */
export const signerOf = (note: CheckedNote, keys: readonly VerifierKey[]): VerifierKey | null =>
  keys.find(key => key.name === note.origin && note.lines.some(line => isSignedBy(line, key, Buffer.from(note.text)))) ?? null;

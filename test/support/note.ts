import { createHash, createPublicKey, verify } from 'node:crypto';

/** C2SP signed notes and tlog-checkpoints, written from their specifications. */
export interface Checkpoint { readonly origin: string; readonly size: number; readonly root: Buffer }

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519 = 1;

/** @throws Error that says what is wrong with the note under these keys */
export function openCheckpoint(note: string, vkeys: readonly string[]): Checkpoint {
  const cut = note.lastIndexOf('\n\n');
  if (cut < 0) throw new Error(`no signed note: ${JSON.stringify(note)}`);
  const text = note.slice(0, cut + 1);
  const signatures = note.slice(cut + 2).split('\n').filter(line => line !== '');
  const keys = vkeys.map(keyOf);
  const isSigned = signatures.some(line => {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    if (name === undefined || encoded === undefined) throw new Error(`not a signature line: ${line}`);
    const bytes = Buffer.from(encoded, 'base64');
    return keys.some(key => key.name === name && key.id.equals(bytes.subarray(0, 4)) && verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4)));
  });
  if (!isSigned) throw new Error(`no signature of ${vkeys.join(' or ')} on ${JSON.stringify(note)}`);
  const [origin, size, root, ...rest] = text.split('\n');
  if (origin === undefined || !/^(0|[1-9]\d*)$/.test(size ?? '') || rest.at(-1) !== '') throw new Error(`no checkpoint: ${JSON.stringify(text)}`);
  return { origin, size: Number(size), root: Buffer.from(root!, 'base64') };
}

function keyOf(vkey: string): { name: string; id: Buffer; publicKey: ReturnType<typeof createPublicKey> } {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  if (name === undefined) throw new Error(`not a vkey: ${vkey}`);
  const bytes = Buffer.from(encoded!, 'base64');
  if (bytes[0] !== ED25519 || bytes.length !== 33) throw new Error(`not an Ed25519 vkey: ${vkey}`);
  const expected = createHash('sha256').update(`${name}\n`).update(bytes).digest().subarray(0, 4);
  if (expected.toString('hex') !== id) throw new Error(`the id of ${vkey} is not that of its key`);
  return { name, id: expected, publicKey: createPublicKey({ key: Buffer.concat([SPKI_ED25519, bytes.subarray(1)]), format: 'der', type: 'spki' }) };
}

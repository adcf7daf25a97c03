import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { invariant } from '@aifirst/kernel';
import { sha256 } from './digest';
import { signatureLine } from './domain/checkpoint';

export const SEED_BYTES = 32;
/** C2SP signed-note: Ed25519. */
const ALGORITHM = Buffer.of(1);
/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

const keyId = (name: string, publicKey: Uint8Array): Buffer => Buffer.from(sha256(Buffer.concat([Buffer.from(`${name}\n`), ALGORITHM, publicKey]))).subarray(0, 4);

/** How a key is told to those who verify: `<name>+<id>+<algorithm and public key>`. */
export const vkeyOf = (name: string, publicKey: Uint8Array): string =>
  `${name}+${keyId(name, publicKey).toString('hex')}+${Buffer.concat([ALGORITHM, publicKey]).toString('base64')}`;

/** Signs notes and exports with the key of AUDIT_KEY_FILE. One key signs for every log, under the log's name. */
export class NoteSigner {
  readonly publicKey: Buffer;
  readonly #key: KeyObject;

  /** @param seed 32 bytes, as RFC 8032 has them */
  constructor(seed: Uint8Array) {
    invariant(seed.length === SEED_BYTES, `the audit key has ${seed.length} bytes, not ${SEED_BYTES}`);
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
    this.publicKey = createPublicKey(this.#key).export({ format: 'der', type: 'spki' }).subarray(-32);
  }

  vkey(name: string): string { return vkeyOf(name, this.publicKey); }

  /** The signature line over the text, as a signed note ends with. */
  line(name: string, text: string | Uint8Array): string {
    const signature = sign(null, typeof text === 'string' ? Buffer.from(text) : text, this.#key);
    return signatureLine(name, Buffer.concat([keyId(name, this.publicKey), signature]).toString('base64'));
  }
}

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { invariant, OperationalError } from '@aifirst/kernel';

const KEY_BYTES = 32, KEY_ID_BYTES = 8, NONCE_BYTES = 12, TAG_BYTES = 16;
const VERSION = 1;
const WRAPPED_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** What a `MASTER_KEY_FILE` holds: 32 random bytes, base64, and a line feed. */
export const newMasterKeyText = (): string => `${randomBytes(KEY_BYTES).toString('base64')}\n`;

interface Key { readonly id: Buffer; readonly bytes: Buffer }

/**
 * Wraps data keys with AES-256-GCM: `version (1) | key id (8) | nonce (12) | ciphertext (32) | tag (16)`, bound to its owner.
 * The key id says which master key wrapped it, so that older ones still unwrap while a newer one wraps.
 */
export class MasterKey {
  readonly #current: Key;
  readonly #all: readonly Key[];

  /**
   * @param text content of the key file; `older` those that were in use before
   * @throws OperationalError `MASTER_KEY_INVALID`
   */
  constructor(text: string, older: readonly string[] = []) {
    this.#current = keyOf(text);
    this.#all = [this.#current, ...older.map(keyOf)];
  }

  wrap(dataKey: Uint8Array, owner: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#current.bytes, nonce).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(dataKey), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), this.#current.id, nonce, sealed, cipher.getAuthTag()]);
  }

  /** @throws OperationalError `MASTER_KEY_UNKNOWN` (wrapped by a key that is not here), `SEAL_BROKEN` */
  unwrap(wrapped: Buffer, owner: string): Buffer {
    if (wrapped.length !== WRAPPED_BYTES || wrapped[0] !== VERSION) throw new OperationalError('SEAL_BROKEN', 'a stored data key is not of the form it was written in');
    const id = wrapped.subarray(1, 1 + KEY_ID_BYTES);
    const key = this.#all.find(one => one.id.equals(id));
    if (key === undefined) throw new OperationalError('MASTER_KEY_UNKNOWN', `a data key was wrapped by master key \`${id.toString('hex')}\`, which is not here`);
    const nonceAt = 1 + KEY_ID_BYTES, textAt = nonceAt + NONCE_BYTES, tagAt = textAt + KEY_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, wrapped.subarray(nonceAt, textAt)).setAAD(Buffer.from(owner)).setAuthTag(wrapped.subarray(tagAt));
    try {
      return Buffer.concat([decipher.update(wrapped.subarray(textAt, tagAt)), decipher.final()]);
    } catch {
      throw new OperationalError('SEAL_BROKEN', 'a stored data key is not what was stored');
    }
  }
}

function keyOf(text: string): Key {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== trimmed) throw new OperationalError('MASTER_KEY_INVALID', 'the master key file holds no 32 bytes in base64');
  const id = createHash('sha256').update('aifirst-master-key-id').update(bytes).digest().subarray(0, KEY_ID_BYTES);
  invariant(id.length === KEY_ID_BYTES, 'a key id is short');
  return { id, bytes };
}

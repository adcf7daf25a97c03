import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import canonicalize from 'canonicalize';
import { OperationalError, type Json } from '@aifirst/kernel';
import type { Sealed } from '@aifirst/contracts';
import type { KeyScope } from './vault';

export const DATA_KEY_BYTES = 32;
const NONCE_BYTES = 12, TAG_BYTES = 16, ID_BYTES = 6;
const FORM = /^v1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/;

/** What `count` random bytes come from: the operating system's, or the simulator's. */
export type RandomBytes = (count: number) => Uint8Array;

/** What a data key and its seals are bound to; a JSON array is unambiguous whatever a name holds. */
export const ownerOf = ({ tenant, workflow }: KeyScope): string => JSON.stringify(['aifirst-data-key-v1', tenant, workflow]);

/** The key of one workflow, with what is derived from it: one key to seal, one to digest, and an id that tells it from others. */
export class DataKey {
  readonly #seal: Buffer;
  readonly #digest: Buffer;
  readonly #id: string;

  constructor(readonly scope: KeyScope, bytes: Uint8Array) {
    const derived = Buffer.from(hkdfSync('sha256', bytes, '', `aifirst ${ownerOf(scope)}`, 2 * DATA_KEY_BYTES + ID_BYTES));
    this.#seal = derived.subarray(0, DATA_KEY_BYTES);
    this.#digest = derived.subarray(DATA_KEY_BYTES, 2 * DATA_KEY_BYTES);
    this.#id = derived.subarray(2 * DATA_KEY_BYTES).toString('base64url');
  }

  seal(sensitivityClass: string, value: Json, random: RandomBytes): Sealed {
    const nonce = random(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#seal, nonce).setAAD(this.#boundTo(sensitivityClass));
    const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return { $sealed: `v1.${this.#id}.${Buffer.from(nonce).toString('base64url')}.${text.toString('base64url')}`, class: sensitivityClass };
  }

  /** The whole value, `pointer` not applied. @throws OperationalError `SEAL_BROKEN` */
  open(sealed: Sealed): Json {
    const form = FORM.exec(sealed.$sealed);
    if (form === null) throw this.#broken('is not of the form of one');
    if (form[1] !== this.#id) throw this.#broken('was sealed with another key');
    const bytes = Buffer.from(form[3]!, 'base64url');
    const tagAt = bytes.length - TAG_BYTES;
    // Why: one spelling for one value, as bits beyond the last byte would change the text and not what it says.
    if (tagAt < 0 || bytes.toString('base64url') !== form[3]) throw this.#broken('is not of the form of one');
    const decipher = createDecipheriv('aes-256-gcm', this.#seal, Buffer.from(form[2]!, 'base64url')).setAAD(this.#boundTo(sealed.class)).setAuthTag(bytes.subarray(tagAt));
    let text: string;
    try {
      text = Buffer.concat([decipher.update(bytes.subarray(0, tagAt)), decipher.final()]).toString('utf8');
    } catch {
      throw this.#broken('was changed, or belongs elsewhere');
    }
    return JSON.parse(text) as Json;
  }

  digest(value: Json): string {
    return `hmac-sha256:${createHmac('sha256', this.#digest).update(canonicalize(value) as string).digest('hex')}`;
  }

  #boundTo(sensitivityClass: string): Buffer {
    return Buffer.from(JSON.stringify(['aifirst-sealed-v1', this.scope.tenant, this.scope.workflow, sensitivityClass]));
  }
  #broken(why: string): OperationalError { return new OperationalError('SEAL_BROKEN', `a sealed value of workflow \`${this.scope.workflow}\` ${why}`); }
}

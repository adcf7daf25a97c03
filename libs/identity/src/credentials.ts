import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { RandomBytes } from '@aifirst/kernel';

/** `aifirst_<token id>_<secret>`: the id finds the credential, the secret proves it. Only the secret's digest is kept. */
export interface MintedToken { readonly tokenId: string; readonly token: string; readonly digest: string }

const ID_BYTES = 12;
const SECRET_BYTES = 32;
const FORM = /^aifirst_([0-9a-f]{24})_([A-Za-z0-9_-]{43})$/;

export function mintToken(random: RandomBytes = randomBytes): MintedToken {
  const tokenId = Buffer.from(random(ID_BYTES)).toString('hex');
  const secret = Buffer.from(random(SECRET_BYTES)).toString('base64url');
  return { tokenId, token: `aifirst_${tokenId}_${secret}`, digest: secretDigest(secret).toString('hex') };
}

export function parseToken(text: string): { readonly tokenId: string; readonly secret: string } | null {
  const found = FORM.exec(text);
  return found === null ? null : { tokenId: found[1]!, secret: found[2]! };
}

export const secretDigest = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Takes the same time whatever differs. */
export const digestsEqual = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other);

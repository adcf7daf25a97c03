import { createHash, createPublicKey } from 'node:crypto';
import { isObject, type JsonObject, type Problem } from '@aifirst/kernel';

/** Members that only a private or symmetric key has (RFC 7518, RFC 8037). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const KID = /^[\x21-\x7e]{1,128}$/;

export interface PublicKey { readonly kid: string; readonly jwk: JsonObject }

/** y of the points of order 1, 2, 4 and 8 on edwards25519, also as those write them who do not reduce: little endian, without the sign. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);
function isSmallOrder(x: unknown): boolean {
  const bytes = typeof x === 'string' ? Buffer.from(x, 'base64url') : Buffer.alloc(0);
  if (bytes.length !== 32) return false;
  bytes[31]! &= 0x7f;
  return SMALL_ORDER.has(bytes.toString('hex'));
}

/**
 * What an agent may sign intents with: a public Ed25519 or P-256 key.
 * @returns the key with its public members alone, or what is wrong with it
 */
export function publicKeyOf(jwk: unknown, kid: unknown, pointer: string): PublicKey | Problem {
  const wrong = (detail: string, at = ''): Problem => ({ code: 'INVALID_FIELD', pointer: `${pointer}${at}`, detail });
  if (!isObject(jwk)) return wrong('a key is a JWK (RFC 7517)');
  const secret = PRIVATE_MEMBERS.find(member => jwk[member] !== undefined);
  if (secret !== undefined) return wrong('this is a private key: keep it to yourself and register its public half', `/${secret}`);
  const kept = jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519' ? { crv: 'Ed25519', kty: 'OKP', x: jwk['x'] }
    : jwk['kty'] === 'EC' && jwk['crv'] === 'P-256' ? { crv: 'P-256', kty: 'EC', x: jwk['x'], y: jwk['y'] } : null;
  if (kept === null) return wrong('a key is Ed25519 (`kty` OKP) or P-256 (`kty` EC)');
  const alg = kept.kty === 'OKP' ? 'EdDSA' : 'ES256';
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return wrong('this key is not for signatures (`use`)', '/use');
  const operations = jwk['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return wrong('this key is not for verifying signatures (`key_ops`)', '/key_ops');
  if (jwk['alg'] !== undefined && jwk['alg'] !== alg) return wrong(`a key of this curve signs with \`${alg}\``, '/alg');
  if (kept.kty === 'OKP' && isSmallOrder(kept.x)) return wrong('this point has a small order: anybody could sign for it', '/x');
  try {
    createPublicKey({ key: kept as never, format: 'jwk' });
  } catch {
    return wrong('the members of this key do not make a point on its curve');
  }
  // Why: the members stand in the order that RFC 7638 hashes.
  const named = kid ?? jwk['kid'] ?? createHash('sha256').update(JSON.stringify(kept)).digest('base64url');
  if (typeof named !== 'string' || !KID.test(named)) return wrong('`kid` is 1 to 128 printable ASCII characters without spaces', '/kid');
  return { kid: named, jwk: kept as JsonObject };
}

export const isProblem = (value: PublicKey | Problem): value is Problem => 'code' in value;

import { compactVerify, importJWK } from 'jose';
import { parseStrictJson } from '@aifirst/admission';
import { isObject, type JsonObject } from '@aifirst/kernel';

/** A registered key that may have signed. */
export interface SignerKey { readonly kid: string; readonly jwk: JsonObject }
export interface SignerKeys { readonly keys: readonly SignerKey[]; readonly revokedKeys?: readonly { readonly kid: string }[] }

export type Verified =
  | { readonly ok: true; readonly kid: string; /** The protected header, every byte of it signed. */ readonly header: JsonObject }
  | { readonly ok: false; readonly code: 'BAD_SIGNATURE' | 'WRONG_ALGORITHM' | 'UNKNOWN_KEY' | 'REVOKED_KEY'; readonly detail: string };

/** With which algorithm a key of this type and curve signs: the key decides, the message only has to say the same. */
const ALGORITHMS: readonly { readonly alg: string; readonly kty: string; readonly crv: string }[] = [
  { alg: 'EdDSA', kty: 'OKP', crv: 'Ed25519' },
  { alg: 'ES256', kty: 'EC', crv: 'P-256' },
];
/** Where a message would bring or point to its own key. */
const OWN_KEY = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256'];
const JWS_CHARS_MAX = 8_192;
/** R and S of Ed25519, r and s of P-256. */
const SIGNATURE_BYTES = 64;

/**
 * Verifies a detached compact JWS (RFC 7515 appendix F: `header..signature`) over `payload`. Only what a registered key
 * signed with its own algorithm passes; extensions that change what is signed (`crit`, `b64`) are refused, as are headers
 * that bring a key of their own. Details never hold what the message says.
 */
export async function verifyDetached(jws: string, payload: Uint8Array, signer: SignerKeys): Promise<Verified> {
  const parts = jws.split('.');
  if (jws.length > JWS_CHARS_MAX || parts.length !== 3) return bad('it is not the compact form `header..signature`');
  const [encodedHeader, between, encodedSignature] = parts as [string, string, string];
  if (between !== '') return bad('it is not detached: between its two dots nothing may stand');
  const headerBytes = strictBase64url(encodedHeader);
  if (headerBytes === null) return bad(NOT_BASE64URL);
  const parsed = parseStrictJson(headerBytes);
  if (!parsed.ok || !isObject(parsed.value)) return bad('its protected header is no JSON object');
  const header = parsed.value;
  const { alg, kid } = header;
  if (typeof alg !== 'string' || !ALGORITHMS.some(known => known.alg === alg)) return { ok: false, code: 'WRONG_ALGORITHM', detail: 'only `EdDSA` and `ES256` are taken' };
  const signature = strictBase64url(encodedSignature);
  if (signature === null) return bad(NOT_BASE64URL);
  if (header['crit'] !== undefined || header['b64'] !== undefined) return bad('`crit` and `b64` are not taken: the payload is signed as base64url of the whole value');
  if (OWN_KEY.some(name => header[name] !== undefined)) return bad('a message can\'t bring its own key: `kid` names one that is registered');
  if (typeof kid !== 'string') return { ok: false, code: 'UNKNOWN_KEY', detail: '`kid` is missing' };
  const key = signer.keys.find(known => known.kid === kid);
  if (key === undefined) {
    return signer.revokedKeys?.some(revoked => revoked.kid === kid) === true
      ? { ok: false, code: 'REVOKED_KEY', detail: 'the key has been revoked' } : { ok: false, code: 'UNKNOWN_KEY', detail: 'the agent has no key of this `kid`' };
  }
  if (!ALGORITHMS.some(known => known.alg === alg && known.kty === key.jwk['kty'] && known.crv === key.jwk['crv'])) return { ok: false, code: 'WRONG_ALGORITHM', detail: 'the key is of another algorithm than `alg` says' };
  if (signature.length !== SIGNATURE_BYTES) return bad('the signature has not the length of this algorithm\'s');
  try {
    await compactVerify(`${encodedHeader}.${Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64url')}.${encodedSignature}`, await imported(key, alg), { algorithms: [alg] });
  } catch (error) {
    if (!isVerdict(error)) throw error;
    return bad('it is not of this key over the bytes of this value');
  }
  return { ok: true, kid, header };
}

const NOT_BASE64URL = 'its parts are not base64url without padding';
const bad = (detail: string): Verified => ({ ok: false, code: 'BAD_SIGNATURE', detail });
/** jose's word on the signature itself, as against a failure of the machine. */
const isVerdict = (error: unknown): boolean => typeof (error as { code?: unknown } | null)?.code === 'string' && (error as { code: string }).code.startsWith('ERR_JW');

type Imported = Awaited<ReturnType<typeof importJWK>>;
/** Per stored key: it is the same object until the agent is changed. */
const importedKeys = new WeakMap<SignerKey, Promise<Imported>>();
function imported(key: SignerKey, alg: string): Promise<Imported> {
  let found = importedKeys.get(key);
  if (found === undefined) { found = importJWK(key.jwk as never, alg); importedKeys.set(key, found); }
  return found;
}

/** Only what is written in the one way that base64url has for it. */
function strictBase64url(text: string): Buffer | null {
  if (text === '' || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

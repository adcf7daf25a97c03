import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign as signBytes, type KeyObject } from 'node:crypto';
import { encode } from './request';
import { Intent } from './intent';
import type { IntentBody } from './types';

/** Where signed intents go. */
export const TOPIC = 'aifirst.intents.v1';
export const TYPE = 'aifirst.intent.submitted.v1';
export const SIGNATURE_HEADER = 'aifirst-signature';
/** What the signature binds of a CloudEvent. */
const BOUND = ['id', 'source', 'type', 'time'] as const;
const RESERVED = ['data', 'data_base64', 'datacontenttype'];

export type Algorithm = 'EdDSA' | 'ES256';
export type Jwk = Readonly<Record<string, string>>;

/** A private key (Ed25519 or P-256) and the `kid` under which its public half is registered for the agent. */
export class SigningKey {
  readonly alg: Algorithm;
  readonly #key: KeyObject;

  private constructor(readonly kid: string, key: KeyObject) {
    if (typeof kid !== 'string' || kid === '') throw new TypeError('a signing key has a `kid`: the name under which it is registered');
    const curve = key.asymmetricKeyDetails?.namedCurve;
    if (key.type !== 'private' || !(key.asymmetricKeyType === 'ed25519' || (key.asymmetricKeyType === 'ec' && curve === 'prime256v1'))) throw new TypeError('a signing key is a private one of Ed25519 or P-256');
    this.alg = key.asymmetricKeyType === 'ec' ? 'ES256' : 'EdDSA';
    this.#key = key;
  }

  static generate(kid: string, alg: Algorithm = 'EdDSA'): SigningKey {
    if (alg !== 'EdDSA' && alg !== 'ES256') throw new TypeError('alg is EdDSA or ES256');
    return new SigningKey(kid, (alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })).privateKey);
  }
  static fromPem(kid: string, pem: string | Uint8Array, passphrase?: string): SigningKey {
    return new SigningKey(kid, unless('the PEM can not be read: is it a private key, and its passphrase right?', () => createPrivateKey({ key: typeof pem === 'string' ? pem : Buffer.from(pem), format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) })));
  }
  static fromJwk(kid: string, jwk: Jwk): SigningKey {
    if (jwk['d'] === undefined) throw new TypeError('the JWK holds no private key (`d`)');
    return new SigningKey(kid, unless('a signing key is a private one of Ed25519 or P-256', () => createPrivateKey({ key: { ...jwk }, format: 'jwk' })));
  }

  /** PKCS #8, for a file that only its owner reads. */
  toPem(passphrase?: string): string {
    return this.#key.export({ type: 'pkcs8', format: 'pem', ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }) }).toString();
  }
  /** What `POST /v1/agents/:id/keys` takes as `jwk`. */
  publicJwk(): Jwk { return createPublicKey(this.#key).export({ format: 'jwk' }) as Jwk; }

  signature(bytes: Uint8Array): Uint8Array {
    // Why: JWS has r and s side by side (RFC 7518), not in DER.
    return this.alg === 'ES256' ? signBytes('sha256', bytes, { key: this.#key, dsaEncoding: 'ieee-p1363' }) : signBytes(null, bytes, this.#key);
  }
}

// Why without the cause: what the platform says of a key that can't be read may show a part of it.
function unless<T>(problem: string, read: () => T): T { try { return read(); } catch { throw new TypeError(problem); } }

/**
 * The header `aifirst-signature` of a record: a detached compact JWS (RFC 7515, appendix F) over the bytes of its value.
 * @param value of the record, byte by byte as it will be sent
 * @param attributes of its CloudEvent; `id`, `source`, `type` and `time` are bound, and `expirytime` if it is there
 * @param audience the name of the deployment
 */
export function sign(value: Uint8Array, attributes: Readonly<Record<string, string>>, key: SigningKey, audience = 'aifirst'): string {
  const missing = BOUND.filter(name => (attributes[name] ?? '') === '');
  if (missing.length > 0) throw new TypeError(`the event has no ${missing.join(', ')}`);
  const ce = Object.fromEntries([...BOUND, 'expirytime'].flatMap(name => (attributes[name] === undefined ? [] : [[name, attributes[name]]])));
  const header = Buffer.from(JSON.stringify({ alg: key.alg, kid: key.kid, aud: audience, ce })).toString('base64url');
  return `${header}..${Buffer.from(key.signature(Buffer.from(`${header}.${Buffer.from(value).toString('base64url')}`))).toString('base64url')}`;
}

/** As a producer takes it, such as kafkajs: `producer.send({ topic, messages: [{ key, value, headers }] })`. `id` is the idempotency key: answers and outcomes name it as `intentid`. */
export interface IntentRecord {
  readonly topic: string;
  readonly id: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface RecordOptions {
  /** The agent's id. */
  readonly source: string;
  readonly key: SigningKey;
  /** The idempotency key; made unless given. */
  readonly id?: string;
  /** Now unless given; the server takes what is appended within five minutes of it. */
  readonly time?: Date;
  /** When it must have been appended at the latest. */
  readonly expires?: Date;
  readonly mode?: 'binary' | 'structured';
  /** The server's `DEPLOYMENT`. */
  readonly audience?: string;
  /** More attributes of the event, such as `traceparent`. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** An intent as a signed CloudEvent for the topic `aifirst.intents.v1`, for any producer. */
export function intentRecord(intent: Intent | IntentBody | { readonly [name: string]: unknown }, { source, key, id = randomUUID(), time = new Date(), expires, mode = 'binary', audience = 'aifirst', attributes = {} }: RecordOptions): IntentRecord {
  if (mode !== 'binary' && mode !== 'structured') throw new TypeError('mode is binary or structured');
  const own = { specversion: '1.0', id, source, type: TYPE, time: time.toISOString(), ...(expires === undefined ? {} : { expirytime: expires.toISOString() }) };
  for (const name of Object.keys(attributes)) if (name in own || RESERVED.includes(name)) throw new TypeError(`attribute \`${name}\` is set already`);
  const event: Readonly<Record<string, string>> = { ...own, ...attributes };
  const data: object = intent instanceof Intent ? intent.toJSON() : intent;
  const value = Buffer.from(encode(mode === 'binary' ? data : { ...event, datacontenttype: 'application/json', data }));
  const headers = mode === 'binary'
    ? { 'content-type': 'application/json', ...Object.fromEntries(Object.entries(event).map(([name, text]) => [`ce_${name}`, text])) }
    : { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
  const signed = { ...headers, [SIGNATURE_HEADER]: sign(value, event, key, audience) };
  return { topic: TOPIC, id, key: Buffer.from(source), value, headers: Object.fromEntries(Object.entries(signed).map(([name, text]) => [name, Buffer.from(text)])) };
}

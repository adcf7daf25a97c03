import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { JsonObject } from '@aifirst/kernel';

/** A key pair as an agent makes it. */
export interface SigningKey { readonly alg: 'EdDSA' | 'ES256'; readonly kid: string; readonly jwk: JsonObject; readonly privateKey: KeyObject }

export function aSigningKey(alg: SigningKey['alg'] = 'EdDSA', kid = `k-${alg}`): SigningKey {
  const { publicKey, privateKey } = alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { alg, kid, jwk: publicKey.export({ format: 'jwk' }) as JsonObject, privateKey };
}

const encoded = (value: string | Buffer): string => Buffer.from(value).toString('base64url');

/** A detached compact JWS, made without the library that verifies it. */
export function detachedJws({ alg, privateKey }: SigningKey, header: JsonObject, payload: Buffer): string {
  const protectedHeader = encoded(JSON.stringify(header));
  const input = Buffer.from(`${protectedHeader}.${encoded(payload)}`);
  const signature = alg === 'EdDSA' ? sign(null, input, privateKey) : sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${protectedHeader}..${encoded(signature)}`;
}

export interface SignedIntentParts {
  readonly key: SigningKey;
  readonly source: string;
  readonly time: string;
  readonly id?: string;
  readonly type?: string;
  readonly aud?: string;
  readonly mode?: 'binary' | 'structured';
  readonly intent?: unknown;
  /** Attributes beside the required ones. */
  readonly more?: Readonly<Record<string, string>>;
  /** Over the protected header. */
  readonly header?: JsonObject;
}
export interface PublishedRecord { readonly value: Buffer; readonly headers: Record<string, Buffer | Buffer[]> }

/** A record as an agent publishes it. */
export function aSignedIntent({ key, source, time, id = 'intent-1', type = 'aifirst.intent.submitted.v1', aud = 'aifirst', mode = 'binary', intent = { goal: 'a goal', steps: [{ id: 'a', capability: 'noop', input: {} }] }, more = {}, header = {} }: SignedIntentParts): PublishedRecord {
  const attributes = { specversion: '1.0', id, source, type, time, ...more };
  const value = Buffer.from(JSON.stringify(mode === 'binary' ? intent : { ...attributes, datacontenttype: 'application/json', data: intent }));
  const signature = detachedJws(key, { alg: key.alg, kid: key.kid, aud, ce: { id, source, type, time }, ...header }, value);
  const texts = mode === 'binary' ? { 'content-type': 'application/json', ...Object.fromEntries(Object.entries(attributes).map(([name, text]) => [`ce_${name}`, text])) } : { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
  return { value, headers: Object.fromEntries(Object.entries({ ...texts, 'aifirst-signature': signature }).map(([name, text]) => [name, Buffer.from(text)])) };
}

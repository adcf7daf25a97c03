import { generateKeyPairSync } from 'node:crypto';
import type { JsonObject } from '@aifirst/kernel';
import { isProblem, publicKeyOf } from './public-jwk';

const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as JsonObject;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as JsonObject;
const x = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');

describe('a public key', () => {
  it('is kept with its public members alone, under its kid or its thumbprint', () => {
    expect(publicKeyOf({ ...ed, use: 'sig', alg: 'EdDSA', key_ops: ['verify'], x5c: ['AA'] }, 'k', '')).toEqual({ kid: 'k', jwk: { kty: 'OKP', crv: 'Ed25519', x: ed['x'] } });
    expect(publicKeyOf(p256, undefined, '')).toMatchObject({ kid: expect.stringMatching(/^[\w-]{43}$/) as string });
  });
  it.each([
    ['is no object', 'text', ''], ['is private', { ...ed, d: 'x' }, '/d'], ['is symmetric', { kty: 'oct', k: 'x' }, '/k'], ['is of another curve', { ...p256, crv: 'P-384' }, ''], ['is RSA', { kty: 'RSA', n: 'x', e: 'AQAB' }, ''],
    ['is off its curve', { ...p256, y: p256['x']! }, ''], ['is for encryption', { ...ed, use: 'enc' }, '/use'], ['does not verify', { ...ed, key_ops: ['sign'] }, '/key_ops'], ['is of another algorithm', { ...ed, alg: 'ES256' }, '/alg'],
    ...['00'.repeat(32), `01${'00'.repeat(31)}`, `01${'00'.repeat(30)}80`, `ec${'ff'.repeat(30)}7f`, 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'].map((hex, at): [string, JsonObject, string] => [`has a small order (${at})`, { kty: 'OKP', crv: 'Ed25519', x: x(hex) }, '/x']),
  ])('is refused where it %s', (_, jwk, at) => {
    const found = publicKeyOf(jwk, 'k', '/jwk');
    expect(isProblem(found) && found).toMatchObject({ code: 'INVALID_FIELD', pointer: `/jwk${at}` });
  });
});

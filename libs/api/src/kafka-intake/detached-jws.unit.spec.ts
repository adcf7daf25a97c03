import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { isProblem, publicKeyOf } from '@aifirst/identity';
import type { JsonObject } from '@aifirst/kernel';
import { aSigningKey, detachedJws, type SigningKey } from '../testing';
import { verifyDetached, type SignerKeys } from './detached-jws';

const keys: Readonly<Record<string, SigningKey>> = { EdDSA: aSigningKey('EdDSA', 'ed'), ES256: aSigningKey('ES256', 'p256') };
const signer: SignerKeys = { keys: Object.values(keys).map(({ kid, jwk }) => ({ kid, jwk })), revokedKeys: [{ kid: 'old' }] };
const payload = Buffer.from('{"goal":"a goal"}');
const codeOf = async (jws: string, value: Buffer = payload, by: SignerKeys = signer): Promise<string> => {
  const verified = await verifyDetached(jws, value, by);
  return verified.ok ? 'ok' : verified.code;
};
const b64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe.each(['EdDSA', 'ES256'])('a detached JWS with %s', alg => {
  const key = keys[alg]!;
  const sign = (over: JsonObject = {}, by: SigningKey = key): string => detachedJws(by, { alg: by.alg, kid: by.kid, ...over }, payload);

  it('is taken, with its whole protected header', async () => {
    expect(await verifyDetached(sign({ aud: 'aifirst', typ: 'JOSE' }), payload, signer)).toEqual({ ok: true, kid: key.kid, header: { alg, kid: key.kid, aud: 'aifirst', typ: 'JOSE' } });
    expect(await codeOf(detachedJws(key, { alg, kid: key.kid }, Buffer.alloc(0)), Buffer.alloc(0))).toBe('ok');
  });

  it('is refused once any bit of it, or of the payload, is another', async () => {
    const [header, signature] = [sign().split('..')[0]!, sign().split('..')[1]!];
    const flipped = (text: string, bit: number): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
      return bytes.toString('base64url');
    };
    await fc.assert(fc.asyncProperty(fc.nat(4_000), fc.constantFrom('header', 'signature', 'payload'), async (bit, part) => {
      const value = Buffer.from(payload);
      if (part === 'payload') value[(bit >> 3) % value.length]! ^= 1 << (bit & 7);
      const jws = `${part === 'header' ? flipped(header, bit) : header}..${part === 'signature' ? flipped(signature, bit) : signature}`;
      expect(await codeOf(jws, value)).not.toBe('ok');
    }), { numRuns: 300 });
  });

  it('is refused by the other key, whatever the header says', async () => {
    const other = Object.values(keys).find(one => one !== key)!;
    expect(await codeOf(detachedJws(key, { alg, kid: other.kid }, payload))).toBe('WRONG_ALGORITHM');
    expect(await codeOf(detachedJws({ ...key, kid: other.kid }, { alg: other.alg, kid: other.kid }, payload))).toBe('BAD_SIGNATURE');
    expect(await codeOf(detachedJws(aSigningKey(key.alg, key.kid), { alg, kid: key.kid }, payload))).toBe('BAD_SIGNATURE');
  });

  it('is refused by a key that is not, or no longer, registered', async () => {
    expect(await codeOf(sign({ kid: 'nobody' }))).toBe('UNKNOWN_KEY');
    expect(await codeOf(sign({ kid: 'old' }))).toBe('REVOKED_KEY');
    expect(await codeOf(sign({ kid: 1 }))).toBe('UNKNOWN_KEY');
    expect(await codeOf(sign({ kid: '__proto__' }))).toBe('UNKNOWN_KEY');
  });

  it.each([['jwk', { kty: 'OKP', crv: 'Ed25519', x: 'AA' }], ['jku', 'https://attacker.example/keys'], ['x5u', 'https://attacker.example/c'], ['x5c', ['AA']], ['crit', ['exp']], ['crit', []], ['b64', false], ['b64', true]])('is refused with %s in its header', async (name, value) => {
    expect(await codeOf(sign({ [name]: value }))).toBe('BAD_SIGNATURE');
  });

  it('is refused where the payload is not encoded (RFC 7797)', async () => {
    const jws = sign({ b64: false, crit: ['b64'] });
    expect(await codeOf(jws)).toBe('BAD_SIGNATURE');
  });

  it.each(['none', 'None', 'HS256', 'RS256', 'ES384', 'Ed448', '', 'eddsa'])('is refused with the algorithm %j', async name => {
    expect(await codeOf(sign({ alg: name }))).toBe('WRONG_ALGORITHM');
    expect(await codeOf(`${b64({ alg: name, kid: key.kid })}..`)).toBe('WRONG_ALGORITHM');
  });

  it.each([
    ['not detached', (jws: string) => jws.replace('..', `.${payload.toString('base64url')}.`)], ['padded', (jws: string) => `${jws}=`], ['with white space', (jws: string) => ` ${jws}`], ['a line too long', (jws: string) => `${jws}\n`],
    ['of two parts', (jws: string) => jws.replace('..', '.')], ['of four parts', (jws: string) => `${jws}.`], ['empty', () => ''], ['dots alone', () => '..'], ['endless', (jws: string) => jws + 'A'.repeat(9_000)],
    ['without a signature', (jws: string) => jws.slice(0, jws.indexOf('..') + 2)], ['with a signature cut short', (jws: string) => jws.slice(0, -4)], ['with a signature of zeros', (jws: string) => `${jws.split('..')[0]!}..${Buffer.alloc(64).toString('base64url')}`],
    ['JSON in place of the compact form', (jws: string) => JSON.stringify({ protected: jws.split('..')[0], signature: jws.split('..')[1] })],
  ])('is refused where it is %s', async (_, change) => { expect(await codeOf(change(sign()))).not.toBe('ok'); });

  it('is refused where its header repeats a name, which readers would read otherwise', async () => {
    const header = `{"alg":"none","alg":"${alg}","kid":"${key.kid}"}`;
    const parts = detachedJws(key, { alg, kid: key.kid }, payload).split('..');
    expect(await codeOf(`${b64(header)}..${parts[1]!}`)).toBe('BAD_SIGNATURE');
    expect(await codeOf(`${b64('[]')}..${parts[1]!}`)).toBe('BAD_SIGNATURE');
  });
});

describe('a signature', () => {
  it('of Ed25519 is refused with L added to its S', async () => {
    const L = (1n << 252n) + 27742317777372353535851937790883648493n;
    const [header, encoded] = detachedJws(keys['EdDSA']!, { alg: 'EdDSA', kid: 'ed' }, payload).split('..') as [string, string];
    const bytes = Buffer.from(encoded, 'base64url');
    let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + L;
    for (let i = 32; i < 64; i++) { bytes[i] = Number(s & 255n); s >>= 8n; }
    expect(await codeOf(`${header}..${bytes.toString('base64url')}`)).toBe('BAD_SIGNATURE');
  });
  it('of ES256 is refused in DER', async () => {
    const jws = detachedJws(keys['ES256']!, { alg: 'ES256', kid: 'p256' }, payload);
    const raw = Buffer.from(jws.split('..')[1]!, 'base64url');
    const half = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
    const der = Buffer.concat([Buffer.from([0x30, 70]), half(raw.subarray(0, 32)), half(raw.subarray(32))]);
    expect(await codeOf(`${jws.split('..')[0]!}..${der.toString('base64url')}`)).toBe('BAD_SIGNATURE');
  });
});

const VECTORS = join(__dirname, '../../../../../shared/data/wycheproof');
const hasVectors = existsSync(VECTORS);
if (!hasVectors) process.stderr.write('The Wycheproof vectors are not tried: ../shared/data/wycheproof is not there\n');

interface JwsGroup { readonly comment: string; readonly public?: JsonObject; readonly private?: JsonObject; readonly tests: readonly { readonly tcId: number; readonly jws: string; readonly result: string }[] }
interface EdGroup { readonly publicKeyJwk: JsonObject; readonly tests: readonly { readonly tcId: number; readonly msg: string; readonly sig: string; readonly result: string }[] }
const groupsOf = <T>(file: string): readonly T[] => (JSON.parse(readFileSync(join(VECTORS, file), 'utf8')) as { testGroups: readonly T[] }).testGroups;

(hasVectors ? describe : describe.skip)('of the Wycheproof vectors', () => {
  /** As an agent would have to register it; a key that is not taken is none. */
  const registered = (jwk: JsonObject | undefined, kid: string): SignerKeys => {
    const { d: _, ...rest } = jwk ?? {};
    const key = publicKeyOf(rest, kid, '');
    return { keys: isProblem(key) ? [] : [key] };
  };

  it('no forged JWS is accepted, and what is genuine and of ours is', async () => {
    const accepted: string[] = [];
    let forged = 0;
    for (const { comment, tests, ...group } of groupsOf<JwsGroup>('json_web_signature_test.json')) {
      for (const { tcId, jws, result } of tests) {
        const [header = '', body = '', ...rest] = jws.split('.');
        let kid: unknown;
        try { kid = (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid?: unknown }).kid; } catch { kid = undefined; }
        const by = registered(group.public ?? group.private, typeof kid === 'string' && /^[\x21-\x7e]{1,128}$/.test(kid) ? kid : 'k');
        const codes = [await codeOf([header, '', ...rest].join('.'), Buffer.from(body, 'base64url'), by), await codeOf(jws, Buffer.from(body, 'base64url'), by)];
        if (result !== 'valid') { forged++; expect([comment, tcId, ...codes]).toEqual([comment, tcId, expect.not.stringMatching(/^ok$/), expect.not.stringMatching(/^ok$/)]); }
        else if (codes.includes('ok')) accepted.push(`${comment} ${tcId}`);
      }
    }
    expect(forged).toBe(355);
    expect(accepted).toEqual(expect.arrayContaining(['es256 18', expect.stringMatching(/^SpecialCaseEs256 /) as string]));
  });

  it('no forged Ed25519 signature passes where ours are verified', async () => {
    let forged = 0;
    for (const { publicKeyJwk, tests } of groupsOf<EdGroup>('ed25519_test.json')) {
      const key = publicKeyOf({ kty: 'OKP', crv: 'Ed25519', x: publicKeyJwk['x'] }, 'k', '');
      for (const { tcId, msg, sig, result } of tests) {
        // What signs other bytes than a JWS' can't be put into one; whatever key it is, it must not pass as one.
        const header = b64({ alg: 'EdDSA', kid: 'k' });
        expect(await codeOf(`${header}..${Buffer.from(sig, 'hex').toString('base64url')}`, Buffer.from(msg, 'hex'), { keys: isProblem(key) ? [] : [key] })).not.toBe('ok');
        if (isProblem(key)) continue;
        const imported = await crypto.subtle.importKey('jwk', { ...key.jwk } as never, 'Ed25519', false, ['verify']);
        const passes = await crypto.subtle.verify('Ed25519', imported, Buffer.from(sig, 'hex'), Buffer.from(msg, 'hex'));
        expect([tcId, passes]).toEqual([tcId, result === 'valid']);
        if (result !== 'valid') forged++;
      }
    }
    expect(forged).toBeGreaterThan(50);
  });
});

import fc from 'fast-check';
import { mintToken, parseToken, secretDigest } from './credentials';
import { connectionProblems } from './connection-config';

describe('a token', () => {
  it('is parsed into what it was made of', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), bytes => {
      let at = 0;
      const { token, tokenId, digest } = mintToken(count => bytes.subarray(at, at += count));
      const parsed = parseToken(token)!;
      expect(parsed.tokenId).toBe(tokenId);
      expect(secretDigest(parsed.secret).toString('hex')).toBe(digest);
      expect(digest).not.toContain(parsed.secret);
    }));
  });
  it('is unlike every other', () => expect(new Set(Array.from({ length: 500 }, () => mintToken().token)).size).toBe(500));
  it.each(['', 'aifirst_', 'aifirst_x_y', `aifirst_${'0'.repeat(24)}_${'A'.repeat(42)}`, `aifirst_${'0'.repeat(24)}_${'A'.repeat(43)} `, `AIFIRST_${'0'.repeat(24)}_${'A'.repeat(43)}`])('is not %j', text => expect(parseToken(text)).toBeNull());
});

describe('secrets in a connection', () => {
  it.each([
    { passwd: 'x' }, { dbPassword: 'x' }, { client_secret: 'x' }, { 'api-key': 'x' }, { accessKeyId: 'x' }, { nested: [{ token: 'x' }] }, { headers: { Authorization: 'x' } }, { privateKey: 1 },
    { url: 'postgres://ana:pw@db/crm' }, { note: 'Bearer abc' }, { pem: '-----BEGIN RSA PRIVATE KEY-----\n…' }, { id: 'AKIAIOSFODNN7EXAMPLE' },
  ])('are found in %j', config => expect(connectionProblems('os', { root: '/x', ...config }, {}).some(({ code }) => code === 'SECRET_IN_CONFIG')).toBe(true));
  it.each([{ root: '/srv/secrets' }, { root: '/x', url: 'postgres://db/crm' }, { root: '/x', author: 'ana' }, { root: '/tokens' }])('are not seen in %j', config =>
    expect(connectionProblems('os', config, {}).filter(({ code }) => code === 'SECRET_IN_CONFIG')).toEqual([]));
});

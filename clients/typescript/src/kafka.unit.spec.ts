import { flattenedVerify, importJWK } from 'jose';
import { Intent } from './index';
import { intentRecord, sign, SigningKey, type Algorithm } from './kafka';

const ALGORITHMS: readonly Algorithm[] = ['EdDSA', 'ES256'];
const anIntent = (): Intent => { const intent = new Intent('über Kafka 🗂'); intent.step('noop', { value: 42 }); return intent; };
const verified = async (key: SigningKey, signature: string, value: Uint8Array) => {
  const [header, empty, tail] = signature.split('.');
  expect(empty).toBe('');
  return flattenedVerify({ protected: header!, payload: Buffer.from(value).toString('base64url'), signature: tail! }, await importJWK({ ...key.publicJwk() }, key.alg));
};

describe.each(ALGORITHMS)('a signed intent (%s)', alg => {
  const key = SigningKey.generate('laptop', alg);
  it.each(['binary', 'structured'] as const)('is verified by another library, with what it binds (%s)', async mode => {
    const time = new Date('2026-01-02T03:04:05.678Z');
    const record = intentRecord(anIntent(), { source: 'agent-1', key, id: 'k-1', time, expires: new Date(time.getTime() + 1_000), mode, audience: 'here', attributes: { traceparent: '00-x' } });
    const { protectedHeader } = await verified(key, record.headers['aifirst-signature']!.toString(), record.value);
    expect(protectedHeader).toEqual({ alg, kid: 'laptop', aud: 'here', ce: { id: 'k-1', source: 'agent-1', type: 'aifirst.intent.submitted.v1', time: '2026-01-02T03:04:05.678Z', expirytime: '2026-01-02T03:04:06.678Z' } });
    const body = JSON.parse(record.value.toString()) as { data?: unknown };
    expect(mode === 'binary' ? body : body.data).toEqual(anIntent().toJSON());
    expect([record.topic, record.id, record.key.toString()]).toEqual(['aifirst.intents.v1', 'k-1', 'agent-1']);
    if (mode === 'binary') expect(record.headers['ce_traceparent']!.toString()).toBe('00-x');
  });
  it('is not verified once a byte of it is another', async () => {
    const { headers, value } = intentRecord(anIntent(), { source: 'agent-1', key });
    await expect(verified(key, headers['aifirst-signature']!.toString(), Buffer.concat([value, Buffer.from(' ')]))).rejects.toThrow('signature');
  });
  it('comes from the same key when that was written down', async () => {
    const value = Buffer.from('x');
    const attributes = { id: '1', source: 's', type: 't', time: 'now' };
    for (const again of [SigningKey.fromPem('laptop', key.toPem()), SigningKey.fromPem('laptop', Buffer.from(key.toPem('secret')), 'secret')]) await verified(key, sign(value, attributes, again), value);
    expect(key.publicJwk()).not.toHaveProperty('d');
  });
});

describe('signing', () => {
  it('refuses what is no key for it, and shows nothing of it', () => {
    expect(() => SigningKey.fromPem('k', 'secret')).toThrow(new TypeError('the PEM can not be read: is it a private key, and its passphrase right?'));
    expect(() => SigningKey.fromPem('k', SigningKey.generate('k').toPem('right'), 'wrong')).toThrow('passphrase');
    expect(() => SigningKey.fromJwk('k', SigningKey.generate('k').publicJwk())).toThrow('holds no private key');
    expect(() => SigningKey.generate('')).toThrow('`kid`');
  });
  it('refuses an event without what it binds, and attributes that are set already', () => {
    const key = SigningKey.generate('k');
    expect(() => sign(Buffer.from(''), { id: '1', source: '' }, key)).toThrow('the event has no source, type, time');
    expect(() => intentRecord(anIntent(), { source: 's', key, attributes: { id: 'x' } })).toThrow('`id` is set already');
  });
});

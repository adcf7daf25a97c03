import { request } from 'node:http';
import { Refusal } from '@aifirst/kernel';
import { Copies, SERVICE_KEY, type Copy } from './testing/processes';
import { digestOf, newNonce, QuestionSeal, type SealedQuestion } from './question-seal';

let copies: Copies;
beforeEach(() => { copies = new Copies(); });
afterEach(() => copies.stop());

const PATH = '/internal/v1/questions/policy/putRole';
const seal = new QuestionSeal(SERVICE_KEY);

/** What a program of somebody else's sends. */
async function post(url: string, header: string | undefined, body: string, path = PATH): Promise<{ status: number; body: Record<string, unknown>; type: string | null }> {
  const answered = await fetch(`${url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...(header === undefined ? {} : { 'aifirst-question': header }) } });
  return { status: answered.status, body: await answered.json() as Record<string, unknown>, type: answered.headers.get('content-type') };
}
const sealed = (body: string, over: Partial<SealedQuestion> = {}): string => seal.sealQuestion(PATH, { at: Date.now(), nonce: newNonce(), instance: '-', digest: digestOf(Buffer.from(body)), ...over });
const instanceOf = async (url: string): Promise<string> => (await post(url, sealed('{}'), '{}')).body['instance'] as string;

describe('a stranger', () => {
  let asked: unknown[];
  let copy: Copy;
  let instance: string;
  beforeEach(async () => {
    asked = [];
    copy = await copies.start('policy', { prepare: query => { query.answer('policy', 'putRole', body => { asked.push(body); return 'done'; }); query.answer('policy', 'deleteRole', body => { asked.push(body); }); } });
    instance = await instanceOf(copy.url);
    expect(instance).toMatch(/^[\w-]{22}$/);
  });
  afterEach(() => { expect(copy.logger.lines.every(({ message }) => message === 'a question was refused')).toBe(true); });

  const refused = { status: 401, type: 'application/problem+json', body: expect.objectContaining({ code: 'UNAUTHENTICATED', status: 401 }) };

  it.each([
    ['without a seal', () => undefined],
    ['with something else in its place', () => 'Bearer abc'],
    ['with a seal of another key', () => new QuestionSeal(Buffer.alloc(32, 9)).sealQuestion(PATH, { at: Date.now(), nonce: newNonce(), instance, digest: digestOf(Buffer.from('{"a":1}')) })],
    ['with one bit of the seal changed', () => { const header = sealed('{"a":1}', { instance }); return `${header.slice(0, -2)}${header.at(-2) === 'A' ? 'B' : 'A'}${header.at(-1)}`; }],
    ['with a seal for another question', () => seal.sealQuestion('/internal/v1/questions/policy/deleteRole', { at: Date.now(), nonce: newNonce(), instance, digest: digestOf(Buffer.from('{"a":1}')) })],
    ['with a seal from an hour ago', () => sealed('{"a":1}', { instance, at: Date.now() - 3_600_000 })],
    ['with a seal from 61 s ago', () => sealed('{"a":1}', { instance, at: Date.now() - 61_000 })],
    ['with a seal from a time to come', () => sealed('{"a":1}', { instance, at: Date.now() + 65_000 })],
    ['with a seal over another body', () => sealed('{"a":2}', { instance })],
  ])('%s is refused, and nothing is done', async (_what, header) => {
    expect(await post(copy.url, header(), '{"a":1}')).toMatchObject(refused);
    expect(asked).toEqual([]);
  });

  it('who says again what was said is refused', async () => {
    const header = sealed('{"a":1}', { instance });
    expect(await post(copy.url, header, '{"a":1}')).toMatchObject({ status: 200, body: { answer: 'done' } });
    for (let i = 0; i < 3; i++) expect(await post(copy.url, header, '{"a":1}')).toMatchObject(refused);
    expect(asked).toEqual([{ a: 1 }]);
  });

  it('who says again at the same time what was said is refused', async () => {
    const header = sealed('{"a":1}', { instance });
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(copy.url, header, '{"a":1}')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(asked).toEqual([{ a: 1 }]);
  });

  it('who says to one process what was said to another, or to a former one, does nothing', async () => {
    const header = sealed('{"a":1}', { instance: newNonce() });
    expect(await post(copy.url, header, '{"a":1}')).toMatchObject({ status: 421, body: { instance } });
    expect(asked).toEqual([]);
  });

  it('can make us read no body', async () => {
    const { port } = new URL(copy.url);
    const status = await new Promise<number>((resolve, reject) => {
      // The body never comes.
      const sending = request({ port, host: '127.0.0.1', path: PATH, method: 'POST', headers: { 'content-length': '4000000', 'aifirst-question': 'v1 nothing' } }, response => { resolve(response.statusCode!); sending.destroy(); });
      sending.on('error', reject);
      sending.flushHeaders();
    });
    expect(status).toBe(401);
  });

  it('can not fill the log', async () => {
    for (let i = 0; i < 20; i++) await post(copy.url, 'x', '{}');
    expect(copy.logger.lines).toHaveLength(1);
    expect(JSON.stringify(copy.logger.lines)).not.toContain(SERVICE_KEY.toString('base64url'));
  });

  it('with the key who sends more than 4 MiB gets 413, and what is no JSON is answered as such', async () => {
    const large = JSON.stringify('x'.repeat(4 * 1024 * 1024));
    expect(await post(copy.url, sealed(large, { instance }), large)).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } });
    expect(await post(copy.url, sealed('{"a":', { instance }), '{"a":')).toMatchObject({ status: 500, body: { failure: { code: 'MALFORMED_JSON', retryable: false } } });
    expect(asked).toEqual([]);
    copy.logger.lines.length = 0;
  });

  it('asks nothing but by POST, and of no path but a question\'s', async () => {
    expect((await fetch(`${copy.url}${PATH}`)).status).toBe(404);
    for (const path of ['/internal/v1/questions/policy', '/internal/v1/questions/policy/a/b', '/internal/v1/questions/policy/%70utRole', '/internal/v1/questions/../x', '/internal/v1/questions/policy/putRole/']) {
      expect(await post(copy.url, sealed('{}', { instance }), '{}', path)).toMatchObject({ status: 404, type: 'application/problem+json', body: { code: 'NOT_FOUND' } });
    }
  });
});

describe('a service by HTTP', () => {
  it('says that it lives, and which it is', async () => {
    const { url } = await copies.start('audit');
    const answered = await fetch(`${url}/health/live`);
    expect([answered.status, answered.headers.get('cache-control'), await answered.json()]).toEqual([200, 'no-store', { status: 'live', service: 'audit', version: '1.2.3' }]);
    expect((await fetch(`${url}/health/live?x=1`, { method: 'HEAD' })).status).toBe(200);
  });

  it('says what of it is not ready, as the gateway does', async () => {
    let detail: string | null = 'is reading its log';
    const { url } = await copies.start('orchestrator', {
      readiness: [{ name: 'log', check: () => detail }, { name: 'bus', check: async () => null }, { name: 'broken', check: () => { if (detail !== null) throw new Error('has ended'); return null; } }],
    });
    const notYet = await fetch(`${url}/health/ready`);
    expect([notYet.status, notYet.headers.get('retry-after'), await notYet.json()]).toEqual([503, '1', {
      status: 'notReady', checks: [{ name: 'log', ready: false, detail: 'is reading its log' }, { name: 'bus', ready: true }, { name: 'broken', ready: false, detail: 'has ended' }],
    }]);
    detail = null;
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, ready.headers.get('retry-after'), await ready.json()]).toEqual([200, null, { status: 'ready', checks: ['log', 'bus', 'broken'].map(name => ({ name, ready: true })) }]);
  });

  it('gives up on a part that does not say', async () => {
    const { url } = await copies.start('orchestrator', { readiness: [{ name: 'log', check: () => new Promise(() => undefined) }] });
    expect(await (await fetch(`${url}/health/ready`)).json()).toEqual({ status: 'notReady', checks: [{ name: 'log', ready: false, detail: 'no answer within 2000 ms' }] });
  });

  it('shows its metrics', async () => {
    let fails = false;
    const { url, logger } = await copies.start('policy', { metrics: async () => { if (fails) throw new Error('broken'); return 'aifirst_decisions_total 1\n'; } });
    const answered = await fetch(`${url}/metrics`);
    expect([answered.status, answered.headers.get('content-type'), await answered.text()]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8', 'aifirst_decisions_total 1\n']);
    fails = true;
    const failed = await fetch(`${url}/metrics`);
    expect([failed.status, ((await failed.json()) as { code: string }).code, logger.lines.length]).toEqual([500, 'INTERNAL', 1]);
  });

  it.each([['GET', '/'], ['GET', '/v1/intents'], ['POST', '/metrics'], ['DELETE', '/health/live'], ['GET', '/health'], ['GET', '/internal/v1/questions']])('has nothing else: %s %s', async (method, path) => {
    const { url } = await copies.start('policy');
    const answered = await fetch(`${url}${path}`, { method });
    expect([answered.status, answered.headers.get('content-type'), await answered.json()]).toEqual([404, 'application/problem+json', {
      type: 'urn:aifirst:problem:not-found', title: 'Not found', status: 404, code: 'NOT_FOUND', detail: 'there is no such path', errors: [{ code: 'NOT_FOUND', detail: 'there is no such path' }],
    }]);
  });

  it('does not listen where somebody else does', async () => {
    const { url } = await copies.start('policy');
    await expect(copies.start('policy', { port: Number(new URL(url).port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('a service that is being stopped', () => {
  it('gives the answers that are under way, and sends who asks meanwhile to the next copy', async () => {
    let answer!: (value: string) => void;
    let heard!: () => void;
    const isHeard = new Promise<void>(resolve => { heard = resolve; });
    const first = await copies.start('policy', {
      prepare: query => {
        query.answer('policy', 'putRole', () => new Promise<string>(resolve => { answer = resolve; heard(); }));
        query.answer('policy', 'getRole', () => 'first');
      },
    });
    const second = await copies.start('policy', { prepare: query => { query.answer('policy', 'getRole', () => 'second'); } });
    const query = copies.asker({ policy: [first.url, second.url] });
    expect(await query.ask('policy', 'getRole', {})).toBe('first');
    const underWay = query.ask('policy', 'putRole', {});
    await isHeard;
    const stopped = first.stop();
    expect(await query.ask('policy', 'getRole', {})).toBe('second');
    answer('done');
    expect(await underWay).toBe('done');
    const began = performance.now();
    await stopped;
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('keeps nobody waiting over a connection that is kept', async () => {
    const copy = await copies.start('policy', { prepare: query => { query.answer('policy', 'putRole', () => { throw new Refusal({ code: 'NOT_FOUND', detail: 'x' }); }); } });
    const query = copies.asker({ policy: [copy.url] });
    await expect(query.ask('policy', 'putRole', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const began = performance.now();
    await copy.stop();
    await copy.stop();
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('waits no more than 5 s for an answer', async () => {
    let heard!: () => void;
    const isHeard = new Promise<void>(resolve => { heard = resolve; });
    const copy = await copies.start('policy', { prepare: query => { query.answer('policy', 'putRole', () => { heard(); return new Promise(() => undefined); }); } });
    const lost = copies.asker({ policy: [copy.url] }, { timeoutMs: 20_000 }).ask('policy', 'putRole', {}).catch((error: unknown) => error);
    await isHeard;
    const began = performance.now();
    await copy.stop();
    expect(performance.now() - began).toBeLessThan(7_000);
    expect(await lost).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
  });
});

import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { asker } from '@aifirst/bus';
import type { PolicyQuestions } from '@aifirst/contracts';
import { InvariantViolation, OperationalError, Refusal } from '@aifirst/kernel';
import { HttpServiceQuery } from './http-service-query';
import { NotActive } from './outcome';
import { Copies, SERVICE_KEY, wallClock, type Copy } from './testing/processes';

let copies: Copies;
beforeEach(() => { copies = new Copies(); });
afterEach(() => copies.stop());

async function listening(server: TcpServer | Server): Promise<string> {
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  copies.onEnd(() => { server.close(); if ('closeAllConnections' in server) server.closeAllConnections(); });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** Where nobody listens. */
async function nowhere(): Promise<string> {
  const server = createTcpServer();
  const url = await listening(server);
  await new Promise(resolve => { server.close(resolve); });
  return url;
}
const aPolicy = (answer: (body: unknown) => unknown, over: Parameters<Copies['start']>[1] = {}): Promise<Copy> =>
  copies.start('policy', { prepare: query => { query.answer('policy', 'getRole', answer); }, ...over });

describe('a question to another process', () => {
  it('is answered as if it had been asked in process', async () => {
    const role = { name: 'clerk', revision: 1, value: { capabilities: ['fs.*'], connections: [] }, createdAt: 'a', updatedAt: 'b' };
    const { url } = await aPolicy(body => ((body as { name: string }).name === 'clerk' ? role : null));
    const ask = asker<PolicyQuestions>(copies.asker({ policy: [url] }), 'policy');
    expect(await ask('getRole', { tenant: 'default', name: 'clerk' })).toEqual(role);
    expect(await ask('getRole', { tenant: 'default', name: 'ünïcode \u0000 \ud83d\ude00' })).toBeNull();
  });

  it('answers null where the owner says nothing, and takes a question without a body', async () => {
    const { url } = await aPolicy(body => (body === null ? undefined : 'unexpected'));
    expect(await copies.asker({ policy: [url] }).ask('policy', 'getRole', undefined)).toBeNull();
  });

  it('brings a refusal with all its problems, pointers and further members', async () => {
    const refusal = new Refusal([{ code: 'POLICY_INVALID', detail: 'does not parse', pointer: '/cedar' }, { code: 'INVALID_FIELD', detail: 'is empty' }], { status: 'running', actions: [{ method: 'POST', by: ['a'] }] });
    const { url, logger } = await aPolicy(() => { throw refusal; });
    const error: unknown = await copies.asker({ policy: [url] }).ask('policy', 'getRole', {}).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Refusal);
    const { code, message, problems, extra, retryable } = error as Refusal;
    expect({ code, message, problems, extra, retryable }).toEqual({ code: refusal.code, message: refusal.message, problems: refusal.problems, extra: refusal.extra, retryable: false });
    expect(logger.lines).toEqual([]);
  });

  it.each([[true], [false]])('brings the code of a failure and whether it passes (%s), and nothing else of it', async retryable => {
    const { url, logger } = await aPolicy(() => { throw new OperationalError('STORE_UNAVAILABLE', 'password=hunter2 at 10.0.0.7', { retryable, cause: new Error('hunter2') }); });
    const error: unknown = await copies.asker({ policy: [url] }).ask('policy', 'getRole', {}).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable, name: 'OperationalError' });
    expect(`${(error as Error).message} ${(error as Error).stack}`).not.toContain('hunter2');
    const id = /`([\w-]{22})`/.exec((error as Error).message)![1];
    expect(logger.lines).toEqual([{ level: 'warn', message: 'a question could not be answered', fields: expect.objectContaining({ id, service: 'policy', question: 'getRole', code: 'STORE_UNAVAILABLE' }) }]);
  });

  it.each([[new InvariantViolation('secret of the inside')], [new TypeError('secret of the inside')]])('tells nothing of a bug but that it is one', async bug => {
    const { url, logger } = await aPolicy(() => { throw bug; });
    const error: unknown = await copies.asker({ policy: [url] }).ask('policy', 'getRole', {}).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'INTERNAL', retryable: false });
    expect((error as Error).message).not.toContain('secret');
    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
  });

  it('that nobody has an answer to is not asked elsewhere', async () => {
    const { url } = await aPolicy(() => null);
    await expect(copies.asker({ policy: [url] }).ask('policy', 'getRule', {})).rejects.toMatchObject({ code: 'UNKNOWN_QUESTION', retryable: false });
    await expect(copies.asker({ audit: [url] }).ask('audit', 'entries', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
  });

  it('brings an answer of 20 MB', async () => {
    const line = `${JSON.stringify({ 'a "line"': 'ü'.repeat(100) })}\n`;
    const document = line.repeat(Math.ceil(20_000_000 / line.length));
    const { url } = await copies.start('audit', { prepare: query => { query.answer('audit', 'export', () => ({ document })); } });
    const answered = await copies.asker({ audit: [url] }).ask<{ document: string }>('audit', 'export', { tenant: 'default' });
    expect(answered.document.length).toBe(document.length);
    expect(answered.document === document).toBe(true);
  });

  it('may have up to 4 MiB, and is not sent when it has more', async () => {
    let asked = 0;
    const { url } = await aPolicy(body => { asked++; return (body as string).length; });
    const query = copies.asker({ policy: [url] });
    expect(await query.ask('policy', 'getRole', 'x'.repeat(4 * 1024 * 1024 - 2))).toBe(4 * 1024 * 1024 - 2);
    await expect(query.ask('policy', 'getRole', 'x'.repeat(4 * 1024 * 1024))).rejects.toMatchObject({ code: 'QUESTION_TOO_LARGE', retryable: false });
    expect(asked).toBe(1);
  });

  it('finds its own answer among 500 at a time', async () => {
    const { url } = await aPolicy(async body => {
      await new Promise(resolve => setTimeout(resolve, ((body as { n: number }).n * 7) % 20));
      return { n: (body as { n: number }).n };
    });
    const query = copies.asker({ policy: [url] });
    const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => query.ask<{ n: number }>('policy', 'getRole', { n })));
    expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });
});

describe('a question to this process', () => {
  it('is a call: what is handed over is the very object', async () => {
    const answer = {};
    const query = copies.asker({ policy: [await nowhere()] }, { self: ['policy'] });
    query.answer('policy', 'getRole', () => answer);
    expect(await query.ask('policy', 'getRole', {})).toBe(answer);
    await expect(query.ask('policy', 'getRule', {})).rejects.toMatchObject({ code: 'UNKNOWN_QUESTION' });
    expect(() => { query.answer('policy', 'getRole', () => null); }).toThrow('answered twice');
  });

  it('goes to the active copy while this one stands by', async () => {
    const { url } = await aPolicy(() => 'active');
    const query = copies.asker({ policy: [url] }, { self: ['policy'] });
    query.answer('policy', 'getRole', () => 'here');
    query.standBy('policy');
    expect(await query.ask('policy', 'getRole', {})).toBe('active');
    query.activate('policy');
    expect(await query.ask('policy', 'getRole', {})).toBe('here');
  });
});

describe('of several copies', () => {
  it('the next is asked where nobody listens, and remembered', async () => {
    const { url, stop } = await aPolicy(() => 'second');
    const query = copies.asker({ policy: [await nowhere(), url] });
    expect(await query.ask('policy', 'getRole', {})).toBe('second');
    expect(await query.ask('policy', 'getRole', {})).toBe('second');
    await stop();
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true, message: expect.stringMatching(/service `policy` does not answer .*ECONNREFUSED.*ECONNREFUSED/) });
  });

  it('the one that stands by sends on, and answers when it is active', async () => {
    let asked = '';
    const first = await aPolicy(() => { asked += '1'; return 1; });
    const second = await aPolicy(() => { asked += '2'; return 2; });
    second.query.standBy('policy');
    const query = copies.asker({ policy: [second.url, first.url] });
    expect([await query.ask('policy', 'getRole', {}), await query.ask('policy', 'getRole', {})]).toEqual([1, 1]);
    first.query.standBy('policy');
    second.query.activate('policy');
    expect([await query.ask('policy', 'getRole', {}), await query.ask('policy', 'getRole', {})]).toEqual([2, 2]);
    expect(asked).toBe('1122');
    second.query.standBy('policy');
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true, message: expect.stringContaining('stands by') });
  });

  it('the one that stands by may name the active one, which is asked though nobody listed it', async () => {
    const active = await aPolicy(() => 'active');
    const standby = await aPolicy(() => 'standby');
    standby.query.standBy('policy', () => active.url);
    const query = copies.asker({ policy: [standby.url] });
    expect(await query.ask('policy', 'getRole', {})).toBe('active');
    await active.stop();
    standby.query.activate('policy');
    expect(await query.ask('policy', 'getRole', {})).toBe('standby');
  });

  it('two that name each other are asked once each', async () => {
    const one = await aPolicy(() => 1);
    const other = await aPolicy(() => 2);
    one.query.standBy('policy', () => other.url);
    other.query.standBy('policy', () => one.url);
    await expect(copies.asker({ policy: [one.url, other.url] }).ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  it('an owner that finds out in the middle that another does its work sends on too', async () => {
    const old = await aPolicy(() => { throw new NotActive('policy'); });
    const young = await aPolicy(() => 'young');
    expect(await copies.asker({ policy: [old.url, young.url] }).ask('policy', 'getRole', {})).toBe('young');
  });

  it('a failure is the answer: no other is asked', async () => {
    const failing = await aPolicy(() => { throw new OperationalError('STORE_UNAVAILABLE', 'away', { retryable: true }); });
    let asked = 0;
    const other = await aPolicy(() => { asked++; });
    await expect(copies.asker({ policy: [failing.url, other.url] }).ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(asked).toBe(0);
  });

  it('a process that hangs is asked last the next time', async () => {
    const sockets: Socket[] = [];
    const hanging = await listening(createTcpServer(socket => { sockets.push(socket); }));
    const { url } = await aPolicy(() => 'answer');
    const query = copies.asker({ policy: [hanging, url] }, { timeoutMs: 1_000 });
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT', retryable: true, message: expect.stringContaining('`policy`') });
    expect(await query.ask('policy', 'getRole', {})).toBe('answer');
    for (const socket of sockets) socket.destroy();
  });

  it('one that was started anew on its port is known by its new name', async () => {
    const first = await aPolicy(() => 1);
    const query = copies.asker({ policy: [first.url] });
    expect(await query.ask('policy', 'getRole', {})).toBe(1);
    await first.stop();
    const second = await aPolicy(() => 2, { port: Number(new URL(first.url).port) });
    expect(await query.ask('policy', 'getRole', {})).toBe(2);
    expect(second.url).toBe(first.url);
  });

  it('none is asked where it is not known where', async () => {
    await expect(copies.asker({}).ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true, message: 'service `policy` does not answer (it is not known where to ask it)' });
  });
});

describe('an answer that does not come', () => {
  it('is waited for as long as the question may take', async () => {
    let isAborted = false;
    const { url } = await aPolicy(() => new Promise(resolve => { setTimeout(() => resolve('late'), 2_000); }));
    const query = copies.asker({ policy: [url] }, { timeoutMs: 100 });
    const began = performance.now();
    await expect(query.ask('policy', 'getRole', {}).finally(() => { isAborted = true; })).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT', retryable: true });
    expect([isAborted, performance.now() - began < 1_900]).toEqual([true, true]);
    expect(await copies.asker({ policy: [url] }, { timeoutMs: 100, timeoutsMs: { getRole: 5_000 } }).ask('policy', 'getRole', {})).toBe('late');
  });

  it('because the connection was lost is asked for again of the next copy only where that changes nothing', async () => {
    let asked = 0;
    const cutting = await listening(createServer((_request, response) => { asked++; response.destroy(); }));
    const { url } = await aPolicy(() => 'read', { prepare: query => { query.answer('policy', 'getRole', () => 'read'); query.answer('policy', 'putRole', () => { asked++; }); } });
    expect(await copies.asker({ policy: [cutting, url] }).ask('policy', 'getRole', {})).toBe('read');
    asked = 0;
    await expect(copies.asker({ policy: [cutting, url] }).ask('policy', 'putRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true, message: expect.stringContaining('may have heard') });
    expect(asked).toBe(1);
  });

  it.each(['getRole', 'putRole'])('over a kept connection that was gone is asked for once more, of the same process (%s)', async question => {
    let asked = 0;
    const { url } = await copies.start('policy', { prepare: query => { query.answer('policy', question, () => ++asked); } });
    // Between the two: it cuts the kept connection when the next question comes, which has not got through then.
    const port = Number(new URL(url).port);
    let passed = 0;
    const { connect } = await import('node:net');
    const sockets = new Set<Socket>();
    const proxy = await listening(createTcpServer(socket => {
      sockets.add(socket);
      const target = connect(port, '127.0.0.1');
      sockets.add(target);
      let mine = 0;
      socket.on('data', data => {
        if (data.toString('latin1').startsWith('POST') && ++mine > 2) { socket.resetAndDestroy(); target.destroy(); return; }
        passed++;
        target.write(data);
      });
      target.on('data', data => { socket.write(data); });
      for (const end of [socket, target]) end.on('error', () => undefined).on('close', () => { socket.destroy(); target.destroy(); });
    }));
    const query = copies.asker({ policy: [proxy] });
    for (let i = 1; i <= 4; i++) expect(await query.ask('policy', question, {})).toBe(i);
    expect(passed).toBeGreaterThanOrEqual(4);
    for (const socket of sockets) socket.destroy();
  });
});

describe('a question that changes something', () => {
  it('is not done twice when the process had heard it before the connection was gone', async () => {
    let asked = 0;
    const { url } = await copies.start('policy', { prepare: query => { query.answer('policy', 'putRole', () => ++asked); } });
    const { connect } = await import('node:net');
    const sockets = new Set<Socket>();
    // Passes the question on, then cuts: the second question over a kept connection is heard, and its answer lost.
    const proxy = await listening(createTcpServer(socket => {
      sockets.add(socket);
      const target = connect(Number(new URL(url).port), '127.0.0.1');
      sockets.add(target);
      let mine = 0;
      socket.on('data', data => { if (data.toString('latin1').startsWith('POST')) mine++; target.write(data); });
      target.on('data', data => { if (mine > 2) { socket.resetAndDestroy(); target.destroy(); } else socket.write(data); });
      for (const end of [socket, target]) end.on('error', () => undefined).on('close', () => { socket.destroy(); target.destroy(); });
    }));
    const query = copies.asker({ policy: [proxy] });
    expect(await query.ask('policy', 'putRole', {})).toBe(1);
    await expect(query.ask('policy', 'putRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('may have heard') });
    expect(asked).toBe(2);
    for (const socket of sockets) socket.destroy();
  });
});

describe('an answer that is not authentic', () => {
  it.each([
    ['without a seal', 200, {}], ['with a made up seal', 200, { 'aifirst-answer': `v1 ${'A'.repeat(43)}` }], ['of something between', 502, {}],
  ])('%s is none', async (_what, status, headers) => {
    const liar = await listening(createServer((request, response) => { request.resume().on('end', () => { response.writeHead(status, headers).end('{"answer":"forged"}'); }); }));
    await expect(copies.asker({ policy: [liar] }).ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
  });

  it('to another question is none', async () => {
    const { url } = await aPolicy(() => 'yes');
    let kept: { status: number; headers: Record<string, string>; body: string } | null = null;
    const replaying = await listening(createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        void (async () => {
          if (kept === null || kept.status !== 200) {
            const answered = await fetch(`${url}${request.url}`, { method: 'POST', headers: { 'aifirst-question': request.headers['aifirst-question'] as string }, body: Buffer.concat(chunks) });
            kept = { status: answered.status, headers: { 'aifirst-answer': answered.headers.get('aifirst-answer')! }, body: await answered.text() };
          }
          response.writeHead(kept.status, kept.headers).end(kept.body);
        })();
      });
    }));
    const query = copies.asker({ policy: [replaying] });
    expect(await query.ask('policy', 'getRole', {})).toBe('yes');
    await expect(query.ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  it('with another key, or a clock that is off, says what to look at', async () => {
    let asked = 0;
    const { url } = await aPolicy(() => { asked++; });
    for (const over of [{ serviceKey: Buffer.alloc(32, 8) }, { clock: { now: () => Date.now() - 61_000 } }, { clock: { now: () => Date.now() + 61_000 } }]) {
      await expect(copies.asker({ policy: [url] }, over).ask('policy', 'getRole', {})).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true, message: expect.stringContaining('SERVICE_KEY_FILE and the clocks') });
    }
    expect(asked).toBe(0);
    await copies.asker({ policy: [url] }, { clock: { now: () => Date.now() - 50_000 } }).ask('policy', 'getRole', {});
    expect(asked).toBe(1);
  });
});

it.each(['policy:7402', 'ftp://policy:7402', 'http://user:secret@policy:7402', 'http://policy:7402?a=b'])('%s is no place to ask', url => {
  expect(() => new HttpServiceQuery({ urls: { policy: [url] }, serviceKey: SERVICE_KEY, clock: wallClock })).toThrow('http://host:port');
});

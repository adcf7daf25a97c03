import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { handOn } from './standing-by';

describe('a gateway that stands by', () => {
  const servers: Server[] = [];
  afterEach(async () => { await Promise.all(servers.splice(0).map(server => new Promise(resolve => { server.close(resolve); server.closeAllConnections(); }))); });

  async function serving(listener: RequestListener): Promise<number> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', () => { resolve(); }); });
    return (server.address() as AddressInfo).port;
  }
  function call(port: number, path: string, method = 'GET', body = ''): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, headers: { authorization: 'Bearer x', 'x-mine': '1' } }, answer => {
        let text = '';
        answer.on('data', chunk => { text += chunk; });
        answer.once('end', () => { resolve({ status: answer.statusCode!, headers: answer.headers, text }); });
        answer.once('error', reject);
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }
  const standingBy = (activeUrl: () => string | null): Promise<number> => serving((asked, answer) => { handOn(activeUrl(), asked, answer); });

  it('says so with 503 and when to try again while no copy is active', async () => {
    const { status, headers, text } = await call(await standingBy(() => null), '/v1/workflows');
    expect([status, headers['retry-after'], JSON.parse(text).code]).toEqual([503, '1', 'SERVICE_UNAVAILABLE']);
  });

  it('says the same while the active copy does not answer', async () => {
    const gone = await serving(() => undefined);
    await new Promise(resolve => { servers.pop()!.close(resolve); });
    expect((await call(await standingBy(() => `http://127.0.0.1:${gone}`), '/')).status).toBe(503);
  });

  it('hands method, path, headers and body on, and the answer back', async () => {
    const active = await serving((asked, answer) => {
      let body = '';
      asked.on('data', chunk => { body += chunk; });
      asked.once('end', () => { answer.writeHead(202, { location: '/v1/x' }).end(JSON.stringify([asked.method, asked.url, asked.headers.authorization, asked.headers['x-mine'], body])); });
    });
    const { status, headers, text } = await call(await standingBy(() => `http://127.0.0.1:${active}`), '/v1/intents?a=%2F', 'POST', '{"goal":"x"}');
    expect([status, headers.location, JSON.parse(text)]).toEqual([202, '/v1/x', ['POST', '/v1/intents?a=%2F', 'Bearer x', '1', '{"goal":"x"}']]);
  });

  it('is led to no other host by a path', async () => {
    const other = await serving((_asked, answer) => { answer.end('the other'); });
    const active = await serving((asked, answer) => { answer.end(`the active, ${asked.url}`); });
    const port = await standingBy(() => `http://127.0.0.1:${active}`);
    expect((await call(port, `//127.0.0.1:${other}/x`)).text).toBe(`the active, //127.0.0.1:${other}/x`);
    expect((await call(port, `http://127.0.0.1:${other}/x`)).text).toContain('the active');
  });

  it('streams what the active copy streams', async () => {
    const active = await serving((_asked, answer) => { answer.writeHead(200, { 'content-type': 'text/event-stream' }); answer.write('data: 1\n\n'); });
    const port = await standingBy(() => `http://127.0.0.1:${active}`);
    const first = await new Promise<string>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path: '/events' }, answer => { answer.once('data', chunk => { resolve(String(chunk)); sent.destroy(); }); });
      sent.once('error', reject);
      sent.end();
    });
    expect(first).toBe('data: 1\n\n');
  });
});

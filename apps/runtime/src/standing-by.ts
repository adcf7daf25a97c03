import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
const TO_RETRY_S = '1';

/**
 * Hands a call on to the copy that is active, streams included. Nobody there: 503 with `Retry-After`.
 * @param whose headers that say from where it came
 */
export function handOn(activeUrl: string | null, request: IncomingMessage, response: ServerResponse, whose: Readonly<Record<string, string>> = {}): void {
  if (activeUrl === null) { unavailable(response); return; }
  const { protocol, hostname, port } = new URL(activeUrl);
  const headers = { ...Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name))), ...whose };
  // Why not an address made of both: a path that begins with two slashes would name another host.
  const onward = (protocol === 'https:' ? httpsRequest : httpRequest)({ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: request.url ?? '/', method: request.method ?? 'GET', headers }, answer => {
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name))));
    answer.pipe(response);
    answer.once('error', () => { response.destroy(); });
  });
  onward.once('error', () => { if (response.headersSent) response.destroy(); else unavailable(response); });
  response.once('close', () => { onward.destroy(); });
  request.pipe(onward);
}

function unavailable(response: ServerResponse): void {
  const problem = { type: 'about:blank', title: 'Service Unavailable', status: 503, code: 'SERVICE_UNAVAILABLE', detail: 'no copy of the gateway is active at the moment: try again' };
  response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': TO_RETRY_S }).end(JSON.stringify(problem));
}

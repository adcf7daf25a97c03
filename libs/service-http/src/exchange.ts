import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { messageOf } from '@aifirst/kernel';

/** A process that hangs is passed over while there is time to ask another. Within one data centre a connection takes milliseconds. */
const CONNECT_MS_MAX = 1_000;
/** Questions to one process at a time; more wait for one of these. */
const CONNECTIONS_MAX = 128;
/** The largest answer is an export of the audit log. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

export interface Posted { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer; readonly timeoutMs: number; /** On a connection of its own. */ readonly isFresh: boolean }
export interface Received { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: Buffer }

/** No answer came. */
export class NoAnswer extends Error {
  /**
   * @param reached `no`: nothing was sent; `stale`: the connection had been kept and was gone, the question has probably
   * not arrived; `perhaps`: it may have been heard
   */
  constructor(readonly reached: 'no' | 'stale' | 'perhaps', readonly timedOut: boolean, message: string) { super(message); }
}

/** Posts over connections that are kept. */
export class Exchange {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX });

  /** @throws NoAnswer */
  post({ url, headers, body, timeoutMs, isFresh }: Posted): Promise<Received> {
    return new Promise((resolve, reject) => {
      const isTls = url.startsWith('https:');
      const request: ClientRequest = (isTls ? httpsRequest : httpRequest)(url, {
        method: 'POST', agent: isFresh ? false : isTls ? this.#https : this.#http, headers: { ...headers, 'content-type': 'application/json', 'content-length': String(body.length) },
      });
      let connected = false;
      let connecting: NodeJS.Timeout | undefined;
      let ended = false;
      const end = (outcome: () => void): void => {
        if (ended) return;
        ended = true;
        clearTimeout(connecting);
        clearTimeout(late);
        outcome();
      };
      const fail = (reached: NoAnswer['reached'], timedOut: boolean, why: string): void => {
        end(() => { reject(new NoAnswer(reached, timedOut, why)); });
        request.destroy();
      };
      const late = setTimeout(() => { fail(connected ? 'perhaps' : 'no', true, `no answer within ${timeoutMs} ms`); }, timeoutMs);
      request.on('socket', socket => {
        if (!socket.connecting) { connected = true; return; }
        connecting = setTimeout(() => { fail('no', false, `no connection within ${CONNECT_MS_MAX} ms`); }, CONNECT_MS_MAX);
        socket.once(isTls ? 'secureConnect' : 'connect', () => { connected = true; clearTimeout(connecting); });
      });
      request.on('error', error => {
        const code = (error as NodeJS.ErrnoException).code;
        const isStale = request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
        fail(!connected ? 'no' : isStale ? 'stale' : 'perhaps', false, code ?? messageOf(error));
      });
      request.on('response', response => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if ((bytes += chunk.length) > ANSWER_BYTES_MAX) fail('perhaps', false, `the answer has more than ${ANSWER_BYTES_MAX} bytes`);
        });
        response.on('end', () => { end(() => { resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks, bytes) }); }); });
        response.on('error', () => { fail('perhaps', false, 'the connection was lost in the middle of the answer'); });
      });
      request.end(body);
    });
  }

  /** Lets go of the connections; questions under way are lost. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

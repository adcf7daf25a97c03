import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServiceName } from '@aifirst/contracts';
import { messageOf } from '@aifirst/kernel';
import type { HttpServiceQuery } from './http-service-query';
import { jsonAnswer, NOT_FOUND, problemAnswer, type HttpAnswer } from './problem';
import { QUESTION_BYTES_MAX, QUESTIONS_PATH } from './question-path';
import type { QuestionsHandler, ServiceLogger } from './questions-handler';
import { readBody } from './read-body';

const CHECK_MS_MAX = 2_000;
/** Longer than whoever asks keeps a connection that is not used. */
const KEEP_ALIVE_MS = 72_000;
/** A request must have come in whole by then; how long its answer takes is another matter. */
const REQUEST_MS_MAX = 60_000;
/** A stop does not wait longer for answers that are under way: the whole process has 10 s. */
const DRAIN_MS_MAX = 5_000;
const IDLE_LOOK_MS = 50;
const NOT_KEPT = { 'cache-control': 'no-store' };

/** A part that must work before the service does. */
export interface ReadinessCheck { readonly name: string; /** Rejects, or resolves with a text, while it is not ready. */ check(): Promise<string | null> | string | null }

export interface ServiceServerOptions {
  readonly service: ServiceName;
  /** Of the product. */
  readonly version: string;
  /** Whose answers are given to other processes. */
  readonly query: HttpServiceQuery;
  /** Renders `GET /metrics`. */
  readonly metrics: () => Promise<string>;
  readonly readiness: readonly ReadinessCheck[];
  readonly logger: ServiceLogger;
  /** What else is served here; asked first, but for other services' questions. @returns whether it takes the request */
  readonly serve?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** What a service that is not the gateway shows by HTTP: health, metrics, and answers to other services' questions. */
export class ServiceServer {
  readonly #server: Server;
  readonly #questions: QuestionsHandler;
  #isClosing = false;

  constructor(private readonly options: ServiceServerOptions) {
    this.#questions = options.query.handler(options.logger);
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS_MAX }, (request, response) => { void this.#serve(request, response); });
  }

  /** @param port 0: any free one @returns the port @throws what the system says, e.g. EADDRINUSE */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => { this.#server.off('error', reject); resolve(); });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more, gives the answers that are under way, and sends whoever asks meanwhile to another copy. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const closed = new Promise<void>(resolve => { this.#server.close(() => { resolve(); }); });
    void this.#questions.drain();
    // Why again and again: a connection whose answer was on its way is idle a moment later.
    const idle = setInterval(() => { this.#server.closeIdleConnections(); }, IDLE_LOOK_MS);
    const cut = setTimeout(() => { this.#server.closeAllConnections(); }, DRAIN_MS_MAX);
    await closed;
    clearTimeout(cut);
    clearInterval(idle);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!request.url!.startsWith(`${QUESTIONS_PATH}/`) && this.options.serve?.(request, response) === true) return;
    const answer = await this.#answer(request).catch((error: unknown) => {
      this.options.logger.error('a request failed', { method: request.method, error: messageOf(error) });
      return problemAnswer(500, { code: 'INTERNAL', detail: 'something went wrong here; the log has it' });
    });
    if (response.destroyed) return;
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length, ...(this.#isClosing ? { connection: 'close' } : {}) });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  async #answer(request: IncomingMessage): Promise<HttpAnswer> {
    const path = request.url!.split('?')[0]!;
    if (path.startsWith(`${QUESTIONS_PATH}/`)) return this.#questions.handle({ method: request.method!, path, headers: request.headers, body: () => readBody(request, QUESTION_BYTES_MAX) });
    if (request.method !== 'GET' && request.method !== 'HEAD') return NOT_FOUND;
    const { service, version, metrics } = this.options;
    switch (path) {
      case '/health/live': return jsonAnswer(200, { status: 'live', service, version }, NOT_KEPT);
      case '/health/ready': return this.#readiness();
      case '/metrics': return { status: 200, headers: { ...NOT_KEPT, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, body: Buffer.from(await metrics()) };
      default: return NOT_FOUND;
    }
  }

  async #readiness(): Promise<HttpAnswer> {
    const parts = this.#isClosing ? [{ name: this.options.service, check: () => 'is being stopped' }] : this.options.readiness;
    const checks = await Promise.all(parts.map(async ({ name, check }) => {
      const detail = await inTime(check);
      return detail === null ? { name, ready: true } : { name, ready: false, detail };
    }));
    const isReady = checks.every(({ ready }) => ready);
    return jsonAnswer(isReady ? 200 : 503, { status: isReady ? 'ready' : 'notReady', checks }, { ...NOT_KEPT, ...(isReady ? {} : { 'retry-after': '1' }) });
  }
}

async function inTime(check: ReadinessCheck['check']): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>(resolve => { timer = setTimeout(() => { resolve(`no answer within ${CHECK_MS_MAX} ms`); }, CHECK_MS_MAX); });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}

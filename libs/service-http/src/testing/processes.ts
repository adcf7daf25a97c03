import type { ServiceName } from '@aifirst/contracts';
import { HttpServiceQuery, type HttpServiceQueryOptions } from '../http-service-query';
import type { ServiceLogger } from '../questions-handler';
import { ServiceServer, type ReadinessCheck } from '../service-server';

export const SERVICE_KEY = Buffer.alloc(32, 7);
export const wallClock = { now: (): number => Date.now() };

export interface LogLine { readonly level: 'info' | 'warn' | 'error'; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }
export class RecordingLogger implements ServiceLogger {
  readonly lines: LogLine[] = [];
  info(message: string, fields = {}): void { this.lines.push({ level: 'info', message, fields }); }
  warn(message: string, fields = {}): void { this.lines.push({ level: 'warn', message, fields }); }
  error(message: string, fields = {}): void { this.lines.push({ level: 'error', message, fields }); }
}

export interface Copy { readonly url: string; readonly query: HttpServiceQuery; readonly server: ServiceServer; readonly logger: RecordingLogger; stop(): Promise<void> }

/** Copies of services as processes would run them, on free ports of this machine. */
export class Copies {
  readonly #ends: (() => Promise<void> | void)[] = [];

  async start(service: ServiceName, over: Partial<HttpServiceQueryOptions> & { readonly port?: number; readonly readiness?: readonly ReadinessCheck[]; readonly metrics?: () => Promise<string>; readonly prepare?: (query: HttpServiceQuery) => void } = {}): Promise<Copy> {
    const { port = 0, readiness = [], metrics = async () => '# none\n', prepare, ...options } = over;
    const query = new HttpServiceQuery({ urls: {}, self: [service], serviceKey: SERVICE_KEY, clock: wallClock, ...options });
    prepare?.(query);
    const logger = new RecordingLogger();
    const server = new ServiceServer({ service, version: '1.2.3', query, metrics, readiness, logger });
    const url = `http://127.0.0.1:${await server.listen(port, '127.0.0.1')}`;
    const stop = async (): Promise<void> => { await server.close(); query.close(); };
    this.#ends.push(stop);
    return { url, query, server, logger, stop };
  }

  asker(urls: HttpServiceQueryOptions['urls'], over: Partial<HttpServiceQueryOptions> = {}): HttpServiceQuery {
    const query = new HttpServiceQuery({ urls, serviceKey: SERVICE_KEY, clock: wallClock, ...over });
    this.#ends.push(() => { query.close(); });
    return query;
  }

  onEnd(end: () => Promise<void> | void): void { this.#ends.push(end); }

  async stop(): Promise<void> { for (const end of this.#ends.splice(0).reverse()) await end(); }
}

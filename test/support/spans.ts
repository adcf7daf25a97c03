import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Body } from './http';
import { until } from './wait';

export interface Span { readonly service: string; readonly name: string; readonly traceId: string; readonly spanId: string; readonly parentSpanId: string; readonly kind: number; readonly startedMs: number; readonly endedMs: number; readonly attributes: Readonly<Record<string, string | number>> }

/** Takes traces by OTLP/HTTP in JSON, as a collector does. */
export class SpanCollector {
  readonly spans: Span[] = [];
  /** What was not as OTLP says. */
  readonly faults: string[] = [];
  /** It takes connections and answers nothing. */
  isStuck = false;
  private constructor(private readonly server: Server) {}

  static async start(): Promise<SpanCollector> {
    const server = createServer();
    const collector = new SpanCollector(server);
    server.on('request', (request, response) => {
      if (collector.isStuck) return;
      const chunks: Buffer[] = [];
      request.on('data', chunk => { chunks.push(chunk as Buffer); }).on('end', () => {
        if (request.method !== 'POST' || request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/json') collector.faults.push(`${request.method} ${request.url} ${request.headers['content-type']}`);
        else collector.take(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
    return collector;
  }

  get endpoint(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }
  of(traceId: string): Span[] { return this.spans.filter(span => span.traceId === traceId); }

  /** Resolves with all of a trace when these names are among its spans, each as often. */
  trace(traceId: string, names: readonly string[], withinMs = 30_000): Promise<readonly Span[]> {
    return until(`trace ${traceId} is complete`, () => {
      const missing = this.of(traceId).reduce<string[]>((left, { name }) => (left.includes(name) ? left.toSpliced(left.indexOf(name), 1) : left), [...names]);
      if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
      return this.of(traceId);
    }, withinMs, 100);
  }

  async stop(): Promise<void> { this.server.closeAllConnections(); await new Promise(resolve => { this.server.close(resolve); }); }

  private take({ resourceSpans }: Body): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(attributesOf(resource.attributes)['service.name']);
      for (const span of scopeSpans.flatMap((scope: Body) => scope.spans)) {
        this.spans.push({
          service, name: span.name, traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId ?? '', kind: span.kind,
          startedMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n), endedMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n), attributes: attributesOf(span.attributes),
        });
      }
    }
  }
}

const attributesOf = (attributes: Body): Record<string, string | number> => Object.fromEntries(attributes.map(({ key, value }: Body) => [key, value.stringValue ?? Number(value.intValue ?? value.doubleValue)]));

/** The tree below a span, a line each: `service: name`, indented, siblings by name. */
export function treeBelow(spans: readonly Span[], parentSpanId: string, depth = 0): string[] {
  return spans.filter(span => span.parentSpanId === parentSpanId).sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(span => [`${'  '.repeat(depth)}${span.service}: ${span.name}`, ...treeBelow(spans, span.spanId, depth + 1)]);
}

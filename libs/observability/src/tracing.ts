import { randomBytes } from 'node:crypto';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Attributes, type Tracer as OtelTracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_ID = /^0+$/;

/** W3C trace context, version 00, or undefined where the text is none. */
export function parseTraceparent(text: string | undefined): { traceId: string; spanId: string; sampled: boolean } | undefined {
  const match = TRACEPARENT.exec(text ?? '');
  if (match === null || NO_ID.test(match[1]!) || NO_ID.test(match[2]!)) return undefined;
  return { traceId: match[1]!, spanId: match[2]!, sampled: (Number.parseInt(match[3]!, 16) & 1) === 1 };
}

/** A child of the caller's context, or the root of a new trace. */
export function childTraceparent(incoming: string | undefined, sampleNew: boolean): string {
  const parent = parseTraceparent(incoming);
  const span = randomBytes(8).toString('hex');
  if (parent !== undefined) return `00-${parent.traceId}-${span}-${parent.sampled ? '01' : '00'}`;
  return `00-${randomBytes(16).toString('hex')}-${span}-${sampleNew ? '01' : '00'}`;
}

export interface SpanRecord {
  readonly name: string;
  /** Of the envelope: the span becomes a child of it. */
  readonly traceparent: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Ids and names only, never content. */
  readonly attributes?: Attributes;
  readonly error?: string | undefined;
  /** `root`: the span that the traceparent itself names (the HTTP call). */
  readonly root?: { readonly parent: string | undefined };
}

/**
 * Spans of an intent's way. The context rides in every envelope, so a span is recorded whole when its work is done; off
 * (no endpoint) or unsampled it costs one comparison.
 */
export class Tracing {
  readonly enabled: boolean;
  readonly #provider: BasicTracerProvider | undefined;
  readonly #tracer: OtelTracer | undefined;

  constructor(options: { readonly endpoint?: string | undefined; readonly processor?: SpanProcessor; readonly version?: string }) {
    const processor = options.processor ?? (options.endpoint === undefined ? undefined : new BatchSpanProcessor(new OTLPTraceExporter({ url: `${options.endpoint.replace(/\/$/, '')}/v1/traces` })));
    this.enabled = processor !== undefined;
    if (processor === undefined) return;
    this.#provider = new BasicTracerProvider({ resource: resourceFromAttributes({ 'service.name': 'aifirst', 'service.version': options.version ?? '0' }), spanProcessors: [processor] });
    this.#tracer = this.#provider.getTracer('aifirst');
  }

  record(span: SpanRecord): void {
    if (this.#tracer === undefined) return;
    const parent = parseTraceparent(span.root === undefined ? span.traceparent : span.root.parent);
    const own = parseTraceparent(span.traceparent);
    if (own === undefined || !own.sampled) return;
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { traceId: parent.traceId, spanId: parent.spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
    const made = this.#tracer.startSpan(span.name, { startTime: span.startedAt, kind: span.root === undefined ? SpanKind.INTERNAL : SpanKind.SERVER, ...(span.attributes && { attributes: span.attributes }) }, context);
    // Why: the envelope's context was made before the span: the HTTP call's span takes the id that its children name already.
    if (span.root !== undefined) Object.assign(made.spanContext(), { traceId: own.traceId, spanId: own.spanId });
    if (span.error !== undefined) made.setStatus({ code: SpanStatusCode.ERROR, message: span.error });
    made.end(span.endedAt);
  }

  async stop(): Promise<void> { await this.#provider?.shutdown(); }
}

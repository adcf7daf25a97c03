import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Attributes, type Tracer as OtelTracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_ID = /^0+$/;
/** A collector that does not answer must not hold up the end of a process. */
const STOP_MS_MAX = 2_000;

/** Names a span within its trace, so that services that never spoke of it make it the same id. */
export type SpanName = readonly (string | number)[];

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
  /** Of the envelope: the trace, and the span's parent unless `parent` says another. */
  readonly traceparent: string | undefined;
  /** Under which others may name it as their parent; without one it has a random id. */
  readonly id?: SpanName;
  readonly parent?: SpanName;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Ids and names only, never content. */
  readonly attributes?: Attributes;
  readonly error?: string | undefined;
  /** `root`: the span that the traceparent itself names (the HTTP call, the record taken in), below that of whoever called. */
  readonly root?: { readonly parent: string | undefined; readonly kind: 'server' | 'consumer' };
}

/**
 * Spans of an intent's way. The context rides in every envelope, so a span is recorded whole when its work is done; off
 * (no endpoint) or unsampled it costs one comparison.
 */
export class Tracing {
  readonly enabled: boolean;
  readonly #provider: BasicTracerProvider | undefined;
  readonly #tracer: OtelTracer | undefined;

  /** @param options `service`: this process' name among the services; none where all are in it */
  constructor(options: { readonly endpoint?: string | undefined; readonly processor?: SpanProcessor; readonly version?: string; readonly service?: string }) {
    const processor = options.processor ?? (options.endpoint === undefined ? undefined : new BatchSpanProcessor(new OTLPTraceExporter({ url: `${options.endpoint.replace(/\/$/, '')}/v1/traces` })));
    this.enabled = processor !== undefined;
    if (processor === undefined) return;
    this.#provider = new BasicTracerProvider({ resource: resourceFromAttributes({ 'service.namespace': 'aifirst', 'service.name': options.service === undefined ? 'aifirst' : `aifirst-${options.service}`, 'service.version': options.version ?? '0', 'service.instance.id': `${hostname()}-${process.pid}` }), spanProcessors: [processor] });
    this.#tracer = this.#provider.getTracer('aifirst');
  }

  record(span: SpanRecord): void {
    if (this.#tracer === undefined) return;
    const own = parseTraceparent(span.traceparent);
    if (own === undefined || !own.sampled) return;
    const { root } = span;
    const parent = root === undefined ? { traceId: own.traceId, spanId: span.parent === undefined ? own.spanId : idOf(own.traceId, span.parent) } : parseTraceparent(root.parent);
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { traceId: parent.traceId, spanId: parent.spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
    const kind = root === undefined ? SpanKind.INTERNAL : root.kind === 'server' ? SpanKind.SERVER : SpanKind.CONSUMER;
    const made = this.#tracer.startSpan(span.name, { startTime: span.startedAt, kind, ...(span.attributes && { attributes: span.attributes }) }, context);
    // Why: the envelope's context was made before the span, which takes the id that its children name already.
    if (root !== undefined) Object.assign(made.spanContext(), { traceId: own.traceId, spanId: own.spanId });
    else if (span.id !== undefined) Object.assign(made.spanContext(), { spanId: idOf(own.traceId, span.id) });
    if (span.error !== undefined) made.setStatus({ code: SpanStatusCode.ERROR, message: span.error });
    made.end(span.endedAt);
  }

  /** What is recorded is sent, unless nobody takes it in time. */
  async stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => { timer = setTimeout(resolve, STOP_MS_MAX); });
    await Promise.race([this.#provider?.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  }
}

const idOf = (traceId: string, name: SpanName): string => createHash('sha256').update(JSON.stringify([traceId, ...name])).digest('hex').slice(0, 16);

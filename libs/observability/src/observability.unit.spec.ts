import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { childTraceparent, makeLogger, Metrics, parseTraceparent, Tracing } from './index';

describe('metrics', () => {
  it('shows the names of the contract', async () => {
    const metrics = new Metrics();
    metrics.workflows.add(2, { status: 'completed' });
    metrics.workflowDuration.record(0.02);
    metrics.gauge('aifirst_queue_depth', 'waiting', () => [[3, { queue: 'intake' }]]);
    const text = await metrics.render();
    expect(text).toContain('aifirst_workflows_total{status="completed"} 2');
    expect(text).toContain('aifirst_workflow_duration_seconds_count 1');
    expect(text).toContain('aifirst_queue_depth{queue="intake"} 3');
  });
});

describe('tracing', () => {
  it('continues the caller\'s trace and refuses what is none', () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(childTraceparent(parent, false)).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(parseTraceparent('00-00000000000000000000000000000000-b7ad6b7169203331-01')).toBeUndefined();
    expect(childTraceparent('nonsense', true)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
  it('joins spans of different services into one trace beneath the call', () => {
    const exporter = new InMemorySpanExporter();
    const tracing = new Tracing({ processor: new SimpleSpanProcessor(exporter) });
    const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const call = childTraceparent(caller, false);
    tracing.record({ name: 'act', traceparent: call, startedAt: 2, endedAt: 3 });
    tracing.record({ name: 'call', traceparent: call, startedAt: 1, endedAt: 4, root: { parent: caller, kind: 'server' } });
    const [act, root] = exporter.getFinishedSpans();
    expect(root!.spanContext()).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: parseTraceparent(call)!.spanId });
    expect(act!.parentSpanContext!.spanId).toBe(root!.spanContext().spanId);
    expect(root!.parentSpanContext!.spanId).toBe('b7ad6b7169203331');
  });
  it('puts a span beneath one that another service names, before that is recorded', () => {
    const exporter = new InMemorySpanExporter();
    const [here, there] = ['a', 'b'].map(service => new Tracing({ processor: new SimpleSpanProcessor(exporter), service }));
    const traceparent = childTraceparent(undefined, true);
    here!.record({ name: 'act', traceparent, parent: ['step', 'w', 0], startedAt: 2, endedAt: 3 });
    there!.record({ name: 'step', traceparent, id: ['step', 'w', 0], startedAt: 1, endedAt: 4 });
    const [act, step] = exporter.getFinishedSpans();
    expect(act!.parentSpanContext!.spanId).toBe(step!.spanContext().spanId);
    expect(step!.parentSpanContext!.spanId).toBe(parseTraceparent(traceparent)!.spanId);
    expect([act, step].map(span => span!.resource.attributes['service.name'])).toEqual(['aifirst-a', 'aifirst-b']);
  });
  it('ends although nobody takes the spans', async () => {
    const stuck = { export: () => undefined, shutdown: () => new Promise<void>(() => undefined) };
    await new Tracing({ processor: new SimpleSpanProcessor(stuck) }).stop();
  });
  it('records nothing that is not sampled', () => {
    const exporter = new InMemorySpanExporter();
    new Tracing({ processor: new SimpleSpanProcessor(exporter) }).record({ name: 'x', traceparent: childTraceparent(undefined, false), startedAt: 1, endedAt: 2 });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe('logging', () => {
  it('writes one line for one call and no secret', () => {
    const lines: string[] = [];
    const logger = makeLogger({ level: 'info', service: 'gateway', destination: { write: line => void lines.push(line) } });
    logger.info({ workflow: 'w', token: 'canary', nested: { content: 'canary' } }, 'took\r\nan intent');
    expect(lines).toHaveLength(1);
    expect(lines[0]!.trimEnd()).not.toContain('\n');
    expect(lines[0]).not.toContain('canary');
    expect(JSON.parse(lines[0]!)).toMatchObject({ service: 'gateway', level: 'info', workflow: 'w' });
  });
});

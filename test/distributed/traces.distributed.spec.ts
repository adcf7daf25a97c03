import { randomBytes } from 'node:crypto';
import { INTENT_TOPICS, TOPICS } from '@aifirst/contracts';
import { aSignedIntent, aSigningKey } from '@aifirst/api/testing';
import { noop, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import type { Body } from '../support/http';
import { envelope, Records, seriesOf } from '../support/records';
import { SpanCollector, treeBelow, type Span } from '../support/spans';
import { Stack } from '../support/stack';
import { until } from '../support/wait';

/** What a producer sends along: its own trace, sampled, and the span that ours are to hang below. */
function aTrace(flags = '01'): { readonly traceId: string; readonly spanId: string; readonly traceparent: string } {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const SERVER = 2;
const CONSUMER = 5;
/** Of processes on one machine, each with a clock that never goes back. */
const CLOCKS_APART_MS = 50;
/** Of a write and a step after it, whatever brought them. */
const BELOW = [
  '  aifirst-orchestrator: workflow',
  '    aifirst-audit: audit fold',
  '    aifirst-orchestrator: policy decision',
  '      aifirst-policy: decide plan',
  '    aifirst-orchestrator: step fs.write',
  '      aifirst-adapter-os: execute fs.write',
  '      aifirst-adapter-os: prepare fs.write',
  '    aifirst-orchestrator: step noop',
  '      aifirst-adapter-os: execute noop',
  '      aifirst-adapter-os: prepare noop',
];
const NAMES = BELOW.map(line => line.split(': ')[1]!);

describe('one trace from the producer to the target', () => {
  let collector: SpanCollector;
  let stack: Stack;
  let agent: AgentClient;
  let records: Records;

  beforeAll(async () => {
    collector = await SpanCollector.start();
    stack = await Stack.start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: '200', LOG_LEVEL: 'debug' } });
    agent = await stack.agent();
    records = await Records.of(stack);
  });
  afterAll(async () => { await records?.close(); await stack?.stop(); await collector?.stop(); });

  const steps = () => [agent.fs('write', 'letter', { path: `${randomBytes(4).toString('hex')}.txt`, content: 'dear' }), noop('then', {}, { dependsOn: ['letter'] })];

  /** Nothing of it hangs in the air, and whatever is below begins no earlier than what it is below. */
  function expectWhole(spans: readonly Span[], producer: string): void {
    const ids = new Map(spans.map(span => [span.spanId, span]));
    expect(ids.size).toBe(spans.length);
    expect(spans.filter(({ parentSpanId }) => parentSpanId !== producer && !ids.has(parentSpanId))).toEqual([]);
    for (const { startedMs, endedMs, parentSpanId } of spans) {
      expect(endedMs).toBeGreaterThanOrEqual(startedMs);
      expect(startedMs).toBeGreaterThanOrEqual((ids.get(parentSpanId)?.startedMs ?? startedMs) - CLOCKS_APART_MS);
    }
  }

  it('by HTTP: the caller\'s, through every service', async () => {
    const { traceId, spanId, traceparent } = aTrace();
    const workflow = await agent.start(steps(), {}, { traceparent });
    await agent.rest(workflow);
    const spans = await collector.trace(traceId, ['POST /v1/intents', ...NAMES]);
    expectWhole(spans, spanId);
    expect(treeBelow(spans, spanId)).toEqual(['aifirst-gateway: POST /v1/intents', ...BELOW]);
    expect(spans.find(({ parentSpanId }) => parentSpanId === spanId)).toMatchObject({ kind: SERVER, attributes: { 'http.response.status_code': 202 } });
    expect(new Set(spans.filter(({ service }) => service !== 'aifirst-gateway').map(({ attributes }) => attributes['aifirst.workflow']))).toEqual(new Set([workflow]));
  });

  it.each([['binary', 'header'], ['structured', 'header'], ['structured', 'attribute']] as const)('by Kafka, %s, in its %s: the producer\'s, through every service', async (mode, where) => {
    const { traceId, spanId, traceparent } = aTrace();
    const key = aSigningKey('EdDSA', `k-${mode}-${where}`);
    await stack.admin.must(201, 'POST', `/v1/agents/${agent.id}/keys`, { body: { kid: key.kid, jwk: key.jwk } });
    const { value, headers } = aSignedIntent({
      key, mode, source: agent.id, time: new Date().toISOString(), id: `traced-${mode}-${where}`, intent: { goal: 'traced', steps: steps() }, ...(where === 'attribute' ? { more: { traceparent } } : {}),
    });
    await records.put(INTENT_TOPICS.submitted, { key: agent.id, value, headers: { ...headers, ...(where === 'header' ? { traceparent } : {}) } });
    const spans = await collector.trace(traceId, [`process ${INTENT_TOPICS.submitted}`, ...NAMES]);
    expectWhole(spans, spanId);
    expect(treeBelow(spans, spanId)).toEqual([`aifirst-gateway: process ${INTENT_TOPICS.submitted}`, ...BELOW]);
    expect(spans.find(({ parentSpanId }) => parentSpanId === spanId)).toMatchObject({ kind: CONSUMER, attributes: { 'messaging.system': 'kafka', 'aifirst.outcome': 'accepted' } });
    // What agents read of it carries the trace too.
    const answer = await records.find(TOPICS.workflowEvents, record => record.headers?.['traceparent']?.toString().includes(traceId) === true);
    expect(JSON.parse(answer.value!.toString()).traceparent).toContain(traceId);
  });

  it('an undo that is ordered later hangs below the same workflow', async () => {
    const { traceId, spanId, traceparent } = aTrace();
    const workflow = await agent.start(steps(), {}, { traceparent });
    await agent.rest(workflow);
    await collector.trace(traceId, ['workflow']);
    await stack.admin.must(202, 'POST', `/v1/workflows/${workflow}/rollback`, { body: { reason: 'a test' } });
    await agent.reaches(workflow, ['rolledBack']);
    const spans = await collector.trace(traceId, ['POST /v1/intents', ...NAMES, 'undo fs.write', 'undo fs.write', 'rollback']);
    expectWhole(spans, spanId);
    const root = spans.find(({ name }) => name === 'workflow')!;
    const tree = treeBelow(spans, root.spanId);
    expect(tree).toContain('aifirst-orchestrator: rollback');
    expect(tree[tree.indexOf('aifirst-orchestrator: undo fs.write') + 1]).toBe('  aifirst-adapter-os: undo fs.write');
  });

  it('what fails and is undone is one trace as well', async () => {
    const { traceId, spanId, traceparent } = aTrace();
    const workflow = await agent.start([agent.fs('write', 'letter', { path: 'undone.txt', content: 'dear' }), agent.fs('delete', 'gone', { path: 'is/not/there.txt' }, { dependsOn: ['letter'] })], {}, { traceparent });
    expect((await agent.rest(workflow)).status).toBe('rolledBack');
    const spans = await collector.trace(traceId, ['workflow', 'undo fs.write', 'undo fs.write', 'audit fold']);
    expectWhole(spans, spanId);
    expect(spans.filter(({ name }) => name === 'workflow')).toHaveLength(1);
  });

  it('a caller that does not sample is obeyed, and one without a trace gets one', async () => {
    const { traceId, traceparent } = aTrace('00');
    await agent.rest(await agent.start(steps(), {}, { traceparent }));
    const workflow = await agent.start(steps());
    await agent.rest(workflow);
    const own = await until('its trace is there', () => collector.spans.find(({ name, attributes }) => name === 'workflow' && attributes['aifirst.workflow'] === workflow));
    const spans = await collector.trace(own.traceId, ['POST /v1/intents', ...NAMES]);
    expect(treeBelow(spans, '')).toEqual(['aifirst-gateway: POST /v1/intents', ...BELOW]);
    expect(collector.of(traceId)).toEqual([]);
    expect(collector.faults).toEqual([]);
  });

  it('the time that decisions take is counted too', async () => {
    expect(seriesOf(await stack.metrics(), 'aifirst_stage_duration_seconds_count', { stage: 'decision' })).toBeGreaterThan(0);
  });

  it('log lines about a workflow carry its trace', async () => {
    const { traceId, traceparent } = aTrace();
    const workflow = await agent.start([{ id: 'nap', capability: 'timer.sleep', input: { ms: 500 } }], {}, { traceparent });
    // Why by hand: while all is well there is nothing to say about a single workflow.
    const type = 'aifirst.execution.step-reported.v1';
    await records.put(TOPICS.stepEvents, records.sealed(TOPICS.stepEvents, workflow, envelope({ type, subject: workflow, traceparent, sequence: 1, producer: 'adapter-os/0', data: { workflow } })));
    const lines = await until('somebody tells of it', () => {
      const found = stack.output.split('\n').filter(line => line.startsWith('{') && line.includes(workflow)).map(line => JSON.parse(line) as Body);
      return found.some(({ service, level }) => service === 'orchestrator' && level === 'error') ? found : undefined;
    });
    expect(lines.filter(line => typeof line.traceparent !== 'string' || !line.traceparent.includes(traceId))).toEqual([]);
    for (const { id } of await stack.admin.all('/v1/dead-letters?status=parked')) await stack.admin.must(200, 'POST', `/v1/dead-letters/${encodeURIComponent(id)}/discard`, { body: {} });
  });

  it('spans that are not sent yet are sent at the end', async () => {
    const { traceId, spanId, traceparent } = aTrace();
    const workflow = await agent.start(steps(), {}, { traceparent });
    await agent.rest(workflow);
    // Why: audit may fetch a little later than the others; what it has not seen it can't tell of.
    await new AuditLog(stack.admin).settled([workflow]);
    expect((await stack.terminate()).code).toBe(0);
    expectWhole(collector.of(traceId), spanId);
    expect(new Set(collector.of(traceId).map(({ service }) => service))).toEqual(new Set(['gateway', 'orchestrator', 'policy', 'adapter-os', 'audit'].map(service => `aifirst-${service}`)));
  });

  it('a collector that does not answer holds up neither the work nor the end', async () => {
    await stack.restart();
    collector.isStuck = true;
    const startedAt = Date.now();
    for (let index = 0; index < 20; index++) expect((await agent.run(steps())).status).toBe('completed');
    const endingAt = Date.now();
    expect((await stack.terminate()).code).toBe(0);
    expect(Date.now() - endingAt).toBeLessThan(10_000);
    console.log(`with a collector that does not answer: 20 workflows in ${endingAt - startedAt} ms, ended in ${Date.now() - endingAt} ms`);
  });
});

import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Metrics, Tracing } from '@aifirst/observability';
import type { OrchestratorTelemetry } from '@aifirst/orchestration';
import { measuringWays, orchestratorTelemetry, recordRefused } from './measuring';
import { systemClock } from './clock';

type Fact = Parameters<OrchestratorTelemetry['fact']>[0];
type Workflow = Parameters<OrchestratorTelemetry['fact']>[1];

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const aWorkflow = (more: object = {}): Workflow => ({ id: 'w', traceparent: TRACEPARENT, createdAt: 1_000, endedAt: null, status: 'running', rollback: null, start: { agent: { id: 'a' }, steps: [] }, steps: [], ...more }) as unknown as Workflow;
const ordered = { rollback: { code: 'REQUESTED', since: 2_000 } };
const failed = { rollback: { code: 'STEP_FAILED', since: 2_000 } };
const rollback = (code: string): Fact => ({ name: 'RollbackStarted', code, reason: '', by: 'p' });
const ended = (status: 'completed' | 'rolledBack'): Fact => ({ name: 'WorkflowEnded', status, code: null, reason: null, residue: [] });

/** A fact, the workflow after it, the workflow before it. */
type Commit = readonly [Fact, Workflow, Workflow | null];

function spansOf(commits: readonly Commit[]): string[] {
  const exporter = new InMemorySpanExporter();
  const telemetry = orchestratorTelemetry(new Metrics(), new Tracing({ processor: new SimpleSpanProcessor(exporter) }));
  commits.forEach(([fact, after, before], index) => { telemetry.fact(fact, after, 3_000 + index, before); });
  return exporter.getFinishedSpans().map(({ name, attributes }) => `${name} ${String(attributes['aifirst.status'])}`);
}

describe('a workflow has one span of its own, whatever becomes of it', () => {
  it.each<[string, readonly Commit[], string[]]>([
    ['completed', [[ended('completed'), aWorkflow(), aWorkflow()]], ['workflow completed']],
    ['failed and rolled back', [[rollback('STEP_FAILED'), aWorkflow(failed), aWorkflow()], [ended('rolledBack'), aWorkflow(failed), aWorkflow(failed)]], ['workflow rolledBack']],
    ['rolled back on order while it ran', [[rollback('REQUESTED'), aWorkflow({ ...ordered, status: 'rollingBack' }), aWorkflow()], [ended('rolledBack'), aWorkflow(ordered), aWorkflow(ordered)]], ['workflow rollingBack', 'rollback rolledBack']],
    ['rolled back on order when it had ended', [[ended('completed'), aWorkflow(), aWorkflow()], [rollback('REQUESTED'), aWorkflow(ordered), aWorkflow({ endedAt: 1_500 })], [ended('rolledBack'), aWorkflow(ordered), aWorkflow(ordered)]], ['workflow completed', 'rollback rolledBack']],
    ['ordered again when it was blocked', [[rollback('REQUESTED'), aWorkflow(ordered), aWorkflow(failed)], [rollback('REQUESTED'), aWorkflow(ordered), aWorkflow(ordered)], [ended('rolledBack'), aWorkflow(ordered), aWorkflow(ordered)]], ['workflow running', 'rollback rolledBack']],
  ])('%s', (_, commits, spans) => { expect(spansOf(commits)).toEqual(spans); });
});

describe('the stage of a decision', () => {
  it('is counted although the decision takes the question out of the state', async () => {
    const metrics = new Metrics();
    const asked = aWorkflow({ steps: [{ asked: 1, askedAt: 1_000 }] });
    orchestratorTelemetry(metrics, new Tracing({})).fact({ name: 'PolicyDecided', question: 1, action: 'execute', decision: 'd', controlEpoch: 1, decisions: [] }, aWorkflow({ steps: [{ asked: null, askedAt: 1_000 }] }), 1_500, asked);
    expect(await metrics.render()).toContain('aifirst_stage_duration_seconds_sum{stage="decision"} 0.5');
  });
});

describe('records that were refused', () => {
  it('are all counted, and told of once for each topic and code while they come in masses', async () => {
    const metrics = new Metrics();
    const lines: object[] = [];
    const refused = recordRefused(metrics, { warn: (line: object) => { lines.push(line); } } as Parameters<typeof recordRefused>[1]);
    for (let offset = 0; offset < 500; offset++) refused({ topic: 't', partition: 0, offset, reason: 'NO_MAC' });
    refused({ topic: 't', partition: 0, offset: 500, reason: 'what a reader has thrown, in words' });
    expect(lines).toEqual([{ topic: 't', partition: 0, offset: 0, reason: 'NO_MAC' }, { topic: 't', partition: 0, offset: 500, reason: 'what a reader has thrown, in words' }]);
    const page = await metrics.render();
    expect(page).toContain('aifirst_records_refused_total{topic="t",code="NO_MAC"} 500');
    expect(page).toContain('aifirst_records_refused_total{topic="t",code="UNREADABLE"} 1');
  });
});

describe('the way of a message', () => {
  const SENT_MS_AGO = 5_000;
  async function stagesOf(type: string, handleMs: number): Promise<[string, number][]> {
    const stages: [string, number][] = [];
    let handle: (batch: never) => Promise<void> = async () => undefined;
    const bus = measuringWays({ subscribe: async (subscription: { handle: typeof handle }) => { handle = subscription.handle; } } as never, { stage: (stage, startedAt, endedAt) => { stages.push([stage, endedAt - startedAt]); } });
    await bus.subscribe({ handle: () => new Promise<void>(resolve => { setTimeout(resolve, handleMs); }) } as never);
    await handle({ positions: {}, deliveries: [{ message: { event: { type, time: new Date(systemClock.now() - SENT_MS_AGO).toISOString() } } }] } as never);
    return stages;
  }

  it.each([['aifirst.orchestration.start-workflow.v1', 'intake'], ['aifirst.execution.step-reported.v1', 'report']])('of %s is the stage %s, until it has had its effect', async (type, stage) => {
    const [[name, ms] = ['', 0]] = await stagesOf(type, 60);
    expect(name).toBe(stage);
    expect(ms).toBeGreaterThanOrEqual(SENT_MS_AGO + 50);
  });
  it('of a command is the stage dispatch, until it comes', async () => {
    const [[name, ms] = ['', 0]] = await stagesOf('aifirst.execution.execute-step.v1', 200);
    expect([name, ms < SENT_MS_AGO + 150]).toEqual(['dispatch', true]);
  });
  it('of anything else is none', async () => { expect(await stagesOf('aifirst.policy.plan-decided.v1', 0)).toEqual([]); });
});

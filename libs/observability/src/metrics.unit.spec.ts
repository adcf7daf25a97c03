import fc from 'fast-check';
import { AGENTS_MAX, BoundedLabel, CATALOGUE, GAUGES, Metrics, OTHER, STAGES, type Stage } from './index';

const series = (text: string, name: string): string[] => text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe('the catalogue', () => {
  it('names everything once, as Prometheus has it', () => {
    expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length);
    for (const { name, kind, description, labels } of CATALOGUE) {
      expect(name).toMatch(/^(aifirst|process|nodejs)_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total')).toBe(kind === 'counter');
      expect(name.endsWith('_duration_seconds')).toBe(kind === 'histogram');
      expect(description).not.toBe('');
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  it('is what is rendered, with these kinds', async () => {
    const metrics = new Metrics();
    for (const gauge of Object.keys(GAUGES) as (keyof typeof GAUGES)[]) metrics.observe(gauge, () => [[1, {}]]);
    for (const counter of [metrics.workflows, metrics.steps, metrics.decisions, metrics.agentWorkflows, metrics.requests, metrics.deadLetters, metrics.ignored, metrics.recordsRefused]) counter.add(1);
    for (const histogram of [metrics.workflowDuration, metrics.stepDuration, metrics.stageDuration]) histogram.record(1);
    const text = await metrics.render();
    const rendered = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => `${name} ${kind}`).filter(line => !line.startsWith('target_info')).sort();
    expect(rendered).toEqual(CATALOGUE.map(({ name, kind }) => `${name} ${kind}`).sort());
  });
});

describe('a gauge that can not be read', () => {
  it('is left out, while everything else is shown', async () => {
    const metrics = new Metrics();
    metrics.observe('deadLettersParked', () => Promise.reject(new Error('the database is away')));
    metrics.observe('auditLag', () => { throw new Error('not started'); });
    metrics.observe('openWorkflows', async () => [[7, {}]]);
    metrics.workflows.add(1, { status: 'completed' });
    const text = await metrics.render();
    expect(series(text, 'aifirst_dead_letters_parked')).toEqual([]);
    expect(series(text, 'aifirst_audit_lag')).toEqual([]);
    expect(series(text, 'aifirst_open_workflows')).toEqual(['aifirst_open_workflows 7']);
    expect(series(text, 'aifirst_workflows_total')).toEqual(['aifirst_workflows_total{status="completed"} 1']);
  });
});

describe('stages', () => {
  it('are recorded in seconds, never below zero', async () => {
    const metrics = new Metrics();
    metrics.stage('decision', 1_000, 1_250);
    metrics.stage('act', 1_000, 900);
    const text = await metrics.render();
    expect(text).toContain('aifirst_stage_duration_seconds_sum{stage="decision"} 0.25');
    expect(text).toContain('aifirst_stage_duration_seconds_sum{stage="act"} 0\n');
  });
  it('are few and said in words', () => { for (const stage of Object.keys(STAGES) as Stage[]) expect(STAGES[stage]).not.toBe(''); });
});

describe('what agents do', () => {
  it('is counted by agent until there are too many, and never lost', async () => {
    const metrics = new Metrics();
    const agents = Array.from({ length: AGENTS_MAX + 30 }, (_, index) => `agent-${index}`);
    for (let round = 0; round < 2; round++) for (const agent of agents) metrics.workflow('completed', agent);
    const lines = series(await metrics.render(), 'aifirst_agent_workflows_total');
    expect(lines).toHaveLength(AGENTS_MAX + 1);
    expect(lines).toContain('aifirst_agent_workflows_total{agent="agent-0",status="completed"} 2');
    expect(lines).toContain(`aifirst_agent_workflows_total{agent="${OTHER}",status="completed"} 60`);
  });

  it('stays within its bound whatever the names are, and keeps the name of whoever had one', () => {
    fc.assert(fc.property(fc.array(fc.string(), { maxLength: 50 }), fc.integer({ min: 0, max: 10 }), (names, max) => {
      const label = new BoundedLabel(max);
      const given = new Map<string, string>();
      for (const name of names) {
        const got = label.of(name);
        expect([name, OTHER]).toContain(got);
        if (given.has(name)) expect(got).toBe(given.get(name));
        given.set(name, got);
      }
      expect(new Set([...given.values()].filter(value => value !== OTHER)).size).toBeLessThanOrEqual(max);
    }));
  });
});

describe('the process', () => {
  it('shows its memory, processor time, start and how busy it is', async () => {
    const metrics = new Metrics();
    const value = (text: string, name: string): number => Number(series(text, name)[0]!.split(' ')[1]);
    await metrics.render();
    const text = await metrics.render();
    expect(value(text, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(value(text, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value(text, 'process_start_time_seconds')).toBeGreaterThan(1_600_000_000);
    expect(value(text, 'nodejs_eventloop_utilization')).toBeLessThanOrEqual(1);
  });
});

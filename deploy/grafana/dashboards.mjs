// The dashboards, in words: `node deploy/grafana/dashboards.mjs` writes them to dashboards/*.json, which Grafana loads. A test compares the two,
// and runs every query against what a real run exports.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = { type: 'prometheus', uid: 'aifirst-prometheus' };
const WIDTH = 24;
/** Opens the description of a panel that one process with everything in it leaves empty. */
export const DISTRIBUTED = 'Only where every service is its own process:';

/** `queries`: PromQL by legend. */
const panel = (type, title, unit, size, queries, description, more = {}) => ({ type, title, unit, size, queries, description, ...more });
const graph = (title, unit, queries, description, more) => panel('timeseries', title, unit, { w: 12, h: 8 }, queries, description, more);
const third = (...all) => ({ ...graph(...all), size: { w: 8, h: 8 } });
const wide = (...all) => ({ ...graph(...all), size: { w: 24, h: 8 } });
const stat = (title, unit, query, description, warnAt) => panel('stat', title, unit, { w: 4, h: 4 }, { '': query }, description, { warnAt });
const row = (title, ...panels) => ({ title, panels });

const quantile = (q, by, histogram) => `histogram_quantile(${q}, sum by (${[...by, 'le'].join(', ')}) (rate(${histogram}_bucket[$__rate_interval])))`;

export const DASHBOARDS = [
  {
    uid: 'aifirst-overview', title: 'AI-First: overview', description: 'What workflows come to, how long it takes, and what waits for a person.',
    rows: [
      row('Now',
        stat('Workflows a minute', 'short', '60 * sum(rate(aifirst_workflows_total[$__rate_interval]))', 'Ended or parked.'),
        stat('Completed', 'percentunit', 'sum(rate(aifirst_workflows_total{status="completed"}[$__rate_interval])) / sum(rate(aifirst_workflows_total[$__rate_interval]))', 'Of all that ended or parked.'),
        stat('Open', 'short', 'sum(aifirst_open_workflows)', 'Accepted and not ended, parked ones too.'),
        stat('Wait for a person', 'short', 'sum(aifirst_parked_workflows)', 'Each shows what it waits for: GET /v1/workflows/:id, statusReason.', 1),
        stat('Messages parked', 'short', 'sum(aifirst_dead_letters_parked)', 'GET /v1/dead-letters', 1),
        stat('Not in the audit log yet', 'short', 'max(aifirst_audit_lag)', 'Facts that are recorded by their service and not folded yet.', 10_000)),
      row('Workflows by outcome',
        graph('Workflows a second, by outcome', 'ops', { '{{status}}': 'sum by (status) (rate(aifirst_workflows_total[$__rate_interval]))' }, 'paused and rollbackBlocked wait for a person.', { stacked: true }),
        graph('From acceptance to the end', 's', { 'half': quantile(0.5, [], 'aifirst_workflow_duration_seconds'), '95 %': quantile(0.95, [], 'aifirst_workflow_duration_seconds'), '99 %': quantile(0.99, [], 'aifirst_workflow_duration_seconds') }, 'With all waiting for locks, people and targets.')),
      row('Latency by stage',
        graph('Each stage, 95th percentile', 's', { '{{stage}}': quantile(0.95, ['stage'], 'aifirst_stage_duration_seconds') }, 'intake: to the first fact. decision: of policy. dispatch: to the adapter. act: at the target. report: back to the orchestrator. undo: to what came of it.'),
        graph('Each stage\'s share of the time', 's', { '{{stage}}': 'sum by (stage) (rate(aifirst_stage_duration_seconds_sum[$__rate_interval]))' }, 'Seconds spent in a stage each second, over all workflows: where to look first.', { stacked: true }),
        graph('Steps, 95th percentile, by capability', 's', { '{{capability}}': quantile(0.95, ['capability'], 'aifirst_step_duration_seconds') }, 'From start to outcome.'),
        graph('Spans, 95th percentile', 's', { '{{span_name}}': quantile(0.95, ['span_name'], 'traces_span_metrics_duration_seconds') }, `${DISTRIBUTED} as the OpenTelemetry collector counts them.`)),
      row('Decisions',
        graph('Decisions a second', 'ops', { '{{decision}}': 'sum by (decision) (rate(aifirst_decisions_total[$__rate_interval]))' }, 'Of policy, for each step.', { stacked: true }),
        graph('Share of denials', 'percentunit', { 'denied': 'sum(rate(aifirst_decisions_total{decision="deny"}[$__rate_interval])) / sum(rate(aifirst_decisions_total[$__rate_interval]))' }, 'A jump is a policy that was changed, or an agent that tries.')),
      row('Undo and parked work',
        third('Steps undone a second', 'ops', { '{{status}}': 'sum by (status) (rate(aifirst_steps_total{status=~"undone|undoBlocked"}[$__rate_interval]))' }, 'undoBlocked: somebody else has changed the target, or it can not be reached.'),
        third('Undo, 95th percentile', 's', { '{{capability}}': quantile(0.95, ['capability'], 'aifirst_step_duration_seconds').replace('_bucket[', '_bucket{status=~"undone|undoBlocked"}[') }, 'From its start to what came of it.'),
        third('Workflows that wait for a person', 'short', { '{{status}}': 'sum by (status) (aifirst_parked_workflows)' }, 'paused: a person resumes it. rollbackBlocked: a person decides about the rest of the undo.', { stacked: true }),
        wide('Steps settled a second, by capability and outcome', 'ops', { '{{capability}} {{status}}': 'sum by (capability, status) (rate(aifirst_steps_total[$__rate_interval]))' }, 'unknown: nobody can tell whether it took effect; it is probed, then a person decides.')),
    ],
  },
  {
    uid: 'aifirst-messages', title: 'AI-First: messages and audit', description: 'How far everybody is behind, and what could not be handled.',
    rows: [
      row('Lag',
        graph('Messages that wait, by consumer and topic', 'short', { '{{consumer}} {{topic}}': 'sum by (consumer, topic) (aifirst_consumer_lag)' }, 'Rises in a burst and falls after it. A line that stays level above 0 is a consumer that stands still.'),
        graph('Queues', 'short', { '{{queue}}': 'sum by (queue) (aifirst_queue_depth)' }, 'What is taken and waits for its turn.'),
        graph('Rows that are not on Kafka yet', 'short', { '{{source}}': 'max by (source) (aifirst_relay_lag)' }, `${DISTRIBUTED} committed, and not relayed. Nothing is lost while it rises, only late.`),
        graph('Who writes', 'short', { '{{log}} on {{instance}}': 'aifirst_active_writer' }, `${DISTRIBUTED} 1 for the copy that writes a log, 0 for those that stand by. Exactly one line of each log is 1, but for a moment at a takeover.`)),
      row('What could not be handled',
        graph('Messages parked, by service', 'short', { '{{service}}': 'sum by (service) (aifirst_dead_letters_parked)' }, 'GET /v1/dead-letters names them; they are replayed or discarded there.'),
        graph('Records from outside that were refused', 'ops', { '{{topic}} {{code}}': 'sum by (topic, code) (rate(aifirst_records_refused_total[$__rate_interval]))' }, `${DISTRIBUTED} unsigned, forged, stale or unreadable.`)),
      row('Audit',
        graph('Facts that are not in a log yet', 'short', { 'facts': 'max(aifirst_audit_lag)' }, 'Effects never wait for the audit log; its age is this.'),
        graph('Folding', 'short', { 'waiting': 'sum(aifirst_consumer_lag{consumer="audit.fold"})' }, 'Messages that the audit service has still to take.')),
    ],
  },
  {
    uid: 'aifirst-agents', title: 'AI-First: agents and processes', description: 'What each agent does, what callers are answered, and how the processes are.',
    rows: [
      row('Agents',
        graph('Workflows a second, by agent', 'ops', { '{{agent}}': 'topk(10, sum by (agent) (rate(aifirst_agent_workflows_total[$__rate_interval])))' }, 'The ten busiest. The first 100 agents of each process have a name here, all others are `other`.', { stacked: true }),
        graph('Workflows that did not complete, by agent', 'ops', { '{{agent}}': 'topk(10, sum by (agent) (rate(aifirst_agent_workflows_total{status!="completed"}[$__rate_interval])))' }, 'Undone, denied, failed, cancelled or parked.', { stacked: true }),
        panel('table', 'Workflows by agent and outcome', 'short', { w: 24, h: 8 }, { '': 'sum by (agent, status) (increase(aifirst_agent_workflows_total[$__range]))' }, 'In the range of time that is shown.')),
      row('Callers',
        graph('Answers a second, by route', 'ops', { '{{method}} {{route}}': 'sum by (method, route) (rate(aifirst_http_requests_total[$__rate_interval]))' }, 'At the gateway.'),
        graph('Answers a second, by status', 'ops', { '{{status}}': 'sum by (status) (rate(aifirst_http_requests_total[$__rate_interval]))' }, '4xx: the caller\'s. 5xx: ours.', { stacked: true })),
      row('Processes',
        third('Share of time busy', 'percentunit', { '{{instance}}': 'nodejs_eventloop_utilization' }, 'At 100 % everything waits: start another copy, or look for what is slow.'),
        third('Processor time', 'percentunit', { '{{instance}}': 'rate(process_cpu_seconds_total{job="aifirst"}[$__rate_interval])' }, '100 % is one core.'),
        third('Memory', 'bytes', { '{{instance}}': 'process_resident_memory_bytes{job="aifirst"}' }, 'Resident.'),
        wide('Up', 'short', { '{{instance}}': 'up{job="aifirst"}' }, '1: answers Prometheus.')),
    ],
  },
];

const thresholds = warnAt => ({ mode: 'absolute', steps: [{ color: 'green', value: null }, ...(warnAt === undefined ? [] : [{ color: 'orange', value: warnAt }])] });

function options(type) {
  if (type === 'stat') return { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'area', textMode: 'auto' };
  if (type === 'table') return { showHeader: true };
  return { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } };
}

function panelJson({ type, title, unit, size, queries, description, stacked = false, warnAt }, id, at) {
  const isTable = type === 'table';
  return {
    id, type, title, description, datasource: SOURCE, gridPos: { ...at, ...size },
    fieldConfig: {
      defaults: {
        unit, min: 0, thresholds: thresholds(warnAt), color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
        ...(type === 'timeseries' ? { custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: stacked ? 40 : 8, showPoints: 'never', spanNulls: true, stacking: { mode: stacked ? 'normal' : 'none', group: 'A' } } } : {}),
      },
      overrides: [],
    },
    options: options(type),
    targets: Object.entries(queries).map(([legend, expr], index) => ({
      refId: String.fromCharCode(65 + index), datasource: SOURCE, editorMode: 'code', expr, ...(legend === '' ? {} : { legendFormat: legend }),
      ...(isTable ? { format: 'table', instant: true, range: false } : { range: true, instant: false }),
    })),
    ...(isTable ? { transformations: [{ id: 'organize', options: { excludeByName: { Time: true }, renameByName: { Value: 'workflows' } } }, { id: 'sortBy', options: { sort: [{ field: 'workflows', desc: true }] } }] } : {}),
  };
}

/** Rows one beneath the other; within a row from left to right, onto the next line where one does not fit. */
export function dashboardJson({ uid, title, description, rows }) {
  const panels = [];
  let y = 0;
  for (const { title: heading, panels: members } of rows) {
    panels.push({ id: panels.length + 1, type: 'row', title: heading, collapsed: false, gridPos: { h: 1, w: WIDTH, x: 0, y }, panels: [] });
    y += 1;
    let x = 0;
    let height = 0;
    for (const member of members) {
      if (x + member.size.w > WIDTH) { y += height; x = 0; height = 0; }
      panels.push(panelJson(member, panels.length + 1, { x, y }));
      x += member.size.w;
      height = Math.max(height, member.size.h);
    }
    y += height;
  }
  return {
    uid, title, description, tags: ['aifirst'], schemaVersion: 39, version: 1, editable: false, graphTooltip: 1, refresh: '30s', time: { from: 'now-1h', to: 'now' }, timezone: 'browser',
    templating: { list: [] }, annotations: { list: [] }, links: [{ type: 'dashboards', title: 'AI-First', tags: ['aifirst'], asDropdown: false, keepTime: true }], panels,
  };
}

export const fileOf = ({ uid }) => `${uid}.json`;
export const textOf = dashboard => `${JSON.stringify(dashboardJson(dashboard), null, 2)}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(fileURLToPath(new URL('.', import.meta.url)), 'dashboards');
  mkdirSync(folder, { recursive: true });
  for (const dashboard of DASHBOARDS) writeFileSync(join(folder, fileOf(dashboard)), textOf(dashboard));
}

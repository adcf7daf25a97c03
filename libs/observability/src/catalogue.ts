/**
 * Everything that `/metrics` shows, in one place: what records it, the dashboards, the alerts and docs/operations.md all take their names from here.
 * Label values are bounded: statuses, codes, capabilities, topics and consumers are ours, agents are counted apart up to `AGENTS_MAX`.
 */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  readonly description: string;
  readonly labels: readonly string[];
}

/** Agents with a series of their own; all others are counted together as `other`. */
export const AGENTS_MAX = 100;
export const OTHER = 'other';

/**
 * An intent's way, cut where one service hands over to the next. Each stage's end is the next one's beginning, so that a step's stages add
 * up to its time: what is missing is waiting for locks, people or earlier steps.
 */
export const STAGES = {
  /** The gateway's acceptance, to the orchestrator's first record of the workflow. */
  intake: 'from acceptance to the workflow\'s first fact',
  /** The question to policy recorded, to its decision recorded. */
  decision: 'from a question to policy to its decision',
  /** A step's start recorded, to the adapter's beginning. */
  dispatch: 'from a step\'s start to the adapter\'s beginning',
  /** The adapter's touching of the target alone: execute, undo and probe. */
  act: 'at the target',
  /** The adapter's end, to the outcome recorded by the orchestrator. */
  report: 'from the adapter\'s end to the recorded outcome',
  /** An undo's start recorded, to what came of it. */
  undo: 'from an undo\'s start to what came of it',
} as const;
export type Stage = keyof typeof STAGES;

const counter = (name: string, description: string, ...labels: string[]): MetricDefinition => ({ name, kind: 'counter', description, labels });
const gauge = (name: string, description: string, ...labels: string[]): MetricDefinition => ({ name, kind: 'gauge', description, labels });
const histogram = (name: string, description: string, ...labels: string[]): MetricDefinition => ({ name, kind: 'histogram', description, labels });

export const COUNTERS = {
  workflows: counter('aifirst_workflows_total', 'Workflows that ended or parked, by status', 'status'),
  steps: counter('aifirst_steps_total', 'Steps that were settled, by capability and status', 'capability', 'status'),
  decisions: counter('aifirst_decisions_total', 'Policy decisions, by outcome', 'decision'),
  agentWorkflows: counter('aifirst_agent_workflows_total', `Workflows that ended or parked, by agent (the first ${AGENTS_MAX}, then \`${OTHER}\`) and status`, 'agent', 'status'),
  requests: counter('aifirst_http_requests_total', 'HTTP answers, by route, method and status', 'method', 'route', 'status'),
  deadLetters: counter('aifirst_dead_letters_total', 'Messages parked, by consumer', 'consumer'),
  ignored: counter('aifirst_inputs_ignored_total', 'Inputs that came too late or too early, by kind', 'kind'),
  recordsRefused: counter('aifirst_records_refused_total', 'Records from outside that were refused (unsigned, forged, stale, unreadable), by topic and code', 'topic', 'code'),
} as const satisfies Record<string, MetricDefinition>;

export const HISTOGRAMS = {
  workflowDuration: histogram('aifirst_workflow_duration_seconds', 'From acceptance to the end', 'status'),
  stepDuration: histogram('aifirst_step_duration_seconds', 'From start to outcome', 'capability', 'status'),
  stageDuration: histogram('aifirst_stage_duration_seconds', 'Time in one stage of an intent\'s way', 'stage'),
} as const satisfies Record<string, MetricDefinition>;

export const GAUGES = {
  consumerLag: gauge('aifirst_consumer_lag', 'Messages known to wait, by consumer and where the bus knows it by topic', 'consumer', 'topic'),
  queueDepth: gauge('aifirst_queue_depth', 'What waits for its turn, by queue', 'queue'),
  auditLag: gauge('aifirst_audit_lag', 'Facts that are not in a log yet'),
  openWorkflows: gauge('aifirst_open_workflows', 'Workflows that have not ended'),
  parkedWorkflows: gauge('aifirst_parked_workflows', 'Workflows that wait for a person, by status', 'status'),
  deadLettersParked: gauge('aifirst_dead_letters_parked', 'Messages that are parked now, by service', 'service'),
  relayLag: gauge('aifirst_relay_lag', 'Rows that are committed but not on Kafka yet, by source', 'source'),
  activeWriter: gauge('aifirst_active_writer', '1 where this copy writes the log, 0 where it stands by', 'log'),
} as const satisfies Record<string, MetricDefinition>;

/** Of the process itself, under the names that are usual for them; `Metrics` has them by itself. */
export const PROCESS = {
  memory: gauge('process_resident_memory_bytes', 'Memory that the process holds'),
  cpu: counter('process_cpu_seconds_total', 'Processor time, user and system'),
  startedAt: gauge('process_start_time_seconds', 'When the process began, in seconds since 1970'),
  eventLoop: gauge('nodejs_eventloop_utilization', 'Share of the time since the scrape before in which the event loop was busy'),
} as const satisfies Record<string, MetricDefinition>;

export const CATALOGUE: readonly MetricDefinition[] = [COUNTERS, HISTOGRAMS, GAUGES, PROCESS].flatMap(group => Object.values(group) as MetricDefinition[]);

import type { JournalHooks } from '@aifirst/execution';
import type { AnsweredCall, GatewayLogger, IntentOutcome } from '@aifirst/api';
import type { MessageBus } from '@aifirst/bus';
import { eventType, INTENT_TOPICS, type CloudEvent, type Direction, type PlanDecided } from '@aifirst/contracts';
import type { Logger, Metrics, SpanName, Stage, Tracing } from '@aifirst/observability';
import type { OrchestratorTelemetry } from '@aifirst/orchestration';
import { systemClock } from './clock';
import { subscribing } from './subscribing';

const SETTLED: Readonly<Record<string, string>> = {
  StepSucceeded: 'succeeded', StepFailed: 'failed', StepUnknown: 'unknown', StepSkipped: 'skipped', StepUndone: 'undone', StepUndoBlocked: 'undoBlocked', StepUndoSkipped: 'undoSkipped',
};
const UNDO_SETTLED: readonly string[] = ['StepUndone', 'StepUndoBlocked', 'StepUndoSkipped'];
const PARKED: Readonly<Record<string, string>> = { WorkflowPaused: 'paused', RollbackParked: 'rollbackBlocked' };

/**
 * The spans of a workflow's trace: the call or record that brought the intent, below it the workflow, below that each
 * question with policy's deciding, each step with the adapter's acts, and audit's folding. Each service makes the id of the
 * span above from what it knows of the workflow anyway, so that nothing has to be carried.
 */
const SPANS = {
  workflow: (workflow: string): SpanName => ['workflow', workflow],
  question: (workflow: string, question: number): SpanName => ['question', workflow, question],
  step: (workflow: string, index: number, generation: number, direction: Direction): SpanName => ['step', workflow, index, generation, direction],
};

/** Counts what workflows do, and records their way as spans. */
export const orchestratorTelemetry = (metrics: Metrics, tracing: Tracing): OrchestratorTelemetry => ({
  fact(fact, workflow, at, before) {
    if (tracing.enabled) recordFact(tracing, fact, workflow, at, before);
    const settled = SETTLED[fact.name];
    if (settled !== undefined && 'index' in fact) {
      const { capability } = workflow.start.steps[fact.index]!;
      metrics.steps.add(1, { capability, status: settled });
      const isUndo = UNDO_SETTLED.includes(fact.name);
      const startedAt = startOf(workflow, fact.index, isUndo ? 'undo' : 'forward', before);
      if (startedAt !== undefined) {
        metrics.stepDuration.record((at - startedAt) / 1000, { capability, status: settled });
        if (isUndo) metrics.stage('undo', startedAt, at);
      }
    }
    if (fact.name === 'PolicyDecided') {
      const askedAt = askedAtOf(fact.question, workflow, before);
      if (askedAt !== undefined) metrics.stage('decision', askedAt, at);
    }
    const parked = PARKED[fact.name];
    if (parked !== undefined) metrics.workflow(parked, workflow.start.agent.id);
    if (fact.name === 'WorkflowEnded') {
      metrics.workflow(fact.status, workflow.start.agent.id);
      metrics.workflowDuration.record((at - workflow.createdAt) / 1000, { status: fact.status });
    }
  },
  ignored(kind) { metrics.ignored.add(1, { kind }); },
});

type Fact = Parameters<OrchestratorTelemetry['fact']>[0];
type Workflow = Parameters<OrchestratorTelemetry['fact']>[1];

// Why before first: what a decision or an outcome settles, it takes out of the state.
const askedAtOf = (question: number, workflow: Workflow, before: Workflow | null): number | undefined =>
  [before, workflow].flatMap(state => state?.steps.find(({ asked }) => asked === question)?.askedAt ?? [])[0];
const startOf = (workflow: Workflow, index: number, direction: Direction, before: Workflow | null): number | undefined =>
  [before, workflow].flatMap(state => (direction === 'undo' ? state?.steps[index]?.undo?.startedAt : state?.steps[index]?.startedAt) ?? [])[0];

/** Its rollback was ordered, not decided by a failure of its own. */
const isOrdered = (workflow: Workflow | null): boolean => workflow?.rollback?.code === 'REQUESTED';

function recordFact(tracing: Tracing, fact: Fact, workflow: Workflow, at: number, before: Workflow | null): void {
  const { id, traceparent } = workflow;
  const attributes = { 'aifirst.workflow': id };
  const whole = (status: string): void => { tracing.record({ name: 'workflow', traceparent, id: SPANS.workflow(id), startedAt: workflow.createdAt, endedAt: at, attributes: { ...attributes, 'aifirst.status': status } }); };
  const settled = SETTLED[fact.name];
  if (fact.name === 'PolicyDecided') {
    tracing.record({ name: 'policy decision', traceparent, id: SPANS.question(id, fact.question), parent: SPANS.workflow(id), startedAt: askedAtOf(fact.question, workflow, before) ?? at, endedAt: at, attributes: { ...attributes, 'aifirst.question': fact.question } });
  } else if (fact.name === 'RollbackStarted') {
    // Why: it is ordered also of what has ended, and has its span. Else the way up to here is told now, and the rollback apart.
    if (isOrdered(workflow) && !isOrdered(before) && before !== null && before.endedAt === null) whole(workflow.status);
  } else if (fact.name === 'WorkflowEnded') {
    if (isOrdered(workflow)) tracing.record({ name: 'rollback', traceparent, parent: SPANS.workflow(id), startedAt: workflow.rollback!.since, endedAt: at, attributes: { ...attributes, 'aifirst.status': fact.status } });
    else whole(fact.status);
  } else if ((settled !== undefined || fact.name === 'StepDidNotHappen') && 'index' in fact) {
    const direction = UNDO_SETTLED.includes(fact.name) ? 'undo' : 'forward';
    const startedAt = startOf(workflow, fact.index, direction, before);
    // Why not while it is unknown: the same step will be settled yet.
    if (startedAt === undefined || fact.name === 'StepUnknown' || !('generation' in fact)) return;
    tracing.record({
      name: `${direction === 'undo' ? 'undo' : 'step'} ${workflow.start.steps[fact.index]!.capability}`, traceparent, id: SPANS.step(id, fact.index, fact.generation, direction), parent: SPANS.workflow(id), startedAt, endedAt: at,
      attributes: { ...attributes, 'aifirst.step': fact.step, 'aifirst.status': settled ?? 'didNotHappen' },
    });
  }
}

/** Of a message: which stage of an intent's way it ends, and whether that is when it comes or when it has had its effect. */
const WAYS: ReadonlyMap<string, { readonly stage: Stage; readonly ends: 'coming' | 'effect' }> = new Map([
  [eventType('orchestration', 'StartWorkflow'), { stage: 'intake', ends: 'effect' }],
  [eventType('execution', 'StepReported'), { stage: 'report', ends: 'effect' }],
  [eventType('execution', 'ExecuteStep'), { stage: 'dispatch', ends: 'coming' }],
  [eventType('execution', 'UndoStep'), { stage: 'dispatch', ends: 'coming' }],
]);

/** A bus that measures how long messages were on their way, from their own time on. What is sent again counts from then. */
export const measuringWays = (bus: MessageBus, metrics: Pick<Metrics, 'stage'>): MessageBus => subscribing(bus, subscription => ({
  ...subscription,
  handle: async batch => {
    const begunAt = systemClock.now();
    await subscription.handle(batch);
    const endedAt = systemClock.now();
    for (const { message: { event } } of batch.deliveries) {
      const way = WAYS.get(event.type);
      if (way !== undefined) metrics.stage(way.stage, Date.parse(event.time), way.ends === 'coming' ? begunAt : endedAt);
    }
  },
}));

/** Counts decisions, and records policy's part of each question. */
export const planDecided = (metrics: Metrics, tracing: Tracing) => (decided: PlanDecided, asking?: { readonly traceparent: string | undefined; readonly startedAt: number }): void => {
  for (const { outcome } of decided.decisions) metrics.decisions.add(1, { decision: outcome });
  if (!tracing.enabled || asking === undefined) return;
  tracing.record({
    name: 'decide plan', traceparent: asking.traceparent, parent: SPANS.question(decided.workflow, decided.question), startedAt: asking.startedAt, endedAt: systemClock.now(),
    attributes: { 'aifirst.workflow': decided.workflow, 'aifirst.question': decided.question, 'aifirst.decisions': [...new Set(decided.decisions.map(({ outcome }) => outcome))].join(' ') },
  });
};

const ENDED = eventType('workflow', 'WorkflowEnded');

/** Records how long it took until a workflow's end, and with it all before, was in the audit log. */
export const folding = (tracing: Tracing) => ({ type, subject: workflow, traceparent }: CloudEvent): (() => void) | null => {
  if (type !== ENDED) return null;
  const startedAt = systemClock.now();
  return () => { tracing.record({ name: 'audit fold', traceparent, parent: SPANS.workflow(workflow), startedAt, endedAt: systemClock.now(), attributes: { 'aifirst.workflow': workflow } }); };
};

/** Spans of the acts themselves, where the target is touched. */
export const journalHooks = (metrics: Metrics, tracing: Tracing, onFatal: (error: unknown) => void): JournalHooks => ({
  onFatal,
  onRefused: code => { metrics.ignored.add(1, { kind: code }); },
  onAct: ({ durationMs }) => { metrics.stage('act', 0, durationMs); },
  ...(tracing.enabled ? {
    around: async (act, run) => {
      const { command, direction, traceparent } = act.job;
      const startedAt = systemClock.now();
      let failure: string | undefined;
      try {
        return await run();
      } catch (error) {
        failure = error instanceof Error ? error.name : 'thrown';
        throw error;
      } finally {
        tracing.record({
          name: `${act.name} ${command.capability}`, traceparent, parent: SPANS.step(command.workflow, command.index, command.generation, direction), startedAt, endedAt: systemClock.now(), error: failure,
          attributes: { 'aifirst.adapter': act.adapter, 'aifirst.workflow': command.workflow, 'aifirst.step': command.step, 'aifirst.attempt': command.attempt },
        });
      }
    },
  } satisfies JournalHooks : {}),
});

/** Libraries say what happened first and with what second; the log wants it the other way round. */
export const linesOf = (logger: Logger): GatewayLogger => ({
  info: (message, fields = {}) => { logger.info(fields, message); }, warn: (message, fields = {}) => { logger.warn(fields, message); }, error: (message, fields = {}) => { logger.error(fields, message); },
});

/** Counts answers, and records the call that began a trace as its root span. */
export const answered = (metrics: Metrics, tracing: Tracing) => ({ method, route, status, durationMs, trace }: AnsweredCall): void => {
  metrics.requests.add(1, { method, route, status: String(status) });
  if (!tracing.enabled || trace === undefined) return;
  const endedAt = systemClock.now();
  tracing.record({ name: `${method} ${route}`, traceparent: trace.own, startedAt: endedAt - durationMs, endedAt, root: { parent: trace.parent, kind: 'server' }, attributes: { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status } });
};

/** Counts what is refused, and records the taking in of a record as the root span of what it sets in motion. */
export const recordTaken = (metrics: Metrics, tracing: Tracing) => ({ outcome, code, trace, waitedMs }: IntentOutcome): void => {
  if (code !== null) metrics.recordsRefused.add(1, { topic: INTENT_TOPICS.submitted, code });
  if (!tracing.enabled || trace === undefined) return;
  const endedAt = systemClock.now();
  tracing.record({
    name: `process ${INTENT_TOPICS.submitted}`, traceparent: trace.own, startedAt: endedAt - waitedMs, endedAt, root: { parent: trace.parent, kind: 'consumer' }, error: code ?? undefined,
    attributes: { 'messaging.system': 'kafka', 'messaging.operation.type': 'process', 'messaging.destination.name': INTENT_TOPICS.submitted, 'aifirst.outcome': outcome },
  });
};

/** Whoever can write to a topic must not be able to fill the disk with our lines. */
const REFUSED_TOLD_EVERY_MS = 1_000;
const CODE = /^[A-Z_]{1,40}$/;

/** Counts every record on our topics that is not from a service, and tells of the first of each topic and code in a second. */
export const recordRefused = (metrics: Metrics, logger: Pick<Logger, 'warn'>) => {
  const toldAt = new Map<string, number>();
  return ({ topic, partition, offset, reason }: { readonly topic: string; readonly partition: number; readonly offset: number; readonly reason: string }): void => {
    const code = CODE.test(reason) ? reason : 'UNREADABLE';
    metrics.recordsRefused.add(1, { topic, code });
    const [now, name] = [systemClock.now(), `${topic} ${code}`];
    if (now - (toldAt.get(name) ?? -Infinity) < REFUSED_TOLD_EVERY_MS) return;
    toldAt.set(name, now);
    logger.warn({ topic, partition, offset, reason }, 'a record was refused');
  };
};

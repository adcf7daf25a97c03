import type { JournalHooks } from '@aifirst/execution';
import type { AnsweredCall, GatewayLogger } from '@aifirst/api';
import type { Logger, Metrics, Tracing } from '@aifirst/observability';
import type { OrchestratorTelemetry } from '@aifirst/orchestration';
import { systemClock } from './clock';

const SETTLED: Readonly<Record<string, string>> = {
  StepSucceeded: 'succeeded', StepFailed: 'failed', StepUnknown: 'unknown', StepSkipped: 'skipped', StepUndone: 'undone', StepUndoBlocked: 'undoBlocked',
};
const PARKED: Readonly<Record<string, string>> = { WorkflowPaused: 'paused', RollbackParked: 'rollbackBlocked' };

/** Counts what workflows do, and records their way as spans. */
export const orchestratorTelemetry = (metrics: Metrics, tracing: Tracing): OrchestratorTelemetry => ({
  fact(fact, workflow, at) {
    const settled = SETTLED[fact.name];
    if (settled !== undefined && 'index' in fact) {
      const { capability } = workflow.start.steps[fact.index]!;
      metrics.steps.add(1, { capability, status: settled });
      const startedAt = settled === 'undone' || settled === 'undoBlocked' ? workflow.steps[fact.index]!.undo?.startedAt : workflow.steps[fact.index]!.startedAt;
      if (typeof startedAt === 'number') {
        metrics.stepDuration.record((at - startedAt) / 1000, { capability, status: settled });
        if (settled === 'undone' || settled === 'undoBlocked') metrics.stage('undo', startedAt, at);
        if (tracing.enabled) tracing.record({ name: `step ${capability}`, traceparent: workflow.traceparent, startedAt, endedAt: at, attributes: { 'aifirst.workflow': workflow.id, 'aifirst.step': fact.step, 'aifirst.status': settled } });
      }
    }
    if (fact.name === 'PolicyDecided') {
      const askedAt = workflow.steps.find(({ asked }) => asked === fact.question)?.askedAt;
      if (typeof askedAt === 'number') metrics.stage('decision', askedAt, at);
    }
    const parked = PARKED[fact.name];
    if (parked !== undefined) metrics.workflow(parked, workflow.start.agent.id);
    if (fact.name === 'WorkflowEnded') {
      metrics.workflow(fact.status, workflow.start.agent.id);
      metrics.workflowDuration.record((at - workflow.createdAt) / 1000, { status: fact.status });
    }
    if (tracing.enabled && (fact.name === 'WorkflowEnded' || fact.name === 'PolicyDecided')) {
      tracing.record({
        name: fact.name === 'WorkflowEnded' ? 'workflow' : 'policy decision', traceparent: workflow.traceparent, startedAt: fact.name === 'WorkflowEnded' ? workflow.createdAt : at, endedAt: at,
        attributes: { 'aifirst.workflow': workflow.id, 'aifirst.status': fact.name === 'WorkflowEnded' ? fact.status : workflow.status },
      });
    }
  },
  ignored(kind) { metrics.ignored.add(1, { kind }); },
});

/** Spans of the acts themselves, where the target is touched. */
export const journalHooks = (metrics: Metrics, tracing: Tracing, onFatal: (error: unknown) => void): JournalHooks => ({
  onFatal,
  onRefused: code => { metrics.ignored.add(1, { kind: code }); },
  onAct: ({ durationMs }) => { metrics.stage('act', 0, durationMs); },
  ...(tracing.enabled ? {
    around: async (act, run) => {
      const startedAt = systemClock.now();
      try {
        return await run();
      } finally {
        tracing.record({
          name: `${act.name} ${act.job.command.capability}`, traceparent: act.job.traceparent, startedAt, endedAt: systemClock.now(),
          attributes: { 'aifirst.adapter': act.adapter, 'aifirst.workflow': act.job.command.workflow, 'aifirst.step': act.job.command.step },
        });
      }
    },
  } satisfies JournalHooks : {}),
});

/** The gateway says what happened first and with what second; the log wants it the other way round. */
export const gatewayLogger = (logger: Logger): GatewayLogger => {
  const own = logger.child({ part: 'gateway' });
  return { info: (message, fields = {}) => own.info(fields, message), warn: (message, fields = {}) => own.warn(fields, message), error: (message, fields = {}) => own.error(fields, message) };
};

/** Counts answers, and records the call that began a trace as its root span. */
export const answered = (metrics: Metrics, tracing: Tracing) => ({ method, route, status, durationMs, trace }: AnsweredCall): void => {
  metrics.requests.add(1, { method, route, status: String(status) });
  if (!tracing.enabled || trace === undefined) return;
  const endedAt = systemClock.now();
  tracing.record({ name: `${method} ${route}`, traceparent: trace.own, startedAt: endedAt - durationMs, endedAt, root: { parent: trace.parent }, attributes: { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status } });
};

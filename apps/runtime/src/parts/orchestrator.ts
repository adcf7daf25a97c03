import { CALM_PACE, LOSSY_PACE, Orchestrator, OrchestratorService, SharedLocks, type LockLog, type PolledControl } from '@aifirst/orchestration';
import type { Log } from '@aifirst/store';
import { systemClock, systemIds } from '../clock';
import type { Ground, Measured } from '../ground';
import { measuringWays, orchestratorTelemetry } from '../measuring';

const PARKED = ['paused', 'rollbackBlocked'];

export interface OrchestratorPart {
  readonly orchestrator: Orchestrator;
  /** Reads what is open, then goes on with it. */
  begin(): Promise<void>;
  ready(): boolean;
  lags(): Measured[];
  depths(): Measured[];
  /** Open workflows that wait for a person, by status. */
  parked(): Measured[];
}

/** @param shared where locks are shared with other shards, absent: there are none */
export function makeOrchestrator(ground: Ground, log: Log, control: PolledControl, shared?: { readonly lockLog: LockLog; readonly shard: number }): OrchestratorPart {
  const { databases, query, metrics, tracing, bus, logger, ends } = ground;
  const orchestrator = new Orchestrator({
    log, clock: systemClock, chance: () => systemIds.chance(), control, sharedCluster: databases.shared,
    // Why: in one process nothing is lost on the way.
    resend: databases.shared ? CALM_PACE : LOSSY_PACE,
    ...(shared && { locks: new SharedLocks({ log: shared.lockLog, shard: shared.shard, epoch: log.epoch, clock: systemClock, onFatal: ground.fatal('locks') }) }),
    telemetry: orchestratorTelemetry(metrics, tracing), onFatal: ground.fatal('orchestrator'),
    onDefect: (workflow, error, traceparent) => logger.error({ workflow, traceparent, err: error }, 'a workflow can not go on'),
  });
  const service = new OrchestratorService(orchestrator, log, measuringWays(bus, metrics), query);
  let isReady = false;
  return {
    orchestrator,
    async begin() {
      await service.start();
      ends.push(() => service.stop());
      isReady = true;
    },
    ready: () => isReady,
    lags: () => [[service.lag(), { consumer: 'orchestrator.workflows' }]],
    depths: () => [[orchestrator.queueDepth, { queue: 'orchestrator.inputs' }]],
    parked: () => { const all = orchestrator.openStatuses(); return PARKED.map(status => [all.filter(one => one === status).length, { status }] as const); },
  };
}

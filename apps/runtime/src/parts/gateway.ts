import { createGateway, PostgresWorkflowViews, type Gateway, type GatewayDeps } from '@aifirst/api';
import type { Log } from '@aifirst/store';
import type { PostgresVault } from '@aifirst/vault';
import { systemClock, systemIds } from '../clock';
import { schemaName } from '../database';
import { VERSION, type Ground, type Measured } from '../ground';
import { answered, linesOf } from '../measuring';

export interface GatewayPart {
  readonly gateway: Gateway;
  readonly views: PostgresWorkflowViews;
  lags(): Measured[];
  depths(): Measured[];
}

export interface GatewayParts {
  readonly log: Log;
  readonly vault: PostgresVault;
  readonly adminToken: string;
  readonly readiness: GatewayDeps['readiness'];
  /** Where intents are published besides. */
  readonly intentTopic?: GatewayDeps['intentTopic'];
  readonly trustsForwarded?: boolean;
}

/** Ready to listen. */
export async function makeGateway(ground: Ground, { log, vault, adminToken, readiness, intentTopic, trustsForwarded }: GatewayParts): Promise<GatewayPart> {
  const { bus, query, stores, config, logger, metrics, tracing, ends } = ground;
  const views = new PostgresWorkflowViews({ connection: stores.connection('gateway'), schema: schemaName('gateway'), store: stores.store('gateway') });
  ends.push(() => views.close());
  const gateway = await createGateway({
    log, views, bus, query, vault, clock: systemClock, ids: systemIds, adminToken, version: VERSION, logger: linesOf(logger.child({ part: 'gateway' })), metrics: () => metrics.render(),
    historyDays: config.historyDays, idempotencyDays: config.idempotencyDays, onAnswered: answered(metrics, tracing), readiness, trustsForwarded: trustsForwarded ?? false, mcpOrigins: config.mcpOrigins, ...(intentTopic && { intentTopic }),
  });
  ends.push(() => gateway.close());
  return {
    gateway, views,
    lags: () => [[gateway.projection.lag(), { consumer: 'gateway.views' }], ...(intentTopic === undefined ? [] : [[gateway.intentTopic?.lag() ?? 0, { consumer: 'gateway.intents' }] as const])],
    depths: () => [[gateway.queueDepth(), { queue: 'gateway.intake' }]],
  };
}

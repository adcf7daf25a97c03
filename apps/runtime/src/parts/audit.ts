import { AuditService } from '@aifirst/audit';
import type { Feed } from '@aifirst/bus';
import { systemClock } from '../clock';
import { schemaName } from '../database';
import type { Ground } from '../ground';
import { folding } from '../measuring';

export interface AuditParts {
  readonly key: Buffer;
  readonly feeds: () => Iterable<Feed>;
  /** `here`: without a thread of its own, which needs the compiled code. */
  readonly thread: 'worker' | 'here';
}

/** Folds as soon as this resolves. */
export async function startAudit(ground: Ground, { key, feeds, thread }: AuditParts): Promise<AuditService> {
  const { bus, query, stores, config, logger, ends } = ground;
  const audit = new AuditService({
    bus, query, feeds, connection: stores.connection('audit'), schema: schemaName('audit'), deployment: config.deployment, key, clock: systemClock, thread,
    onGap: gap => logger.warn({ part: 'audit', ...gap }, 'facts are missing and have been asked for'),
    onDefect: detail => logger.error({ part: 'audit' }, detail),
    ...(ground.tracing.enabled ? { watch: folding(ground.tracing) } : {}),
    onRetrying: error => logger.warn({ part: 'audit', err: error }, 'folding is tried again'),
    // Why: audit being down never stops effects; but two must not fold, and what was replaced has to go.
    onEnded: error => { if ((error as { code?: string }).code === 'FENCED') ground.fatal('audit')(error); else logger.error({ part: 'audit', err: error }, 'nothing is folded any more: the service is not ready until it is started anew'); },
  });
  await audit.start();
  ends.push(() => audit.stop());
  return audit;
}

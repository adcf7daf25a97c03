import type { CapabilityDescriptor } from '@aifirst/contracts';
import { PolicyModule, PolicyService, WasmCedarEngine } from '@aifirst/policy';
import type { Log } from '@aifirst/store';
import { digestOf, sealLease } from '@aifirst/vault';
import { systemClock, systemIds } from '../clock';
import type { Ground, Measured } from '../ground';
import { planDecided } from '../measuring';

export interface PolicyPart { lags(): Measured[] }

/** Answers and decides as soon as this resolves. @param capabilities what adapters offer, as far as is known */
export async function startPolicy({ bus, query, databases, metrics, tracing, serviceKey, ends }: Ground, log: Log, capabilities: () => readonly CapabilityDescriptor[]): Promise<PolicyPart> {
  const policy = new PolicyService({
    log, engine: new WasmCedarEngine(), capabilities, clock: systemClock, ids: systemIds,
    digest: digestOf, seal: fields => sealLease(serviceKey, fields), durableDecisions: !databases.shared,
    onDecided: planDecided(metrics, tracing),
  });
  const module = new PolicyModule(policy, log, bus, query);
  await module.start();
  ends.push(() => module.stop());
  return { lags: () => [[module.lag(), { consumer: 'policy.decisions' }]] };
}

import type { CapabilityDescriptor, PlanDecided, SealedFields } from '@aifirst/contracts';
import type { Clock, Ids, Json } from '@aifirst/kernel';
import type { Batch } from '@aifirst/bus';
import type { Log } from '@aifirst/store';
import type { CedarEngine } from '../domain/cedar-engine';
import { Evaluator } from '../domain/evaluator';
import { Controls } from './controls';
import { DecidePlans, type Deciding } from './decide-plans';
import { Policies } from './policies';
import { PolicyStore } from './policy-store';
import { Roles } from './roles';

export interface PolicyServiceOptions {
  /** The policy service's own, opened: `store.open({ log: 'policy', shard: 0, … })`. */
  readonly log: Log;
  readonly engine: CedarEngine;
  /** All that adapters offer, asked at each administrative write. */
  capabilities(): readonly CapabilityDescriptor[];
  readonly clock: Pick<Clock, 'now'>;
  readonly ids: Pick<Ids, 'uuid'>;
  /** `digestOf` and `sealLease` of the vault, the latter under the service key. */
  digest(value: Json): string;
  seal(fields: SealedFields): string;
  /** Decisions wait for the disk. Default true; false only where a later durable commit of the same cluster comes before anybody is told. Administrative writes always do. */
  readonly durableDecisions?: boolean;
  /** After each decision is stored, for metrics. Must not throw. */
  onDecided?(decided: PlanDecided, asking?: Deciding): void;
}

/** Decides plans, and keeps what decisions rest on. Administrative writes hold for the next decision once they are answered. */
export class PolicyService {
  readonly roles: Roles;
  readonly policies: Policies;
  readonly controls: Controls;
  readonly decisions: DecidePlans;
  private readonly store: PolicyStore;

  constructor(options: PolicyServiceOptions) {
    const { log, engine, clock, ids, digest, seal, onDecided } = options;
    const capabilities = () => options.capabilities();
    const evaluator = new Evaluator(engine);
    this.store = new PolicyStore(log, engine, evaluator, digest, ids, () => clock.now());
    this.roles = new Roles(this.store, capabilities);
    this.policies = new Policies(this.store, capabilities, digest);
    this.controls = new Controls(this.store);
    this.decisions = new DecidePlans(this.store, { evaluator, digest, seal, durable: options.durableDecisions ?? true, ...(onDecided === undefined ? {} : { onDecided }) });
  }

  /** Reads everything into memory. @throws OperationalError `POLICY_UNREADABLE` (an active policy can't be read: nothing is decided without it) */
  start(): Promise<void> { return this.store.serially(async () => undefined); }

  /** Resolves when what was under way is stored. */
  stop(): Promise<void> { return this.store.idle(); }

  /** The bus handler of `TOPICS.decisionCommands`. */
  handle(batch: Batch): Promise<void> {
    return this.decisions.handle(batch.deliveries.map(({ message }) => message.event), batch.positions);
  }
}

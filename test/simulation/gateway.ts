import { againOf, WorkflowProjection, type WorkflowViews } from '@aifirst/api';
import { admitIntent, admitStep, canonicalDigest } from '@aifirst/admission';
import { factNumberOf, TOPICS, type CapabilityDescriptor, type Connection, type PlannedStep, type PrincipalRef, type ServiceQuery, type StartWorkflow, type WorkflowOrder } from '@aifirst/contracts';
import { invariant, OperationalError, type Json, type JsonObject } from '@aifirst/kernel';
import type { MessageBus } from '@aifirst/bus';
import { VersionConflict, type Append, type Log, type Unit } from '@aifirst/store';
import { digestOf, type Vault } from '@aifirst/vault';
import { CONNECTIONS, LOCK_BASE } from './capabilities';
import type { IntentBody } from './intents';
import type { SimProcess } from './sim-process';

export interface Submission { readonly intent: string; readonly workflow: string; readonly agent: PrincipalRef; readonly body: IntentBody; /** Its steps come one by one, and so long it may be left alone. */ readonly idleTimeoutMs?: number }

const RETRY_MS = 100;

/** How long whoever gave an order waits for it to show. */
const ORDER_MS = 5_000;

export interface GatewayParts {
  readonly process: SimProcess;
  readonly log: Log;
  readonly bus: MessageBus;
  readonly query: ServiceQuery;
  readonly views: WorkflowViews;
  readonly vault: Vault;
  readonly capabilities: readonly CapabilityDescriptor[];
  /** Who watches a workflow was told of its facts out of order, or not of all. */
  readonly onHole: (what: string) => void;
}

/** What the gateway does of its own: admits, seals, stores, answers for connections, and shows workflows as they are. */
export class GatewayLife {
  readonly process: SimProcess;
  readonly query: ServiceQuery;
  private readonly log: Log;
  private readonly projection: WorkflowProjection;
  private readonly watching = new Set<string>();
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: GatewayParts) {
    const { process, log, bus, query, views } = parts;
    this.process = process;
    this.query = query;
    this.log = log;
    query.answer('gateway', 'connection', ({ tenant, name }: { tenant: string; name: string }) => connectionOf(tenant, name));
    this.projection = new WorkflowProjection({
      views: ownViews(process, views), bus, log, clock: process.clock, neighbours: { ask: (service, question, body) => query.ask(service, question, body) },
      logger: { info: () => {}, warn: () => {}, error: () => {} },
      sendAgain: async intents => {
        const rows = await log.readStreams(intents);
        for (const intent of intents) {
          const append = againOf(rows.filter(row => row.stream === intent));
          if (append !== null) await this.append(append);
        }
      },
    });
  }

  start(): Promise<void> { return this.projection.start(); }

  /** As somebody with a live stream would. */
  private watch(workflow: string): void {
    if (this.watching.has(workflow)) return;
    this.watching.add(workflow);
    let last = 0;
    this.projection.watch(workflow, event => {
      const number = factNumberOf(event) ?? 0;
      if (number !== last + 1 && last > 0) this.parts.onHole(`${workflow} is told of fact ${number} after fact ${last}`);
      last = number;
    });
  }

  /** Resolves when it is durable, whatever became of earlier tries. */
  async submit(submission: Submission): Promise<void> {
    const { intent, workflow } = submission;
    const start = await this.startOf(submission);
    // Why not all: who is watched is looked after sooner.
    if (workflow.charCodeAt(workflow.length - 1) % 2 === 0) this.watch(workflow);
    await this.append({
      tenant: start.agent.tenant, stream: intent, version: 1, key: intent, state: { workflow, digest: start.digest },
      messages: [
        this.draft(start, TOPICS.intentEvents, start.agent.id, 'aifirst.intent.accepted.v1', intent, { workflowId: workflow, intentId: intent, agent: start.agent.id }),
        this.draft(start, TOPICS.workflowCommands, workflow, 'aifirst.orchestration.start-workflow.v1', workflow, start as unknown as JsonObject),
      ],
    });
  }

  async order(workflow: string, by: PrincipalRef, order: WorkflowOrder): Promise<void> {
    await this.projection.ordered(by.tenant, workflow, () => this.query.ask('orchestrator', 'order', { tenant: by.tenant, workflow, by, order }), ORDER_MS);
  }

  /** A step of an interactive transaction, answered when it is durable. */
  async addStep({ workflow, agent }: Submission, body: IntentBody['steps'][number]): Promise<void> {
    const admission = admitStep(body, this.context(agent));
    invariant(admission.ok, `a made-up step is refused: ${admission.ok ? '' : JSON.stringify(admission.problems)}`);
    const { after: _, ...step } = await this.sealed(agent, workflow, admission.plan);
    await this.order(workflow, agent, { order: 'addStep', step: { ...step, digest: canonicalDigest(admission.step), restsOn: admission.restsOn } });
  }

  private context(agent: PrincipalRef): Parameters<typeof admitIntent>[1] {
    return { capabilities: name => this.parts.capabilities.find(capability => capability.name === name), connections: name => connectionOf(agent.tenant, name) ?? undefined };
  }

  private async sealed(agent: PrincipalRef, workflow: string, step: PlannedStep): Promise<PlannedStep> {
    const { inputSchema } = this.parts.capabilities.find(({ name }) => name === step.capability)!;
    const input = await this.parts.vault.sealFields({ tenant: agent.tenant, workflow }, inputSchema, step.input) as JsonObject;
    return { ...step, input, ...(step.connection === null ? {} : { lockBase: LOCK_BASE }) };
  }

  private async startOf({ intent, workflow, agent, body, idleTimeoutMs }: Submission): Promise<StartWorkflow> {
    const admission = admitIntent(body, this.context(agent));
    invariant(admission.ok, `a made-up intent is refused: ${admission.ok ? '' : JSON.stringify(admission.problems)}`);
    const { goal, mode, onFailure, deadlineMs, labels } = admission.intent;
    if (idleTimeoutMs !== undefined) return { workflow, intent, agent, goal, mode, onFailure: 'rollback', deadlineMs, labels, digest: canonicalDigest(admission.intent), steps: [], interactive: { idleTimeoutMs } };
    const steps: PlannedStep[] = [];
    for (const step of admission.plan) steps.push(await this.sealed(agent, workflow, step));
    return { workflow, intent, agent, goal, mode, onFailure, deadlineMs, labels, digest: canonicalDigest(admission.intent), steps };
  }

  private draft(start: StartWorkflow, topic: string, key: string, type: string, subject: string, data: JsonObject): Append['messages'][number] {
    return { topic, key, id: this.process.ids.uuid(), type, time: new Date(this.process.clock.now()).toISOString(), subject, tenant: start.agent.tenant, data };
  }

  /** One commit at a time; one whose fate is unknown again until it is known. */
  private append(append: Append): Promise<void> {
    const unit: Unit = { appends: [append] };
    const done = this.tail.then(async () => {
      for (;;) {
        try {
          await this.log.commit(unit);
          return;
        } catch (error) {
          if (error instanceof VersionConflict) return;
          if (!(error instanceof OperationalError && error.retryable)) throw error;
          await new Promise<void>(resolve => { this.process.clock.after(RETRY_MS, resolve); });
        }
      }
    });
    this.tail = done.catch(() => undefined);
    return done;
  }
}

/** The views as this process has them. */
const ownViews = (process: SimProcess, views: WorkflowViews): WorkflowViews => ({
  positions: () => process.guard(() => views.positions()),
  save: (rows, positions) => process.guard(() => views.save(rows, positions)),
  read: ids => process.guard(() => views.read(ids)),
  open: (after, limit) => process.guard(() => views.open(after, limit)),
  doubt: ids => process.guard(() => views.doubt(ids)),
  find: (tenant, id) => process.guard(() => views.find(tenant, id)),
  touching: filter => process.guard(() => views.touching(filter)),
  list: filter => process.guard(() => views.list(filter)),
  forget: before => process.guard(() => views.forget(before)),
  close: () => views.close(),
});

const CONFIGS = new Map<string, Connection>();
function connectionOf(tenant: string, name: string): Connection | null {
  if (!(CONNECTIONS as readonly string[]).includes(name)) return null;
  const id = `${tenant}/${name}`;
  let connection = CONFIGS.get(id);
  if (connection === undefined) {
    connection = { tenant, name, adapter: 'os', config: { root: LOCK_BASE }, secretRefs: {}, labels: {}, revision: 1, digest: digestOf([tenant, name] as unknown as Json) };
    CONFIGS.set(id, connection);
  }
  return connection;
}

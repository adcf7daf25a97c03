import { admitIntent, canonicalDigest } from '@aifirst/admission';
import { TOPICS, type CapabilityDescriptor, type Connection, type PlannedStep, type PrincipalRef, type ServiceQuery, type StartWorkflow, type WorkflowOrder } from '@aifirst/contracts';
import { invariant, OperationalError, type Json, type JsonObject } from '@aifirst/kernel';
import { VersionConflict, type Append, type Log, type Unit } from '@aifirst/store';
import { digestOf, type Vault } from '@aifirst/vault';
import { CONNECTIONS, LOCK_BASE } from './capabilities';
import type { IntentBody } from './intents';
import type { SimProcess } from './sim-process';

export interface Submission { readonly intent: string; readonly workflow: string; readonly agent: PrincipalRef; readonly body: IntentBody }

const RETRY_MS = 100;

/** What the gateway does of its own, as far as the others can tell: admits, seals, stores, and answers for connections. */
export class GatewayLife {
  private tail: Promise<unknown> = Promise.resolve();

  constructor(readonly process: SimProcess, private readonly log: Log, readonly query: ServiceQuery, private readonly capabilities: readonly CapabilityDescriptor[], private readonly vault: Vault) {
    query.answer('gateway', 'connection', ({ tenant, name }: { tenant: string; name: string }) => connectionOf(tenant, name));
  }

  /** Resolves when it is durable, whatever became of earlier tries. */
  async submit(submission: Submission): Promise<void> {
    const { intent, workflow } = submission;
    const start = await this.startOf(submission);
    await this.append({
      tenant: start.agent.tenant, stream: intent, version: 1, key: intent, state: { workflow, digest: start.digest },
      messages: [
        this.draft(start, TOPICS.intentEvents, start.agent.id, 'aifirst.intent.accepted.v1', intent, { workflowId: workflow, intentId: intent, agent: start.agent.id }),
        this.draft(start, TOPICS.workflowCommands, workflow, 'aifirst.orchestration.start-workflow.v1', workflow, start as unknown as JsonObject),
      ],
    });
  }

  /** Sends the command again: the bus may have lost it. */
  async remind(submission: Submission): Promise<void> {
    const start = await this.startOf(submission);
    await this.append({
      tenant: start.agent.tenant, stream: this.process.ids.uuid(), version: 1,
      messages: [this.draft(start, TOPICS.workflowCommands, start.workflow, 'aifirst.orchestration.start-workflow.v1', start.workflow, start as unknown as JsonObject)],
    });
  }

  async order(workflow: string, by: PrincipalRef, order: WorkflowOrder): Promise<void> {
    await this.query.ask('orchestrator', 'order', { tenant: by.tenant, workflow, by, order });
  }

  private async startOf({ intent, workflow, agent, body }: Submission): Promise<StartWorkflow> {
    const admission = admitIntent(body, { capabilities: name => this.capabilities.find(capability => capability.name === name), connections: name => connectionOf(agent.tenant, name) ?? undefined });
    invariant(admission.ok, `a made-up intent is refused: ${admission.ok ? '' : JSON.stringify(admission.problems)}`);
    const steps: PlannedStep[] = [];
    for (const step of admission.plan) {
      const { inputSchema } = this.capabilities.find(({ name }) => name === step.capability)!;
      const input = await this.vault.sealFields({ tenant: agent.tenant, workflow }, inputSchema, step.input) as JsonObject;
      steps.push({ ...step, input, ...(step.connection === null ? {} : { lockBase: LOCK_BASE }) });
    }
    const { goal, mode, onFailure, deadlineMs, labels } = admission.intent;
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

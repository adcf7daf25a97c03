import { TOPICS, type OrchestratorQuestions, type ServiceQuery, type StepDecision } from '@aifirst/contracts';
import { isUuid, Refusal } from '@aifirst/kernel';
import type { Consumer, MessageBus } from '@aifirst/bus';
import type { Log } from '@aifirst/store';
import type { Orchestrator } from '../application/orchestrator';
import { isFact } from '../application/workflow-log';

const HEADS_MAX = 500;

/** The orchestrator on its bus, and its answers to other services' questions. */
export class OrchestratorService {
  #consumer: Consumer | null = null;

  constructor(private readonly orchestrator: Orchestrator, private readonly log: Log, private readonly bus: MessageBus, private readonly query: ServiceQuery) {}

  async start(): Promise<void> {
    const started = this.orchestrator.start();
    this.#answer(started);
    await started;
    this.#consumer = await this.bus.subscribe({
      group: 'orchestrator.workflows', topics: [TOPICS.workflowCommands, TOPICS.decisionEvents, TOPICS.stepEvents],
      from: () => this.log.positions(), handle: batch => this.orchestrator.handle(batch),
    });
  }

  /** Why both at once: the batch under way may wait for a store that is away; the orchestrator gives it back. */
  async stop(): Promise<void> {
    await Promise.all([this.#consumer?.stop(), this.orchestrator.stop()]);
  }

  lag(): number { return this.#consumer?.lag() ?? 0; }

  /** @param started before that nobody knows what is open: who asks waits */
  #answer(started: Promise<void>): void {
    const { orchestrator, log, query } = this;
    const on = <K extends keyof OrchestratorQuestions>(question: K, handler: (body: OrchestratorQuestions[K][0]) => Promise<OrchestratorQuestions[K][1]> | OrchestratorQuestions[K][1]) => query.answer('orchestrator', question, handler);
    on('order', async asked => {
      await started;
      if (!isUuid(asked.workflow)) throw new Refusal({ code: 'NOT_FOUND', detail: 'there is no such workflow' });
      if (asked.order.order === 'rollback' && asked.by.kind === 'agent') {
        const decision = await query.ask<StepDecision>('policy', 'decideRollback', { tenant: asked.tenant, workflow: asked.workflow, by: asked.by });
        if (decision.outcome !== 'allow') throw new Refusal({ code: 'FORBIDDEN', detail: decision.reason });
      }
      return orchestrator.order(asked);
    });
    on('facts', async ({ tenant, workflow, after, limit }) => {
      if (!isUuid(workflow)) return { items: [] };
      const rows = await log.readStreams([workflow]);
      const items = rows.filter(row => row.tenant === tenant).flatMap(row => row.messages.filter(isFact).map(message => message.event));
      return { items: items.filter(event => (event.sequence ?? 0) > after).slice(0, limit) };
    });
    on('workflowHeads', async ({ workflows }) => { await started; return { items: [...await orchestrator.heads(workflows.slice(0, HEADS_MAX))], lag: this.lag() }; });
    on('inUse', async asked => { await started; return { workflows: [...orchestrator.inUse(asked)] }; });
    on('locks', async ({ tenant, limit, after }) => { await started; return { items: orchestrator.locks(tenant).filter(lock => after === undefined || lock.id > after).slice(0, limit) }; });
    on('breakLock', async ({ tenant, id, by, reason }) => { await started; return orchestrator.breakLock(tenant, id, by, reason); });
  }
}

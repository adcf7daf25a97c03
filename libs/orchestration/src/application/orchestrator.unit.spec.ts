import { eventType, TOPICS, type Lease, type PlanDecided, type StartWorkflow, type StepReported } from '@aifirst/contracts';
import type { Delivery } from '@aifirst/bus';
import type { Clock, JsonObject } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { aStep, aWorkflow, TENANT, WORKFLOW } from '../testing';
import { Orchestrator } from './orchestrator';

/** An orchestrator on a store that outlives it, its time in the test's hand. */
class Stand {
  at = Date.UTC(2026, 0, 2);
  looks = 0;
  epoch: number | null = 1;
  timers: { at: number; callback: () => void }[] = [];
  readonly store = new MemoryStore({ serviceName: 'orchestrator' });
  readonly fatal: unknown[] = [];
  log!: Log;
  orchestrator!: Orchestrator;
  private position = 0;
  readonly clock: Clock = {
    now: () => this.at,
    after: (delayMs, callback) => { const timer = { at: this.at + delayMs, callback }; this.timers.push(timer); return () => { this.timers = this.timers.filter(other => other !== timer); }; },
  };

  async start(): Promise<this> {
    this.timers = [];
    this.log = await this.store.open({ log: 'orchestrator', shard: 0, owner: 'test', takeOver: true });
    this.orchestrator = new Orchestrator({
      log: this.log, clock: this.clock, chance: () => 0.5, sharedCluster: false, onFatal: error => { this.fatal.push(error); }, onDefect: (_, error) => { this.fatal.push(error); },
      control: { control: () => { this.looks++; return { epoch: this.epoch, hold: null }; }, onChange: () => () => undefined },
    });
    await this.orchestrator.start();
    await settled();
    return this;
  }

  async pass(ms: number): Promise<void> {
    const until = this.at + ms;
    for (;;) {
      const next = this.timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter(timer => timer !== next);
      this.at = next.at;
      next.callback();
      await settled();
    }
    this.at = until;
  }

  bring(topic: string, type: string, data: object): Promise<void> {
    const position = ++this.position;
    const delivery: Delivery = { source: 'test/0', position, message: { topic, key: WORKFLOW, event: { specversion: '1.0', id: `e${position}`, type, source: '/test', time: '', subject: WORKFLOW, tenant: TENANT, producer: 'test/0', data: data as JsonObject } } };
    return this.orchestrator.handle({ deliveries: [delivery], positions: { 'test/0': position } });
  }
  submit(start: StartWorkflow): Promise<void> { return this.bring(TOPICS.workflowCommands, eventType('orchestration', 'StartWorkflow'), start); }
  allow(question: number, generation: number): Promise<void> {
    const decided: PlanDecided = {
      workflow: WORKFLOW, question, action: 'execute', controlEpoch: 1,
      decisions: [{ step: 'a', generation, outcome: 'allow', policies: [], policyVersion: '1', reason: 'permitted', risk: { level: 'low', score: 20 }, lease: LEASE, undoLease: LEASE }],
    };
    return this.bring(TOPICS.decisionEvents, eventType('policy', 'PlanDecided'), decided);
  }
  report(report: Partial<StepReported>): Promise<void> { return this.bring(TOPICS.stepEvents, eventType('execution', 'StepReported'), { workflow: WORKFLOW, step: 'a', index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, ...report }); }
}
const settled = async (): Promise<void> => { for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve)); };

const LEASE: Lease = { policyVersion: '1', controlEpoch: 1, expiresAt: Number.MAX_SAFE_INTEGER, mac: 'mac' };
const ADMIN = { kind: 'person', id: 'admin', tenant: TENANT } as const;

it('looks once a second at what is overdue while nothing can come of it', async () => {
  const stand = await new Stand().start();
  await stand.submit(aWorkflow([aStep('a', { attemptsMax: 2 })]));
  await stand.allow(1, 1);
  await stand.report({ outcome: 'failed', error: { code: 'NO', detail: 'no', clean: true } });
  stand.epoch = null;
  const before = stand.looks;
  await stand.pass(10_000);
  expect(stand.looks - before).toBeLessThan(20);
  stand.epoch = 1;
  await stand.pass(2_000);
  expect((await stand.log.read(0, 99)).at(-1)!.messages.map(({ event }) => event.type)).toContain(eventType('workflow', 'PolicyAsked'));
});

it('carries on with a workflow that was rolled back after its end, start after start', async () => {
  const stand = await new Stand().start();
  await stand.submit(aWorkflow([aStep('a')]));
  await stand.allow(1, 1);
  await stand.report({ outcome: 'succeeded', actSequence: 1 });
  await stand.pass(6_000);
  await stand.orchestrator.order({ tenant: TENANT, workflow: WORKFLOW, by: ADMIN, order: { order: 'rollback', reason: 'after all' } });
  await stand.report({ direction: 'undo', outcome: 'blocked' });
  for (let starts = 1; starts <= 3; starts++) {
    stand.store.crash();
    await stand.start();
    // Why: whatever moves the low-water mark, so that the next start reads from there.
    await stand.pass(6_000);
    await stand.orchestrator.order({ tenant: TENANT, workflow: WORKFLOW, by: ADMIN, order: { order: 'rollback', reason: 'again' } });
    await stand.report({ direction: 'undo', attempt: starts + 1, outcome: 'blocked' });
  }
  expect(stand.fatal).toEqual([]);
  expect(stand.orchestrator.openWorkflows).toBe(1);
});

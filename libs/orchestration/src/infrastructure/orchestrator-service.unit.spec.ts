import { EmbeddedMessageBus, InProcessQuery } from '@aifirst/bus';
import { MemoryDeadLetters, impatientClock } from '@aifirst/bus/testing';
import { eventType, TOPICS, type Draft, type StepDecision } from '@aifirst/contracts';
import { OperationalError, type JsonObject } from '@aifirst/kernel';
import { feedOf, type Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { Orchestrator } from '../application/orchestrator';
import { ADMIN, aStep, aWorkflow, drained, TENANT, workflowId } from '../testing';
import { OrchestratorService } from './orchestrator-service';

const [A, B] = [workflowId(1), workflowId(2)] as const;
const AGENT = { kind: 'agent', id: 'agent', tenant: TENANT } as const;

class Stand {
  readonly gatewayStore = new MemoryStore({ serviceName: 'gateway' });
  readonly store = new MemoryStore({ serviceName: 'orchestrator' });
  readonly letters = new MemoryDeadLetters(() => new Date(0).toISOString());
  readonly query = new InProcessQuery();
  readonly bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => this.letters });
  gateway!: Log;
  log!: Log;
  service!: OrchestratorService;
  starting!: Promise<void>;
  private number = 0;

  async start(): Promise<this> {
    this.gateway = await this.gatewayStore.open({ log: 'gateway', shard: 0, owner: 'test' });
    this.log = await this.store.open({ log: 'orchestrator', shard: 0, owner: 'test', takeOver: true });
    for (const log of [this.gateway, this.log]) await this.bus.attach(feedOf(log));
    const orchestrator = new Orchestrator({
      log: this.log, clock: { now: () => Date.UTC(2026, 0, 2), after: impatientClock.after }, chance: () => 0.5, sharedCluster: false, onFatal: error => { throw error; },
      control: { control: () => ({ epoch: 1, hold: null }), onChange: () => () => undefined },
    });
    this.service = new OrchestratorService(orchestrator, this.log, this.bus, this.query);
    this.starting = this.service.start();
    return this;
  }

  send(workflow: string, data: object): Promise<unknown> {
    const draft: Draft = { topic: TOPICS.workflowCommands, key: workflow, id: `g${++this.number}`, type: eventType('orchestration', 'StartWorkflow'), time: new Date(0).toISOString(), subject: workflow, tenant: TENANT, data: data as JsonObject };
    return this.gateway.commit({ appends: [{ tenant: TENANT, stream: workflowId(1_000 + this.number), version: 1, messages: [draft] }] });
  }
  ask<T>(question: string, body: object): Promise<T> { return this.query.ask<T>('orchestrator', question, { tenant: TENANT, ...body }); }
  async settled(): Promise<void> { for (let i = 0; i < 10; i++) await drained(); }
}
const started = async () => { const stand = await new Stand().start(); await stand.starting; return stand; };

describe('OrchestratorService', () => {
  it('takes intents from the bus and answers with their facts, of their own tenant alone', async () => {
    const stand = await started();
    await stand.send(A, aWorkflow([aStep('a')], { workflow: A }));
    await stand.settled();
    const facts = async (body: object) => (await stand.ask<{ items: { type: string; sequence: number }[] }>('facts', { workflow: A, after: 0, limit: 10, ...body })).items.map(({ sequence }) => sequence);
    expect(await facts({})).toEqual([1, 2]);
    expect([await facts({ after: 1 }), await facts({ limit: 1 }), await facts({ tenant: 'other' }), await facts({ workflow: 'none' })]).toEqual([[2], [1], [], []]);
    expect(await stand.ask('inUse', { agent: 'agent' })).toEqual({ workflows: [A] });
    expect(await stand.ask('locks', { limit: 9 })).toEqual({ items: [] });
    expect(await stand.ask('workflowHeads', { workflows: [A, workflowId(99), 'none'] })).toEqual({ items: [{ workflow: A, facts: 2 }], lag: 0 });
    await stand.ask('order', { workflow: A, by: ADMIN, order: { order: 'cancel' } });
    const [head] = (await stand.ask<{ items: { facts: number }[] }>('workflowHeads', { workflows: [A] })).items;
    expect(head!.facts).toBe((await facts({})).length);
    await stand.service.stop();
    await stand.bus.stop();
  });
  it('parks what can’t be read, and lets the rest flow on', async () => {
    const stand = await started();
    await stand.send(A, { workflow: A });
    await stand.send(B, aWorkflow([aStep('a', { resources: [{ uri: 5 as never, access: 'write' }] })], { workflow: B }));
    await stand.send(workflowId(3), aWorkflow([aStep('a')], { workflow: workflowId(3) }));
    await stand.settled();
    expect(await stand.letters.parkedKeys('orchestrator.workflows')).toEqual(expect.arrayContaining([A, B]));
    expect(await stand.ask('inUse', { agent: 'agent' })).toEqual({ workflows: [workflowId(3)] });
    expect(stand.log.positions()).toEqual({ 'gateway/0': 3 });
    await stand.service.stop();
    await stand.bus.stop();
  });
  it('lets who asks during the start wait until it knows what is open', async () => {
    const first = await started();
    await first.send(A, aWorkflow([aStep('a')], { workflow: A }));
    await first.settled();
    await first.service.stop();
    const orders = [first.store, first.gatewayStore].map(store => store.close());
    await Promise.all(orders);
    const second = new Stand();
    Object.assign(second, { store: first.store, gatewayStore: first.gatewayStore });
    await second.start();
    const inUse = second.ask('inUse', { agent: 'agent' });
    const order = second.ask('order', { workflow: A, by: ADMIN, order: { order: 'cancel' } });
    expect(await inUse).toEqual({ workflows: [A] });
    expect(await order).toEqual({ sequence: expect.any(Number) });
    await second.service.stop();
    await second.bus.stop();
    await first.bus.stop();
  });
  it('asks policy before an agent rolls back, and nobody for an administrator', async () => {
    const stand = await started();
    const asked: object[] = [];
    let outcome: StepDecision['outcome'] = 'deny';
    stand.query.answer('policy', 'decideRollback', body => { asked.push(body as object); return { outcome, reason: 'no role permits it' }; });
    await stand.send(A, aWorkflow([aStep('a')], { workflow: A }));
    await stand.settled();
    const rollBack = (by: object) => stand.ask('order', { workflow: A, by, order: { order: 'rollback', reason: 'x' } });
    await expect(rollBack(AGENT)).rejects.toMatchObject({ code: 'FORBIDDEN', message: 'no role permits it' });
    outcome = 'allow';
    await rollBack(AGENT);
    expect(asked).toEqual([{ tenant: TENANT, workflow: A, by: AGENT }, { tenant: TENANT, workflow: A, by: AGENT }]);
    await expect(rollBack(ADMIN)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    await expect(stand.ask('order', { workflow: 'none', by: ADMIN, order: { order: 'pause' } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await stand.service.stop();
    await stand.bus.stop();
  });
  it('stops although the store is away', async () => {
    const stand = await started();
    stand.store.fate = () => { throw new OperationalError('STORE_UNAVAILABLE', 'the database is away', { retryable: true }); };
    await stand.send(A, aWorkflow([aStep('a')], { workflow: A }));
    await stand.settled();
    await stand.service.stop();
    await stand.bus.stop();
    expect(stand.log.head()).toBe(0);
  });
});

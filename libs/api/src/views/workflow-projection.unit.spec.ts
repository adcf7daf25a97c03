import type { Batch, MessageBus, Subscription } from '@aifirst/bus';
import { InProcessQuery } from '@aifirst/bus';
import { eventType, type CloudEvent, type WorkflowFact } from '@aifirst/contracts';
import { neighboursBy } from '@aifirst/identity';
import type { Clock, JsonObject } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { MemoryWorkflowViews, aStart } from '../testing';
import { isAtRest } from './facts';
import { WorkflowProjection } from './workflow-projection';

type Fact = WorkflowFact extends infer F ? (F extends WorkflowFact ? F : never) : never;

/** Time passes when the test says so. */
class ManualClock implements Clock {
  private at = Date.parse('2026-01-01T00:00:00.000Z');
  private timers: { at: number; callback: () => void }[] = [];
  now(): number { return this.at; }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.at + delayMs, callback };
    this.timers.push(timer);
    return () => { this.timers = this.timers.filter(one => one !== timer); };
  }
  async pass(ms: number): Promise<void> {
    const end = this.at + ms;
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.at = next.at;
      this.timers = this.timers.filter(one => one !== next);
      next.callback();
      await settle();
    }
    this.at = end;
  }
  private next(end: number) { return this.timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0]; }
}
const settle = async () => { for (let i = 0; i < 50; i++) await Promise.resolve(); };

let clock: ManualClock;
let log: Log;
let views: MemoryWorkflowViews;
let query: InProcessQuery;
let warned: string[];
let subscription: Subscription;
let position: number;
let known: CloudEvent[];

const bus = { subscribe: async (given: Subscription) => { subscription = given; return { lag: () => 0, stop: async () => {} }; } } as unknown as MessageBus;
const aProjection = async (): Promise<WorkflowProjection> => {
  const logger = { info: () => {}, warn: (message: string) => { warned.push(message); }, error: () => {} };
  const projection = new WorkflowProjection({ views, bus, log, neighbours: neighboursBy(query), clock, logger });
  await projection.start();
  return projection;
};
const factOf = (workflow: string, { name, ...rest }: Fact): CloudEvent => {
  position++;
  const event: CloudEvent = { specversion: '1.0', id: `${workflow}/${position}`, type: eventType('workflow', name), source: '/aifirst/orchestrator', producer: 'orchestrator/0', time: new Date(clock.now()).toISOString(), subject: workflow, tenant: 'default', sequence: position, data: { ...rest, workflow, agent: 'agent' } as unknown as JsonObject };
  known.push(event);
  return event;
};
const batch = (...events: CloudEvent[]): Batch => ({
  deliveries: events.map(event => ({ source: 'orchestrator/0', position: event.sequence!, message: { topic: 'aifirst.workflow.events.v1', key: event.subject, event } })),
  positions: { 'orchestrator/0': Math.max(...events.map(event => event.sequence!)) },
});
const tell = (workflow: string, ...facts: Fact[]) => subscription.handle(batch(...facts.map(fact => factOf(workflow, fact))));
const started: Fact = { name: 'StepStarted', step: 'a', index: 0, generation: 1, attempt: 1, decision: 'd', resources: [] };
const ended: Fact = { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] };
const AT = '2026-01-01T00:00:00.000Z';
let accepted = 0;
const accept = (projection: WorkflowProjection) => {
  const start = aStart();
  projection.addPending({ start, tenant: 'default', at: AT, position: ++accepted });
  return start.workflow;
};

beforeEach(async () => {
  [clock, views, query, warned, position, known, accepted] = [new ManualClock(), new MemoryWorkflowViews(), new InProcessQuery(), [], 0, [], 0];
  log = await new MemoryStore({ serviceName: 'gateway' }).open({ log: 'gateway', shard: 0, owner: 'test' });
  query.answer<{ workflow: string; after: number }, { items: CloudEvent[] }>('orchestrator', 'facts', ({ workflow, after }) => ({ items: known.filter(event => event.subject === workflow && event.sequence! > after) }));
});

describe('the projection of workflows', () => {
  it('shows an intent at once, and stores it with its position a second later if nothing happens', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    expect(await projection.find('default', id)).toMatchObject({ id, status: 'pending' });
    expect(await projection.find('another', id)).toBeNull();
    await clock.pass(500);
    expect(views.saves.rows).toBe(0);
    await clock.pass(700);
    expect(views.saves.rows).toBe(1);
    expect(await views.positions()).toEqual({ 'gateway/0': 1 });
  });

  it('stores what ended within a tenth of a second, once', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    await tell(id, started);
    await clock.pass(50);
    await tell(id, ended);
    await clock.pass(150);
    expect(views.saves).toEqual({ calls: 1, rows: 1 });
    expect(await views.positions()).toEqual({ 'gateway/0': 1, 'orchestrator/0': 2 });
    expect(await projection.find('default', id)).toMatchObject({ status: 'completed' });
  });

  it('says no position that a view which still moves has not been stored for', async () => {
    const projection = await aProjection();
    const [open, done] = [accept(projection), accept(projection)];
    await tell(open, started);
    await tell(done, started, ended);
    await clock.pass(150);
    expect(views.saves.rows).toBe(1);
    expect(await views.positions()).toEqual({ 'gateway/0': 0, 'orchestrator/0': 0 });
    await tell(open, ended);
    await clock.pass(150);
    expect(await views.positions()).toEqual({ 'gateway/0': 2, 'orchestrator/0': 4 });
  });

  it('lists what it knows now', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    expect(await projection.list({ tenant: 'default', limit: 10 })).toMatchObject([{ id, status: 'pending' }]);
    await tell(id, started);
    expect(await projection.list({ tenant: 'default', limit: 10 })).toMatchObject([{ id, status: 'running' }]);
  });

  it('folds no fact twice', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    const [first, last] = [factOf(id, started), factOf(id, ended)];
    await subscription.handle(batch(first, last));
    await subscription.handle(batch(first));
    expect(await projection.find('default', id)).toMatchObject({ status: 'completed' });
    await projection.flush();
    await subscription.handle(batch(first));
    expect(await projection.find('default', id)).toMatchObject({ status: 'completed' });
  });

  it('tries again what could not be stored, and goes no further meanwhile', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    views.failure = new Error('the disk is full');
    await tell(id, ended);
    await clock.pass(350);
    expect(warned.length).toBeGreaterThan(1);
    expect(await views.positions()).toEqual({});
    expect(await projection.find('default', id)).toMatchObject({ status: 'completed' });
    views.failure = null;
    await clock.pass(150);
    expect(await views.positions()).toEqual({ 'gateway/0': 1, 'orchestrator/0': 1 });
  });

  it('makes good after a crash for intents whose view was never stored', async () => {
    const start = aStart();
    const message = { topic: 'aifirst.orchestration.workflow.commands.v1', key: start.workflow, id: 'c', type: 'aifirst.orchestration.start-workflow.v1', time: AT, subject: start.workflow, tenant: 'default', data: start as unknown as JsonObject };
    await log.commit({ appends: [{ tenant: 'default', stream: start.intent, version: 1, messages: [message] }, { tenant: 'default', stream: start.workflow, version: 1, messages: [] }] });
    const projection = await aProjection();
    expect(await projection.find('default', start.workflow)).toMatchObject({ id: start.workflow, status: 'pending', createdAt: AT });
    await tell(start.workflow, ended);
    await projection.flush();
    expect(await projection.find('default', start.workflow)).toMatchObject({ status: 'completed' });
    const again = await aProjection();
    expect(await again.find('default', start.workflow)).toMatchObject({ status: 'completed' });
    expect(subscription.from()).toBeInstanceOf(Promise);
    expect(await subscription.from()).toEqual({ 'orchestrator/0': 1 });
  });

  it('goes on from what is stored when a workflow is rolled back long after', async () => {
    const projection = await aProjection();
    const id = accept(projection);
    await tell(id, started, ended);
    await projection.flush();
    const later = await aProjection();
    await tell(id, { name: 'RollbackStarted', reason: 'requested', by: 'admin', code: 'REQUESTED' });
    expect(await later.find('default', id)).toMatchObject({ status: 'rollingBack', endedAt: null });
  });

  it('asks for the facts of a workflow that it has never seen', async () => {
    const projection = await aProjection();
    const start = aStart();
    factOf(start.workflow, { name: 'IntentSubmitted', start, by: 'agent:agent' });
    factOf(start.workflow, started);
    await tell(start.workflow, ended);
    expect(await projection.find('default', start.workflow)).toMatchObject({ status: 'completed', steps: [{ status: 'running' }] });
  });

  it('does not stop at a fact whose beginning is nowhere', async () => {
    const projection = await aProjection();
    await subscription.handle(batch({ ...factOf('019c0000-0000-7000-8000-00000000dead', started), tenant: 'default' }));
    expect(warned).toHaveLength(1);
    const id = accept(projection);
    await tell(id, ended);
    expect(await projection.find('default', id)).toMatchObject({ status: 'completed' });
  });

  it('stores at once when very many have ended', async () => {
    const projection = await aProjection();
    const ids = Array.from({ length: 600 }, () => accept(projection));
    await subscription.handle(batch(...ids.map(id => factOf(id, ended))));
    await settle();
    expect(views.saves.rows).toBe(600);
  });

  describe('who waits', () => {
    const wait = (projection: WorkflowProjection, id: string, ms = 1_000) => projection.waitFor('default', id, ({ status }) => isAtRest(status), ms);

    it('is answered when it ends', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      const waiting = wait(projection, id);
      await tell(id, started, ended);
      expect(await waiting).toMatchObject({ status: 'completed' });
    });
    it('is answered at once when it has ended, in memory or stored', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      await tell(id, ended);
      expect(await wait(projection, id)).toMatchObject({ status: 'completed' });
      await projection.flush();
      expect(await wait(projection, id)).toMatchObject({ status: 'completed' });
    });
    it('is answered with what there is when the time is over', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      const waiting = wait(projection, id, 100);
      await clock.pass(100);
      expect(await waiting).toMatchObject({ status: 'pending' });
    });
    it('is sent home when the gateway ends', async () => {
      const projection = await aProjection();
      const waiting = wait(projection, accept(projection), 60_000);
      await settle();
      projection.release();
      expect(await waiting).toMatchObject({ status: 'pending' });
    });
    it('is told that there is nothing to wait for', async () => {
      const projection = await aProjection();
      expect(await wait(projection, '019c0000-0000-7000-8000-00000000dead')).toBeNull();
    });
  });
});

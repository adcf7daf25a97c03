import type { Batch, MessageBus, Subscription } from '@aifirst/bus';
import { InProcessQuery } from '@aifirst/bus';
import { eventType, type CloudEvent, type StartWorkflow, type WorkflowFact, type WorkflowHead } from '@aifirst/contracts';
import { neighboursBy } from '@aifirst/identity';
import { OperationalError, type Clock, type JsonObject } from '@aifirst/kernel';
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
/** Of the orchestrator: does it answer, how much waits there, what was it asked, what commands came again. */
let away: boolean;
let lag: number;
let asked: string[][];
let again: string[];
let waitsFor: NonNullable<WorkflowHead['waitsFor']> | null;

const bus = { subscribe: async (given: Subscription) => { subscription = given; return { lag: () => 0, stop: async () => {} }; } } as unknown as MessageBus;
const aProjection = async (): Promise<WorkflowProjection> => {
  const logger = { info: () => {}, warn: (message: string) => { warned.push(message); }, error: () => {} };
  const projection = new WorkflowProjection({ views, bus, log, neighbours: neighboursBy(query), clock, logger, sendAgain: async intents => { again.push(...intents); } });
  await projection.start();
  return projection;
};
const factOf = (workflow: string, { name, ...rest }: Fact): CloudEvent => {
  position++;
  const event: CloudEvent = { specversion: '1.0', id: `${workflow}/${known.filter(({ subject }) => subject === workflow).length + 1}`, type: eventType('workflow', name), source: '/aifirst/orchestrator', producer: 'orchestrator/0', time: new Date(clock.now()).toISOString(), subject: workflow, tenant: 'default', sequence: position, data: { ...rest, workflow, agent: 'agent' } as unknown as JsonObject };
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
  [away, lag, asked, again, waitsFor] = [false, 0, [], [], null];
  [clock, views, query, warned, position, known, accepted] = [new ManualClock(), new MemoryWorkflowViews(), new InProcessQuery(), [], 0, [], 0];
  log = await new MemoryStore({ serviceName: 'gateway' }).open({ log: 'gateway', shard: 0, owner: 'test' });
  query.answer<{ workflow: string; after: number }, { items: CloudEvent[] }>('orchestrator', 'facts', ({ workflow, after }) => {
    if (away) throw new OperationalError('SERVICE_UNAVAILABLE', 'the orchestrator is away', { retryable: true });
    return { items: known.filter(event => event.subject === workflow && event.sequence! > after) };
  });
  query.answer<{ workflows: string[] }, { items: WorkflowHead[]; lag: number }>('orchestrator', 'workflowHeads', ({ workflows }) => {
    if (away) throw new OperationalError('SERVICE_UNAVAILABLE', 'the orchestrator is away', { retryable: true });
    asked.push(workflows);
    const items = workflows.flatMap(workflow => { const facts = known.filter(event => event.subject === workflow).length; return facts === 0 ? [] : [{ workflow, facts, ...(waitsFor === null ? {} : { waitsFor }) }]; });
    return { items, lag };
  });
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

  it('keeps what steps have touched with their view, whatever fails in between', async () => {
    const projection = await aProjection();
    const [id, other] = [accept(projection), accept(projection)];
    const touched = async (names: string[]) => (await projection.touching({ tenant: 'default', names, since: 0, except: other, limit: 10 })).map(({ workflow, step, name }) => [workflow, step, name]);
    await tell(id, { ...started, resources: ['file://docs/a'] });
    views.failure = new Error('the disk is full');
    await expect(projection.flush()).rejects.toThrow('the disk is full');
    await tell(id, { ...started, step: 'b', index: 1, resources: ['file://docs/b'] });
    await tell(other, { ...started, resources: ['file://docs/a'] });
    views.failure = null;
    expect(await touched(['file://docs'])).toEqual([[id, 0, 'file://docs/a'], [id, 1, 'file://docs/b']]);
    expect((await projection.all('default', [id, other])).map(view => view.id)).toEqual([id, other]);
    expect(await projection.all('another', [id])).toEqual([]);
    const again = await aProjection();
    expect((await again.touching({ tenant: 'default', names: ['file://docs/b'], since: 0, except: other, limit: 10 })).length).toBe(1);
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
    await settle();
    expect(await projection.find('default', start.workflow)).toMatchObject({ status: 'completed', steps: [{ status: 'running' }] });
  });

  it('does not stop at a fact whose beginning is nowhere', async () => {
    const projection = await aProjection();
    await subscription.handle(batch({ ...factOf('019c0000-0000-7000-8000-00000000dead', started), tenant: 'default' }));
    await settle();
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

  describe('what the bus has lost', () => {
    const submitted = (start: StartWorkflow): Fact => ({ name: 'IntentSubmitted', start, by: 'agent:agent' });
    const acceptOne = (projection: WorkflowProjection) => {
      const start = aStart();
      projection.addPending({ start, tenant: 'default', at: AT, position: ++accepted });
      return start;
    };
    const statusOf = async (projection: WorkflowProjection, id: string) => (await projection.find('default', id))?.status;

    it('is asked for at once where a later fact shows the hole, and told in order', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      const told: string[] = [];
      projection.watch(id, ({ id: fact }) => told.push(fact));
      factOf(id, started);
      await tell(id, ended);
      await settle();
      expect(await projection.find('default', id)).toMatchObject({ status: 'completed', steps: [{ status: 'running' }] });
      expect(told).toEqual([`${id}/1`, `${id}/2`]);
    });
    it('is asked for again and again while the orchestrator is away; no position passes the hole, and other workflows go on', async () => {
      const projection = await aProjection();
      const [id, other] = [accept(projection), accept(projection)];
      away = true;
      factOf(id, started);
      await tell(id, ended);
      await tell(other, ended);
      await clock.pass(3_000);
      expect([await statusOf(projection, id), await statusOf(projection, other)]).toEqual(['pending', 'completed']);
      expect((await views.positions())['orchestrator/0']).toBe(1);
      away = false;
      await clock.pass(6_000);
      expect(await statusOf(projection, id)).toBe('completed');
      expect((await views.positions())['orchestrator/0']).toBe(3);
    });
    it('shows after two quiet seconds where it was the last', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      await tell(id, started);
      factOf(id, ended);
      const waiting = projection.waitFor('default', id, ({ status }) => isAtRest(status), 60_000);
      await clock.pass(2_600);
      expect(await waiting).toMatchObject({ status: 'completed' });
    });
    it('is asked about less and less often where there is nothing new', async () => {
      const projection = await aProjection();
      await tell(accept(projection), started);
      await clock.pass(120_000);
      expect(asked.length).toBeLessThan(10);
    });
    it('is found after a restart', async () => {
      const before = await aProjection();
      const id = accept(before);
      await tell(id, started);
      await before.flush();
      factOf(id, ended);
      const projection = await aProjection();
      await clock.pass(100);
      expect(await statusOf(projection, id)).toBe('completed');
    });
    it('is a command that is sent again until the orchestrator knows of it, later each time', async () => {
      const projection = await aProjection();
      const start = acceptOne(projection);
      await clock.pass(1_900);
      expect(again).toEqual([]);
      await clock.pass(600);
      expect(again).toEqual([start.intent]);
      await clock.pass(60_000);
      expect(again.length).toBeLessThan(7);
      const count = again.length;
      factOf(start.workflow, submitted(start));
      await clock.pass(60_000);
      expect(again).toHaveLength(count);
      expect((await views.read([start.workflow]))[0]).toMatchObject({ facts: 1 });
    });
    it('is sent again after a restart too', async () => {
      const before = await aProjection();
      const start = acceptOne(before);
      await before.flush();
      await before.stop();
      await aProjection();
      await clock.pass(1_000);
      expect(again).toEqual([start.intent]);
    });
    it('is not sent again while much waits at the orchestrator, nor while that is away', async () => {
      const projection = await aProjection();
      const start = acceptOne(projection);
      lag = 5_000;
      await clock.pass(10_000);
      away = true;
      await clock.pass(30_000);
      expect(again).toEqual([]);
      [away, lag] = [false, 0];
      await clock.pass(30_000);
      expect(again[0]).toBe(start.intent);
    });
    it('does not make a flood where thousands wait', async () => {
      const projection = await aProjection();
      for (let i = 0; i < 5_000; i++) accept(projection);
      await clock.pass(12_000);
      expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(250);
      expect(again.length).toBeGreaterThan(1_000);
      expect(again.length).toBeLessThanOrEqual(20 * 100 + 100);
    });
    it('are all facts of an order on what had ended, and the gateway ends before it has asked', async () => {
      const first = await aProjection();
      const id = accept(first);
      await tell(id, ended);
      await first.flush();
      void first.ordered('default', id, async () => {
        factOf(id, { name: 'RollbackStarted', reason: 'requested', by: 'admin', code: 'REQUESTED' });
        return new Promise<never>(() => undefined);
      }, 1_000);
      await settle();
      await first.stop();
      const second = await aProjection();
      await clock.pass(100);
      expect(await statusOf(second, id)).toBe('rollingBack');
    });
    it('is what an order has made: it is asked for within the second', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      await tell(id, ended);
      const answer = projection.ordered('default', id, async () => ({ sequence: factOf(id, { name: 'RollbackStarted', reason: 'requested', by: 'admin', code: 'REQUESTED' }).sequence! }), 5_000);
      await settle();
      await clock.pass(900);
      expect(await answer).toMatchObject({ status: 'rollingBack' });
    });
    it('leaves what was ordered in vain as it is', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      await tell(id, ended);
      await expect(projection.ordered('default', id, async () => { throw new OperationalError('SERVICE_UNAVAILABLE', 'away', { retryable: true }); }, 1_000)).rejects.toMatchObject({ retryable: true });
      expect(await views.open(null, 10)).toHaveLength(1);
      await clock.pass(31_000);
      expect(await views.open(null, 10)).toHaveLength(0);
      expect(await statusOf(projection, id)).toBe('completed');
    });
    it('says what a workflow stands still for', async () => {
      const projection = await aProjection();
      const id = accept(projection);
      await tell(id, started);
      waitsFor = { resource: 'file://docs/a', holder: 'w', since: clock.now() };
      await clock.pass(2_600);
      expect((await projection.find('default', id))?.statusReason).toMatchObject({ code: 'LOCKED', detail: 'waits for `file://docs/a`, which workflow `w` holds' });
      await tell(id, ended);
      expect((await projection.find('default', id))?.statusReason).toBeNull();
    });
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

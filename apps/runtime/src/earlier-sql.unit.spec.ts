import type { Delivery } from '@aifirst/bus';
import { OperationalError, uuidv7, type JsonObject } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { answerForEarlierSql, elsewhere, handOver, heldUntil } from './earlier-sql';

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const clock = { now: () => NOW, after: (_: number, callback: () => void) => { const timer = setTimeout(callback, 1); return () => clearTimeout(timer); } };
const waiting = { isStopping: () => false, onWaiting: () => undefined };
const nobody = { ask: () => { throw new Error('nobody is to be asked'); } };
const madeAt = (ms: number): string => uuidv7(ms, count => new Uint8Array(count).fill(7));

const open = (log: 'adapter-os' | 'adapter-sql', store = new MemoryStore({ serviceName: log }), shard = 0): Promise<Log> => store.open({ log, shard, owner: 'test', takeOver: true });
const delivery = (data: JsonObject, position = 1): Delivery => ({
  source: 'orchestrator/0', position,
  message: { topic: 't', key: 'k', event: { specversion: '1.0', id: `${position}`, type: 'x', source: '/aifirst/orchestrator', time: new Date(NOW).toISOString(), subject: 'k', tenant: 'default', producer: 'orchestrator/0', data } },
});

describe('the time before which SQL is the journal of `adapter-os`\'s', () => {
  it('is never where that journal is empty, and stays so when it is filled', async () => {
    const store = new MemoryStore({ serviceName: 'adapter-os' });
    const log = await open('adapter-os', store);
    expect(await heldUntil('adapter-os', log, nobody, clock, waiting)).toBe(0);
    await log.commit({ appends: [{ tenant: 'default', stream: madeAt(1), version: 0, messages: [] }] });
    expect(await heldUntil('adapter-os', await open('adapter-os', store), nobody, clock, waiting)).toBe(0);
  });

  it('is an hour after the first start on a journal that an earlier version has filled, for each shard by itself, and stays that', async () => {
    const store = new MemoryStore({ serviceName: 'adapter-os' });
    const [first, second] = [await open('adapter-os', store, 0), await open('adapter-os', store, 1)];
    await first.commit({ appends: [{ tenant: 'default', stream: madeAt(1), version: 0, messages: [] }] });
    expect(await heldUntil('adapter-os', first, nobody, clock, waiting)).toBe(NOW + HOUR_MS);
    expect(await heldUntil('adapter-os', first, nobody, { ...clock, now: () => NOW + 9 * HOUR_MS }, waiting)).toBe(NOW + HOUR_MS);
    expect(await heldUntil('adapter-os', second, nobody, clock, waiting)).toBe(0);
  });

  it('is asked for by `adapter-sql` of the same shard until it is told, once and for ever', async () => {
    const asked: unknown[] = [];
    const query = { ask: async <A>(...question: unknown[]) => { asked.push(question); if (asked.length < 3) throw new OperationalError('SERVICE_UNAVAILABLE', 'away', { retryable: true }); return { until: 42 } as A; } };
    const told: string[] = [];
    const log = await open('adapter-sql', undefined, 3);
    expect(await heldUntil('adapter-sql', log, query, clock, { isStopping: () => false, onWaiting: why => told.push(why) })).toBe(42);
    expect(await heldUntil('adapter-sql', log, nobody, clock, waiting)).toBe(42);
    expect([asked, told]).toEqual([Array(3).fill(['adapter-os', 'sqlHeldUntil', { source: 'adapter-os/3' }]), ['away']]);
  });

  it('is waited for no longer when the service stops', async () => {
    let asked = 0;
    const query = { ask: async () => { asked++; throw new Error('away'); } };
    await expect(heldUntil('adapter-sql', await open('adapter-sql'), query, clock, { isStopping: () => asked > 1, onWaiting: () => undefined })).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

describe('whose a step is', () => {
  const [os, sql] = [elsewhere('adapter-os', NOW), elsewhere('adapter-sql', NOW)];
  const [before, at] = [madeAt(NOW - 1), madeAt(NOW)];

  it.each<[string, JsonObject, string | null, string | null]>([
    ['SQL of an earlier workflow', { workflow: before, adapter: 'sql' }, null, 'adapter-os'],
    ['SQL of a later one', { workflow: at, adapter: 'sql' }, 'adapter-sql', null],
    ['files of an earlier one', { workflow: before, adapter: 'os' }, null, null],
    ['files of a later one', { workflow: at, adapter: 'os' }, null, null],
    ['of a workflow whose id does not say when', { workflow: '01980000-0000-4000-8000-000000000000', adapter: 'sql' }, null, null],
    ['of no workflow', { adapter: 'sql' }, null, null],
  ])('%s', (_, about, fromOs, fromSql) => { expect([os(about), sql(about)]).toEqual([fromOs, fromSql]); });

  it('in a new deployment is always that of the service that it came to', () => {
    expect([elsewhere('adapter-sql', 0)({ workflow: madeAt(1), adapter: 'sql' }), elsewhere('adapter-os', 0)({ workflow: at, adapter: 'os' })]).toEqual([null, null]);
  });
});

describe('a batch', () => {
  it('is left as it is where all of it is ours', () => {
    const batch = { deliveries: [delivery({ workflow: madeAt(NOW), adapter: 'sql' })], positions: { 'orchestrator/0': 1 } };
    expect(handOver(batch, elsewhere('adapter-sql', NOW), nobody, () => undefined)).toBe(batch);
  });

  it('keeps its positions and what is ours; the rest reaches the other journal without being waited for', async () => {
    const [theirs, ours] = [delivery({ workflow: madeAt(NOW - 5), adapter: 'sql' }, 1), delivery({ workflow: madeAt(NOW), adapter: 'sql' }, 2)];
    const handlers = new Map<string, (body: never) => unknown>();
    const query = {
      answer: (_: string, question: string, handler: (body: never) => unknown) => { handlers.set(question, handler); },
      ask: async (service: string, question: string, body: unknown) => { expect(service).toBe('adapter-os'); return handlers.get(question)!(body as never); },
    };
    const handled: unknown[] = [];
    answerForEarlierSql(query as never, 'adapter-os', NOW, { handle: batch => { handled.push(batch); return new Promise(() => undefined); } }, () => undefined);
    const left = handOver({ deliveries: [theirs, ours], positions: { 'orchestrator/0': 2 } }, elsewhere('adapter-sql', NOW), query as never, () => undefined);
    expect(left).toEqual({ deliveries: [ours], positions: { 'orchestrator/0': 2 } });
    await Promise.resolve();
    expect(handled).toEqual([{ deliveries: [{ source: 'orchestrator/0', position: 0, message: theirs.message }], positions: {} }]);
    expect(await handlers.get('sqlHeldUntil')!({ source: 'adapter-os/0' } as never)).toEqual({ until: NOW });
  });

  it('goes on without what could not be handed over, and that is told', async () => {
    const lost: unknown[] = [];
    const query = { ask: async () => { throw new Error('away'); } };
    const left = handOver({ deliveries: [delivery({ workflow: madeAt(1), adapter: 'sql' })], positions: { 'orchestrator/0': 1 } }, elsewhere('adapter-sql', NOW), query, error => lost.push(error));
    await new Promise(setImmediate);
    expect([left, lost]).toEqual([{ deliveries: [], positions: { 'orchestrator/0': 1 } }, [new Error('away')]]);
  });
});

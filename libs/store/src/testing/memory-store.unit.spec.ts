import { Fenced, LeaseHeld } from '../store';
import type { Unit } from '../store';
import { describeStore } from './index';
import { MemoryStore } from './memory-store';

const aUnit = (version: number): Unit => ({
  appends: [{
    tenant: 'default', stream: '019c0000-0000-7000-8000-000000000001', version,
    messages: [{ topic: 'aifirst.workflow.events.v1', key: 'k', id: 'i', type: 't', time: '2026-01-02T03:04:05.678Z', subject: 's', tenant: 'default', data: {} }],
  }],
});
const options = { log: 'main', shard: 0, owner: 'test' };

describeStore('memory', async () => {
  let nowMs = 0;
  const store = new MemoryStore({ serviceName: 'orchestrator', clock: { now: () => nowMs } });
  return {
    store,
    openAsleep: async given => {
      const log = await store.open(given);
      store.pause(log);
      return log;
    },
    passTime: async ms => { nowMs += ms; },
    stop: () => store.close(),
  };
});

describe('a crash of the simulated process', () => {
  it('cuts open logs off, keeps what is committed, and lets the lease run out', async () => {
    let nowMs = 0;
    const store = new MemoryStore({ serviceName: 'orchestrator', clock: { now: () => nowMs } });
    const log = await store.open(options);
    await log.commit(aUnit(1));
    store.crash();
    await expect(log.commit(aUnit(2))).rejects.toMatchObject({ code: 'CRASHED' });
    await expect(store.open(options)).rejects.toThrow(LeaseHeld);
    nowMs += 10_001;
    const next = await store.open(options);
    expect([next.epoch, next.head(), (await next.read(0, 9)).length]).toEqual([2, 1, 1]);
  });

  it.each([[0, 0], [1, 1]])('after %i steps of a commit leaves %i rows', async (steps, stored) => {
    const queue: (() => void)[] = [];
    const store = new MemoryStore({ serviceName: 'orchestrator', defer: step => queue.push(step) });
    const opening = store.open(options);
    queue.shift()!();
    const log = await opening;
    const heard: unknown[] = [];
    log.onCommitted(rows => heard.push(rows));
    const commit = log.commit(aUnit(1)).catch((error: unknown) => error);
    for (let i = 0; i < steps; i++) { queue.shift()!(); await Promise.resolve(); }
    store.crash();
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) step();
    expect(await commit).toMatchObject({ code: 'CRASHED' });
    expect(heard).toEqual([]);
    const again = store.open({ ...options, takeOver: true });
    queue.shift()!();
    expect((await again).head()).toBe(stored);
  });
});

describe('a commit whose answer is lost', () => {
  it.each([['unknownStored', 1], ['unknownAbsent', 0]] as const)('(%s) is stored once when the same unit is committed again', async (fate, heardBefore) => {
    const store = new MemoryStore({ serviceName: 'orchestrator' });
    const log = await store.open(options);
    let heard = 0;
    log.onCommitted(rows => { heard += rows.length; });
    store.fate = () => fate;
    const unit = aUnit(1);
    await expect(log.commit(unit)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', retryable: true });
    await new Promise(resolve => setImmediate(resolve));
    expect(heard).toBe(heardBefore);
    store.fate = () => 'stored';
    expect(await log.commit(unit)).toEqual(await log.read(0, 9));
    expect([log.head(), heard]).toEqual([1, 1]);
    await log.commit(aUnit(2));
    expect((await log.read(0, 9)).map(row => row.messages[0]!.event.sequence)).toEqual([1, 2]);
  });

  it('is known to whoever opens the log next', async () => {
    const store = new MemoryStore({ serviceName: 'orchestrator', fate: () => 'unknownStored' });
    const log = await store.open(options);
    const unit = aUnit(1);
    await expect(log.commit(unit)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
    const next = await store.open({ ...options, takeOver: true });
    expect(next.head()).toBe(1);
    await expect(log.commit(aUnit(2))).rejects.toThrow(Fenced);
  });

  it('or that never got there stores nothing', async () => {
    const store = new MemoryStore({ serviceName: 'orchestrator', fate: () => 'refused' });
    const log = await store.open(options);
    await expect(log.commit(aUnit(1))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    expect((await store.open({ ...options, takeOver: true })).head()).toBe(0);
  });
});

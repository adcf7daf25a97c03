import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import type { Append, Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { folded, houseOf, keepHouse, retain, snapshotted, taken, type Housekeeping } from './retention';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const stream = (number: number): string => `019c0000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
const aRow = (number: number, topics: readonly string[] = [TOPICS.workflowEvents]): Append => ({
  tenant: 'default', stream: stream(number), version: 1,
  messages: topics.map(topic => ({ topic, key: 'k', id: `${number}`, type: 't', time: '2026-01-02T03:04:05.678Z', subject: 's', tenant: 'default', data: {} })),
});

class FakeClock implements Clock {
  time = 1_000 * DAY_MS;
  private timers: { at: number; callback: () => void }[] = [];
  now(): number { return this.time; }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.push(timer);
    return () => { this.timers = this.timers.filter(other => other !== timer); };
  }
  async advance(ms: number): Promise<void> {
    for (const end = this.time + ms; ;) {
      await new Promise(resolve => { setImmediate(resolve); });
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) { this.time = end; return; }
      this.timers = this.timers.filter(timer => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
  }
}

describe('what audit has not folded', () => {
  const logOf = async (...rows: readonly Append[]): Promise<Log> => {
    const log = await new MemoryStore({ serviceName: 'test' }).open({ log: 'main', shard: 0, owner: 'test' });
    await log.commit({ appends: rows });
    return log;
  };
  const bound = async (log: Log, upTo: number, folds: number, lag = 1) => folded(log, { foldedUpTo: () => ({ producers: { 'main/0': folds }, lag }) })(upTo, 0);

  it('keeps its rows: the next fact tells how far folding must have come', async () => {
    const log = await logOf(aRow(1, [TOPICS.workflowEvents, TOPICS.workflowEvents]), aRow(2), aRow(3, [TOPICS.workflowCommands]), aRow(4));
    expect([await bound(log, 1, 1), await bound(log, 1, 2), await bound(log, 2, 2), await bound(log, 2, 3), await bound(log, 3, 3)]).toEqual([0, 1, 0, 2, 3]);
  });

  it('keeps the last facts of a quiet log until nothing is on its way any more', async () => {
    const log = await logOf(aRow(1), aRow(2, [TOPICS.workflowCommands]));
    expect([await bound(log, 1, 1), await bound(log, 1, 0, 0), await bound(log, 2, 1, 3), await bound(log, 2, 1, 0)]).toEqual([0, 1, 0, 2]);
  });

  it('of a producer that audit does not know is all of it', async () => {
    const log = await logOf(aRow(1), aRow(2));
    expect(await folded(log, { foldedUpTo: () => ({ producers: {}, lag: 0 }) })(1, 0)).toBe(0);
  });
});

it('a consumer that has taken nothing yet keeps everything', async () => {
  const log = { producer: 'main/0' } as Log;
  expect([await taken(log, () => ({}))(9, 0), await taken(log, async () => ({ 'main/0': 4, 'other/0': 9 }))(9, 0)]).toEqual([0, 4]);
});

describe('workflows that are open since long', () => {
  it('are those that the orchestrator has stored a snapshot of, of all tenants and however many', async () => {
    const log = await new MemoryStore({ serviceName: 'orchestrator' }).open({ log: 'orchestrator', shard: 0, owner: 'test' });
    await log.commit({ documents: Array.from({ length: 1_200 }, (_, i) => ({ kind: 'workflow-snapshot', tenant: i % 2 === 0 ? 'acme' : 'globex', id: stream(i), data: {} })) });
    expect(new Set(await snapshotted(log)).size).toBe(1_200);
  });

  it('are looked for under the name that the orchestrator gives them', () => {
    const folder = join(__dirname, '../../../libs/orchestration/src/application');
    expect(readdirSync(folder).filter(name => !name.endsWith('.spec.ts')).filter(name => readFileSync(join(folder, name), 'utf8').includes(`'workflow-snapshot'`))).toHaveLength(1);
  });
});

describe('housekeeping', () => {
  async function aHouse(config = { undoWindowDays: 30, idempotencyDays: 60, historyDays: 40 }) {
    const clock = new FakeClock();
    const store = new MemoryStore({ serviceName: 'test' });
    const open = (log: string) => store.open({ log, shard: 0, owner: 'test', takeOver: true });
    const logs = { gateway: await open('gateway'), orchestrator: await open('orchestrator'), policy: await open('policy'), 'adapter-os': await open('adapter-os') };
    const all = Object.fromEntries(Object.values(logs).map(({ producer }) => [producer, 1_000]));
    for (const log of Object.values(logs)) await log.commit({ appends: [1, 2].map(number => aRow(number)), positions: all, lowWater: 1_000 });
    const seen: string[] = [];
    const state = { undoneUpTo: 1_000, sweeps: 0, pieces: 1, lag: 0, isDown: false };
    const house = houseOf({
      config, clock, logs, audit: { foldedUpTo: () => ({ producers: state.lag === 0 ? all : {}, lag: state.lag }) }, views: { positions: async () => all },
      journals: [{
        log: logs['adapter-os'], taken: of => logs['adapter-os'].positions()[of.producer] ?? 0, onForgetting: before => { seen.push(`journal ${before}`); },
        journal: {
          sweep: async nowMs => {
            if (state.isDown) throw new Error('down');
            state.sweeps++;
            clock.time += 10_000;
            return { forgotten: 0, failed: 0, upTo: state.undoneUpTo, more: state.sweeps % state.pieces !== 0, nowMs };
          },
        },
      }],
      deadLetters: new Map([['gateway', { forget: async (before: string) => { seen.push(before); return 1; } }]]),
      openMarks: () => open('retention'),
      logger: Object.fromEntries(['info', 'warn', 'debug'].map(level => [level, (fields: { log?: string }, text: string) => { if (level !== 'debug') seen.push(`${level} ${fields.log ?? ''} ${text}`); }])) as unknown as Housekeeping['logger'],
    });
    const left = async () => Promise.all(Object.values(logs).map(async log => (await log.read(0, 10)).length));
    return { clock, house, logs, seen, state, left };
  }

  it('keeps each log for as long as what is promised of it', async () => {
    const { clock, house, left } = await aHouse();
    await retain(house);
    clock.time += 40 * DAY_MS - 1;
    await retain(house);
    expect(await left()).toEqual([2, 2, 2, 2]);
    clock.time += DAY_MS;
    await retain(house);
    expect(await left()).toEqual([2, 0, 0, 0]);
    clock.time += 20 * DAY_MS;
    await retain(house);
    expect(await left()).toEqual([0, 0, 0, 0]);
  });

  it('keeps what can be undone, whatever the days of history', async () => {
    const { clock, house, left } = await aHouse({ undoWindowDays: 100, idempotencyDays: 1, historyDays: 40 });
    await retain(house);
    clock.time += 41 * DAY_MS;
    await retain(house);
    expect(await left()).toEqual([0, 2, 0, 2]);
    clock.time += 60 * DAY_MS;
    await retain(house);
    expect(await left()).toEqual([0, 0, 0, 0]);
  });

  it('keeps what undo, audit or a consumer still needs, and says so of audit', async () => {
    const { clock, house, left, state, seen, logs } = await aHouse();
    await retain(house);
    clock.time += 70 * DAY_MS;
    state.lag = 1;
    await retain(house);
    expect(await left()).toEqual([2, 2, 2, 2]);
    expect(seen.filter(text => text.includes('audit has not folded'))).toHaveLength(4);
    state.lag = 0;
    state.undoneUpTo = 1;
    await logs.orchestrator.commit({ positions: { 'gateway/0': 1 } });
    await retain(house);
    expect(await left()).toEqual([1, 0, 0, 1]);
    expect(seen.findLast(text => text.startsWith('journal'))).toBe(`journal ${1_000 * DAY_MS}`);
  });

  it('removes dead letters a month after they were settled', async () => {
    const { clock, house, seen } = await aHouse();
    await retain(house, clock.now());
    expect(seen).toContain(new Date(1_000 * DAY_MS - 30 * DAY_MS).toISOString());
    expect(seen).toContain('info  dead letters settled long ago were removed');
  });

  it('begins some minutes after the start, goes on every hour, sweeps every minute, and ends', async () => {
    const { clock, house, seen, state } = await aHouse();
    const runs = () => seen.filter(text => text.startsWith('info')).length;
    const stop = keepHouse(house);
    await clock.advance(4 * MINUTE_MS);
    expect([runs(), state.sweeps]).toEqual([0, 3]);
    await clock.advance(2 * MINUTE_MS);
    expect(runs()).toBe(1);
    await clock.advance(59 * MINUTE_MS);
    expect(runs()).toBe(2);
    await stop();
    await clock.advance(600 * MINUTE_MS);
    expect(runs()).toBe(2);
  });

  it('goes on after a failure, and gives a long sweep half a minute at a time', async () => {
    const { clock, house, seen, state } = await aHouse();
    state.isDown = true;
    state.pieces = 1_000;
    const stop = keepHouse(house);
    await clock.advance(MINUTE_MS);
    expect(seen).toEqual(['warn  what undo no longer needs could not be let go of']);
    state.isDown = false;
    await clock.advance(MINUTE_MS);
    expect(state.sweeps).toBe(3);
    await stop();
  });
});

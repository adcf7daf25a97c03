import { OperationalError } from '@aifirst/kernel';
import { VersionConflict, type Append, type Log, type StoredRow, type Unit } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { LogWriter } from './log-writer';

const uuid = (n: number): string => `019c0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const append = (n: number, over: Partial<Append> = {}): Append => ({ tenant: 'default', stream: uuid(n), version: 1, messages: [], ...over });

describe('the writer of the log', () => {
  let log: Log;
  let units: Unit[];
  const watched = (over: Partial<Log> = {}): Log => Object.assign(Object.create(log) as Log, { head: () => log.head(), commit: (unit: Unit): Promise<readonly StoredRow[]> => { units.push(unit); return log.commit(unit); } }, over);
  beforeEach(async () => {
    units = [];
    log = await new MemoryStore({ serviceName: 'gateway' }).open({ log: 'gateway', shard: 0, owner: 'test' });
  });

  it('stores what piled up in one commit, in order', async () => {
    const writer = new LogWriter(watched());
    const rows = await Promise.all(Array.from({ length: 700 }, (_, n) => writer.append(append(n))));
    expect(rows.map(({ position }) => position)).toEqual(rows.map((_, at) => at + 1));
    expect(units.map(({ appends }) => appends!.length)).toEqual([500, 200]);
    expect(writer.depth()).toBe(0);
  });

  it('never has two commits under way', async () => {
    let open = 0;
    let most = 0;
    const writer = new LogWriter(watched({ commit: async (unit: Unit) => { most = Math.max(most, ++open); try { return await log.commit(unit); } finally { open--; } } }));
    await Promise.all(Array.from({ length: 50 }, async (_, n) => { await Promise.resolve(); if (n % 7 === 0) await writer.commit({ appends: [append(n)] }); else await writer.append(append(n)); }));
    expect(most).toBe(1);
  });

  it('tells who came second, and stores everybody else', async () => {
    const writer = new LogWriter(watched());
    await writer.append(append(1, { key: 'k' }));
    const results = await Promise.allSettled([writer.append(append(2)), writer.append(append(3, { key: 'k' })), writer.append(append(1)), writer.append(append(4))]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflict);
    expect(log.head()).toBe(3);
  });

  it('keeps the conflict of a unit to that unit', async () => {
    const writer = new LogWriter(watched());
    const put = () => writer.commit({ documents: [{ kind: 'agent', tenant: 'default', id: 'a', data: {}, expectedRevision: 0 }] });
    const results = await Promise.allSettled([put(), writer.append(append(1)), put(), writer.append(append(2))]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it('tells everybody of a failure, and goes on after it', async () => {
    let failures = 1;
    const writer = new LogWriter(watched({ commit: (unit: Unit) => (failures-- > 0 ? Promise.reject(new OperationalError('STORE_UNAVAILABLE', 'away', { retryable: true })) : log.commit(unit)) }));
    const results = await Promise.allSettled([writer.append(append(1)), writer.append(append(2))]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await writer.append(append(1))).position).toBe(1);
    await writer.idle();
  });
});

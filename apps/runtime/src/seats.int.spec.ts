import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { OperationalError } from '@aifirst/kernel';
import { BASE_MIGRATIONS, migrate, PostgresStore } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import { Seats } from './seats';

const SCHEMA = 'aifirst_orchestrator';
const WITHIN_MS = 20_000;
let postgres: TestPostgres;
let connection: ClientConfig;
const running: { seats: Seats; store: PostgresStore }[] = [];
let number = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  connection = (await migrate({ admin: postgres.connection, services: [{ schema: SCHEMA, role: SCHEMA, migrations: BASE_MIGRATIONS }] })).get(SCHEMA)!;
}, 60_000);
afterEach(async () => { for (const { seats, store } of running.splice(0)) { await seats.stop(); await store.close(); } });
afterAll(async () => { await postgres?.stop(); });

/** Every log is another test's. */
const newLog = (): string => `log-${++number}`;

interface CopyOptions { readonly begin?: () => Promise<void>; readonly onFatal?: (error: unknown) => void }
const copies = new Map<string, Seats>();

async function copy(log: string, of: number, url: string, { begin, onFatal }: CopyOptions = {}) {
  const store = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'orchestrator', unflushedCommits: 'never' });
  await store.enrol(log, of);
  const working = new Set<number>();
  const waited: string[] = [];
  const seats = new Seats({
    store, log, of, url, onFatal: onFatal ?? (error => { throw error; }), onWaiting: (shard, holder) => { waited.push(`${shard} ${holder}`); },
    begin: async shard => { await begin?.(); working.add(shard); return async () => { working.delete(shard); }; },
    askFor: async holder => { await copies.get(holder)!.yield(); },
  });
  copies.set(url, seats);
  running.push({ seats, store });
  seats.start();
  return { seats, store, working, waited };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + WITHIN_MS; !condition();) {
    if (Date.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await new Promise(resolve => { setTimeout(resolve, 20); });
  }
}
const sizes = (...those: { working: Set<number> }[]): number[] => those.map(({ working }) => working.size).sort((a, b) => a - b);

describe('seats', () => {
  it('go to a copy that is alone, all of them', async () => {
    const one = await copy(newLog(), 3, 'http://a');
    await until('it has all', () => one.working.size === 3);
    expect([0, 1, 2].map(shard => [one.seats.isTaken(shard), one.seats.activeUrl(shard)])).toEqual([[true, 'http://a'], [true, 'http://a'], [true, 'http://a']]);
  });

  it('are shared with a copy that comes, and nobody works on one that another has', async () => {
    const log = newLog();
    const first = await copy(log, 4, 'http://a');
    await until('the first has all', () => first.working.size === 4);
    const second = await copy(log, 4, 'http://b');
    await until('both have two', () => sizes(first, second).join() === '2,2');
    expect([...first.working].some(shard => second.working.has(shard))).toBe(false);
    const third = await copy(log, 4, 'http://c');
    await until('the third has one', () => sizes(first, second, third).join() === '1,1,2');
  }, 60_000);

  it('are the end of a copy that finds another in its place, as after a sleep: nothing that it would write can be', async () => {
    const log = newLog();
    const errors: unknown[] = [];
    const asleep = await copy(log, 2, 'http://a', { onFatal: error => { errors.push(error); } });
    await until('it has both', () => asleep.working.size === 2);
    const other = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'orchestrator', unflushedCommits: 'never' });
    try {
      const taken = await other.open({ log, shard: 1, owner: 'http://b', takeOver: true });
      await until('it has noticed', () => errors.length > 0);
      expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('has been replaced'), cause: expect.objectContaining({ code: 'FENCED' }) })]);
      await taken.close();
    } finally { await other.close(); }
  }, 60_000);

  it('go to those that stay when a copy ends in order', async () => {
    const log = newLog();
    const [first, second] = [await copy(log, 2, 'http://a'), await copy(log, 2, 'http://b')];
    await until('both have one', () => sizes(first, second).join() === '1,1');
    await first.seats.stop();
    expect(first.working.size).toBe(0);
    await until('the second has both', () => second.working.size === 2);
  });

  it('of one shard have one copy, and the other stands by and knows where it is', async () => {
    const log = newLog();
    const first = await copy(log, 1, 'http://a');
    await until('the first has it', () => first.working.size === 1);
    const second = await copy(log, 1, 'http://b');
    await until('the second knows', () => second.seats.activeUrl(0) === 'http://a');
    expect([second.working.size, second.waited]).toEqual([0, ['0 http://a']]);
    expect(await first.seats.yield()).toBeNull();
  });

  it('are taken over at once by who listens where the former holder did', async () => {
    const log = newLog();
    const store = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'orchestrator', unflushedCommits: 'never' });
    await store.enrol(log, 1);
    await store.open({ log, shard: 0, owner: 'http://a', leaseMs: 600_000 });
    const again = await copy(log, 1, 'http://a');
    await until('it has it', () => again.working.size === 1);
    await store.close();
  });

  it('are tried again where the work could not begin for a while, and given back where it never can', async () => {
    let tries = 0;
    const log = newLog();
    const slow = await copy(log, 1, 'http://a', { begin: async () => { if (++tries < 3) throw new OperationalError('STORE_UNAVAILABLE', 'away', { retryable: true }); } });
    await until('it works', () => slow.working.size === 1);
    expect(tries).toBe(3);
    const fatal: unknown[] = [];
    const other = newLog();
    const broken = await copy(other, 1, 'http://a', { begin: async () => { throw new Error('a bug'); }, onFatal: error => { fatal.push(error); } });
    await until('it is said', () => fatal.length === 1);
    expect(String(fatal[0])).toContain('a bug');
    expect(await broken.store.holders(other, 1)).toEqual([{ owner: 'http://a', isFree: true }]);
  });

  it('keep their number', async () => {
    const log = newLog();
    const { store } = await copy(log, 2, 'http://a');
    await store.enrol(log, 2);
    for (const other of [1, 3]) await expect(store.enrol(log, other)).rejects.toThrow(`log \`${log}\` was begun with 2 shards, not ${other}, and keeps their number: set SHARDS=2`);
  });
});

import type { Lock, LockMode } from '@aifirst/contracts';
import { Fenced } from '@aifirst/store';
import { LockReplica, type LockOperation } from '../domain/lock-replica';
import { drained, MemoryLockLog } from '../testing';
import type { LockLog, LockNews } from './ports';
import { SharedLocks } from './shared-locks';

const lock = (resource: string, mode: LockMode = 'write'): Lock => ({ resource, mode });
const [OLD, MID, YOUNG] = ['1', '2', '3'] as const;

/** Shards on one log, without timers of their own: `pass` is all the time there is. */
class Shards {
  readonly epochs = [1, 1, 1];
  readonly log: MemoryLockLog;
  readonly fatal: unknown[] = [];
  private timers: (() => void)[] = [];
  constructor(options: { kept?: number; page?: number } = {}) { this.log = new MemoryLockLog({ epochOf: shard => this.epochs[shard]!, ...options }); }

  make(shard: number, log: LockLog = this.log): SharedLocks {
    const after = (_: number, callback: () => void) => { this.timers.push(callback); return () => { this.timers = this.timers.filter(other => other !== callback); }; };
    return new SharedLocks({ log, shard, epoch: this.epochs[shard]!, clock: { now: () => 7, after }, onFatal: error => { this.fatal.push(error); } });
  }
  async begin(shard: number, holdings: readonly { workflow: string; locks: readonly Lock[] }[] = [], log: LockLog = this.log): Promise<SharedLocks> {
    const locks = this.make(shard, log);
    await locks.begin(holdings);
    return locks;
  }
  /** A writer takes the shard over. */
  take(shard: number, holdings: readonly { workflow: string; locks: readonly Lock[] }[] = []): Promise<SharedLocks> {
    this.epochs[shard]! += 1;
    return this.begin(shard, holdings);
  }
  async pass(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await drained();
      const due = this.timers;
      this.timers = [];
      for (const callback of due) callback();
    }
    await drained();
  }
  /** What everybody works out from the log as it is. */
  get replica(): LockReplica { return this.log.entries.reduce((replica, entry) => { replica.apply(entry); return replica; }, new LockReplica()); }
  get operations(): readonly LockOperation[] { return this.log.entries.flatMap(({ operations }) => operations); }
}
const ask = (locks: SharedLocks, workflow: string, wanted: readonly Lock[], held: readonly Lock[] = []) => {
  expect(locks.request(workflow, wanted, held.length > 0, 0, held)).toEqual({ answer: 'waiting' });
};
/** A round in which nothing is asked. */
const told = (locks: SharedLocks) => {
  const news = { granted: locks.grantWaiting().map(({ workflow }) => workflow), yielding: locks.yielding().map(({ workflow, holder }) => [workflow, holder]) };
  locks.flush();
  return news;
};

describe('locks that shards share', () => {
  it('are granted to one after the other, in order of age, whichever shard they belong to', async () => {
    const shards = new Shards();
    const [zero, one] = [await shards.begin(0), await shards.begin(1)];
    ask(zero, OLD, [lock('x')]);
    zero.flush();
    await shards.pass();
    expect(told(zero).granted).toEqual([OLD]);
    ask(zero, YOUNG, [lock('x')]);
    zero.flush();
    await shards.pass();
    ask(one, MID, [lock('x')]);
    one.flush();
    await shards.pass();
    expect([zero.view(), one.view(), one.waitOf(MID)]).toEqual([[{ workflow: OLD, resource: 'x', mode: 'write', since: 7, waiting: [YOUNG, MID] }], [], { resource: 'x', holder: OLD, since: 7 }]);
    zero.release(OLD);
    zero.flush();
    await shards.pass();
    expect([told(zero).granted, told(one).granted]).toEqual([[], [MID]]);
    one.release(MID);
    one.flush();
    await shards.pass();
    expect(told(zero).granted).toEqual([YOUNG]);
  });

  it('make the younger one yield where two shards’ workflows cross', async () => {
    const shards = new Shards();
    const [zero, one] = [await shards.begin(0), await shards.begin(1)];
    ask(zero, OLD, [lock('x')]);
    ask(one, YOUNG, [lock('y')]);
    zero.flush();
    one.flush();
    await shards.pass();
    expect([told(zero).granted, told(one).granted]).toEqual([[OLD], [YOUNG]]);
    ask(zero, OLD, [lock('y')], [lock('x')]);
    ask(one, YOUNG, [lock('x')], [lock('y')]);
    zero.flush();
    one.flush();
    await shards.pass();
    expect([told(zero), told(one)]).toEqual([{ granted: [], yielding: [] }, { granted: [], yielding: [[YOUNG, OLD]] }]);
    one.release(YOUNG);
    one.flush();
    await shards.pass();
    expect(told(zero).granted).toEqual([OLD]);
  });

  it('tell the orchestrator that there is news, and each piece of it once', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0);
    let news = 0;
    const stop = zero.onNews(() => { news++; });
    ask(zero, OLD, [lock('x')]);
    zero.flush();
    await shards.pass();
    expect([news, told(zero).granted, told(zero).granted]).toEqual([1, [OLD], []]);
    stop();
    ask(zero, MID, [lock('y')]);
    zero.flush();
    await shards.pass();
    expect(news).toBe(1);
  });

  it('forget what was asked in a round that was not stored, and tell again what was told in it', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0);
    ask(zero, OLD, [lock('x')]);
    zero.discard();
    zero.flush();
    await shards.pass();
    expect(shards.operations.filter(({ op }) => op === 'request')).toEqual([]);
    ask(zero, OLD, [lock('x')]);
    zero.flush();
    await shards.pass();
    expect(zero.grantWaiting()).toHaveLength(1);
    expect(zero.grantWaiting()).toHaveLength(0);
    zero.release(OLD);
    zero.discard();
    expect(zero.grantWaiting()).toEqual([{ workflow: OLD, locks: [lock('x')] }]);
    zero.flush();
    await shards.pass();
    expect(zero.view()).toHaveLength(1);
  });

  it('ask once for what is wanted again and again, and say nothing where nothing was asked', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0);
    for (let i = 0; i < 3; i++) {
      ask(zero, OLD, [lock('x')]);
      zero.cancel(MID, []);
      zero.release(YOUNG);
      zero.flush();
      if (i === 1) await shards.pass();
    }
    await shards.pass();
    expect(shards.operations.map(({ op }) => op)).toEqual(['reset', 'request']);
    zero.cancel(OLD, []);
    ask(zero, OLD, [lock('x')]);
    zero.release(MID);
    zero.flush();
    await shards.pass();
    expect(told(zero).granted).toEqual([OLD]);
  });

  it('are not kept by who was granted them after it had changed its mind', async () => {
    const shards = new Shards();
    const [zero, one] = [await shards.begin(0), await shards.begin(1)];
    ask(zero, OLD, [lock('x')]);
    ask(zero, MID, [lock('y')]);
    zero.flush();
    await shards.pass();
    zero.cancel(OLD, []);
    ask(zero, MID, [lock('z')]);
    expect(told(zero)).toEqual({ granted: [], yielding: [] });
    await shards.pass();
    expect([told(zero).granted, zero.view().map(({ resource }) => resource)]).toEqual([[MID], ['z']]);
    ask(one, YOUNG, [lock('x'), lock('y')]);
    one.flush();
    await shards.pass();
    expect(told(one).granted).toEqual([YOUNG]);
  });

  it('are not taken for those that were asked for since', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0);
    const heard: string[][] = [];
    zero.onNews(() => { heard.push(zero.grantWaiting().flatMap(({ locks }) => locks.map(({ resource }) => resource))); zero.flush(); });
    ask(zero, OLD, [lock('x')]);
    zero.flush();
    ask(zero, OLD, [lock('y')]);
    zero.flush();
    await shards.pass();
    expect([heard, zero.view().map(({ resource }) => resource)]).toEqual([[['y']], ['y']]);
  });

  it('that were held before stay so where a later request is taken back', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0, [{ workflow: OLD, locks: [lock('x')] }]);
    ask(zero, OLD, [lock('y')], [lock('x')]);
    zero.flush();
    zero.cancel(OLD, [lock('x')]);
    zero.flush();
    await shards.pass();
    expect([told(zero).granted, zero.view().map(({ resource }) => resource)]).toEqual([[], ['x']]);
  });
});

describe('a shard that crashes', () => {
  it('between a grant and its fact has let go of what it was granted', async () => {
    const shards = new Shards();
    const one = (await shards.begin(0), await shards.begin(1));
    ask(one, OLD, [lock('x')]);
    one.flush();
    await shards.pass();
    expect(shards.replica.has(OLD)).toBe(true);
    const next = await shards.take(1);
    expect([shards.replica.has(OLD), told(next).granted]).toEqual([false, []]);
  });

  it('between an end and its release holds up nobody once it is back, and keeps what the others hold', async () => {
    const shards = new Shards();
    const [zero, one] = [await shards.begin(0, [{ workflow: OLD, locks: [lock('x'), lock('y')] }, { workflow: MID, locks: [lock('z')] }]), await shards.begin(1)];
    ask(one, YOUNG, [lock('x'), lock('z')]);
    one.flush();
    await shards.pass();
    shards.log.fate = ({ shard }) => (shard === 0 ? 'refused' : 'stored');
    zero.release(MID);
    zero.hold(OLD, [lock('y')]);
    zero.flush();
    await shards.pass();
    expect(told(one).granted).toEqual([]);
    shards.log.fate = () => 'stored';
    const next = await shards.take(0, [{ workflow: OLD, locks: [lock('y')] }]);
    await shards.pass();
    expect([next.view().map(({ resource }) => resource), told(one).granted]).toEqual([['y'], [YOUNG]]);
  });

  it('and lives on as a zombie appends nothing, and is told', async () => {
    const shards = new Shards();
    const zombie = await shards.begin(0);
    const next = await shards.take(0);
    const { head } = shards.log;
    ask(zombie, OLD, [lock('x')]);
    zombie.flush();
    await shards.pass();
    expect([shards.log.head, shards.fatal]).toEqual([head, [expect.any(Fenced)]]);
    ask(zombie, MID, [lock('y')]);
    zombie.flush();
    await shards.pass();
    expect([shards.log.head, shards.fatal.length, told(next).granted]).toEqual([head, 1, []]);
  });

  it('and was replaced before it began does not begin', async () => {
    const shards = new Shards();
    const late = shards.make(0);
    shards.epochs[0] = 2;
    await expect(late.begin([])).rejects.toBeInstanceOf(Fenced);
    expect([shards.log.head, shards.fatal]).toEqual([0, []]);
  });
});

describe('a batch', () => {
  it.each(['refused', 'unknownStored', 'unknownAbsent'] as const)('that meets an outage (%s) is asked again, and stored once', async fate => {
    const shards = new Shards();
    let failures = 3;
    shards.log.fate = () => (failures-- > 0 ? fate : 'stored');
    const begun = shards.begin(0);
    await shards.pass();
    const zero = await begun;
    failures = 3;
    ask(zero, OLD, [lock('x')]);
    zero.flush();
    await drained();
    ask(zero, MID, [lock('y')]);
    zero.flush();
    await shards.pass();
    expect([shards.operations.map(({ op }) => op), told(zero).granted, shards.fatal]).toEqual([['reset', 'request', 'request'], [OLD, MID], []]);
  });

  it('of another shard waits until the first has said what it holds', async () => {
    const shards = new Shards();
    const one = await shards.begin(1);
    ask(one, YOUNG, [lock('x')]);
    one.flush();
    await shards.pass();
    expect(shards.operations.map(({ op }) => op)).toEqual(['reset']);
    await shards.begin(0, [{ workflow: OLD, locks: [lock('x')] }]);
    await shards.pass();
    expect([told(one).granted, one.waitOf(YOUNG)?.holder]).toEqual([[], OLD]);
  });

  it('that was to be sent is sent before the end, and nothing after it', async () => {
    const shards = new Shards();
    const zero = await shards.begin(0, [{ workflow: OLD, locks: [lock('x')] }]);
    zero.release(OLD);
    zero.flush();
    await zero.close();
    expect(shards.replica.has(OLD)).toBe(false);
    ask(zero, MID, [lock('x')]);
    zero.flush();
    await shards.pass();
    expect(shards.replica.has(MID)).toBe(false);
  });

  it('can’t be sent by what was closed before it began', async () => {
    const shards = new Shards();
    shards.log.fate = () => 'refused';
    const zero = shards.make(0);
    const refused = expect(zero.begin([])).rejects.toMatchObject({ code: 'STOPPED', retryable: true });
    await drained();
    await zero.close();
    await refused;
  });
});

describe('a replica', () => {
  /** Reads wait until they are let through. */
  class Gate implements LockLog {
    private closed = false;
    private waiting: (() => void)[] = [];
    constructor(private readonly log: LockLog) {}
    close(): void { this.closed = true; }
    open(): void { this.closed = false; for (const go of this.waiting.splice(0)) go(); }
    async append(...given: Parameters<LockLog['append']>): Promise<LockNews> { await this.pass(); return this.log.append(...given); }
    async read(after: number): Promise<LockNews> { await this.pass(); return this.log.read(after); }
    saveSnapshot(...given: Parameters<LockLog['saveSnapshot']>): Promise<void> { return this.log.saveSnapshot(...given); }
    onAppended(): () => void { return () => undefined; }
    private pass(): Promise<void> { return this.closed ? new Promise(resolve => { this.waiting.push(resolve); }) : Promise.resolve(); }
  }
  const churn = async (shards: Shards, locks: SharedLocks): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      ask(locks, '9', [lock('elsewhere')]);
      locks.flush();
      await shards.pass();
      told(locks);
      locks.release('9');
      locks.flush();
      await shards.pass();
    }
  };

  it('goes on from a snapshot as from the whole', async () => {
    const shards = new Shards({ kept: 1 });
    const zero = await shards.begin(0, [{ workflow: OLD, locks: [lock('x')] }]);
    const one = await shards.begin(1);
    ask(one, MID, [lock('x')]);
    one.flush();
    await shards.pass();
    await churn(shards, zero);
    const whole = shards.replica;
    await shards.log.saveSnapshot(whole.state());
    expect(shards.log.entries).toHaveLength(1);
    const two = await shards.begin(2);
    ask(two, YOUNG, [lock('x')]);
    two.flush();
    await shards.pass();
    expect([two.waitOf(YOUNG)?.holder, zero.view()[0]!.waiting]).toEqual([OLD, [MID, YOUNG]]);
    zero.release(OLD);
    zero.flush();
    await shards.pass();
    expect([told(one).granted, told(two).granted]).toEqual([[MID], []]);
  });

  it('that lies behind what is left learns from a snapshot what it was granted, and waits where it waited', async () => {
    const shards = new Shards({ kept: 1, page: 2 });
    const gate = new Gate(shards.log);
    const zero = await shards.begin(0, [{ workflow: OLD, locks: [lock('x'), lock('w')] }, { workflow: '0', locks: [lock('q')] }]);
    const one = await shards.begin(1, [{ workflow: MID, locks: [lock('y')] }], gate);
    ask(one, MID, [lock('q')], [lock('y')]);
    ask(one, YOUNG, [lock('x')]);
    ask(one, '4', [lock('w')]);
    const sent = new Promise<void>(resolve => { const stop = shards.log.onAppended(() => { stop(); resolve(); }); });
    one.flush();
    await sent;
    gate.close();
    await shards.pass();
    zero.hold(OLD, [lock('w')]);
    zero.flush();
    await shards.pass();
    await churn(shards, zero);
    await shards.log.saveSnapshot(shards.replica.state());
    gate.open();
    await shards.pass();
    expect(told(one)).toEqual({ granted: [YOUNG], yielding: [[MID, '0']] });
    expect(one.waitOf('4')?.holder).toBe(OLD);
  });

  it('asks again for what it had to yield while it did not look', async () => {
    const shards = new Shards({ kept: 1 });
    const gate = new Gate(shards.log);
    const zero = await shards.begin(0, [{ workflow: '4', locks: [lock('x')] }]);
    const one = await shards.begin(1, [{ workflow: MID, locks: [lock('y')] }], gate);
    ask(one, MID, [lock('x')], [lock('y')]);
    one.flush();
    await shards.pass();
    expect(one.waitOf(MID)?.holder).toBe('4');
    gate.close();
    // Why it dies: an older one comes to hold what it waits for.
    zero.release('4');
    zero.hold(OLD, [lock('x')]);
    zero.flush();
    await shards.pass();
    await churn(shards, zero);
    await shards.log.saveSnapshot(shards.replica.state());
    gate.open();
    await shards.pass();
    expect(told(one)).toEqual({ granted: [], yielding: [[MID, OLD]] });
  });

  it('saves a snapshot every thousand entries, so that the log stays small', async () => {
    const shards = new Shards({ kept: 100 });
    const zero = await shards.begin(0);
    for (let i = 0; i < 1_200; i++) {
      if (i % 2 === 0) ask(zero, OLD, [lock('x')]); else zero.release(OLD);
      zero.flush();
      await new Promise(resolve => setImmediate(resolve));
      told(zero);
    }
    await shards.pass();
    expect([shards.log.head, shards.log.entries[0]!.number]).toEqual([1_201, 901]);
    const one = await shards.begin(1);
    expect(one.view()).toEqual([]);
  });

  it('does not go on with a log that has lost what was in it', async () => {
    const shards = new Shards();
    await shards.begin(0, [], { ...faked(shards.log), read: async after => ({ ...await shards.log.read(after), head: after === 0 ? 0 : after - 1 }) });
    await shards.pass();
    expect(shards.fatal).toMatchObject([{ code: 'FENCED' }]);
  });
});

const faked = (log: LockLog): LockLog => ({
  append: (batch, after) => log.append(batch, after), read: after => log.read(after), saveSnapshot: state => log.saveSnapshot(state), onAppended: listener => log.onAppended(listener),
});

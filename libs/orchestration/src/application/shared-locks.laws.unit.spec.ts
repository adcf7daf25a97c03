import fc from 'fast-check';
import type { Lock, LockMode } from '@aifirst/contracts';
import { merged } from '../domain/conflicts';
import { LockReplica } from '../domain/lock-replica';
import { LockTable } from '../domain/lock-table';
import { workflowOf } from '../domain/lockers';
import { MemoryLockLog } from '../testing';
import { SharedLocks } from './shared-locks';

const SHARDS = 3;
/** Of three transactions two are worked by several. */
const IDS = ['1', '2', '2/5', '2/6', '3', '3/4', '7'];
const shardOf = (locker: string): number => Number(workflowOf(locker)) % SHARDS;
/** Others of its transaction may hold what it does not. */
const isOneOfSeveral = (locker: string): boolean => locker.startsWith('2') || locker.startsWith('3');
const at = <T>(all: readonly T[], index: number): T => all[index % all.length]!;
const settled = () => new Promise(resolve => setImmediate(resolve));

interface Stored { readonly holds: ReadonlyMap<string, readonly Lock[]>; readonly wants: ReadonlyMap<string, readonly Lock[]> }
interface Shard { stored: Stored; locks: SharedLocks; epoch: number; isUp: boolean; timers: (() => void)[] }
type Act = { readonly who: string; readonly what: 'want' | 'pause' | 'end' | 'lose' | 'tick'; readonly locks: readonly Lock[] };

/** Shards that do as orchestrators do, one round at a time, on a log whose every step waits until it is let go on. */
class World {
  readonly steps: (() => void)[] = [];
  readonly log = new MemoryLockLog({ epochOf: shard => this.shards[shard]!.epoch, defer: step => { this.steps.push(step); }, kept: 1, page: 3 });
  readonly shards: Shard[] = [];
  readonly fatal: unknown[] = [];
  /** Follows the log from its beginning. */
  readonly oracle = new LockReplica();

  start(): void {
    for (let shard = 0; shard < SHARDS; shard++) this.shards.push({ stored: { holds: new Map(), wants: new Map() }, epoch: 0, isUp: false, timers: [], locks: undefined as unknown as SharedLocks });
    for (let shard = 0; shard < SHARDS; shard++) this.restart(shard);
  }

  restart(index: number): void {
    const shard = this.shards[index]!;
    const timers: (() => void)[] = [];
    const epoch = ++shard.epoch;
    const after = (_: number, callback: () => void) => { timers.push(callback); return () => { const found = timers.indexOf(callback); if (found >= 0) timers.splice(found, 1); }; };
    const locks = new SharedLocks({ log: this.log, shard: index, epoch, clock: { now: () => 0, after }, onFatal: error => { if (shard.epoch === epoch) this.fatal.push(error); } });
    Object.assign(shard, { timers, locks, isUp: false });
    locks.begin([...shard.stored.holds].map(([workflow, held]) => ({ workflow, locks: held }))).then(() => {
      if (shard.locks !== locks) return;
      shard.isUp = true;
      this.round(index, IDS.filter(id => shardOf(id) === index).map(who => ({ who, what: 'tick', locks: [] })), true);
    }, (error: unknown) => { if (shard.epoch === epoch) this.fatal.push(error); });
  }

  round(index: number, acts: readonly Act[], isStored: boolean): void {
    const shard = this.shards[index]!;
    if (!shard.isUp) return;
    const { locks } = shard;
    const holds = new Map(shard.stored.holds);
    const wants = new Map(shard.stored.wants);
    const decide = (who: string): void => {
      const held = holds.get(who) ?? [];
      const missing = (wants.get(who) ?? []).filter(({ resource, mode }) => { const table = new LockTable(); table.grant(who, held, 0); return !table.holdsAll(who, [{ resource, mode }]); });
      if (missing.length === 0) locks.cancel(who, held); else expect(locks.request(who, merged(missing), held.length > 0 || isOneOfSeveral(who), 0, held)).toEqual({ answer: 'waiting' });
    };
    for (const { who, what, locks: wanted } of acts) {
      if (what === 'want') wants.set(who, wanted);
      if (what === 'pause' || what === 'end') wants.delete(who);
      if (what === 'end' || what === 'lose') { holds.delete(who); locks.release(who); }
      decide(who);
    }
    for (let isMoved = true; isMoved;) {
      const [granted, yielding] = [locks.grantWaiting(), locks.yielding()];
      for (const { workflow, locks: got } of granted) {
        expect(wants.has(workflow)).toBe(true);
        holds.set(workflow, merged([...holds.get(workflow) ?? [], ...got]));
        decide(workflow);
      }
      for (const { workflow, holder } of yielding) {
        expect(holder < workflow && (holds.has(workflow) || isOneOfSeveral(workflow))).toBe(true);
        // Why: one that holds nothing is told so and gives up what it wanted, as the machine does.
        if (!holds.has(workflow)) wants.delete(workflow);
        holds.delete(workflow);
        locks.release(workflow);
        decide(workflow);
      }
      isMoved = granted.length + yielding.length > 0;
    }
    if (!isStored) { locks.discard(); return; }
    shard.stored = { holds, wants };
    locks.flush();
  }

  /** What is stored of all shards never collides, and is held by whoever works it out from the log. */
  check(): void {
    for (const entry of this.log.entries) if (entry.number > this.oracle.number) this.oracle.apply(entry);
    expect(this.fatal).toEqual([]);
    const all = new LockTable();
    for (const { stored } of this.shards) {
      for (const [workflow, held] of stored.holds) {
        expect(all.request(workflow, held, false, 0)).toEqual({ answer: 'granted' });
        expect(this.oracle.holdsAll(workflow, held)).toBe(true);
      }
    }
  }

  /** Nothing fails any more, and time passes. */
  async calm(rounds: number): Promise<void> {
    this.log.fate = () => 'stored';
    for (let i = 0; i < rounds; i++) {
      for (const step of this.steps.splice(0)) step();
      for (const { timers } of this.shards) for (const callback of timers.splice(0)) callback();
      await settled();
      this.shards.forEach((_, index) => { this.round(index, [], true); });
      this.check();
    }
  }
}

describe('shards that share locks', () => {
  const locks = fc.array(fc.record({ resource: fc.constantFrom('a', 'b', 'c', 'd'), mode: fc.constantFrom<LockMode>('read', 'write', 'write', 'intentRead', 'intentWrite') }), { minLength: 1, maxLength: 3 });
  const act = fc.record({ who: fc.constantFrom(...IDS), what: fc.constantFrom<Act['what']>('want', 'want', 'want', 'want', 'pause', 'end', 'end', 'lose', 'tick'), locks });
  const move = fc.oneof(
    { weight: 6, arbitrary: fc.record({ move: fc.constant('round' as const), act, isStored: fc.constantFrom(true, true, true, false) }) },
    { weight: 3, arbitrary: fc.record({ move: fc.constant('tell' as const), shard: fc.nat(SHARDS - 1), isStored: fc.constantFrom(true, true, false) }) },
    { weight: 12, arbitrary: fc.record({ move: fc.constant('step' as const), which: fc.nat(), isTold: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ move: fc.constant('time' as const), shard: fc.nat(SHARDS - 1), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ move: fc.constant('crash' as const), shard: fc.nat(SHARDS - 1) }) },
    { weight: 1, arbitrary: fc.record({ move: fc.constant('snapshot' as const) }) },
    { weight: 1, arbitrary: fc.record({ move: fc.constant('fate' as const), fate: fc.constantFrom('stored' as const, 'stored' as const, 'refused' as const, 'unknownStored' as const, 'unknownAbsent' as const) }) },
  );

  it('never let two hold what conflicts, come to the same, and everybody comes to an end', async () => {
    await fc.assert(fc.asyncProperty(fc.array(move, { maxLength: 120 }), async moves => {
      const world = new World();
      world.start();
      await settled();
      for (const given of moves) {
        if (given.move === 'round') world.round(shardOf(given.act.who), [given.act], given.isStored);
        if (given.move === 'tell') world.round(given.shard, [], given.isStored);
        if (given.move === 'step' && world.steps.length > 0) world.steps.splice(given.which % world.steps.length, 1)[0]!();
        if (given.move === 'time') { const { timers } = world.shards[given.shard]!; if (timers.length > 0) { const callback = at(timers, given.which); timers.splice(timers.indexOf(callback), 1); callback(); } }
        if (given.move === 'crash') world.restart(given.shard);
        if (given.move === 'fate') world.log.fate = () => given.fate;
        if (given.move === 'snapshot') { world.check(); void world.log.saveSnapshot(world.oracle.state()); }
        await settled();
        if (given.move === 'step' && given.isTold) world.shards.forEach((_, index) => { world.round(index, [], true); });
        world.check();
      }
      await world.calm(12);
      for (const { isUp } of world.shards) expect(isUp).toBe(true);
      // Who holds all it wants ends, one after the other: that is all it takes.
      for (const _ of IDS) {
        for (const who of IDS) {
          const { stored } = world.shards[shardOf(who)]!;
          const has = new LockTable();
          has.grant(who, stored.holds.get(who) ?? [], 0);
          if (!stored.wants.has(who) || has.holdsAll(who, stored.wants.get(who)!)) world.round(shardOf(who), [{ who, what: 'end', locks: [] }], true);
        }
        await world.calm(8);
      }
      expect(world.shards.map(({ stored }) => [stored.holds.size, stored.wants.size])).toEqual(world.shards.map(() => [0, 0]));
      expect(world.oracle.state()).toMatchObject({ owners: [], table: { held: [], waiting: [] } });
      for (const [index, { locks: own }] of world.shards.entries()) expect([own.view(), IDS.map(id => own.waitOf(id))]).toEqual([world.oracle.view(index), IDS.map(() => null)]);
    }), { numRuns: 150 });
  });

  it('come to the same whichever of them goes on from a snapshot', () => {
    const operation = fc.oneof(
      fc.record({ op: fc.constant('request' as const), workflow: fc.constantFrom(...IDS), ask: fc.nat(), locks, late: fc.boolean() }),
      fc.record({ op: fc.constant('hold' as const), workflow: fc.constantFrom(...IDS), locks: fc.constant([]) }),
      fc.record({ op: fc.constant('reset' as const), holds: fc.constant([]) }),
    );
    fc.assert(fc.property(fc.array(fc.array(operation, { maxLength: 3 }), { maxLength: 30 }), fc.nat(30), (batches, cut) => {
      const whole = new LockReplica();
      let part = new LockReplica();
      batches.forEach((given, index) => {
        if (index === cut) part = LockReplica.of(JSON.parse(JSON.stringify(part.state())));
        // Why: who holds is late, and a shard speaks for its own.
        const operations = given.filter(one => one.op === 'reset' || shardOf(one.workflow) === index % SHARDS).map(one => (one.op === 'request' ? { ...one, locks: merged(one.locks), late: whole.has(one.workflow) || isOneOfSeveral(one.workflow) } : one));
        const entry = { number: index + 1, shard: index % SHARDS, epoch: 1, batch: index + 1, at: index, operations };
        const [one, other] = [whole.apply(entry), part.apply(entry)];
        // Why not by whom: of several older holders either names one.
        const named = (outcomes: typeof one) => outcomes.map(outcome => ({ ...outcome, holder: null })).sort((a, b) => (a.workflow < b.workflow ? -1 : 1));
        expect(named(one)).toEqual(named(other));
        const canonical = (replica: LockReplica) => { const state = replica.state(); return { ...state, owners: [...state.owners].sort(), table: { held: state.table.held.map(([id, held]) => [id, [...held].sort()]).sort(), waiting: [...state.table.waiting].sort((a, b) => (a.workflow < b.workflow ? -1 : 1)) } }; };
        expect(canonical(part)).toEqual(canonical(whole));
      });
    }), { numRuns: 300 });
  });
});

import fc from 'fast-check';
import type { Lock, LockMode } from '@aifirst/contracts';
import { LockTable } from './lock-table';

const lock = (resource: string, mode: LockMode = 'write'): Lock => ({ resource, mode });
const [OLD, MID, YOUNG] = ['1', '2', '3'] as const;

describe('LockTable', () => {
  it('grants whole or not at all', () => {
    const table = new LockTable();
    expect(table.request(OLD, [lock('a')], false, 0).answer).toBe('granted');
    expect(table.request(MID, [lock('a'), lock('b')], false, 0).answer).toBe('waiting');
    expect(table.request(YOUNG, [lock('c')], false, 0).answer).toBe('granted');
    table.release(OLD);
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([MID]);
  });
  it('says what one that waits stands still for', () => {
    const table = new LockTable();
    table.request(OLD, [lock('a')], false, 0);
    table.request(MID, [lock('b'), lock('a')], false, 5);
    table.request(YOUNG, [lock('b')], false, 7);
    expect([table.waitOf(OLD), table.waitOf(MID), table.waitOf(YOUNG)]).toEqual([null, { resource: 'a', holder: OLD, since: 5 }, { resource: 'b', holder: null, since: 7 }]);
    table.release(OLD);
    table.grantWaiting(9);
    expect([table.waitOf(MID), table.waitOf(YOUNG)]).toEqual([null, { resource: 'b', holder: MID, since: 7 }]);
  });
  it('lets nobody overtake an older one that waits', () => {
    const table = new LockTable();
    table.request(OLD, [lock('a')], false, 0);
    table.request(MID, [lock('a'), lock('b')], false, 0);
    expect(table.request(YOUNG, [lock('b')], false, 0).answer).toBe('waiting');
    table.release(OLD);
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([MID]);
    table.release(MID);
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([YOUNG]);
  });
  it('makes the younger one yield where both hold', () => {
    const table = new LockTable();
    table.request(OLD, [lock('a')], false, 0);
    table.request(YOUNG, [lock('b')], false, 0);
    expect(table.request(OLD, [lock('b')], true, 0).answer).toBe('waiting');
    expect(table.request(YOUNG, [lock('a')], true, 0)).toEqual({ answer: 'die', holder: OLD });
  });
  it('makes whoever begins wait behind one that waits while holding, however old', () => {
    const table = new LockTable();
    table.request(YOUNG, [lock('x')], false, 0);
    table.request(MID, [lock('y')], false, 0);
    expect(table.request(MID, [lock('x')], true, 0).answer).toBe('waiting');
    expect(table.request(OLD, [lock('x')], false, 0).answer).toBe('waiting');
    table.release(YOUNG);
    expect(table.request(YOUNG, [lock('x')], false, 0).answer).toBe('waiting');
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([MID]);
  });
  it('makes one yield that waits when an older one comes to hold what it waits for', () => {
    const table = new LockTable();
    table.request(YOUNG, [lock('x')], false, 0);
    table.request(OLD, [lock('a')], false, 0);
    table.request(MID, [lock('b')], false, 0);
    table.request(OLD, [lock('x')], true, 0);
    table.request(MID, [lock('x')], true, 0);
    table.release(YOUNG);
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([OLD]);
    expect(table.yielding()).toEqual([{ workflow: MID, holder: OLD, locks: [lock('x')] }]);
    expect(table.waiting).toBe(0);
  });
  it('keeps a writer out of a folder that is being read, and two writers of two files in it apart from nobody', () => {
    const table = new LockTable();
    table.request(OLD, [lock('f', 'intentWrite'), lock('f/x')], false, 0);
    expect(table.request(MID, [lock('f', 'intentWrite'), lock('f/y')], false, 0).answer).toBe('granted');
    expect(table.request(YOUNG, [lock('f', 'read')], false, 0).answer).toBe('waiting');
  });
  it('lets one hold what it says and no more, since when it held it, and gives the rest to others', () => {
    const table = new LockTable();
    table.request(OLD, [lock('a'), lock('b', 'read')], false, 1);
    table.request(MID, [lock('a')], false, 2);
    table.request(OLD, [lock('c')], true, 3);
    table.hold(OLD, [lock('b', 'read'), lock('d')], 4);
    expect([table.grantWaiting(5).map(g => g.workflow), table.holdsAll(OLD, [lock('b', 'intentRead'), lock('d')]), table.holdsAll(OLD, [lock('b')]), table.holdsAll(YOUNG, [lock('b')])]).toEqual([[MID], true, false, false]);
    expect(table.view(workflow => workflow === OLD).map(({ resource, since }) => [resource, since])).toEqual([['b', 1], ['d', 4]]);
    table.hold(OLD, [], 6);
    expect(table.view().map(({ workflow }) => workflow)).toEqual([MID]);
  });
  it('goes on from its state as it was', () => {
    const table = new LockTable();
    table.request(MID, [lock('a')], false, 1);
    table.request(OLD, [lock('b')], false, 1);
    table.request(OLD, [lock('a')], true, 2);
    table.request(YOUNG, [lock('b', 'read')], false, 3);
    const again = LockTable.of(JSON.parse(JSON.stringify(table.state())) as ReturnType<LockTable['state']>);
    expect([again.state(), again.grantWaiting(4), again.yielding(), again.waiting]).toEqual([table.state(), [], [], 2]);
    again.release(MID);
    again.release(OLD);
    expect(again.grantWaiting(5).map(g => g.workflow)).toEqual([YOUNG]);
  });
  it('lets whoever leaves the queue hold up nobody', () => {
    const table = new LockTable();
    table.request(OLD, [lock('a')], false, 0);
    table.request(MID, [lock('a'), lock('b')], false, 0);
    table.request(YOUNG, [lock('b')], false, 0);
    table.cancel(MID);
    expect(table.grantWaiting(0).map(g => g.workflow)).toEqual([YOUNG]);
    table.release(OLD);
    expect(table.grantWaiting(0)).toEqual([]);
  });
  it('leaves nobody waiting who could go on, and none who holds waiting for an older one, whatever happens', () => {
    const modes = fc.constantFrom<LockMode>('read', 'write', 'intentRead', 'intentWrite');
    const locks = fc.array(fc.record({ resource: fc.constantFrom('a', 'b', 'c'), mode: modes }), { minLength: 1, maxLength: 3 });
    const act = fc.record({ who: fc.constantFrom('1', '2', '3', '4', '5'), what: fc.constantFrom('request', 'request', 'request', 'cancel', 'release'), locks });
    fc.assert(fc.property(fc.array(act, { maxLength: 40 }), acts => {
      const table = new LockTable();
      const held = new Map<string, Lock[]>();
      const wanted = new Map<string, { locks: readonly Lock[]; late: boolean }>();
      const drop = (who: string) => { table.release(who); held.delete(who); wanted.delete(who); };
      for (const { who, what, locks: asked } of acts) {
        if (what === 'release') drop(who);
        else if (what === 'cancel') { table.cancel(who); wanted.delete(who); }
        else {
          const late = held.has(who);
          const { answer } = table.request(who, asked, late, 0);
          wanted.delete(who);
          if (answer === 'granted') held.set(who, [...held.get(who) ?? [], ...asked]);
          else if (answer === 'die') drop(who);
          else wanted.set(who, { locks: asked, late });
        }
        for (let moved = true; moved;) {
          const granted = table.grantWaiting(0);
          const yielding = table.yielding();
          for (const { workflow, locks: got } of granted) { held.set(workflow, [...held.get(workflow) ?? [], ...got]); wanted.delete(workflow); }
          for (const { workflow } of yielding) drop(workflow);
          moved = granted.length + yielding.length > 0;
        }
        expect(table.waiting).toBe(wanted.size);
        for (const [waiter, want] of wanted) {
          // Why a table of its own: holders as they are, and of those who wait the ones that come first.
          const probe = new LockTable();
          for (const [holder, has] of held) probe.grant(holder, has, 0);
          for (const [other, { locks: others, late }] of wanted) if (other !== waiter && !want.late && (late || other < waiter)) probe.request(other, others, late, 0);
          expect(probe.request(waiter, want.locks, want.late, 0).answer).toBe('waiting');
        }
      }
    }), { numRuns: 500 });
  });
  it('never lets two hold what conflicts, and everybody comes to an end', () => {
    const modes = fc.constantFrom<LockMode>('read', 'write', 'intentRead', 'intentWrite');
    const wants = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), modes), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(fc.array(wants, { minLength: 1, maxLength: 12 }), fc.infiniteStream(fc.nat()), (requests, chances) => {
      const table = new LockTable();
      const holding = new Set<string>();
      requests.forEach((locks, index) => { if (table.request(String(100 + index), locks.map(([r, m]) => lock(r, m)), false, 0).answer === 'granted') holding.add(String(100 + index)); });
      for (let ended = 0; ended < requests.length; ended++) {
        const byResource = new Map<string, LockMode[]>();
        for (const { resource, mode } of table.view()) byResource.set(resource, [...(byResource.get(resource) ?? []), mode]);
        for (const held of byResource.values()) {
          if (held.includes('write')) expect(held).toHaveLength(1);
          if (held.includes('read')) expect(held).not.toContain('intentWrite');
        }
        const all = [...holding];
        expect(all.length).toBeGreaterThan(0);
        const done = all[chances.next().value % all.length]!;
        holding.delete(done);
        table.release(done);
        for (const { workflow } of table.grantWaiting(0)) holding.add(workflow);
      }
      expect(table.view()).toEqual([]);
      expect(table.waiting).toBe(0);
    }), { numRuns: 300 });
  });
});

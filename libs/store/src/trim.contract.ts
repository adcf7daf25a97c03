import { Fenced } from './store';
import type { Append, Log, StoredRow } from './store';

let names = 0;
const uniqueName = (): string => `trimmed-${++names}`;
const [A, B, C, D] = [1, 2, 3, 4].map(number => `019c0000-0000-7000-8000-00000000000${number}`) as [string, string, string, string];
const versions = (rows: readonly StoredRow[]): string[] => rows.map(row => `${row.stream}/${row.version}`);
const row = (stream: string, version: number, key?: string): Append => ({
  tenant: 'default', stream, version, ...(key === undefined ? {} : { key }),
  messages: [{ topic: 'aifirst.workflow.events.v1', key: stream, id: 'i', type: 't', time: '2026-01-02T03:04:05.678Z', subject: stream, tenant: 'default', data: {} }],
});

/** The part of the store's contract about what is let go of. */
export function describeTrimming(open: (log: string) => Promise<Log>): void {
  describe('trimming', () => {
    /** Positions 1 to 6: A/1 B/1 A/2 C/1 B/2 D/1. */
    const filled = async (name: string, lowWater = 100) => {
      const log = await open(name);
      await log.commit({ appends: [row(A, 1, 'a'), row(B, 1, 'b'), row(A, 2), row(C, 1), row(B, 2), row(D, 1, 'd')], positions: { 'policy/0': 5 }, lowWater });
      return log;
    };

    it('removes streams that end there, each as a whole, and leaves the others whole', async () => {
      const log = await filled(uniqueName());
      expect(await log.trim(4)).toEqual({ removed: 3, more: false });
      expect(versions(await log.read(0, 100))).toEqual([`${B}/1`, `${B}/2`, `${D}/1`]);
      expect(versions(await log.readStreams([A, B, C]))).toEqual([`${B}/1`, `${B}/2`]);
      expect([await log.readVersions([{ stream: A, version: 1 }]), await log.readKeys(['a'])]).toEqual([[], []]);
      expect(await log.trim(4)).toEqual({ removed: 0, more: false });
      expect(await log.trim(5)).toEqual({ removed: 2, more: false });
      expect((await log.read(0, 100)).map(({ position }) => position)).toEqual([6]);
      expect((await log.read(2, 1)).map(({ position }) => position)).toEqual([6]);
    });

    it('goes through so many positions at a time, and says whether there are more', async () => {
      const log = await filled(uniqueName());
      expect(await log.trim(6, 2)).toEqual({ removed: 0, more: true });
      expect(await log.trim(6, 2)).toEqual({ removed: 3, more: true });
      expect(await log.trim(6, 2)).toEqual({ removed: 3, more: false });
      expect(await log.read(0, 100)).toEqual([]);
    });

    it('takes nothing from the low-water mark on, nor beyond the head', async () => {
      const log = await filled(uniqueName(), 4);
      expect(await log.trim(1_000)).toEqual({ removed: 2, more: false });
      expect((await log.read(0, 100)).map(({ position }) => position)).toEqual([2, 4, 5, 6]);
      await log.commit({ lowWater: 1_000 });
      expect(await log.trim(1_000)).toEqual({ removed: 4, more: false });
      await log.commit({ appends: [row(A, 9)] });
      expect(await log.trim(1_000)).toEqual({ removed: 1, more: false });
      const never = await filled(uniqueName(), 0);
      expect(await never.trim(6)).toEqual({ removed: 0, more: false });
    });

    it('keeps the streams that it is told to, until they have grown and their new end is passed', async () => {
      const log = await filled(uniqueName());
      expect(await log.trim(6, 100, [A, D])).toEqual({ removed: 3, more: false });
      expect(versions(await log.read(0, 100))).toEqual([`${A}/1`, `${A}/2`, `${D}/1`]);
      await log.commit({ appends: [row(A, 3)] });
      expect(await log.trim(7)).toEqual({ removed: 3, more: false });
      expect(versions(await log.read(0, 100))).toEqual([`${D}/1`]);
    });

    it('leaves head, numbers, positions and mark as they were, though nothing is left', async () => {
      const name = uniqueName();
      const before = await filled(name);
      await before.trim(6);
      await before.close();
      const log = await open(name);
      expect([log.head(), log.positions(), log.lowWater(), await log.read(0, 10)]).toEqual([6, { 'policy/0': 5 }, 100, []]);
      const [next] = await log.commit({ appends: [row(A, 1, 'a')] });
      expect([next!.position, next!.messages[0]!.event.sequence]).toEqual([7, 7]);
      expect(await log.read(0, 10)).toEqual([next]);
    });

    it('is refused to a writer that was replaced', async () => {
      const name = uniqueName();
      const zombie = await filled(name);
      const log = await open(name);
      await expect(zombie.trim(6)).rejects.toThrow(Fenced);
      await expect(zombie.releaseKeys(['a'], 6)).rejects.toThrow(Fenced);
      expect([(await log.read(0, 10)).length, (await log.readKeys(['a'])).length]).toEqual([6, 1]);
    });

    it('touches no other log, and goes on beside commits', async () => {
      const [log, other] = [await filled(uniqueName()), await filled(uniqueName())];
      const [trimmed, stored] = await Promise.all([log.trim(6), log.commit({ appends: [row(A, 7)] })]);
      expect(trimmed.removed + (await log.read(0, 10)).length).toBe(7);
      expect(stored).toHaveLength(1);
      expect(await other.read(0, 10)).toHaveLength(6);
    });
  });

  describe('a key', () => {
    it('that was released may be used anew, its row stays', async () => {
      const name = uniqueName();
      const log = await open(name);
      await log.commit({ appends: [row(A, 1, 'k'), row(A, 2, 'other')] });
      await log.releaseKeys(['k', 'unknown'], 0);
      await expect(log.commit({ appends: [row(A, 3, 'k')] })).rejects.toMatchObject({ keys: ['k'] });
      await log.releaseKeys(['k', 'unknown'], 1);
      expect([await log.readKeys(['k']), (await log.readStreams([A])).map(({ key }) => key)]).toEqual([[], [null, 'other']]);
      await log.commit({ appends: [row(A, 3, 'k')] });
      await log.releaseKeys(['k'], 1);
      await log.releaseKeys([], 3);
      for (const each of [log, await open(name)]) expect(versions(await each.readKeys(['k']))).toEqual([`${A}/3`]);
    });
  });
}

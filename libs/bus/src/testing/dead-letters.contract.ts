import type { DeadLetters } from '../dead-letters';
import type { Delivery } from '../message-bus';
import { aMessage, type MessageParts } from './memory-feed';

const GROUP = 'test.consumer';
const letter = (position: number, parts: Partial<MessageParts> = {}, code = 'CANNOT_READ') => {
  const delivery: Delivery = { source: 'producer/0', position, index: 0, message: aMessage({ id: `m${position}`, ...parts }) };
  return { delivery, code, detail: `message \`m${position}\` makes no sense` };
};

/** @param make dead letters that hold nothing yet */
export function describeDeadLetters(name: string, make: () => Promise<DeadLetters>): void {
  describe(`${name} as dead letters`, () => {
    let letters: DeadLetters;
    beforeEach(async () => { letters = await make(); });
    const all = () => letters.list({ tenant: null, limit: 100 });

    it('gives back exactly what was parked', async () => {
      const odd = letter(3, { id: 'odd "id"', key: 'schlüssel\t,{}', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', data: { nul: '\0', lone: '\ud800', deep: [[{ n: 1e21, none: null }]] } });
      await letters.park(GROUP, [{ ...odd, detail: 'broken \0 here' }]);
      const [found] = await all();
      expect(found).toMatchObject({ group: GROUP, tenant: 'default', source: 'producer/0', position: 3, key: 'schlüssel\t,{}', messageId: 'odd "id"', type: 'aifirst.thing.happened.v1', code: 'CANNOT_READ', status: 'parked' });
      expect(new Date(found!.parkedAt).toISOString()).toBe(found!.parkedAt);
      expect(await letters.get(found!.id)).toEqual({ letter: found, delivery: odd.delivery });
      expect(await letters.ofKey(GROUP, 'schlüssel\t,{}')).toEqual([{ letter: found, delivery: odd.delivery }]);
    });

    it('parks nothing twice, also when it was settled meanwhile', async () => {
      await letters.park(GROUP, [letter(1), letter(2)]);
      await letters.park(GROUP, [letter(2, {}, 'OTHER'), letter(3), letter(3)]);
      expect((await all()).map(({ messageId, code }) => [messageId, code])).toEqual([['m1', 'CANNOT_READ'], ['m2', 'CANNOT_READ'], ['m3', 'CANNOT_READ']]);
      await letters.settle((await all())[0]!.id, 'discarded');
      await letters.park(GROUP, [letter(1)]);
      expect((await all()).map(({ status }) => status)).toEqual(['discarded', 'parked', 'parked']);
      await letters.park('test.other', [letter(1)]);
      expect(await all()).toHaveLength(4);
      await letters.park(GROUP, []);
    });

    it('knows the keys of a group that have something parked, and the letters of each in order', async () => {
      await letters.park(GROUP, [letter(5, { key: 'a' }), letter(6, { key: 'b' })]);
      await letters.park(GROUP, [letter(2, { key: 'a' }), letter(9, { key: 'a' })]);
      await letters.park('test.other', [letter(5, { key: 'c' })]);
      expect([...await letters.parkedKeys(GROUP)].sort()).toEqual(['a', 'b']);
      expect((await letters.ofKey(GROUP, 'a')).map(({ delivery }) => delivery.position)).toEqual([5, 2, 9]);
      const [b] = await letters.ofKey(GROUP, 'b');
      await letters.settle(b!.letter.id, 'replayed');
      expect(await letters.parkedKeys(GROUP)).toEqual(['a']);
      expect(await letters.ofKey(GROUP, 'b')).toEqual([]);
      expect(await letters.parkedKeys('test.nobody')).toEqual([]);
    });

    it('keeps the order of many parked at once', async () => {
      const many = Array.from({ length: 500 }, (_, i) => letter(i + 1));
      await letters.park(GROUP, many);
      expect((await letters.ofKey(GROUP, 'k')).map(({ delivery }) => delivery.position)).toEqual(many.map(({ delivery }) => delivery.position));
    });

    it('lists by page, tenant, group and status', async () => {
      await letters.park(GROUP, [letter(1), letter(2, { tenant: 'acme' }), letter(3), letter(4)]);
      await letters.park('test.other', [letter(5)]);
      const positions = async (filter: Parameters<DeadLetters['list']>[0]) => (await letters.list(filter)).map(({ position }) => position);
      const first = await letters.list({ tenant: null, limit: 2 });
      expect(first.map(({ position }) => position)).toEqual([1, 2]);
      expect(await positions({ tenant: null, limit: 2, after: first[1]!.id })).toEqual([3, 4]);
      expect(await positions({ tenant: 'acme', limit: 9 })).toEqual([2]);
      expect(await positions({ tenant: 'default', limit: 9 })).toEqual([1, 3, 4, 5]);
      expect(await positions({ tenant: null, group: 'test.other', limit: 9 })).toEqual([5]);
      await letters.settle(first[0]!.id, 'discarded');
      expect(await positions({ tenant: null, status: 'parked', limit: 9 })).toEqual([2, 3, 4, 5]);
      expect(await positions({ tenant: null, status: 'discarded', limit: 9 })).toEqual([1]);
    });

    it('refuses to settle what is not there or settled already', async () => {
      await letters.park(GROUP, [letter(1)]);
      const id = (await all())[0]!.id;
      await letters.settle(id, 'replayed');
      await expect(letters.settle(id, 'discarded')).rejects.toMatchObject({ code: 'WRONG_STATE', extra: { status: 'replayed' } });
      await expect(letters.settle('0190a6f0-0000-7000-8000-000000000000', 'discarded')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(letters.settle('nothing', 'discarded')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await letters.get('nothing')).toBeNull();
      expect(await letters.get('0190a6f0-0000-7000-8000-000000000000')).toBeNull();
    });

    it('forgets what was settled long enough ago, and nothing parked', async () => {
      await letters.park(GROUP, [letter(1), letter(2)]);
      await letters.settle((await all())[0]!.id, 'replayed');
      expect(await letters.forget('2000-01-01T00:00:00.000Z')).toBe(0);
      expect(await letters.forget('2999-01-01T00:00:00.000Z')).toBe(1);
      expect((await all()).map(({ position }) => position)).toEqual([2]);
    });
  });
}

import type { Delivery } from '@aifirst/bus';
import { aMessage } from '@aifirst/bus/testing';
import { PartitionLane, type ReadRecord } from './partition-lane';

const records = (from: number, to: number, bytes = 1, refused: readonly number[] = []): ReadRecord[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ offset: from + i, bytes, message: refused.includes(from + i) ? null : aMessage({ id: `m${from + i}` }) }));
const laneAt = (next: number, end = next): PartitionLane => new PartitionLane('t', 0, 't/0', next, end);
const taken = (lane: PartitionLane, max: number): number[] => {
  const deliveries: Delivery[] = [];
  lane.take(max, deliveries);
  return deliveries.map(({ position }) => position);
};

describe('a lane of a partition', () => {
  it('hands over in order, with positions of offsets plus one', () => {
    const lane = laneAt(5);
    lane.add(records(5, 9), 10, 10);
    expect(taken(lane, 2)).toEqual([6, 7]);
    expect(lane.handOver()).toBe(7);
    expect(lane.handOver()).toBeNull();
    expect(taken(lane, 9)).toEqual([8, 9, 10]);
    expect(lane.handOver()).toBe(10);
  });
  it('moves past refused records and past what the log has no records for', () => {
    const lane = laneAt(0);
    lane.add(records(0, 3, 1, [0, 2, 3]), 8, 8);
    expect(taken(lane, 9)).toEqual([2]);
    expect(lane.handOver()).toBe(8);
    expect(lane.next).toBe(8);
  });
  it('does not move past a record that waits when refused ones stand before it', () => {
    const lane = laneAt(0);
    lane.add(records(0, 3, 1, [0, 1]), 4, 4);
    expect(lane.handOver()).toBe(2);
  });
  it('passes over what it has already', () => {
    const lane = laneAt(5);
    lane.add(records(3, 6), 7, 7);
    expect(taken(lane, 9)).toEqual([6, 7]);
  });
  it('is full by number or by size, and has room again at half', () => {
    const many = laneAt(0);
    many.add(records(0, 1_999), 2_000, 2_000);
    expect([many.isFull(), many.hasRoom()]).toEqual([true, false]);
    taken(many, 999);
    expect(many.hasRoom()).toBe(false);
    taken(many, 1);
    expect(many.hasRoom()).toBe(true);
    const large = laneAt(0);
    large.add(records(0, 3, 2 * 1024 * 1024), 4, 4);
    expect(large.isFull()).toBe(true);
    taken(large, 2);
    expect([large.isFull(), large.hasRoom()]).toEqual([false, true]);
  });
  it('lags by what is not handled, under way or not yet fetched', () => {
    const lane = laneAt(5, 20);
    expect(lane.lag()).toBe(15);
    lane.add(records(5, 9), 10, 30);
    expect(lane.lag()).toBe(25);
    taken(lane, 3);
    lane.handOver();
    expect(lane.lag()).toBe(25);
    lane.settle();
    expect(lane.lag()).toBe(22);
    lane.endsAt(40);
    expect(lane.lag()).toBe(32);
  });
});
